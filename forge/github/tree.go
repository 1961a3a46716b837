package github

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/gitstore"
)

// modes of a tree's entries.
const (
	modeFile    = "100644"
	modeRun     = "100755"
	modeShared  = "100664" // of old, group-writable
	modeTree    = "040000"
	modeSymlink = "120000"
	modeModule  = "160000"
)

// A grove is a tree of which some was read, with what is to be planted in it.
type grove struct {
	id      string // as it was; empty: it was not there
	entries map[string]leaf
	below   map[string]*grove
	odd     bool // its id is not that of its entries, as far as the API can tell them
}

// A leaf is an entry.
type leaf struct{ mode, id string }

// A planting puts edits into a parent's tree. Only the trees on the way are read.
type planting struct {
	trees interface {
		entries(ctx context.Context, id string) ([]*github.TreeEntry, error)
	}
	root  *grove
	edits []planted // those that change something
}

// plant puts an edit in its place. A file that is there keeps its mode.
func (p *planting) plant(ctx context.Context, e gitstore.Edit) error {
	if !usable(e.Path) {
		return refuse(fmt.Sprintf("%q is no path of a file in a repository", e.Path), "give the file another name")
	}
	g := p.root
	dirs := strings.Split(e.Path, "/")
	name := dirs[len(dirs)-1]
	for i, dir := range dirs[:len(dirs)-1] {
		if err := p.read(ctx, g); err != nil {
			return err
		}
		was, there := g.entries[dir]
		if there && was.mode != modeTree {
			return blocked(strings.Join(dirs[:i+1], "/"), was.mode)
		}
		if g.below[dir] == nil {
			g.below[dir] = &grove{id: was.id}
		}
		g = g.below[dir]
	}
	if err := p.read(ctx, g); err != nil {
		return err
	}
	blob := gitstore.IDOf(e.Content)
	was, there := g.entries[name]
	switch {
	case !there:
		was.mode = modeFile
	case was.mode != modeFile && was.mode != modeRun && was.mode != modeShared:
		return blocked(e.Path, was.mode)
	}
	if g.below[name] != nil {
		return blocked(e.Path, modeTree)
	}
	if was.id == string(blob) {
		return nil
	}
	g.entries[name] = leaf{was.mode, string(blob)}
	p.edits = append(p.edits, planted{Edit: e, mode: was.mode, blob: blob})
	return nil
}

// maxWithin is how many bytes of files go with a tree at most.
const maxWithin = 1 << 20

// sendWithin chooses the files whose contents go with the tree: GitHub allows 80 requests a minute that
// make something, and a blob is one. As nobody answers with such a blob's id, it is done where the tree's
// id will tell.
func (p *planting) sendWithin() {
	room := maxWithin
	_, known := p.root.planned()
	for i := range p.edits {
		e := &p.edits[i]
		if known && len(e.Content) <= room && isText(e.Content) {
			e.within, room = true, room-len(e.Content)
		}
	}
}

// isText reports whether a content is the same after it was a text in JSON, whoever reads that.
func isText(b []byte) bool {
	return len(b) > 0 && utf8.Valid(b) && !bytes.ContainsAny(b, "\x00\ufeff")
}

// blocked refuses to write where something else stands. Through a symbolic link a file would
// be written that nobody meant.
func blocked(path, mode string) error {
	what := map[string]string{modeSymlink: "a symbolic link", modeTree: "a directory", modeModule: "a submodule"}[mode]
	return refuse(fmt.Sprintf("%q is in the way: it is %s", path, cmp.Or(what, "a file")), "exclude it in .towpath.yaml, or give the file another name")
}

// read gets the entries of a tree, once.
func (p *planting) read(ctx context.Context, g *grove) error {
	if g.entries != nil {
		return nil
	}
	entries, below := map[string]leaf{}, map[string]*grove{}
	if g.id != "" {
		all, err := p.trees.entries(ctx, g.id)
		if err != nil {
			return err
		}
		for _, e := range all {
			entries[e.GetPath()] = leaf{e.GetMode(), e.GetSHA()}
		}
	}
	g.entries, g.below = entries, below
	g.odd = g.id != "" && idOf(entries) != g.id
	return nil
}

// planned is the id that the tree has to have with the edits in it. It is not known where
// the API does not show a tree as it is: it has no way to tell a name that is not UTF-8.
func (g *grove) planned() (id string, known bool) {
	if g.entries == nil {
		return g.id, true
	}
	for name, sub := range g.below {
		id, known := sub.planned()
		if !known {
			return "", false
		}
		g.entries[name] = leaf{modeTree, id}
	}
	return idOf(g.entries), !g.odd
}

// idOf is the id that Git gives a tree.
func idOf(entries map[string]leaf) string {
	type line struct{ key, text string }
	var lines []line
	size := 0
	for name, e := range entries {
		key := name
		if e.mode == modeTree {
			key += "/" // Git's order
		}
		id, _ := hex.DecodeString(e.id)
		l := line{key, strings.TrimLeft(e.mode, "0") + " " + name + "\x00" + string(id)}
		lines, size = append(lines, l), size+len(l.text)
	}
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.key, b.key) })
	sum := sha1.New()
	fmt.Fprintf(sum, "tree %d\x00", size)
	for _, l := range lines {
		sum.Write([]byte(l.text))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// usable tells whether a path may stand in a tree.
func usable(p string) bool {
	if p == "" || p == "." || path.Clean(p) != p || path.IsAbs(p) || strings.Contains(p, "\x00") {
		return false
	}
	return !slices.ContainsFunc(strings.Split(p, "/"), func(part string) bool {
		return part == ".." || strings.EqualFold(part, ".git")
	})
}
