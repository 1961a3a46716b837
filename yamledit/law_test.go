package yamledit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/towpath/towpath/internal/seeds"
)

// judge holds an edit to the law: an edit changes only the bytes of the value it
// names, and says what was asked for; or it is refused.
func judge(f *File, cs []Change) (out []byte, err error) {
	out, err = f.Apply(cs...)
	var r *Refused
	if errors.As(err, &r) {
		if r.What == "" || r.Fix == "" || r.Line < 1 || r.Col < 1 {
			return nil, fmt.Errorf("refused without a reason or a fix: %+v", r)
		}
		return nil, r
	}
	if err != nil {
		return nil, err
	}
	g, err := Parse(out, f.limits)
	if err != nil {
		return nil, fmt.Errorf("the new text does not parse: %w\n%s", err, out)
	}
	for i, d := range f.Docs {
		want := modelOf(d.Root)
		var own []Change
		for _, c := range cs {
			if c.Doc == i {
				own = append(own, c)
			}
		}
		want.change(own)
		if got := modelOf(g.Docs[i].Root); got.String() != want.String() {
			return nil, fmt.Errorf("document %d reads\n%s\nand should read\n%s\nin\n%s", i, got, want, out)
		}
	}
	if len(cs) == 1 {
		if what := local(f, cs[0], out); what != "" {
			return nil, fmt.Errorf("the edit changed %s:\n%s", what, out)
		}
	}
	return out, nil
}

// Law 3, on documents that are drawn, in every layout that people use. None of
// them holds what must be refused, so that nothing may be refused but what a
// person could not tell either.
func TestEditsAreLocal(t *testing.T) {
	seed := seeds.Of(t)
	refused := 0
	const rounds = 1500
	for i := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, i))
		src := drawText(r)
		f, err := Parse([]byte(src), DefaultLimits)
		if err != nil {
			t.Fatalf("seed %d round %d: drawn text does not parse: %v\n%s", seed, i, err, src)
		}
		if len(f.Docs) == 0 {
			continue
		}
		cs := draw(r, f, 4)
		if len(cs) == 0 {
			continue
		}
		_, err = judge(f, cs)
		var no *Refused
		if errors.As(err, &no) && !strings.Contains(no.What, "would not") {
			refused++
			continue
		}
		if err != nil {
			t.Fatalf("seed %d round %d: %v\nchanges %s\nof\n%s", seed, i, err, show(cs), src)
		}
	}
	if refused > rounds/20 {
		t.Errorf("seed %d: %d of %d refused", seed, refused, rounds)
	}
}

func show(cs []Change) string {
	var b strings.Builder
	for _, c := range cs {
		fmt.Fprintf(&b, "\n  doc %d %s %v %#v", c.Doc, [...]string{"set", "insert", "delete"}[c.Op], c.At, c.Value)
	}
	return b.String()
}

func FuzzApply(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range names {
		in, _ := readArchive(f, name).part("in")
		f.Add([]byte(in), uint64(1))
		f.Add([]byte(strings.ReplaceAll(in, "\n", "\r\n")), uint64(2))
	}
	for i := range uint64(10) {
		f.Add([]byte(drawText(rand.New(rand.NewPCG(1, i)))), i)
	}
	limits := DefaultLimits
	limits.Bytes, limits.Depth = 4096, 16
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		file, err := Parse(src, limits)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.What == "" || e.Fix == "" || e.Line < 1 {
				t.Fatalf("not a whole *Error: %#v", err)
			}
			return
		}
		if len(file.Docs) == 0 {
			return
		}
		cs := draw(rand.New(rand.NewPCG(seed, 0)), file, 3)
		if len(cs) == 0 {
			return
		}
		_, err = judge(file, cs)
		var no *Refused
		if err != nil && !errors.As(err, &no) {
			t.Fatalf("%v\nchanges %s\nof\n%s", err, show(cs), src)
		}
	})
}
