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

// The decoder reads nodes into the API's own Go types in one walk: it knows the
// line of everything, guesses no types, and reads a file only once (the usual way
// over JSON parses it again and reads 1.10 as 1.1 without a word). A
// test holds what it reads against sigs.k8s.io/yaml.

// A mode says what is a problem in a part of the object.
type mode int

const (
	inSpec     mode = iota // all that is not known, or is not of its type
	inStatus               // what is not of its type
	inMetadata             // the same, but times are read as text
)

type decoder struct {
	json     bool
	mode     mode
	problems []Problem
}

// A schema is the fields of the structs that a stream is made of, by JSON name.
type schema map[reflect.Type]map[string]int

var (
	streamSchema = schemaOf(reflect.TypeFor[imagev1.ImageStream]())
	timeType     = reflect.TypeFor[metav1.Time]()
	integer      = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)
)

func schemaOf(t reflect.Type) schema {
	s := schema{}
	s.add(t)
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
		fields := map[string]int{}
		s[t] = fields
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name != "" && name != "-" {
				fields[name] = i
			}
			s.add(t.Field(i).Type)
		}
	}
}

// decode reads n into v. What is not of v's type is a problem and leaves v as it
// is. The key is for the line to write.
func (d *decoder) decode(n *yamledit.Node, v reflect.Value, key string) {
	if n = follow(n); isNull(n) {
		return
	}
	if v.Type() == timeType {
		d.time(n, v, key)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		d.decode(n, target.Elem(), key)
		v.Set(target)
	case reflect.Struct:
		d.structure(n, v, key)
	case reflect.Slice:
		d.list(n, v, key)
	case reflect.Map:
		d.strings(n, v, key)
	case reflect.String:
		if s, ok := d.text(n, key); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		d.boolean(n, v, key)
	case reflect.Int64:
		d.integer(n, v, key)
	}
}

func (d *decoder) structure(n *yamledit.Node, v reflect.Value, key string) {
	fields := streamSchema[v.Type()]
	if !d.wants(n, yaml.MappingNode, key) || len(fields) == 0 {
		return
	}
	for _, p := range pairs(n) {
		i, known := fields[p.key.Value]
		if !known {
			if d.mode == inSpec {
				d.unknown(p.key, key, fields)
			}
			continue
		}
		d.decode(p.value, v.Field(i), p.key.Value)
	}
}

func (d *decoder) list(n *yamledit.Node, v reflect.Value, key string) {
	if v.Type().Elem().Kind() == reflect.Uint8 || !d.wants(n, yaml.SequenceNode, key) {
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.decode(c, list.Index(i), key)
	}
	v.Set(list)
}

func (d *decoder) strings(n *yamledit.Node, v reflect.Value, key string) {
	if v.Type().Elem().Kind() != reflect.String || !d.wants(n, yaml.MappingNode, key) {
		return
	}
	m := map[string]string{}
	for _, p := range pairs(n) {
		value := follow(p.value)
		if isNull(value) {
			m[p.key.Value] = ""
		} else if s, ok := d.text(value, p.key.Value); ok {
			m[p.key.Value] = s
		}
	}
	v.Set(reflect.ValueOf(m))
}

// text is the string of a scalar that every reader takes for one.
func (d *decoder) text(n *yamledit.Node, key string) (string, bool) {
	if !d.wants(n, yaml.ScalarNode, key) {
		return "", false
	}
	if !plain(n) {
		return n.Value, true
	}
	read := readsAs(n.Value)
	if read == "" || read == readTime && d.mode == inMetadata {
		return n.Value, true
	}
	d.problem(n, fmt.Sprintf("%s: a string belongs here, but %s is read as %s", key, n.Value, read), d.line(key, strconv.Quote(n.Value)))
	return "", false
}

func (d *decoder) boolean(n *yamledit.Node, v reflect.Value, key string) {
	if !d.wants(n, yaml.ScalarNode, key) {
		return
	}
	if value := strings.ToLower(n.Value); plain(n) && isBoolWord(n.Value) && (value == "true" || value == "false") {
		v.SetBool(value == "true")
		return
	}
	meant := "false"
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on", "y", "1":
		meant = "true"
	}
	d.problem(n, fmt.Sprintf("%s: true or false belongs here, not %s", key, written(n)), d.line(key, meant))
}

func (d *decoder) integer(n *yamledit.Node, v reflect.Value, key string) {
	if !d.wants(n, yaml.ScalarNode, key) {
		return
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || !plain(n) || !integer.MatchString(n.Value) {
		d.problem(n, fmt.Sprintf("%s: a whole number belongs here, not %s", key, written(n)), "remove this line: "+key+" is the server's")
		return
	}
	v.SetInt(i)
}

func (d *decoder) time(n *yamledit.Node, v reflect.Value, key string) {
	if !d.wants(n, yaml.ScalarNode, key) {
		return
	}
	t, err := time.Parse(time.RFC3339, n.Value)
	if err != nil {
		d.problem(n, fmt.Sprintf("%s: a time in RFC 3339 belongs here, not %s", key, written(n)), d.line(key, `"2006-01-02T15:04:05Z"`)+", with the time that is meant")
		return
	}
	v.Set(reflect.ValueOf(metav1.NewTime(t)))
}

// wants reports whether n is of a kind and has no tag that makes it something
// else.
func (d *decoder) wants(n *yamledit.Node, kind yaml.Kind, key string) bool {
	if n.Style&yaml.TaggedStyle != 0 {
		switch n.ShortTag() {
		case "!!str", "!!map", "!!seq":
		default:
			d.problem(n, fmt.Sprintf("%s: the tag %s is not read", key, n.Tag), "write the value itself, without "+n.Tag)
			return false
		}
	}
	if n.Kind != kind {
		d.problem(n, fmt.Sprintf("%s: %s belongs here, not %s", key, kindName(kind), kindName(n.Kind)), "write "+kindName(kind)+" here")
		return false
	}
	return true
}

func (d *decoder) unknown(n *yamledit.Node, parent string, fields map[string]int) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	fix := "remove this field"
	if name := closest(n.Value, names); name != "" {
		fix = "write " + name + " if that is meant, else remove this field"
	}
	d.problem(n, fmt.Sprintf("%s has no field %s", parent, n.Value), fix)
}

func (d *decoder) problem(n *yamledit.Node, what, fix string) {
	d.problems = append(d.problems, Problem{Line: n.Line, Col: n.Column, What: what, Fix: fix})
}

// line is the line to write in the file's own language.
func (d *decoder) line(key, value string) string {
	if d.json {
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
// case, or one that begins with it or it with one; empty where none does.
func closest(typed string, names []string) string {
	best := ""
	for _, name := range names {
		a, b := strings.ToLower(typed), strings.ToLower(name)
		near := a == b || len(a) > 2 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
		if near && (best == "" || name < best) {
			best = name
		}
	}
	return best
}
