package reconcile

import (
	"bytes"
	"slices"
	"testing"
)

// Whatever the search for one digest leaves out does not name it: what a text has in its own
// characters is found, and what is written otherwise is read.
func FuzzWordsOf(f *testing.F) {
	const digest = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	f.Add([]byte("image: "+digest), []byte("\n"))
	f.Add([]byte("a@"+digest+"0:"), []byte(digest))
	f.Add([]byte("::::sha256:\x000"), []byte{0})
	f.Fuzz(func(t *testing.T, before, after []byte) {
		words := wordsOf(slices.Concat(before, []byte(digest), after))
		if !slices.Contains(words, 0x0011223344556677) {
			t.Errorf("not found between %q and %q", before, after)
		}
		if wide := bytes.Join(bytes.Split([]byte(digest), nil), []byte{0}); len(wordsOf(wide)) != 1 {
			t.Error("not found in UTF-16")
		}
		for _, d := range digestsIn(slices.Concat(before, after)) {
			if !slices.Contains(wordsOf(slices.Concat(before, after)), wordsOf([]byte(d))[0]) {
				t.Errorf("%s is not among the words of %q", d, slices.Concat(before, after))
			}
		}
	})
}

func TestMayEncode(t *testing.T) {
	for text, want := range map[string]bool{
		`image: "sha256:\x30"`: true, `"sha256:\u0030"`: true, "\"sha256:00\\\n  00\"": true, "!!binary c2hh": true,
		`annotations: {a: "{\"image\": \"x\"}\n"}`: false, "image: sha256:00": false,
	} {
		if got := mayEncode([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
