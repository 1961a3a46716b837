package hooks

import (
	"strings"

	"github.com/towpath/towpath/registry"
)

func registries() []vendor { return nil }

// repository is the canonical name of what a payload names, by the receiver's host where it
// has one. It is only ever compared with names that streams have. Some senders write the
// path with the capitals of an account; registries have none.
func repository(host, said, path string) (registry.Repo, bool) {
	if host == "" {
		host = said
	}
	host, err := registry.ParseHost(host)
	if err != nil {
		return registry.Repo{}, false
	}
	path = lower(path)
	if host == registry.Hub && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	r := registry.Repo{Host: host, Path: path}
	return r, r.IsCanonical()
}

// lower changes ASCII alone: folding runes makes other letters to those of ASCII.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// seen adds an image to a sighting, if it is one that a registry can have. Where the tag is
// a digest, as several vendors write it, it was pushed by digest alone.
func (s *Sighting) seen(r registry.Repo, ok bool, tag, digest string) {
	if registry.ValidDigest(tag) {
		tag, digest = "", tag
	}
	if !ok || tag != "" && !registry.ValidTag(tag) {
		return
	}
	if !registry.ValidDigest(digest) {
		digest = ""
	}
	s.Images = append(s.Images, Image{Repo: r, Tag: tag, Digest: digest})
}
