package trigger

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

func TestParseImage(t *testing.T) {
	for _, tt := range []struct {
		reference string
		want      Image
	}{
		{"redis", Image{Name: "redis"}},
		{"redis:7", Image{"redis", "7", ""}},
		{"localhost:5000/redis", Image{Name: "localhost:5000/redis"}},
		{"localhost:5000/redis:7@" + digestA, Image{"localhost:5000/redis", "7", digestA}},
		{"redis@" + digestA, Image{"redis", "", digestA}},
		{"", Image{}},
	} {
		if got := ParseImage(tt.reference); got != tt.want {
			t.Errorf("ParseImage(%q) = %+v, want %+v", tt.reference, got, tt.want)
		}
	}
}

// TestStyles: every part of every kind of image, in every style; why is the word that a
// person is told where it is not known.
func TestStyles(t *testing.T) {
	whole := Image{"quay.io/canal/web", "1.5", digestA}
	untagged := Image{Name: "quay.io/canal/web", Digest: digestA}
	reference := Image{Name: "quay.io/canal/web", Tag: "1.5"}
	bare := Image{Name: "quay.io/canal/web"}
	for _, tt := range []struct {
		image Image
		part  Part
		style Style
		want  string // with a ! before what is not known
	}{
		{whole, Ref, ByDigest, "quay.io/canal/web@" + digestA},
		{whole, Ref, "", "quay.io/canal/web@" + digestA},
		{whole, Ref, ByTagDigest, "quay.io/canal/web:1.5@" + digestA},
		{whole, Ref, ByTag, "quay.io/canal/web:1.5"},
		{whole, Name, ByDigest, "quay.io/canal/web"},
		{whole, Tag, ByDigest, "1.5"},
		{whole, Digest, ByTag, digestA},
		{whole, TagDigest, ByTag, "1.5@" + digestA},
		{untagged, Ref, ByTagDigest, "quay.io/canal/web@" + digestA},
		{untagged, Ref, ByTag, "!tag"},
		{untagged, Tag, ByDigest, "!tag"},
		{untagged, TagDigest, ByDigest, "!tag"},
		{reference, Ref, ByDigest, "quay.io/canal/web:1.5"},
		{reference, Digest, ByDigest, "!digest"},
		{reference, TagDigest, ByDigest, "!digest"},
		{bare, Ref, ByTag, "quay.io/canal/web"},
		{bare, Tag, ByTag, "!tag"},
	} {
		s := Site{Places: []Place{{Part: tt.part}}}
		values, why := s.Values(tt.image, tt.style)
		word, unknown := strings.CutPrefix(tt.want, "!")
		switch {
		case unknown && (values != nil || !strings.Contains(why, word)):
			t.Errorf("%+v as %s in style %q: %q, %q, want nothing, and why", tt.image, tt.part, tt.style, values, why)
		case !unknown && !slices.Equal(values, []string{tt.want}):
			t.Errorf("%+v as %s in style %q: %q (%s), want %q", tt.image, tt.part, tt.style, values, why, tt.want)
		}
		s.Wish = tt.style
		if again, _ := s.Values(tt.image, ByTag); tt.style != "" && !slices.Equal(again, values) {
			t.Errorf("%+v: the site's wish gives %q, the same style from elsewhere %q", tt.image, again, values)
		}
	}
}

// TestHasTogether: of several places every digest counts, and of places without digests every
// word.
func TestHasTogether(t *testing.T) {
	image := Image{"quay.io/canal/web", "1.5", digestA}
	ref := func(d string) Place { return Place{Part: Ref, Value: "elsewhere/web@" + d} }
	for _, tt := range []struct {
		name    string
		places  []Place
		want    bool
		current string
	}{
		{"both containers", []Place{ref(digestA), ref(digestA)}, true, "elsewhere/web@" + digestA},
		{"one of two", []Place{ref(digestA), ref(digestB)}, false, "elsewhere/web@" + digestA + ", elsewhere/web@" + digestB},
		{"the other of two", []Place{ref(digestB), ref(digestA)}, false, "elsewhere/web@" + digestB + ", elsewhere/web@" + digestA},
		{"one of two without a digest", []Place{ref(digestA), {Part: Ref, Value: "old"}}, false, "elsewhere/web@" + digestA + ", old"},
		{"a note beside it says otherwise", []Place{ref(digestA), {Part: Ref, Value: "old", Book: true}}, true, "elsewhere/web@" + digestA},
		{"a note alone", []Place{{Part: Ref, Value: "old", Book: true}}, false, "old"},
		{"name and tag", []Place{{Part: Name, Value: "quay.io/canal/web"}, {Part: Tag, Value: "1.5"}}, true, "quay.io/canal/web:1.5"},
		{"name and another tag", []Place{{Part: Name, Value: "quay.io/canal/web"}, {Part: Tag, Value: "1.4"}}, false, "quay.io/canal/web:1.4"},
		{"another name", []Place{{Part: Name, Value: "web"}, {Part: Tag, Value: "1.5"}}, false, "web:1.5"},
		{"a digest decides for the parts beside it", []Place{{Part: Name, Value: "mirror/web"}, {Part: Tag, Value: "latest"}, {Part: Digest, Value: digestA}}, true, "mirror/web:latest@" + digestA},
		{"another digest", []Place{{Part: Name, Value: "quay.io/canal/web"}, {Part: Tag, Value: "1.5"}, {Part: Digest, Value: digestB}}, false, "quay.io/canal/web:1.5@" + digestB},
		{"a digest that is not there yet", []Place{{Part: Tag, Value: "1.5"}, {Part: Digest}}, false, "1.5"},
		{"tag and digest in one", []Place{{Part: TagDigest, Value: "1.5@" + digestA}}, true, "1.5@" + digestA},
		{"its digest in another form", []Place{{Part: TagDigest, Value: "1.4@" + digestA}}, true, "1.4@" + digestA},
		{"a digest alone", []Place{{Part: Digest, Value: digestA}}, true, digestA},
	} {
		s := Site{Places: tt.places}
		if got := s.Has(image, ByDigest); got != tt.want {
			t.Errorf("%s: Has = %t", tt.name, got)
		}
		if diff := cmp.Diff(tt.current, s.Current()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
		values, _ := s.Values(image, ByDigest)
		after := Site{Places: slices.Clone(tt.places)}
		for i := range values {
			after.Places[i].Value = values[i]
		}
		if !after.Has(image, ByDigest) || !s.HoldsDigest(image, ByDigest) != (after.Digest() == "") {
			t.Errorf("%s: rewritten to %q it does not have the image, or HoldsDigest is wrong", tt.name, values)
		}
	}
}
