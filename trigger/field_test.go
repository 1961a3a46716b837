package trigger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// field is a field as the config names it.
func field(t *testing.T, selector string, wish Style) Field {
	t.Helper()
	at, err := yamledit.ParseSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	follows := imagestream.TagRef{Stream: imagestream.Name{Namespace: "canal", Name: "barge"}, Tag: "stable"}
	return Field{At: at, Follows: follows, Wish: wish, Line: 3}
}

// kustomized is what Kustomize makes of an image by an entry of images, where the entry is for
// it: a newTag, a digest, or both, replace all that stood behind the name.
func kustomized(t *testing.T, src []byte, image string) Image {
	t.Helper()
	root := parse(t, string(src)).Docs[0].Root
	get := func(key string) string {
		value, _ := yamledit.Get(root, yamledit.Path{"images", 1, key})
		return value
	}
	i := ParseImage(image)
	if get("name") != i.Name {
		t.Fatalf("the entry is for %q, not for %q", get("name"), i.Name)
	}
	if name := get("newName"); name != "" {
		i.Name = name
	}
	if get("newTag") != "" || get("digest") != "" {
		i.Tag, i.Digest = get("newTag"), get("digest")
	}
	return i
}

// TestLawEntry: whatever keys an entry of images has and whatever form is wanted, what runs
// after a rewrite is the image, and no part of another.
func TestLawEntry(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 0))
	keys := []string{"newName: quay.io/canal/tug", `newTag: "1.4"`, "digest: sha256:" + strings.Repeat("a", 64)}
	fields := []string{"images[1]", "images[1].newTag", "images[1].digest", "images[1].newName"}
	moved := 0
	for range 3000 {
		name := []string{"web", "quay.io/canal/web"}[r.IntN(2)]
		src := "images:\n- name: other\n- name: " + name + "\n"
		for _, k := range keys {
			if r.IntN(2) == 0 {
				src += "  " + k + "\n"
			}
		}
		wish := []Style{"", ByTag, ByDigest, ByTagDigest}[r.IntN(4)]
		image := Image{Name: "quay.io/canal/web", Tag: []string{"", "1.5"}[r.IntN(2)], Digest: "sha256:" + strings.Repeat("b", 64)}
		sites, _ := Find(parse(t, src), field(t, fields[r.IntN(2)*r.IntN(len(fields))], wish))
		style := []Style{ByTag, ByDigest, ByTagDigest}[r.IntN(3)]
		if len(sites) != 1 || sites[0].ID.Field == "" || sites[0].Has(image, style) {
			continue
		}
		if _, why := sites[0].Values(image, style); why != "" || len(sites[0].Places) == 1 {
			continue // one key is no more than its own part
		}
		got, err := Rewritten([]byte(src), As{}, Rewrite{sites[0], image, style})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, src)
		}
		moved++
		runs := kustomized(t, got, name+":0.9")
		if runs.Name != image.Name || runs.Tag != "" && runs.Tag != image.Tag || runs.Digest != "" && runs.Digest != image.Digest ||
			runs.Tag+runs.Digest == "" || wish == ByTagDigest && (runs.Tag == "" || runs.Digest == "") {
			t.Fatalf("seed %d: by form %q the entry\n%sbecomes\n%sthat is %+v, and not %+v", seed, wish, src, got, runs, image)
		}
		again, _ := Find(parse(t, string(got)), field(t, "images[1]", wish))
		if len(again) != 1 || !again[0].Has(image, style) {
			t.Fatalf("seed %d: rewritten, the entry\n%sdoes not have the image", seed, got)
		}
	}
	if moved < 300 {
		t.Errorf("only %d entries moved", moved)
	}
}

// An entry says which keys it gets where it has none that decide.
func TestEntryForms(t *testing.T) {
	digest := "sha256:" + strings.Repeat("b", 64)
	image := Image{Name: "quay.io/canal/web", Tag: "1.5", Digest: digest}
	for _, tt := range []struct {
		wish       Style
		keys, want string
	}{
		{"", "", "digest: " + digest},
		{"", "newTag: x", "newTag: \"1.5\""},
		{"", "digest: x", "digest: " + digest},
		{ByTag, "", "newTag: \"1.5\""},
		{ByTag, "digest: x", "digest: " + digest + "\n  newTag: \"1.5\""},
		{ByDigest, "newTag: x", "newTag: \"1.5\"\n  digest: " + digest},
		{ByTagDigest, "", "newTag: \"1.5\"\n  digest: " + digest},
	} {
		src := "images:\n- name: web\n  newName: quay.io/canal/tug\n"
		want := "images:\n- name: web\n  newName: quay.io/canal/web\n  " + tt.want + "\n"
		if tt.keys != "" {
			src += "  " + tt.keys + "\n"
		}
		sites, problems := Find(parse(t, src), field(t, `images[?(@.name=="web")]`, tt.wish))
		if len(sites) != 1 || len(problems) > 0 {
			t.Fatalf("form %q, %q: sites %v, problems %s", tt.wish, tt.keys, sites, lines(problems))
		}
		got, err := Rewritten([]byte(src), As{}, Rewrite{sites[0], image, ByDigest})
		if string(got) != want || err != nil {
			t.Errorf("form %q, %q: %v, got\n%swant\n%s", tt.wish, tt.keys, err, got, want)
		}
	}
}

// An entry whose image is on record already is left alone, whether its name says so or its
// newName.
func TestEntryHas(t *testing.T) {
	image := Image{Name: "quay.io/canal/web", Tag: "1.5", Digest: "sha256:" + strings.Repeat("b", 64)}
	for src, want := range map[string]bool{
		"name: quay.io/canal/web, newTag: '1.5'":                             true,
		"name: web, newName: quay.io/canal/web, newTag: '1.5'":               true,
		"name: web, newTag: '1.5'":                                           false,
		"name: quay.io/canal/web, newTag: '1.4'":                             false,
		"name: quay.io/canal/web":                                            false,
		"name: web, digest: " + image.Digest:                                 true, // digests decide
		"name: web, newTag: '1.4', digest: " + image.Digest:                  true,
		"name: quay.io/canal/web, newName: x.test/web, newTag: '1.5'":        false,
		"name: quay.io/canal/web, digest: sha256:" + strings.Repeat("c", 64): false,
	} {
		sites, problems := Find(parse(t, "images: [{"+src+"}]\n"), field(t, "images[0]", ""))
		if len(sites) != 1 || len(problems) > 0 {
			t.Fatalf("%s: sites %v, problems %s", src, sites, lines(problems))
		}
		if got := sites[0].Has(image, ByDigest); got != want {
			t.Errorf("%s: Has is %v", src, got)
		}
	}
}

// Many entries of the config in one file cost what they find.
func BenchmarkFields(b *testing.B) {
	var src strings.Builder
	src.WriteString("images:\n")
	var fields []Field
	for i := range 100 {
		fmt.Fprintf(&src, "- name: web%d\n  newTag: \"1\"\n", i)
		at, err := yamledit.ParseSelector(fmt.Sprintf(`images[?(@.name=="web%d")]`, i))
		if err != nil {
			b.Fatal(err)
		}
		fields = append(fields, Field{At: at, Line: i})
	}
	f, err := yamledit.Parse([]byte(src.String()), yamledit.DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if sites, _ := Find(f, fields...); len(sites) != 100 {
			b.Fatalf("%d sites", len(sites))
		}
	}
}

// FuzzField is FuzzFind for fields that the config names.
func FuzzField(f *testing.F) {
	selectors := []string{
		`images[?(@.name=="web")]`, `images[?(@.name=="web")].newTag`, "images[0].digest", "images[0]", "spec.images[0]", "image", "image.tag",
		`spec.template.spec.containers[?(@.name=="web")].image`, "items[0].data.image", "spec.from.name",
	}
	paths, _ := filepath.Glob("testdata/field/*.txtar")
	for i, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), byte(i), string(a.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, selector, part byte, src string) {
		d := field(t, selectors[int(selector)%len(selectors)], []Style{"", ByTag, ByTagDigest}[int(part)%3])
		d.Part = []Part{"", Ref, Tag, Name, TagDigest, Digest}[int(part)%6]
		story{src: []byte(src), as: As{Fields: []Field{d}}}.lawful(t)
	})
}
