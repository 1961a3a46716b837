package integrated

import (
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3"
)

// fault: E-07
// An index loses none of its images and an image none of its layers, as long as it is there itself.
func TestPartsAreNotDeleted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		guide  Guide
		change func(*Rules)
	}{
		"alone":     {nil, func(*Rules) {}},
		"immutable": {nil, func(r *Rules) { r.ImmutableTags = []Pattern{glob("1.*")} }},
		"a guide":   {&fakeGuide{}, func(*Rules) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := doorTo(t, c.guide, func(r *Rules) { r.Delete = true; c.change(r) })
			const at = "/v2/team1/web/manifests/"
			m := d.image(t, "alice", "team1/web", "one")
			d.want(t, 201, "alice", "PUT", at+digestOf(m), m, "Content-Type", imageType)
			inner, outer := listOf(m), ""
			d.want(t, 201, "alice", "PUT", at+digestOf(inner), inner, "Content-Type", indexType)
			outer = strings.Replace(listOf(inner), imageType+`","digest`, indexType+`","digest`, 1)
			d.want(t, 201, "alice", "PUT", at+"1.0", outer, "Content-Type", indexType)
			got := d.want(t, 409, "alice", "DELETE", at+digestOf(m), "")
			if !strings.Contains(got.body, "it is part of "+digestOf(inner)+"; delete that first") {
				t.Errorf("got %s", got.body)
			}
			got = d.want(t, 409, "alice", "DELETE", at+digestOf(inner), "")
			if !strings.Contains(got.body, "it is part of "+digestOf(outer)+" (tag 1.0); delete that first") {
				t.Errorf("got %s", got.body)
			}
			want := 405
			if name == "alone" {
				want = 409
			}
			d.want(t, want, "alice", "DELETE", "/v2/team1/web/blobs/"+digestOf("one"), "")
			d.want(t, 200, "alice", "GET", at+digestOf(m), "", "Accept", imageType)
			if name == "immutable" {
				return
			}
			if c.guide != nil { // the push waited
				d.recorded(t)
				d.want(t, 202, "alice", "DELETE", at+"1.0", "")
			}
			// From the outside inwards it works; what was deleted names nothing.
			for _, manifest := range []string{outer, inner, m} {
				d.want(t, 202, "alice", "DELETE", at+digestOf(manifest), "")
			}
			if name == "alone" {
				d.want(t, 202, "alice", "DELETE", "/v2/team1/web/blobs/"+digestOf("one"), "")
			}
		})
	}
}

// What distribution takes for a part of a manifest is one here, too.
func FuzzNamesIn(f *testing.F) {
	digest := digestOf("x")
	f.Add([]byte(manifestOf(digest, 1, digest, 1)))
	f.Add([]byte(listOf("x")))
	f.Add([]byte(strings.ReplaceAll(manifestOf(digest, 1, digest, 1), "layers", "LAYERS")))
	f.Add([]byte(`{"manifests":[{"digest":null},{}],"config":{},"layers":null}`))
	f.Add([]byte(strings.Replace(listOf("x"), `{"schema`, `{"config":5,"layers":"x","schema`, 1)))
	f.Fuzz(func(t *testing.T, src []byte) {
		names := namesIn(src)
		for _, mediaType := range manifestTypes {
			m, _, err := distribution.UnmarshalManifest(mediaType, src)
			if err != nil {
				continue
			}
			for _, d := range m.References() {
				if d.Digest != "" && !slices.Contains(names, string(d.Digest)) {
					t.Errorf("%s: %s is not among %q of %s", mediaType, d.Digest, names, src)
				}
			}
		}
	})
}
