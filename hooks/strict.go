package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a payload. No vendor's comes near them.
const (
	maxDepth  = 64
	maxValues = 100_000
)

// parse reads JSON as strictly as one can. encoding/json's way into structs takes the last
// of two equal keys, and Tag for tag: then what one reader checked is not what the next one
// used. Here keys that are equal but for their case are an error, as is text that is no
// UTF-8, and depth and number of values are bounded.
func parse(body []byte) (node, error) {
	if !utf8.Valid(body) {
		return node{}, errors.New("the payload is not UTF-8")
	}
	p := parser{d: json.NewDecoder(bytes.NewReader(body))}
	p.d.UseNumber() // a number may be larger than any type
	v, err := p.value(0, false)
	if err != nil {
		return node{}, notJSON(body, err)
	}
	if _, err := p.d.Token(); err != io.EOF {
		return node{}, errors.New("something follows the payload")
	}
	return node{v}, nil
}

type parser struct {
	d      *json.Decoder
	values int
}

// names are the keys of objects whose own keys are names that people chose, in which case
// counts: labels of an image, and Quay's older map of tags. Nothing else is looked up in them.
var names = []string{"labels", "annotations", "updated_tags"}

func (p *parser) value(depth int, named bool) (any, error) {
	t, err := p.d.Token()
	if err != nil {
		return nil, err
	}
	if p.values++; p.values > maxValues {
		return nil, fmt.Errorf("the payload has more than %d values", maxValues)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("the payload is nested deeper than %d", maxDepth)
	}
	switch t {
	case json.Delim('{'):
		return p.object(depth, named)
	case json.Delim('['):
		return p.list(depth, named)
	}
	return t, nil
}

func (p *parser) object(depth int, named bool) (any, error) {
	fields, seen := map[string]any{}, map[string]bool{}
	for p.d.More() {
		t, err := p.d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string)
		folded := key
		if !named {
			folded = fold(key)
		}
		if seen[folded] {
			return nil, errors.New("an object of the payload has the same key twice")
		}
		seen[folded] = true
		if fields[key], err = p.value(depth+1, named || slices.Contains(names, key)); err != nil {
			return nil, err
		}
	}
	_, err := p.d.Token()
	return fields, err
}

func (p *parser) list(depth int, named bool) (any, error) {
	entries := []any{}
	for p.d.More() {
		v, err := p.value(depth+1, named)
		if err != nil {
			return nil, err
		}
		entries = append(entries, v)
	}
	_, err := p.d.Token()
	return entries, err
}

// fold makes keys equal that encoding/json would take for one another: the long s and the
// Kelvin sign are among them.
func fold(key string) string {
	if !strings.ContainsFunc(key, func(r rune) bool { return r >= utf8.RuneSelf || 'A' <= r && r <= 'Z' }) {
		return key // as nearly all are
	}
	return lower(strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, key))
}

// A node is a value of a payload. What is missing, null or of another type reads as the
// zero value, so that no payload can make a reader panic.
type node struct{ v any }

// at goes down by keys.
func (n node) at(keys ...string) node {
	for _, key := range keys {
		fields, _ := n.v.(map[string]any)
		n = node{fields[key]}
	}
	return n
}

func (n node) text() string {
	s, _ := n.v.(string)
	return s
}

func (n node) is(want bool) bool {
	b, ok := n.v.(bool)
	return ok && b == want
}

func (n node) isList() bool {
	_, ok := n.v.([]any)
	return ok
}

func (n node) isObject() bool {
	_, ok := n.v.(map[string]any)
	return ok
}

// list is the entries of a list.
func (n node) list() []node {
	entries, _ := n.v.([]any)
	nodes := make([]node, len(entries))
	for i, v := range entries {
		nodes[i] = node{v}
	}
	return nodes
}

// keys are those of an object, in no order.
func (n node) keys() []string {
	fields, _ := n.v.(map[string]any)
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	return keys
}

// missing is the error of a payload that says what happened and not where.
func missing(path string) error { return fmt.Errorf("the payload has no %s", path) }
