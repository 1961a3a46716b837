package trigger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// An Image is what a tag is on record as, in the parts that places hold.
type Image struct {
	Name   string // registry and repository, as written
	Tag    string // at the registry; empty where it is not known
	Digest string // sha256:…; empty of a reference that is taken as it is written
}

// ParseImage takes a reference apart, and leaves every part as it is written.
func ParseImage(reference string) Image {
	var i Image
	reference, i.Digest, _ = strings.Cut(reference, "@")
	i.Name = reference
	if colon := strings.LastIndexByte(reference, ':'); colon > strings.LastIndexByte(reference, '/') {
		i.Name, i.Tag = reference[:colon], reference[colon+1:]
	}
	return i
}

// Reference is the image in a style; why says what is not known of it.
func (i Image) Reference(by Style) (reference, why string) {
	switch {
	case i.Digest == "" && i.Tag == "":
		return i.Name, "" // taken as it is written
	case i.Digest == "":
		return i.Name + ":" + i.Tag, ""
	case by == ByTag && i.Tag == "":
		return "", "its tag at the registry is not on record"
	case by == ByTag:
		return i.Name + ":" + i.Tag, ""
	case by == ByTagDigest && i.Tag != "":
		return i.Name + ":" + i.Tag + "@" + i.Digest, ""
	}
	return i.Name + "@" + i.Digest, ""
}

// part is the image's part of that kind; why says what is not known of it.
func (i Image) part(p Part, by Style) (value, why string) {
	switch {
	case p == Ref:
		return i.Reference(by)
	case p == Name:
		return i.Name, ""
	case (p == Tag || p == TagDigest) && i.Tag == "":
		return "", "its tag at the registry is not on record"
	case p == Tag:
		return i.Tag, ""
	case i.Digest == "":
		return "", "it is a reference without a digest"
	case p == Digest:
		return i.Digest, ""
	}
	return i.Tag + "@" + i.Digest, ""
}

// Values are what the places of a site hold when it has an image, in order, in the
// site's own style or else the one given. Where something that a place wants is not known
// of the image, why says so.
func (s Site) Values(i Image, by Style) (values []string, why string) {
	if s.Wish != "" {
		by = s.Wish
	}
	values = make([]string, len(s.Places))
	for n, p := range s.Places {
		if values[n], why = i.part(p.Part, by); why != "" {
			return nil, why
		}
	}
	return values, ""
}

// Has reports whether a site has an image already. Digests decide where there are
// any: the same bytes under another name are no news.
func (s Site) Has(i Image, by Style) bool {
	has, _ := s.Holds(i, by)
	return has
}

// Had is Has for what a site held in older days, when references may have been written in
// another style.
func (s Site) Had(i Image, by Style) bool {
	if s.Has(i, by) {
		return true
	}
	return s.Wish == "" && slices.ContainsFunc([]Style{ByDigest, ByTagDigest, ByTag}, func(by Style) bool { return s.Has(i, by) })
}

// Holds is Has; where something that a place wants is not known of the image, why says so.
func (s Site) Holds(i Image, by Style) (has bool, why string) {
	values, why := s.Values(i, by)
	if why != "" {
		return false, why
	}
	places, digests := s.judged()
	for n, p := range s.Places {
		switch digest := p.digest(); {
		case !places[n]:
		case digest != "":
			if digest != i.Digest {
				return false, ""
			}
		case digests && (p.Part == Name || p.Part == Tag):
		case p.Value != values[n]:
			return false, ""
		}
	}
	return true, ""
}

// judged are the places that say what a site has, and whether a digest is among them.
func (s Site) judged() (places []bool, digests bool) {
	places = make([]bool, len(s.Places))
	all := true
	for _, p := range s.Places {
		all = all && p.Book
	}
	for n, p := range s.Places {
		places[n] = all || !p.Book
		digests = digests || places[n] && p.digest() != ""
	}
	return places, digests
}

// digest is the digest that a place holds, empty where it holds none.
func (p Place) digest() string {
	if p.Part == Digest {
		return strings.TrimSpace(p.Value)
	}
	_, digest, _ := strings.Cut(p.Value, "@")
	return digest
}

// Digest is the digest that a site holds, empty where it holds none.
func (s Site) Digest() string {
	for _, p := range s.Places {
		if d := p.digest(); d != "" {
			return d
		}
	}
	return ""
}

// Current is what a site holds, for people: of several places that say the same one,
// of parts the reference that they make.
func (s Site) Current() string {
	places, _ := s.judged()
	var name, tag, digest string
	var refs []string
	for n, p := range s.Places {
		if !places[n] {
			continue
		}
		switch value := strings.TrimSpace(p.Value); p.Part {
		case Name:
			name = value
		case Tag:
			tag = value
		case Digest:
			digest = value
		case TagDigest:
			tag, digest, _ = strings.Cut(value, "@")
		default:
			if value != "" && (len(refs) == 0 || refs[len(refs)-1] != value) {
				refs = append(refs, value)
			}
		}
	}
	if len(refs) > 0 {
		return strings.Join(refs, ", ")
	}
	out := name
	if tag != "" {
		out += ":" + tag
	}
	if digest != "" {
		out += "@" + digest
	}
	if name == "" {
		out = strings.TrimLeft(out, ":@")
	}
	return out
}

func contains(src []byte, words ...string) bool {
	for _, w := range words {
		if bytes.Contains(src, []byte(w)) {
			return true
		}
	}
	return false
}

func suffix(n int) string { return fmt.Sprintf(" (%d)", n) }

// HoldsDigest reports whether a site that has an image says its digest.
func (s Site) HoldsDigest(i Image, by Style) bool {
	if s.Wish != "" {
		by = s.Wish
	}
	return i.Digest != "" && slices.ContainsFunc(s.Places, func(p Place) bool {
		return p.Part == Digest || p.Part == TagDigest || p.Part == Ref && by != ByTag
	})
}
