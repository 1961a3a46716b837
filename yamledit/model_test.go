package yamledit

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A model is what a document says, without its text: a second, naive way to make
// changes, by which the first is judged.
type model struct {
	kind       yaml.Kind
	tag, value string
	keys       []string // of a mapping
	kids       []*model
}

func modelOf(n *Node) *model {
	m := &model{kind: n.Kind, tag: n.Tag, value: n.Value}
	if m.tag == "!!null" {
		m.value = ""
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			key := c.Tag + " " + c.Value
			if c.Kind != yaml.ScalarNode {
				key = "complex " + modelOf(c).String()
			}
			m.keys = append(m.keys, key)
			continue
		}
		m.kids = append(m.kids, modelOf(c))
	}
	return m
}

func modelOfValue(v Value) *model {
	switch v := v.(type) {
	case Map:
		m := &model{kind: yaml.MappingNode, tag: "!!map"}
		for _, e := range v {
			m.keys = append(m.keys, "!!str "+e.Key)
			m.kids = append(m.kids, modelOfValue(e.Value))
		}
		return m
	case Seq:
		m := &model{kind: yaml.SequenceNode, tag: "!!seq"}
		for _, e := range v {
			m.kids = append(m.kids, modelOfValue(e))
		}
		return m
	case nil:
		return &model{kind: yaml.ScalarNode, tag: "!!null"}
	case string:
		return &model{kind: yaml.ScalarNode, tag: "!!str", value: v}
	case bool:
		return &model{kind: yaml.ScalarNode, tag: "!!bool", value: fmt.Sprint(v)}
	}
	return &model{kind: yaml.ScalarNode, tag: "!!int", value: fmt.Sprint(v)}
}

func (m *model) child(step any) *model {
	switch step := step.(type) {
	case string:
		for i, k := range m.keys {
			if tag, name, _ := strings.Cut(k, " "); name == step && tag != "complex" {
				return m.kids[i]
			}
		}
	case int:
		if m.kind == yaml.SequenceNode && step < len(m.kids) {
			return m.kids[step]
		}
	}
	return nil
}

// change makes changes whose paths all mean the model as it is now.
func (m *model) change(cs []Change) {
	var steps []func()
	for _, c := range cs {
		at, rest := m, c.At
		for len(rest) > 1 && at.child(rest[0]) != nil {
			at, rest = at.child(rest[0]), rest[1:]
		}
		target := at.child(rest[0])
		switch {
		case c.Op == Delete && len(rest) == 1 && target != nil:
			steps = append(steps, func() { at.remove(target) })
		case c.Op == Delete:
		case c.Op == Set && len(rest) == 1 && target != nil:
			steps = append(steps, func() { *target = *modelOfValue(c.Value) })
		case c.Op == Insert && len(rest) == 1:
			steps = append(steps, func() { at.insert(target, modelOfValue(c.Value)) })
		default:
			steps = append(steps, func() { at.make(rest, c) })
		}
	}
	for _, step := range steps {
		step()
	}
}

func (m *model) remove(kid *model) {
	i := slices.Index(m.kids, kid)
	m.kids = slices.Delete(m.kids, i, i+1)
	if m.kind == yaml.MappingNode {
		m.keys = slices.Delete(m.keys, i, i+1)
	}
}

func (m *model) insert(before, kid *model) {
	if m.kind != yaml.SequenceNode {
		*m = model{kind: yaml.SequenceNode, tag: "!!seq"}
	}
	i := len(m.kids)
	if before != nil {
		i = slices.Index(m.kids, before)
	}
	m.kids = slices.Insert(m.kids, i, kid)
}

func (m *model) make(rest Path, c Change) {
	for i, step := range rest {
		last := i == len(rest)-1
		if last && c.Op == Insert {
			m.insert(nil, modelOfValue(c.Value))
			return
		}
		if m.kind != yaml.MappingNode {
			*m = model{kind: yaml.MappingNode, tag: "!!map"}
		}
		next := m.child(step)
		if next == nil {
			next = &model{kind: yaml.ScalarNode, tag: "!!null"}
			m.keys = append(m.keys, "!!str "+step.(string))
			m.kids = append(m.kids, next)
		}
		m = next
		if last {
			*m = *modelOfValue(c.Value)
		}
	}
}

func (m *model) String() string {
	var b strings.Builder
	var write func(m *model)
	write = func(m *model) {
		fmt.Fprintf(&b, "%s %q(", m.tag, m.value)
		for i, k := range m.kids {
			if m.keys != nil {
				fmt.Fprintf(&b, "%q: ", m.keys[i])
			}
			write(k)
			b.WriteString(", ")
		}
		b.WriteString(")")
	}
	write(m)
	return b.String()
}

// local says where out differs from src in more than the change names: outside
// the entry from the node before it to the node after it, or in a comment line.
// It knows positions of nodes only, not where they end.
func local(f *File, c Change, out []byte) string {
	var flat []*Node
	size := map[*Node]int{}
	var flatten func(n *Node)
	flatten = func(n *Node) {
		at := len(flat)
		flat = append(flat, n)
		for _, k := range n.Content {
			flatten(k)
		}
		size[n] = len(flat) - at
	}
	for _, d := range f.Docs {
		flatten(d.Root)
	}
	t := newText(f.Src)

	var key, in *Node // that goes with the value, and what it stands in
	n, rest := f.Docs[c.Doc].Root, c.At
	for len(rest) > 0 {
		if c.Op == Delete && len(rest) == 1 && len(n.Content) <= 2 && (n.Kind == yaml.MappingNode || len(n.Content) == 1) {
			key, rest = nil, nil // the last one: what is named is the whole collection
			break
		}
		var next *Node
		switch step := rest[0].(type) {
		case string:
			if next = entry(n, step); c.Op == Delete && next != nil {
				key = n.Content[index(n, step)]
			}
		case int:
			if key = nil; c.Op != Insert || len(rest) > 1 {
				next = element(n, step)
			}
		}
		if next == nil {
			break
		}
		in, n, rest = n, next, rest[1:]
	}
	first := slices.Index(flat, n)
	after := first + size[n]
	before := first - 1
	goes := t.start(n) // where what is named starts, its key or its dash included
	if key != nil && len(rest) == 0 {
		goes = t.start(key)
	} else if c.Op == Delete {
		if dash := strings.LastIndexByte(string(f.Src[:goes]), '-'); dash >= 0 && in != nil && in.Style&yaml.FlowStyle == 0 {
			goes = dash
		}
	}
	for c.Op == Delete && before >= 0 && t.start(flat[before]) >= goes {
		before-- // the key itself, and the collection that starts with it
	}
	if i, ok := 0, false; len(rest) > 0 && len(n.Content) > 0 {
		if i, ok = rest[len(rest)-1].(int); ok && i < len(n.Content) {
			after = slices.Index(flat, n.Content[i])
			before = after - 1
		} else {
			before = after - 1
		}
	}
	from, to := 0, len(f.Src)
	if before >= 0 {
		from = t.start(flat[before])
	}
	if after < len(flat) {
		to = t.start(flat[after])
	}
	src, text := string(f.Src), string(out)
	lines := text + "\n"
	if !strings.HasPrefix(text, src[:from]) {
		return "bytes before it"
	}
	if to < len(src) && !strings.HasSuffix(text, src[to:]) {
		return "bytes after it"
	}
	outside := src
	if len(rest) == 0 {
		end := min(flat[after-1].Line, len(t.lines))
		if isText(flat[after-1]) {
			return ""
		}
		outside = src[:goes] + src[t.lineEnd(t.lines[end-1]):]
	}
	for _, comment := range commentLine.FindAllString(outside, -1) {
		if !strings.Contains(lines, strings.TrimSpace(comment)+"\n") && !strings.Contains(lines, strings.TrimSpace(comment)+"\r") {
			return "the comment " + comment
		}
	}
	return ""
}

var commentLine = regexp.MustCompile(`(?m)^[ \t]*# c[0-9]+\r?$`)

// draw draws a few changes of a file that do not get in each other's way, most
// of them of what is there.
func draw(r *rand.Rand, f *File, most int) (cs []Change) {
	var taken []Path
	for range 1 + r.IntN(most) {
		c := Change{Doc: r.IntN(len(f.Docs)), Op: Op(r.IntN(3))}
		n := f.Docs[c.Doc].Root
		for n.Kind != yaml.ScalarNode && n.Kind != yaml.AliasNode && len(n.Content) > 0 && (len(c.At) == 0 || r.IntN(4) > 0) {
			if n.Kind == yaml.SequenceNode {
				i := r.IntN(len(n.Content))
				c.At, n = append(c.At, i), n.Content[i]
			} else {
				i := r.IntN(len(n.Content)/2) * 2
				c.At, n = append(c.At, n.Content[i].Value), n.Content[i+1]
			}
		}
		switch {
		case n.Kind == yaml.SequenceNode && c.Op != Delete:
			c.Op = Insert
			c.At = append(c.At, r.IntN(len(n.Content)+1))
		case c.Op == Insert && n.Tag == "!!null":
			c.At = append(c.At, 0)
		case c.Op == Set && (n.Kind == yaml.MappingNode || n.Tag == "!!null") && r.IntN(2) == 0:
			c.At = append(c.At, fmt.Sprintf("new%d", r.IntN(3)))
			if r.IntN(3) == 0 {
				c.At = append(c.At, "deep")
			}
		case c.Op == Insert:
			c.Op = Set
		}
		if len(c.At) == 0 {
			continue
		}
		if c.Op != Delete {
			c.Value = drawValue(r, 2)
		}
		path := slices.Clone(c.At)
		if c.Op == Insert {
			path = path[:len(path)-1] // an insertion meets nothing but what is about the sequence
		}
		clash := slices.ContainsFunc(taken, func(p Path) bool {
			short := min(len(p), len(path))
			return slices.Equal(p[:short], path[:short])
		})
		if !clash {
			taken = append(taken, append(Path{}, path...))
			cs = append(cs, c)
		}
	}
	return cs
}

func drawValue(r *rand.Rand, depth int) Value {
	switch k := r.IntN(8); {
	case k == 0:
		return nil
	case k == 1:
		return r.IntN(2) == 0
	case k == 2:
		return r.IntN(100) - 50
	case k == 3 && depth > 0:
		s := Seq{}
		for range r.IntN(3) {
			s = append(s, drawValue(r, depth-1))
		}
		return s
	case k == 4 && depth > 0:
		m := Map{}
		for i := range r.IntN(3) {
			m = append(m, Entry{fmt.Sprintf("k%d", i), drawValue(r, depth-1)})
		}
		return m
	}
	return drawString(r)
}

func drawString(r *rand.Rand) string {
	strange := []string{
		"", " ", "a", "yes", "No", "~", "null", "12", "1.10", "0x1F", "1_000", "1:30", "-", "- a", "a: b", "a #b", "#", "a:",
		"é", "日本", "\U0001F600", "\u202e", "\u2028", "\ufeff", "\x00", "\x7f", "\u0085", "\t", "a\nb\n", "\r", `"`, "'", `\`, "it's", "{a}", "[", "a, b", "&a", "*a", "!t", "|", ">", "%", "@", "`", "?", "=", "<<", "...", "---",
		"sha256:0123456789abcdef", "quay.io/a/b:1.2@sha256:00", "2026-01-02T03:04:05Z", "{{ .x }}", " a", "a ", "a  b", "e3", "1e3", ".5", "+1", "0o7", "nan", "\u00a0",
	}
	s := strange[r.IntN(len(strange))]
	if r.IntN(4) == 0 {
		s += strange[r.IntN(len(strange))]
	}
	return s
}
