package imagestream

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	"go.yaml.in/yaml/v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/towpath/towpath/yamledit"
)

// The check walks nodes along the API's own Go types. It sets nothing: it says what is
// not of its type, with the line and the next step, and lets through only what every
// reader of YAML takes for the same value. What it lets through is then decoded
// (decode.go).

// A mode says what is a problem in a part of the object.
type mode int

const (
	inSpec     mode = iota // all that is not known, or is not of its type
	inStatus               // what is not of its type
	inMetadata             // the same, but times are read as text
)

type checker struct {
	json     bool
	mode     mode
	problems []Problem
}

// A schema is the members of the structs that a stream is made of, by JSON name.
type schema map[reflect.Type]members

type members map[string]member

type member struct {
	of    reflect.Type
	index int // in the struct
}

var (
	streamSchema = schemaOf(reflect.TypeFor[imagev1.ImageStream](), reflect.TypeFor[identity]())
	timeType     = reflect.TypeFor[metav1.Time]()
	anchorName   = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)
	integer      = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)
)

func schemaOf(types ...reflect.Type) schema {
	s := schema{}
	for _, t := range types {
		s.add(t)
	}
	return s
}

func (s schema) add(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		s.add(t.Elem())
	case reflect.Struct:
		if _, known := s[t]; known || t == timeType {
			return
		}
		fields := members{}
		s[t] = fields
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name != "" && name != "-" {
				fields[name] = member{t.Field(i).Type, i}
			}
			s.add(t.Field(i).Type)
		}
	}
}

// check reports whether n can be decoded into a t; what cannot has become problems. The
// key is for the line to write.
func (c *checker) check(n *yamledit.Node, t reflect.Type, key string) bool {
	before := len(c.problems)
	c.value(n, t, key)
	return len(c.problems) == before
}

func (c *checker) value(n *yamledit.Node, t reflect.Type, key string) {
	if n = follow(n); n != nil && !c.marks(n) || isNull(n) {
		return
	}
	if t == timeType {
		c.time(n, key)
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		c.value(n, t.Elem(), key)
	case reflect.Struct:
		c.structure(n, streamSchema[t], key)
	case reflect.Slice:
		c.list(n, t.Elem(), key)
	case reflect.Map:
		c.members(n, t.Elem(), key)
	case reflect.String:
		c.text(n, key)
	case reflect.Bool:
		c.boolean(n, key)
	case reflect.Int64:
		c.integer(n, key)
	}
}

func (c *checker) structure(n *yamledit.Node, fields members, key string) {
	if !c.wants(n, yaml.MappingNode, key) || len(fields) == 0 {
		return
	}
	for name, value := range entries(n) {
		if m, known := fields[name.Value]; known {
			c.value(value, m.of, name.Value)
		} else if c.mode == inSpec {
			c.unknown(name, key, fields)
		}
	}
}

func (c *checker) list(n *yamledit.Node, t reflect.Type, key string) {
	if !c.wants(n, yaml.SequenceNode, key) {
		return
	}
	for _, e := range n.Content {
		c.value(e, t, key)
	}
}

func (c *checker) members(n *yamledit.Node, t reflect.Type, key string) {
	if !c.wants(n, yaml.MappingNode, key) {
		return
	}
	for name, value := range entries(n) {
		c.value(value, t, name.Value)
	}
}

// text wants a string: a scalar that every reader takes for one.
func (c *checker) text(n *yamledit.Node, key string) {
	if !c.wants(n, yaml.ScalarNode, key) || !plain(n) {
		return
	}
	read := readsAs(n.Value)
	if read == "" || read == readTime && c.mode == inMetadata {
		return
	}
	c.problem(n, fmt.Sprintf("%s: a string belongs here, but %s is read as %s", key, n.Value, read), c.line(key, strconv.Quote(n.Value)))
}

func (c *checker) boolean(n *yamledit.Node, key string) {
	if !c.wants(n, yaml.ScalarNode, key) {
		return
	}
	if value := strings.ToLower(n.Value); plain(n) && isBoolWord(n.Value) && (value == "true" || value == "false") {
		return
	}
	meant := "false"
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on", "y", "1":
		meant = "true"
	}
	c.problem(n, fmt.Sprintf("%s: true or false belongs here, not %s", key, written(n)), c.line(key, meant))
}

func (c *checker) integer(n *yamledit.Node, key string) {
	if !c.wants(n, yaml.ScalarNode, key) {
		return
	}
	if _, err := strconv.ParseInt(n.Value, 10, 64); err != nil || !plain(n) || !integer.MatchString(n.Value) {
		c.problem(n, fmt.Sprintf("%s: a whole number belongs here, not %s", key, written(n)), "remove this line: "+key+" is the server's")
	}
}

func (c *checker) time(n *yamledit.Node, key string) {
	if !c.wants(n, yaml.ScalarNode, key) {
		return
	}
	if _, err := time.Parse(time.RFC3339, n.Value); err != nil {
		c.problem(n, fmt.Sprintf("%s: a time in RFC 3339 belongs here, not %s", key, written(n)), c.line(key, `"2006-01-02T15:04:05Z"`)+", with the time that is meant")
	}
}

// wants reports whether n is of a kind and has no tag that makes it something
// else.
func (c *checker) wants(n *yamledit.Node, kind yaml.Kind, key string) bool {
	if n.Style&yaml.TaggedStyle != 0 {
		switch n.ShortTag() {
		case "!!str", "!!map", "!!seq":
		default:
			c.problem(n, fmt.Sprintf("%s: the tag %s is not read", key, n.Tag), "write the value itself, without "+n.Tag)
			return false
		}
	}
	if n.Kind != kind {
		c.problem(n, fmt.Sprintf("%s: %s belongs here, not %s", key, kindName(kind), kindName(n.Kind)), "write "+kindName(kind)+" here")
		return false
	}
	return kind != yaml.MappingNode || c.keys(n)
}

// keys reports whether every reader finds the same entries in a mapping. A key with a
// tag is another key to some of them.
func (c *checker) keys(n *yamledit.Node) bool {
	before := len(c.problems)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := follow(n.Content[i])
		switch {
		case !c.marks(key):
		case key.Tag == "!" || key.Style&yaml.TaggedStyle != 0 && key.ShortTag() != "!!str":
			c.problem(key, fmt.Sprintf("the key %s has the tag %s", written(key), key.Tag), "write the key itself, without "+key.Tag)
		case n.Style&yaml.FlowStyle != 0 && plain(key) && strings.HasPrefix(key.Value, "?"):
			c.problem(key, fmt.Sprintf("the key %s is read without its ? by some", written(key)), "write it in quotes, or without the ?")
		case isMerge(n.Content[i]):
			c.merge(n, i)
		}
	}
	return len(c.problems) == before
}

// marks reports whether every reader ends n's anchor and tag at the same place: &a:b is
// &a and the text :b to the library, and {a: !!str, b} gives a the text b.
func (c *checker) marks(n *yamledit.Node) bool {
	tagged := n.Tag == "!" || n.Style&yaml.TaggedStyle != 0
	switch {
	case n.Anchor != "" && !anchorName.MatchString(n.Anchor):
		c.problem(n, fmt.Sprintf("the anchor &%s is read as another by some", n.Anchor), "name it with letters and digits alone")
	case tagged && n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0:
		c.problem(n, fmt.Sprintf("nothing stands after the tag %s", n.Tag), "write the value itself, without "+n.Tag)
	default:
		return true
	}
	return false
}

// merge looks at the entries of n that the merge key at i brings as well. Of one above it
// the library takes what is merged, others what is there. And {a:, b} has the key a: to
// the library, so that it hides nothing.
func (c *checker) merge(n *yamledit.Node, i int) {
	for _, source := range sources(n.Content[i+1]) {
		source = follow(source)
		if source.Kind != yaml.MappingNode || !c.keys(source) {
			continue
		}
		for key := range entries(source) {
			for j := 0; j < len(n.Content); j += 2 {
				own, value := follow(n.Content[j]), follow(n.Content[j+1])
				switch {
				case own.Value != key.Value:
				case j < i:
					c.problem(own, fmt.Sprintf("%s stands above <<, which brings another: readers differ in which they take", own.Value), "put << above "+own.Value)
				case n.Style&yaml.FlowStyle != 0 && value.Value == "" && isNull(value):
					c.problem(own, fmt.Sprintf("%s has no value, and << brings one: readers differ in which they take", own.Value), "write "+c.line(own.Value, "null")+", or leave it out")
				}
			}
		}
	}
}

func (c *checker) unknown(n *yamledit.Node, parent string, fields members) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	fix := "remove this field"
	if name := closest(n.Value, names); name != "" {
		fix = "write " + name + " if that is meant, else remove this field"
	}
	c.problem(n, fmt.Sprintf("%s has no field %s", parent, n.Value), fix)
}

func (c *checker) problem(n *yamledit.Node, what, fix string) {
	c.problems = append(c.problems, Problem{Line: n.Line, Col: n.Column, What: what, Fix: fix})
}

// line is the line to write in the file's own language.
func (c *checker) line(key, value string) string {
	if c.json {
		return strconv.Quote(key) + ": " + value
	}
	return key + ": " + value
}

func kindName(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

// written is a scalar about as the file has it, not at length.
func written(n *yamledit.Node) string {
	text := n.Value
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	if plain(n) {
		return text
	}
	return strconv.Quote(text)
}

// closest is the name that a typing error may have stood for: the same but for
// case, one that begins with it or it with one, or one a slip away; empty where none is.
func closest(typed string, names []string) string {
	best := ""
	for _, name := range names {
		a, b := strings.ToLower(typed), strings.ToLower(name)
		near := a == b || len(a) > 2 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a) || isSlip(a, b))
		if near && (best == "" || name < best) {
			best = name
		}
	}
	return best
}

// isSlip reports whether two words differ in one letter that is more, less or another,
// or in two that changed places.
func isSlip(a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) < 2 && len(b) < 2 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}
