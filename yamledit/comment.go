package yamledit

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A Comment is a comment of a file, with the scalars that it stands beside.
type Comment struct {
	Line, Col int    // of its #
	Text      string // from its # to the end of the line
	Own       bool   // nothing else stands on its line
	Beside    []Scalar
}

// A Scalar is a value, not a key, that is no collection; an alias is one, and so is the
// null where a value could stand.
type Scalar struct {
	Doc  int // index in File.Docs
	At   Path
	Way  []*Node // where At leads on its way, from the document's root to Node
	Node *Node
	// Why says why it cannot be set, as far as that shows before the edit; else it is empty.
	Why string
}

// Comments are those that hold one of some words, in order. A comment stands beside the
// scalars that end on its line, and one on a line of its own beside those that begin on the
// next line that is neither blank nor a comment; a block scalar does both with its header.
// What only looks like a comment, in quotes or in a block scalar, is none.
func (f *File) Comments(words ...string) []Comment {
	if !holds(f.Src, words) {
		return nil
	}
	c := &commenter{text: newText(f.Src), file: f, words: words, beside: map[edge][]Scalar{}}
	c.leaves(c.pass)
	c.gap(len(f.Src))
	if len(c.found) > 0 {
		c.leaves(c.attach)
	}
	for i := range c.found {
		c.found[i].Beside = c.beside[c.about[i]]
	}
	return c.found
}

func holds(text []byte, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(text, []byte(w)) })
}

// A commenter finds comments in the gaps between the scalars of a file.
type commenter struct {
	*text
	file   *File
	words  []string
	read   int // the offset up to which the text is read
	next   int // the line that was found under one last
	found  []Comment
	about  []edge // of each
	beside map[edge][]Scalar
}

// An edge is what begins on a line, or ends there.
type edge struct {
	line   int
	begins bool
}

// A leaf is a scalar of the tree.
type leaf struct {
	doc        int
	at         Path    // overwritten by the next leaf
	way        []*Node // as At, and overwritten so: from the root to the node
	node       *Node
	key        bool   // it is a key, or in one
	fixed      string // why nothing can be set where it is
	start, end int    // without its anchor and tag
}

// leaves shows the leaves of the file in the order of the text.
func (c *commenter) leaves(see func(leaf)) {
	for i, d := range c.file.Docs {
		l := leaf{doc: i, way: []*Node{d.Root}, node: d.Root}
		if n := template(d.Root); n != nil {
			l.fixed = "the document is a template: {{ stands where a value should"
		}
		c.below(l, -1, see)
	}
}

// below shows the leaves of a node that stands in a block collection of that indentation.
func (c *commenter) below(l leaf, indent int, see func(leaf)) {
	n := l.node
	if n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode {
		l.start, l.end = c.content(n), c.end(n, indent)
		see(l)
		return
	}
	if indent = -1; isBlock(n) {
		indent = c.column(n)
	}
	in := l
	if l.fixed == "" {
		in.fixed = what((&plan{node: n}).enter(n.Kind, &Change{At: l.at}))
	}
	for i, child := range n.Content {
		in.node, in.at, in.way = child, append(l.at, i), append(l.way, child)
		if n.Kind == yaml.MappingNode {
			in.at, in.key = append(l.at, step(n.Content[i&^1])), l.key || i%2 == 0
		}
		c.below(in, indent, see)
	}
}

// why says why a leaf cannot be set.
func (l leaf) why() string {
	switch {
	case l.fixed != "":
		return l.fixed
	case len(l.at) == 0:
		return "it is the whole document"
	}
	return what(free(l.node, &Change{At: l.at}))
}

func what(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), ": ") // of the root
}

// step is a key as a path has it; nil, which leads nowhere, where the key is no text.
func step(key *Node) any {
	if key.Kind != yaml.ScalarNode {
		return nil
	}
	return key.Value
}

// pass reads the gap before a leaf, and goes to the leaf's end. Behind the header of a
// block scalar there may be a comment.
func (c *commenter) pass(l leaf) {
	c.gap(l.start)
	if isText(l.node) {
		c.gap(c.lineEnd(l.start))
	}
	c.read = max(c.read, l.end)
}

// gap finds the comments up to an offset, where no scalar stands.
func (c *commenter) gap(end int) {
	for c.read < end {
		i := bytes.IndexByte(c.src[c.read:end], '#')
		if i < 0 {
			break
		}
		at := c.read + i
		if c.read = at + 1; c.opens(at) {
			c.read = c.lineEnd(at)
			c.add(at)
		}
	}
	c.read = max(c.read, end)
}

// opens reports whether a # in a gap starts a comment, and is no part of an anchor or a tag.
func (c *commenter) opens(at int) bool {
	return at == c.lineStart(at) || c.src[at-1] == ' ' || c.src[at-1] == '\t'
}

// add takes a comment in that holds one of the words.
func (c *commenter) add(at int) {
	text := c.src[at:c.lineEnd(at)]
	if !holds(text, c.words) {
		return
	}
	line, start := c.lineAt(at), c.lineStart(at)
	own := c.blanks(start) == at
	c.found = append(c.found, Comment{Line: line + 1, Col: utf8.RuneCount(c.src[start:at]) + 1, Text: string(text), Own: own})
	if own {
		line = c.under(line)
	}
	c.about = append(c.about, edge{line, own})
	c.beside[edge{line, own}] = nil
}

// under is the first line below one that is neither blank nor a comment, or behind the last.
// The lines that were asked for before stand above it.
func (c *commenter) under(line int) int {
	if c.next <= line {
		for c.next = line + 1; c.next < len(c.lines) && c.silent(c.next); c.next++ {
		}
	}
	return c.next
}

func (c *commenter) silent(line int) bool {
	at := c.at(c.blanks(c.lines[line]))
	return at == '#' || at == '\r' || at == '\n' || at == 0
}

// attach keeps a leaf that stands beside a comment.
func (c *commenter) attach(l leaf) {
	if l.key {
		return
	}
	first, last := c.lineAt(l.start), c.lineAt(l.end)
	if isText(l.node) {
		last = first
	}
	for _, e := range []edge{{first, true}, {last, false}} {
		if scalars, ok := c.beside[e]; ok {
			c.beside[e] = append(scalars, Scalar{l.doc, slices.Clone(l.at), slices.Clone(l.way), l.node, l.why()})
		}
	}
}
