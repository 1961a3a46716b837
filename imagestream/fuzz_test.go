package imagestream

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/yamledit"
)

// FuzzParse: whatever a file says, reading it ends, problems have a place and a
// next step, and what was read can be written: after an event the file says what was
// meant, or the edit is refused.
func FuzzParse(f *testing.F) {
	for _, src := range corpusFiles(f) {
		if len(src) < 5_000 {
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		file, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
		if err != nil {
			return
		}
		docs, problems := Parse(file)
		for _, p := range problems {
			if p.Line < 1 || p.Col < 1 || p.What == "" || !p.Note && p.Fix == "" {
				t.Errorf("got problem %+v, want a place and a next step", p)
			}
		}
		o := Options{Now: noon}
		item := image("a", noon)
		for i, d := range docs {
			if edits := Edits(file, d, d.Status, o); len(edits) > 0 {
				t.Errorf("edits of nothing: %v", edits)
			}
			after := d.After([]Event{{Tag: "latest", Item: &item, Source: source("00000001", noon)}}, o)
			text, err := file.Apply(Edits(file, d, after, o)...)
			if err != nil || d.Malformed {
				continue
			}
			again, _ := Parse(parse(t, string(text)))
			if len(again) != len(docs) || !cmp.Equal(again[i].Status, after, ofOthers) {
				t.Errorf("wrote %+v, read %+v", after, again)
			}
		}
	})
}
