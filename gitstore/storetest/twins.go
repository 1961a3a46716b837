package storetest

import (
	"maps"
	"slices"
)

// Names that some file systems take for one: by case, by how letters are composed, by
// width, and by what stands after them.
var twins = map[string]string{
	"A/f": "1", "a/f": "2", "a/F": "3", "a/f ": "4", "a/f.": "5",
	"caf\u00e9/web.yaml": "composed", "cafe\u0301/web.yaml": "decomposed",
	"\ufb01.yaml": "a ligature", "fi.yaml": "letters", "\u212a": "the sign of kelvin", "K": "the letter",
}

// almostAlike reads each file by its own bytes, and writes it by its own name.
//
// fault: C-07
func almostAlike(b *bench) {
	first := b.snapshot()
	b.wantDiff("paths", slices.Sorted(maps.Keys(twins)), paths(b.changes(first, nil)))
	tip := first
	for _, path := range slices.Sorted(maps.Keys(twins)) {
		if got := b.read(first, path); got != twins[path] {
			b.Errorf("%q: got %q, want %q", path, got, twins[path])
		}
		next := b.push(tip, commit("ours", path, "ours of "+path))
		b.wantDiff("changes", []string{"* " + path}, signs(b.changes(next, tip)))
		tip = next
	}
	for path := range twins {
		b.wantContent(path, "ours of "+path)
	}
}
