package memory

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/registry"
)

const (
	imageType  = "application/vnd.oci.image.manifest.v1+json" // of lines that give none
	indexType  = "application/vnd.oci.image.index.v1+json"    // of those with children
	dockerType = "application/vnd.docker.distribution.manifest.v2+json"
)

// Digest makes a well-formed digest out of a word, the same each time and another
// for each word. Where the word is hex digits the digest starts with it:
// Digest("aaa") is sha256:aaa….
func Digest(word string) string {
	sum := sha256.Sum256([]byte(word))
	digits := hex.EncodeToString(sum[:])
	if len(word) < 32 && strings.Trim(word, "0123456789abcdef") == "" {
		digits = (word + digits)[:64]
	}
	return "sha256:" + digits
}

// Set takes lines, one for each tag that is added, moved or taken away:
//
//	# a comment
//	quay.io/team1/web:1.0 aaa
//	quay.io/team1/web:1.1 sha256:bbb application/vnd.docker.distribution.manifest.v2+json
//	quay.io/team1/web:1.2 abc created=2026-01-02T03:04:05Z label:version=1.2
//	quay.io/team1/web:2.0 index linux/amd64=ccc linux/arm64/v8=ddd =eee
//	quay.io/team1/web@fff
//	quay.io/team1/chart:1.0 c0 artifact
//	quay.io/team1/old:1.0 -
//	quay.io/team1/sick:1.0 !RateLimited too many requests
//	quay.io !Unreachable no answer
//
// A digest is whole, or a word for Digest, with or without sha256: before it; it
// may also stand in the reference, after an @, where without a tag it adds an
// image that no tag names. After it may stand a media type; without one a line
// with children is an OCI index and any other an OCI image manifest. Children are
// found by their digests, too; one without a platform starts with its =, and one
// for unknown/unknown is an artifact.
//
// Then come facts, see described.tell. Those before the first child are of every child,
// those after a child of that one alone. A line without facts leaves what is
// known of a digest as it is.
//
// An exclamation mark makes questions fail, see Fail; alone it ends that, and so
// does any other line for the same reference. Where a line is wrong, those before
// it count.
func (r *Registry) Set(lines string) error {
	for i, line := range strings.Split(lines, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := r.set(fields); err != nil {
			return fmt.Errorf("registry line %d: %w", i+1, err)
		}
	}
	return nil
}

func (r *Registry) set(fields []string) error {
	if name, word, inline := strings.Cut(fields[0], "@"); inline {
		fields[0] = name + "@" + digest(word)
	}
	if len(fields) > 1 && strings.HasPrefix(fields[1], "!") {
		return r.Fail(fields[0], failure(fields[1:]))
	}
	ref, err := registry.ParseRef(fields[0])
	if err != nil {
		return err
	}
	if ref.Digest != "" {
		fields = slices.Insert(fields, 1, ref.Digest)
	}
	if ref.Tag != "" {
		ref.Digest = ""
	}
	if len(fields) < 2 {
		return fmt.Errorf("%s has no digest; write one, a word for one, or - to take the tag away", fields[0])
	}
	if err := r.Fail(ref.String(), nil); err != nil {
		return err
	}
	if fields[1] == "-" {
		r.untag(ref)
		return nil
	}
	image, children, err := parseImage(fields[1:])
	if err != nil {
		return err
	}
	r.put(ref, image, children)
	return nil
}

// failure reads !KIND MESSAGE, and nil from a lone mark.
func failure(fields []string) *registry.Error {
	if fields[0] == "!" {
		return nil
	}
	return &registry.Error{Kind: registry.Kind(fields[0][1:]), Message: strings.Join(fields[1:], " ")}
}

func digest(word string) string {
	if registry.ValidDigest(word) {
		return word
	}
	return Digest(strings.TrimPrefix(word, "sha256:"))
}

func parsePlatform(s string) (registry.Platform, error) {
	if s == "" {
		return registry.Platform{}, nil
	}
	parts := append(strings.Split(s, "/"), "")
	if len(parts) < 3 || len(parts) > 4 {
		return registry.Platform{}, fmt.Errorf("%s is no platform; write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT", s)
	}
	return registry.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}, nil
}

func (r *Registry) put(ref registry.Ref, image described, children []described) {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo, ok := r.repos[ref.Repo]
	if !ok {
		repo = &repository{digest: make(map[string]string), images: make(map[string]registry.Image), configs: make(map[string]registry.Config)}
		if r.repos == nil {
			r.repos = make(map[registry.Repo]*repository)
		}
		r.repos[ref.Repo] = repo
	}
	for _, child := range children {
		repo.put(child)
	}
	repo.put(image)
	if ref.Tag == "" {
		return
	}
	if _, ok := repo.digest[ref.Tag]; !ok {
		repo.tags = append(repo.tags, ref.Tag)
	}
	repo.digest[ref.Tag] = image.Digest
}

// put keeps an image and its configuration.
func (r *repository) put(d described) {
	if known, ok := r.images[d.Digest]; ok && !d.told && known.MediaType == d.MediaType && !d.IsIndex() {
		return
	}
	r.images[d.Digest] = d.Image
	if d.Image.Config != "" {
		r.configs[d.Image.Config] = d.config
	}
}

// untag takes a tag away; its image stays, found by digest.
func (r *Registry) untag(ref registry.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if repo, ok := r.repos[ref.Repo]; ok {
		repo.tags = slices.DeleteFunc(repo.tags, func(tag string) bool { return tag == ref.Tag })
		delete(repo.digest, ref.Tag)
	}
}
