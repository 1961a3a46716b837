package yamledit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A Selector is a path in which elements may be chosen by the value of a key:
//
//	spec.values.image.tag
//	images[?(@.name=="web")].newTag
//	spec.containers[0].image
//	metadata.annotations["team.example/image"]
//
// The zero Selector finds nothing.
type Selector struct {
	text  string
	steps []any // keys as string, indices as int, filters as choice
}

// A choice is the first element that has a text below a key.
type choice struct{ key, value string }

// Bounds of a selector's text.
const (
	maxSelector = 1024 // bytes
	maxSteps    = 64
)

// ParseSelector reads a selector. The error is an *Error that says where in the text
// something is wrong, as a column of line 1; it holds nothing of the text.
func ParseSelector(text string) (Selector, error) {
	p := selectorParser{text: text, rest: text}
	switch {
	case text == "":
		return Selector{}, p.wrong("is empty", "write the keys on the way to the value: spec.values.image.tag")
	case len(text) > maxSelector:
		return Selector{}, p.wrong(fmt.Sprintf("is longer than %d bytes", maxSelector), "name a value nearer to the top of the document")
	case strings.HasPrefix(text, "$"):
		return Selector{}, p.wrong("begins with $, which every selector does here without writing it", "leave out $ and the dot behind it")
	case strings.HasPrefix(text, "."):
		return Selector{}, p.wrong("begins with a dot", "leave out the first dot")
	}
	s := Selector{text: text}
	for p.rest != "" {
		step, err := p.step(len(s.steps) == 0)
		if err != nil {
			return Selector{}, err
		}
		if s.steps = append(s.steps, step); len(s.steps) > maxSteps {
			return Selector{}, p.wrong(fmt.Sprintf("has more than %d steps", maxSteps), "name a value nearer to the top of the document")
		}
	}
	return s, nil
}

// String is the selector as written.
func (s Selector) String() string { return s.text }

// Equal reports whether two selectors are written alike.
func (s Selector) Equal(t Selector) bool { return s.text == t.text }

// Find is the path of the value that the selector means, with an index for each filter;
// aliases are followed. Where the value is not there, but the mapping is that its key would
// stand in, there is false. Where not even that is so the path is nil.
func (s Selector) Find(root *Node) (at Path, there bool) {
	n := follow(root)
	for i, step := range s.steps {
		if n == nil {
			return nil, false
		}
		var next *Node
		switch step := step.(type) {
		case string:
			if next = entry(n, step); next == nil && (n.Kind != yaml.MappingNode || i < len(s.steps)-1) {
				return nil, false
			}
			at = append(at, step)
		case int:
			if next = element(n, step); next == nil {
				return nil, false
			}
			at = append(at, step)
		case choice:
			e := step.of(n)
			if next = element(n, e); next == nil {
				return nil, false
			}
			at = append(at, e)
		}
		n = follow(next)
	}
	return at, n != nil && len(at) > 0
}

// Chosen are the paths of the values by which the filters chose a path that Find found: were
// one of them another, so might be what is found.
func (s Selector) Chosen(at Path) []Path {
	var paths []Path
	for i, step := range s.steps {
		if c, ok := step.(choice); ok && i < len(at) {
			paths = append(paths, append(slices.Clone(at[:i+1]), c.key))
		}
	}
	return paths
}

// of is the index of the element of a sequence that is chosen, -1 where none is.
func (c choice) of(n *Node) int {
	for i, e := range n.Content {
		if value, ok := Get(e, Path{c.key}); ok && value == c.value && n.Kind == yaml.SequenceNode {
			return i
		}
	}
	return -1
}

// A selectorParser reads steps off the front of rest.
type selectorParser struct{ text, rest string }

func (p *selectorParser) step(first bool) (any, error) {
	if strings.HasPrefix(p.rest, "[") {
		return p.bracket()
	}
	if !first {
		if p.rest[0] != '.' {
			return nil, p.wrong("goes on without a dot", "write a dot before each key")
		}
		if p.rest = p.rest[1:]; strings.HasPrefix(p.rest, "[") {
			return nil, p.wrong("has a dot before a bracket", "leave out the dot: containers[0]")
		}
	}
	key := plainKey(p.rest)
	switch {
	case key != "":
		p.rest = p.rest[len(key):]
		return key, nil
	case p.rest == "":
		return nil, p.wrong("ends with a dot", "leave out the last dot, or write a key behind it")
	case p.rest[0] == '.':
		return nil, p.wrong("has two dots without a key between them", "name every key on the way")
	case p.rest[0] == '*':
		return nil, p.wrong("means any key; a selector leads to one value", "name the key")
	}
	return nil, p.wrong("holds a character that no plain key has", `write the key in brackets and double quotes: annotations["team.example/image"]`)
}

// bracket is [0], ["key"] or [?(@.key=="value")].
func (p *selectorParser) bracket() (any, error) {
	p.rest = p.rest[1:]
	var step any
	var err error
	digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789"))]
	switch {
	case digits != "":
		i, bad := strconv.Atoi(digits)
		if bad != nil || i > 1_000_000 {
			return nil, p.wrong("has an index that no list reaches", "count from 0")
		}
		step, p.rest = i, p.rest[len(digits):]
	case strings.HasPrefix(p.rest, `"`):
		step, err = p.quoted()
	case strings.HasPrefix(p.rest, "?"):
		step, err = p.choice()
	default:
		return nil, p.wrong("has brackets around what is no index, key or filter", `write [0], ["key"] or [?(@.name=="web")], with double quotes`)
	}
	if err != nil {
		return nil, err
	}
	return step, p.skip("]", "close the bracket with ]")
}

func (p *selectorParser) choice() (any, error) {
	const shape = `write [?(@.name=="web")], with == and double quotes, and without blanks`
	if err := p.skip("?(@.", shape); err != nil {
		return nil, err
	}
	c := choice{key: plainKey(p.rest)}
	if p.rest = p.rest[len(c.key):]; c.key == "" {
		return nil, p.wrong("has a filter without a key", shape)
	}
	err := p.skip("==", shape)
	if err == nil && !strings.HasPrefix(p.rest, `"`) {
		err = p.wrong("has a filter whose value is not in double quotes", shape)
	}
	if err != nil {
		return nil, err
	}
	if c.value, err = p.quoted(); err != nil {
		return nil, err
	}
	return c, p.skip(")", shape)
}

// quoted is text in double quotes, with the escapes of JSON.
func (p *selectorParser) quoted() (string, error) {
	quoted, err := strconv.QuotedPrefix(p.rest)
	if err != nil {
		return "", p.wrong("has a quote that is not closed, or an escape that there is not", `write the text as in JSON: "team.example/image"`)
	}
	p.rest = p.rest[len(quoted):]
	return strconv.Unquote(quoted)
}

func (p *selectorParser) skip(text, fix string) error {
	rest, ok := strings.CutPrefix(p.rest, text)
	if !ok {
		return p.wrong("is not well formed", fix)
	}
	p.rest = rest
	return nil
}

func (p *selectorParser) wrong(what, fix string) error {
	return &Error{1, 1 + utf8.RuneCountInString(p.text[:len(p.text)-len(p.rest)]), what, fix}
}

// plainKey is the key that a text begins with, as far as it needs no quotes.
func plainKey(text string) string {
	i := strings.IndexFunc(text, func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-/", r)
	})
	if i < 0 {
		return text
	}
	return text[:i]
}
