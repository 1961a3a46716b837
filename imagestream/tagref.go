package imagestream

import (
	"errors"
	"strings"
)

// ParseTagRef reads NAMESPACE/STREAM:TAG. Without a namespace it is the reader's to
// know which is meant; without a tag it is latest. The error goes on after what was read,
// as in "is empty", and does not repeat it.
func ParseTagRef(text string) (TagRef, error) {
	if text == "" {
		return TagRef{}, errors.New("is empty")
	}
	ns, name, ok := strings.Cut(text, "/")
	if !ok {
		ns, name = "", text
	}
	name, tag, tagged := strings.Cut(name, ":")
	if !tagged {
		tag = "latest"
	}
	switch {
	case strings.Contains(text, "@"):
		return TagRef{}, errors.New("names an image by its digest, not a tag of a stream")
	case ok && !namespace.MatchString(ns):
		return TagRef{}, errors.New("has no namespace before its slash that could be one")
	case strings.Contains(name, "/"):
		return TagRef{}, errors.New("has more than one slash, as an image has")
	case !streamName.MatchString(name) || len(ns)+1+len(name) > 255:
		return TagRef{}, errors.New("does not name a stream")
	case !isTagName(tag):
		return TagRef{}, errors.New("has no tag behind its colon that could be one")
	}
	return TagRef{Name{ns, name}, tag}, nil
}
