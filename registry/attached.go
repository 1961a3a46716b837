package registry

import "strings"

// Attached is the image that a tag is about: sha256-HEX with .sig, .att or .sbom behind it is
// where signatures, attestations and lists of contents lie, and sha256-HEX alone where an image's
// referrers are listed. Such a tag is no version of anything; it goes with its image.
func Attached(tag string) (digest string, ok bool) {
	name, kind, more := strings.Cut(tag, ".")
	if more && kind != "sig" && kind != "att" && kind != "sbom" {
		return "", false
	}
	algorithm, hex, _ := strings.Cut(name, "-")
	if digest = algorithm + ":" + hex; !ValidDigest(digest) {
		return "", false
	}
	return digest, true
}
