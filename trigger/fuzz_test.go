package trigger

import (
	"strconv"
	"testing"

	"github.com/towpath/towpath/yamledit"
)

// FuzzFind: whatever an annotation says, a site is a place that can be rewritten, or
// that the edit refuses.
func FuzzFind(f *testing.F) {
	for _, path := range []string{podPath + "containers[0].image", podPath + `initContainers[?(@.name=="web")].image`, "x", ""} {
		f.Add("[" + one("barge:1", path, `,"paused":false`) + "]")
	}
	f.Add("[{]")
	f.Add("null")
	f.Fuzz(func(t *testing.T, annotation string) {
		file, err := yamledit.Parse([]byte(workload("Deployment", strconv.QuoteToASCII(annotation))), yamledit.DefaultLimits)
		if err != nil {
			return
		}
		sites, problems := Find(file)
		for _, p := range problems {
			if p.Line < 1 || p.Col < 1 || p.What == "" || !p.Note && p.Fix == "" {
				t.Errorf("got problem %+v, want a place and a next step", p)
			}
		}
		image := ParseImage("quay.io/canal/barge:2")
		for _, s := range sites {
			text, err := Rewritten(file.Src, As{}, Rewrite{Site: s, Image: image})
			if err != nil {
				t.Fatalf("%s: %v", brief(s), err)
			}
			after, err := yamledit.Parse(text, yamledit.DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range s.Places {
				if got, _ := yamledit.Get(after.Docs[p.Doc].Root, p.At); got != "quay.io/canal/barge:2" {
					t.Errorf("%s: rewritten to %q", brief(s), got)
				}
			}
		}
	})
}
