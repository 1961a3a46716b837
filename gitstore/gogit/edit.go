package gogit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A builder makes the objects of a chain of commits. It rewrites the trees on
// the way to an edited file and no others, and nothing in them but the entry.
type builder struct {
	below *objects                    // what the chain is built on
	made  map[plumbing.Hash]newObject // what the chain adds
	order []plumbing.Hash             // of made: blobs and trees before their commit

	signOff bool
	seal    seal // nil: no commit is signed
	commits []madeCommit
}

// A madeCommit is a commit of the chain that changes something.
type madeCommit struct {
	tree   plumbing.Hash
	commit gitstore.Commit // signed off
}

// A seal signs a commit: it returns the signature in armor, or an error, with which no commit
// is made.
type seal func(raw []byte, when time.Time) (string, error)

// A badEdit is an edit that the tree below does not allow.
type badEdit struct{ path, why string }

func (e *badEdit) Error() string {
	return fmt.Sprintf("%q cannot be written: %s", shown(e.path), e.why)
}

// chain returns the last commit; base where nothing would change.
func (b *builder) chain(base commit, chain []gitstore.Commit) (plumbing.Hash, error) {
	tip, tree := base.id, base.tree
	for _, c := range chain {
		next, err := b.rewrite("", tree, lastOfEach(c.Edits))
		if err != nil {
			return plumbing.ZeroHash, err
		}
		if next == tree {
			continue
		}
		tree = next
		if b.signOff {
			c.Message = signedOff(c.Message, c.Author)
		}
		raw, err := encodeCommit(tree, tip, c)
		if err == nil && b.seal != nil {
			raw, err = sealed(raw, c.When, b.seal)
		}
		if err != nil {
			return plumbing.ZeroHash, err
		}
		b.commits = append(b.commits, madeCommit{tree, c})
		tip = b.put(plumbing.CommitObject, raw)
	}
	return tip, nil
}

// batch is all that was made.
func (b *builder) batch() *batch {
	made := &batch{objects: make([]newObject, 0, len(b.order))}
	for _, id := range b.order {
		made.objects = append(made.objects, b.made[id])
	}
	return made
}

// put makes an object, unless the chain has it.
func (b *builder) put(kind plumbing.ObjectType, raw []byte) plumbing.Hash {
	o := makeObject(kind, raw)
	if _, ok := b.made[o.id]; !ok {
		b.made[o.id] = o
		b.order = append(b.order, o.id)
	}
	return o.id
}

func (b *builder) tree(id plumbing.Hash) ([]entry, error) {
	if id.IsZero() {
		return nil, nil
	}
	if o, ok := b.made[id]; ok {
		return parseTree(o.raw)
	}
	return b.below.tree(id)
}

// lastOfEach sorts the edits by path; of several to one file the last counts.
func lastOfEach(edits []gitstore.Edit) []gitstore.Edit {
	edits = slices.Clone(edits)
	slices.Reverse(edits)
	slices.SortStableFunc(edits, func(a, b gitstore.Edit) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(edits, func(a, b gitstore.Edit) bool { return a.Path == b.Path })
}

// rewrite returns the tree at dir with the edits made, all of which are below
// dir and sorted.
func (b *builder) rewrite(dir string, id plumbing.Hash, edits []gitstore.Edit) (plumbing.Hash, error) {
	old, err := b.tree(id)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	entries := slices.Clone(old)
	for len(edits) > 0 {
		name, _, _ := strings.Cut(edits[0].Path[len(dir):], "/")
		n := 1
		for n < len(edits) && strings.HasPrefix(edits[n].Path, dir+name+"/") {
			n++
		}
		if entries, err = b.edit(dir, name, entries, edits[:n]); err != nil {
			return plumbing.ZeroHash, err
		}
		edits = edits[n:]
	}
	if slices.Equal(entries, old) {
		return id, nil
	}
	return b.put(plumbing.TreeObject, encodeTree(entries)), nil
}

// edit changes one entry: the edits are one of the file of that name, or some
// of files below it.
func (b *builder) edit(dir, name string, entries []entry, edits []gitstore.Edit) ([]entry, error) {
	path := dir + name
	if unusableName(name) || strings.Count(path, "/") >= maxDepth || len(path) > maxPath {
		return nil, &badEdit{edits[0].Path, "the name is unusable"}
	}
	i := slices.IndexFunc(entries, func(e entry) bool { return e.name == name })
	file := edits[0].Path == path
	switch {
	case file && len(edits) > 1:
		return nil, &badEdit{edits[1].Path, "a file stands where a directory would"}
	case i < 0 && file:
		return insert(entries, entry{modeRegular, name, b.put(plumbing.BlobObject, edits[0].Content)}), nil
	case i < 0:
		id, err := b.rewrite(path+"/", plumbing.ZeroHash, edits)
		return insert(entries, entry{modeTree, name, id}), err
	}
	e := &entries[i]
	var err error
	switch {
	case file && e.isTree():
		return nil, &badEdit{edits[0].Path, "it is a directory"}
	case file && !regular(e.mode):
		return nil, &badEdit{edits[0].Path, "it is " + why(e.mode, path, name)}
	case file:
		if id := hashOf(plumbing.BlobObject, edits[0].Content); id != e.id {
			e.id = b.put(plumbing.BlobObject, edits[0].Content)
		}
	case regular(e.mode):
		return nil, &badEdit{edits[0].Path, "a file stands where a directory would"}
	case !e.isTree():
		return nil, &badEdit{edits[0].Path, shown(path) + " is " + why(e.mode, path, name)}
	default:
		e.id, err = b.rewrite(path+"/", e.id, edits)
	}
	return entries, err
}

// insert puts an entry where git wants it, and moves no other.
func insert(entries []entry, e entry) []entry {
	i := slices.IndexFunc(entries, func(x entry) bool { return x.key() > e.key() })
	if i < 0 {
		i = len(entries)
	}
	return slices.Insert(entries, i, e)
}

var errPerson = errors.New("a commit needs an author with a name and an email address")

// encodeCommit writes a commit with UTC dates; a zero parent is none.
func encodeCommit(tree, parent plumbing.Hash, c gitstore.Commit) ([]byte, error) {
	name, email := ident(c.Author.Name), ident(c.Author.Email)
	if name == "" || email == "" {
		return nil, errPerson
	}
	who := fmt.Sprintf("%s <%s> %d +0000", name, email, c.When.Unix())
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "tree %s\n", tree)
	if !parent.IsZero() {
		fmt.Fprintf(&buf, "parent %s\n", parent)
	}
	fmt.Fprintf(&buf, "author %s\ncommitter %s\n\n", who, who)
	buf.WriteString(strings.TrimRight(strings.ReplaceAll(c.Message, "\x00", ""), "\n") + "\n")
	return buf.Bytes(), nil
}

// ident leaves out what would end a name or an address early.
func ident(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' || r == 0x7f {
			return -1
		}
		return r
	}, s))
}
