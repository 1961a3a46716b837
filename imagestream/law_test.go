package imagestream

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// The law: what is written is what is read, and nothing else has changed.
//
//	Parse(Apply(Edits(d, after))) = after     for any after in the file's order
//	Edits(d, d.Status) = nothing
//
// It is held over every file of the corpus, from step to step, by events and by
// statuses out of nowhere.
func TestLawWrittenIsRead(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 1))
	files := corpusFiles(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		src := files[name]
		for step := range min(8, 1+30_000/len(src)) { // less of what is long
			f := parse(t, src)
			docs, _ := Parse(f)
			o := Options{Now: noon.Add(time.Duration(step) * time.Hour), History: 1 + r.IntN(5), Keep: func(string) bool { return r.IntN(4) == 0 }}
			var changes []yamledit.Change
			var wanted []Status
			for _, d := range docs {
				if edits := Edits(f, d, d.Status, o); len(edits) > 0 {
					t.Fatalf("%s: edits of nothing: %v", name, edits)
				}
				after := d.Status
				if !d.Malformed && r.IntN(2) == 0 {
					events := randomEvents(r, d.Status)
					after = d.After(events, o)
					checkEmpty(t, name, d.Status, after, events)
				} else if !d.Malformed {
					after = randomStatus(r, d.Status, o)
				}
				changes = append(changes, Edits(f, d, after, o)...)
				wanted = append(wanted, after)
			}
			next, err := f.Apply(changes...)
			if err != nil {
				t.Fatalf("%s, step %d: %v\n%v\n%s", name, step, err, changes, src)
			}
			checkWritten(t, fmt.Sprintf("%s, step %d", name, step), src, string(next), wanted)
			src = string(next)
		}
	}
}

// checkEmpty: a tag without a record was there without one, and no event changed it.
func checkEmpty(t *testing.T, name string, before, after Status, events []Event) {
	t.Helper()
	for _, tag := range after.Tags {
		if old := before.Tag(tag.Tag); tag.isEmpty() && (old == nil || !cmp.Equal(*old, tag)) {
			t.Fatalf("%s: tag %s is left without a record after %v", name, tag.Tag, events)
		}
	}
	for _, old := range before.Tags {
		if after.Tag(old.Tag) == nil && (len(old.Items) > 0 || old.Source != nil || old.Failure == nil || old.Others) {
			t.Fatalf("%s: tag %s is lost with what was on record after %v", name, old.Tag, events)
		}
	}
}

// ofOthers leaves out what is only known when a file is read: a condition that becomes
// our own is no longer one of others, and whose item a status out of nowhere begins with.
var ofOthers = cmpopts.IgnoreFields(TagStatus{}, "Others", "Served")

func checkWritten(t *testing.T, name, before, after string, wanted []Status) {
	t.Helper()
	docs, _ := Parse(parse(t, after))
	if len(docs) != len(wanted) {
		t.Fatalf("%s: got %d streams, want %d\n%s", name, len(docs), len(wanted), after)
	}
	for i, d := range docs {
		if diff := cmp.Diff(wanted[i], d.Status, ofOthers); diff != "" {
			t.Fatalf("%s: status of %s (-written +read):\n%s\nbefore:\n%s\nafter:\n%s", name, d.Name, diff, before, after)
		}
	}
	if diff := cmp.Diff(rest(t, before), rest(t, after)); diff != "" {
		t.Fatalf("%s: something else has changed (-before +after):\n%s", name, diff)
	}
}

// rest is a file without what is ours to write.
func rest(t *testing.T, src string) string {
	t.Helper()
	var b strings.Builder
	for _, d := range parse(t, src).Docs {
		var root yaml.Node // with comments
		if err := yaml.Unmarshal([]byte(src[d.Start:d.End]), &root); err != nil {
			t.Fatal(err)
		}
		strip(root.Content[0])
		text, err := yaml.Marshal(root.Content[0])
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

func strip(n *yamledit.Node) {
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			strip(c)
		}
		return
	}
	kept := n.Content[:0]
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value == "annotations" || key.Value == "items" {
			strip(value)
		}
		if key.Value == "metadata" {
			strip(value)
		}
		if key.Value == "status" || key.Value == annotationChecked || key.Value == "annotations" && isEmpty(value) {
			continue
		}
		key.HeadComment, key.FootComment, key.LineComment, value.FootComment = "", "", "", ""
		kept = append(kept, key, value)
	}
	n.Content, n.Style = kept, 0
}

func corpusFiles(t testing.TB) map[string]string {
	t.Helper()
	files := map[string]string{"whole": whole, "large": large(), "crlf": strings.ReplaceAll(whole, "\n", "\r\n")}
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if strings.HasPrefix(f.Name, "in.") {
				files[filepath.Base(name)] = string(f.Data)
			}
		}
	}
	return files
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomEvents are events of tags that are on record, and of others.
func randomEvents(r *rand.Rand, s Status) []Event {
	var events []Event
	for range r.IntN(4) {
		e := Event{Tag: pick(r, "latest", "1.0", "12", "a", "b", "v1", "edge")}
		if len(s.Tags) > 0 && r.IntN(2) == 0 {
			e.Tag = pick(r, s.Tags...).Tag
		}
		switch r.IntN(4) {
		case 0, 1:
			item := randomItem(r)
			item.Created = time.Time{}
			e.Item, e.Source, e.Clear = &item, randomSource(r), r.IntN(3) == 0
		case 2:
			e.Failure = randomFailure(r)
		case 3:
			e.Clear = true
		}
		events = append(events, e)
	}
	return events
}

func randomItem(r *rand.Rand) Item {
	i := image(pick(r, "a", "b", "c", "d"), noon.Add(time.Duration(r.IntN(5))*time.Hour))
	switch r.IntN(6) {
	case 0:
		i.Reference, i.Image = "quay.io/canal/barge:1", ""
	case 1:
		i.Reference = "elsewhere.test/barge@" + i.Image
	}
	return i
}

func randomSource(r *rand.Rand) *Source {
	if r.IntN(4) == 0 {
		return nil
	}
	s := source(pick(r, "00000001", "00000002"), noon.Add(time.Duration(r.IntN(3))*time.Hour))
	s.Labels = LabelsOf(map[string]string{
		"org.opencontainers.image.revision": pick(r, "", "", "0a1b", "2c3d"),
		"org.opencontainers.image.source":   pick(r, "", "https://git.test/x", "- @a: #b"),
	})
	return s
}

func randomFailure(r *rand.Rand) *Failure {
	if r.IntN(2) == 0 {
		return nil
	}
	return &Failure{
		Reason:  pick(r, "NotFound", "Unauthorized"),
		From:    pick(r, "", "quay.io/canal/barge:1"),
		Message: pick(r, "no such tag", "it said: \"no\"\t# twice\nand went", "0777", "é… 船", " "),
		Since:   noon.Add(time.Duration(r.IntN(3)) * time.Hour),
	}
}

// randomStatus is any status whose tags come in the order of s.
func randomStatus(r *rand.Rand, s Status, o Options) Status {
	out := Status{Repository: pick(r, s.Repository, "quay.io/canal/barge", "")}
	fresh := 0
	grow := func() {
		for r.IntN(3) == 0 {
			name := fmt.Sprintf("n%d-%d", o.Now.Hour(), fresh)
			fresh++
			out.Tags = append(out.Tags, randomTag(r, TagStatus{Tag: name}))
		}
	}
	for _, t := range s.Tags {
		grow()
		if r.IntN(6) > 0 {
			out.Tags = append(out.Tags, randomTag(r, t))
		}
	}
	grow()
	return out
}

func randomTag(r *rand.Rand, t TagStatus) TagStatus {
	items := slices.Clone(t.Items)
	for range r.IntN(4) {
		switch i := r.IntN(len(items) + 1); {
		case r.IntN(2) == 0:
			items = slices.Insert(items, i, randomItem(r))
		case i < len(items) && r.IntN(2) == 0:
			items = slices.Delete(items, i, i+1)
		case i < len(items):
			created := items[i].Created
			items[i] = randomItem(r)
			items[i].Created = created
		}
	}
	if t.Items = items; len(items) == 0 {
		t.Items = nil
	}
	if r.IntN(2) == 0 {
		t.Source = randomSource(r)
	}
	if r.IntN(2) == 0 {
		if t.Failure = randomFailure(r); t.Failure != nil {
			t.Failure = readFailure(failureCondition(*t.Failure))
		}
	}
	return t
}

// TestLawCutIsEnough: a record cut to its current items gives the same current
// items, sources and failures as a full one.
func TestLawCutIsEnough(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 300 {
		o := Options{Now: noon}
		full := randomStatus(r, randomStatus(r, Status{}, o), Options{Now: noon.Add(time.Hour)})
		events := randomEvents(r, full)
		if diff := cmp.Diff(cut(full.After(events, o)), cut(cut(full).After(events, o))); diff != "" {
			t.Fatalf("%v (-full +cut):\n%s", events, diff)
		}
		if len(events) == 1 {
			once := full.After(events, o)
			if diff := cmp.Diff(once, once.After(events, Options{Now: noon.Add(time.Hour)})); diff != "" {
				t.Fatalf("the same event again (-once +twice):\n%s", diff)
			}
		}
	}
}

func cut(s Status) Status {
	s = clone(s)
	for i, t := range s.Tags {
		s.Tags[i].Items = t.Items[:min(1, len(t.Items))]
	}
	return s
}
