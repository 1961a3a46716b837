package gogit

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Modes as trees spell them.
const (
	modeTree       = "40000"
	modeRegular    = "100644"
	modeExecutable = "100755"
	modeDeprecated = "100664" // written by git before 1.0, still a regular file
	modeLink       = "120000"
	modeSubmodule  = "160000"
)

func regular(mode string) bool {
	return mode == modeRegular || mode == modeExecutable || mode == modeDeprecated
}

// An entry is a line of a tree. The mode is kept as it was spelled, which
// go-git's own Tree does not do, so that a rewritten tree differs in nothing
// but what was edited.
type entry struct {
	mode, name string
	id         plumbing.Hash
}

// isTree also takes the spelling with a leading zero that some old tools wrote.
func (e entry) isTree() bool { return strings.TrimLeft(e.mode, "0") == modeTree }

// key orders entries as git does: a directory's name counts as ending in "/".
func (e entry) key() string {
	if e.isTree() {
		return e.name + "/"
	}
	return e.name
}

var errTree = errors.New("malformed tree")

// parseTree reads a tree object.
func parseTree(raw []byte) ([]entry, error) {
	entries := make([]entry, 0, len(raw)/40)
	for len(raw) > 0 {
		mode, rest, ok := bytes.Cut(raw, []byte{' '})
		if !ok || len(mode) == 0 || len(mode) > 7 {
			return nil, errTree
		}
		name, rest, ok := bytes.Cut(rest, []byte{0})
		if !ok || len(rest) < len(plumbing.ZeroHash) {
			return nil, errTree
		}
		e := entry{mode: string(mode), name: string(name)}
		raw = rest[copy(e.id[:], rest):]
		entries = append(entries, e)
	}
	return entries, nil
}

func encodeTree(entries []entry) []byte {
	size := 0
	for _, e := range entries {
		size += len(e.mode) + len(e.name) + 2 + len(e.id)
	}
	raw := make([]byte, 0, size)
	for _, e := range entries {
		raw = append(raw, e.mode...)
		raw = append(raw, ' ')
		raw = append(raw, e.name...)
		raw = append(raw, 0)
		raw = append(raw, e.id[:]...)
	}
	return raw
}

// inOrder is the tree as readers want it: in git's order, each name once. Git
// writes no other, a hostile author may.
func inOrder(entries []entry) []entry {
	byKey := func(a, b entry) int { return cmp.Compare(a.key(), b.key()) }
	if !slices.IsSortedFunc(entries, byKey) {
		entries = slices.Clone(entries)
		slices.SortStableFunc(entries, byKey)
	}
	return slices.CompactFunc(entries, func(a, b entry) bool { return a.name == b.name })
}
