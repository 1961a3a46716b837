package yamledit

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A plan is what becomes of one value, or of one that is to be made: it is kept,
// set, or goes, or something below it changes.
type plan struct {
	node    *Node   // as parsed; nil where it is to be made
	change  *Change // the first change that leads here
	fate    fate
	entered yaml.Kind       // what enter has let in as
	value   Value           // when it is set
	keys    []named         // below a mapping
	elems   map[int]*plan   // below a sequence
	inserts map[int][]Value // into a sequence, before an index
}

type named struct {
	key string
	*plan
}

type fate int

const (
	kept fate = iota
	set
	gone
)

func (p *plan) touched() bool { return len(p.keys)+len(p.elems)+len(p.inserts) > 0 }

// gather adds a change to the plan of its document.
func (e *editor) gather(c *Change) error {
	if c.Doc < 0 || c.Doc >= len(e.roots) {
		return refuse(nil, c, "the file has no document %d", c.Doc)
	}
	p := e.roots[c.Doc]
	if len(c.At) == 0 {
		return refuse(p.node, c, "a whole document is not replaced")
	}
	if p.change == nil {
		if n := template(p.node); n != nil {
			return refuse(n, c, "the document is a template: {{ stands where a value should")
		}
	}
	if c.Op == Delete && !reaches(p.node, c.At) {
		return nil
	}
	last := len(c.At) - 1
	for _, step := range c.At[:last] {
		next, err := p.below(step, c)
		if err != nil {
			return err
		}
		p = next
	}
	if c.Op == Insert {
		return p.insert(c.At[last], c)
	}
	p, err := p.below(c.At[last], c)
	if err != nil {
		return err
	}
	return p.decide(c)
}

// decide sets a value or lets it go.
func (p *plan) decide(c *Change) error {
	if p.fate != kept || p.touched() {
		return refuse(p.node, c, "two changes are about %v", c.At)
	}
	if c.Op == Delete {
		p.fate = gone
	} else {
		if what := unfit(c.Value); what != "" {
			return refuse(p.node, c, "the new value of %v %s", c.At, what)
		}
		p.fate, p.value = set, c.Value
	}
	return nil
}

// insert puts a value before an index.
func (p *plan) insert(step any, c *Change) error {
	if err := p.enter(yaml.SequenceNode, c); err != nil {
		return err
	}
	i, ok := step.(int)
	n := 0
	if p.node != nil {
		n = len(p.node.Content)
	}
	if !ok || i < 0 || i > n {
		return refuse(p.node, c, "%v is no place in a sequence of %d", c.At, n)
	}
	if what := unfit(c.Value); what != "" {
		return refuse(p.node, c, "the new value of %v %s", c.At, what)
	}
	if p.inserts == nil {
		p.inserts = map[int][]Value{}
	}
	p.inserts[i] = append(p.inserts[i], c.Value)
	return nil
}

// below is the plan of an entry or element, made where it is not there yet.
func (p *plan) below(step any, c *Change) (*plan, error) {
	switch step := step.(type) {
	case string:
		if err := p.enter(yaml.MappingNode, c); err != nil {
			return nil, err
		}
		for _, k := range p.keys {
			if k.key == step {
				return k.plan, nil
			}
		}
		next := &plan{change: c}
		if p.node != nil {
			next.node = entry(p.node, step)
		}
		p.keys = append(p.keys, named{step, next})
		return next, nil
	case int:
		if err := p.enter(yaml.SequenceNode, c); err != nil {
			return nil, err
		}
		if p.elems[step] != nil {
			return p.elems[step], nil
		}
		if p.node == nil || element(p.node, step) == nil {
			return nil, refuse(p.node, c, "%v: the sequence has no element %d", c.At, step)
		}
		if p.elems == nil {
			p.elems = map[int]*plan{}
		}
		p.elems[step] = &plan{node: p.node.Content[step], change: c}
		return p.elems[step], nil
	}
	return nil, refuse(p.node, c, "a path holds keys and indices, not %T", step)
}

// enter checks that something below a value can be changed, for a mapping or for
// a sequence.
func (p *plan) enter(kind yaml.Kind, c *Change) error {
	if p.change == nil {
		p.change = c
	}
	if p.fate != kept {
		return refuse(p.node, c, "two changes are about %v", c.At)
	}
	n := p.node
	if p.entered == kind || n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" && !bound(n) {
		return nil
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return refuse(n, c, "%v: the alias *%s lies on the path", c.At, n.Value)
	case n.Anchor != "":
		return refuse(n, c, "%v: the anchor &%s lies on the path; its aliases would change too", c.At, n.Anchor)
	case tagged(n):
		return refuse(n, c, "%v: the tag %s lies on the path", c.At, n.Tag)
	case n.Kind != kind:
		return refuse(n, c, "%v: there is %s where %s should be", c.At, kindName(n.Kind), kindName(kind))
	}
	for i := 0; kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind != yaml.ScalarNode || bound(k) {
			return refuse(k, c, "%v: a key beside it is not a plain name", c.At)
		} else if k.Tag == "!!merge" {
			return refuse(k, c, "%v: a merge key stands beside it", c.At)
		}
	}
	p.entered = kind
	return nil
}

// bound reports whether a node is an alias or carries an anchor or a tag.
func bound(n *Node) bool { return n.Kind == yaml.AliasNode || n.Anchor != "" || tagged(n) }

func kindName(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a sequence"
	}
	return "a scalar"
}

// reaches reports whether a path leads to something, as far as can be told
// without following aliases and merge keys.
func reaches(n *Node, at Path) bool {
	for _, step := range at {
		if n.Kind == yaml.AliasNode {
			return true
		}
		var next *Node
		switch step := step.(type) {
		case string:
			if next = entry(n, step); next == nil && entry(n, "<<") != nil {
				return true
			}
		case int:
			next = element(n, step)
		}
		if next == nil {
			return false
		}
		n = next
	}
	return true
}

// template finds {{ }} where a value should stand: to the parser it is a mapping
// as a key.
func template(n *Node) *Node {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 && len(n.Content) > 0 {
		if k := n.Content[0]; k.Kind == yaml.MappingNode && k.Style&yaml.FlowStyle != 0 {
			return n
		}
	}
	for _, c := range n.Content {
		if t := template(c); t != nil {
			return t
		}
	}
	return nil
}

// settle brings a plan to its simplest form: what is to be made becomes a value
// that is set, what would not change is kept.
func (p *plan) settle() error {
	if p.touched() && (p.node == nil || len(p.node.Content) == 0) {
		p.fate, p.value = set, p.made()
		p.keys, p.elems, p.inserts = nil, nil, nil
	}
	for _, k := range p.keys {
		if err := k.settle(); err != nil {
			return err
		}
	}
	for _, q := range p.elems {
		if err := q.settle(); err != nil {
			return err
		}
	}
	if p.touched() && p.node != nil {
		if pieces, left := p.pieces(); left == 0 {
			p.fate, p.value = set, newValue(p.node.Kind, pieces)
			p.keys, p.elems, p.inserts = nil, nil, nil
		}
	}
	if p.fate == kept || p.node == nil {
		return nil
	}
	if p.fate == set && !bound(p.node) && matches(p.node, p.value) {
		p.fate = kept
		return nil
	}
	return free(p.node, p.change)
}

// free checks that a value can go.
func free(n *Node, c *Change) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return refuse(n, c, "%v: the alias *%s stands in the value", c.At, n.Value)
	case n.Anchor != "":
		return refuse(n, c, "%v: the anchor &%s stands in the value", c.At, n.Anchor)
	case tagged(n):
		return refuse(n, c, "%v: the tag %s stands in the value", c.At, n.Tag)
	case n.Tag == "!!merge":
		return refuse(n, c, "%v: a merge key stands in the value", c.At)
	case n.Kind == yaml.ScalarNode && !isText(n) && strings.Contains(n.Value, "{{"):
		return refuse(n, c, "%v: the value is a template", c.At)
	}
	for _, child := range n.Content {
		if err := free(child, c); err != nil {
			return err
		}
	}
	return nil
}

// made is the value of a plan where nothing stands yet.
func (p *plan) made() Value {
	if p.fate == set {
		return p.value
	}
	if p.inserts != nil {
		return Seq(p.inserts[0])
	}
	m := Map{}
	for _, k := range p.keys {
		m = append(m, Entry{k.key, k.made()})
	}
	return m
}

// A piece is an entry of a mapping, or an element of a sequence, as it will be.
type piece struct {
	old   int // its place among those that were parsed; -1 for a new one
	gone  bool
	plan  *plan // of an old one, nil where nothing happens to it
	key   string
	value Value // of a new one
}

// pieces are what a collection is made of, in order, with those that go; left
// counts the old ones that stay.
func (p *plan) pieces() (pieces []piece, left int) {
	add := func(old int, q *plan) {
		g := q != nil && q.fate == gone
		if !g {
			left++
		}
		pieces = append(pieces, piece{old: old, gone: g, plan: q})
	}
	if p.node.Kind == yaml.SequenceNode {
		for i := range p.node.Content {
			for _, v := range p.inserts[i] {
				pieces = append(pieces, piece{old: -1, value: v})
			}
			add(i, p.elems[i])
		}
		for _, v := range p.inserts[len(p.node.Content)] {
			pieces = append(pieces, piece{old: -1, value: v})
		}
		return pieces, left
	}
	plans := make(map[string]*plan, len(p.keys))
	for _, k := range p.keys {
		plans[k.key] = k.plan
	}
	for i := 0; i < len(p.node.Content); i += 2 {
		add(i/2, plans[p.node.Content[i].Value])
	}
	for _, k := range p.keys {
		if k.node == nil {
			pieces = append(pieces, piece{old: -1, key: k.key, value: k.made()})
		}
	}
	return pieces, left
}

// newValue is a collection of the new pieces alone.
func newValue(kind yaml.Kind, pieces []piece) Value {
	m, s := Map{}, Seq{}
	for _, p := range pieces {
		if p.old < 0 {
			m = append(m, Entry{p.key, p.value})
			s = append(s, p.value)
		}
	}
	if kind == yaml.SequenceNode {
		return s
	}
	return m
}

// refuse says why a change is not made, and gives the lines to write by hand.
func refuse(n *Node, c *Change, format string, args ...any) *Refused {
	return (&problem{n, fmt.Sprintf(format, args...)}).refusal(c)
}
