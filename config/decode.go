package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// limits bound a configuration file. It is small by nature; every glob in it
// may be tried on every path of the repository.
var limits = yamledit.Limits{Bytes: 1 << 20, Nodes: 20_000, Depth: 16, Keys: 1_000, Aliases: 100, Docs: 1}

// maxProblems is how many problems of one file are told.
const maxProblems = 100

// A decoder fills structs from the nodes of one file. Struct tags say what a
// key takes:
//
//	yaml     the key
//	need     "true": the key must be there
//	oneof    the words that a string may be, separated by spaces
//	min, max the range of a number or duration
//
// A field of type Position receives where its struct begins. Everything that
// does not fit is a problem; decoding goes on behind it.
type decoder struct {
	path     string
	problems []imagestream.Problem
}

// A Position is where a value begins in its file, counted from 1.
type Position struct{ Line, Col int }

// A word is a string with a form of its own. set returns a *wrong.
type word interface{ set(text string) error }

// A shape is a value that reads its node itself.
type shape interface {
	decodeNode(d *decoder, n *yaml.Node, key string)
}

// A wrong says why text is refused, and what to write. It never holds the text
// of a file that may be a secret.
type wrong struct{ what, fix string }

func (w *wrong) Error() string { return w.what }

var (
	durationType = reflect.TypeFor[time.Duration]()
	positionType = reflect.TypeFor[Position]()
)

// quoted is text of the file in a message of the parser. It may be a secret.
var quoted = regexp.MustCompile(`'[^']*'`)

// decode fills the struct that into points to. The decoder that it returns
// holds the problems.
func decode(path string, src []byte, into any) *decoder {
	d := &decoder{path: path}
	file, err := yamledit.Parse(src, limits)
	switch e, _ := err.(*yamledit.Error); {
	case e != nil:
		d.add(Position{max(e.Line, 1), max(e.Col, 1)}, quoted.ReplaceAllString(e.What, "'…'"), e.Fix)
	case err != nil:
		d.add(Position{1, 1}, err.Error(), "write the file as YAML")
	case len(file.Docs) == 0:
		empty := &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
		d.value(empty, "", "", reflect.ValueOf(into).Elem())
	default:
		d.value(file.Docs[0].Root, "", "", reflect.ValueOf(into).Elem())
	}
	return d
}

// add notes a problem.
func (d *decoder) add(at Position, what, fix string) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, imagestream.Problem{Path: d.path, Line: at.Line, Col: at.Col, What: what, Fix: fix})
	}
}

// inOrder is the problems in the order of the file.
func (d *decoder) inOrder() []imagestream.Problem {
	slices.SortStableFunc(d.problems, func(a, b imagestream.Problem) int {
		return cmp.Or(a.Line-b.Line, a.Col-b.Col)
	})
	return d.problems
}

func at(n *yaml.Node) Position { return Position{n.Line, n.Column} }

// value fills v from n. The key is the whole way from the root, for people.
func (d *decoder) value(n *yaml.Node, key string, tag reflect.StructTag, v reflect.Value) {
	where := at(n)
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		d.add(where, key+" has no value", "write one, or remove the line")
		return
	}
	switch own := v.Addr().Interface().(type) {
	case word:
		d.word(n, key, own)
		return
	case shape:
		own.decodeNode(d, n, key)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, key, tag, v.Elem())
	case reflect.Struct:
		d.mapping(n, key, v)
	case reflect.Slice:
		d.list(n, key, tag, v)
	default:
		d.scalar(n, key, tag, v)
	}
}

// mapping fills a struct. The parser has refused keys that are there twice.
func (d *decoder) mapping(n *yaml.Node, key string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.add(at(n), name(key)+" must be a mapping", "write its keys below it, one a line")
		return
	}
	fields := fieldsOf(v.Type())
	there := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		f, known := fields[k.Value]
		if !known {
			d.unknown(k, key, fields)
			continue
		}
		there[k.Value] = true
		d.value(value, join(key, k.Value), f.Tag, v.FieldByIndex(f.Index))
	}
	for _, k := range sorted(fields) {
		if !there[k] && fields[k].Tag.Get("need") != "" {
			d.add(at(n), join(key, k)+" is missing", "add a line with "+k+":")
		}
	}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if f.Type == positionType {
			v.FieldByIndex(f.Index).Set(reflect.ValueOf(at(n)))
		}
	}
}

// list fills a slice. Of a list with bad entries the good ones are kept, so
// that their problems are told, too.
func (d *decoder) list(n *yaml.Node, key string, tag reflect.StructTag, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.add(at(n), key+" must be a list", "write "+last(key)+": [a, b], or one entry a line after a dash")
		return
	}
	if most, err := strconv.Atoi(tag.Get("max")); err == nil && len(n.Content) > most {
		d.add(at(n), fmt.Sprintf("%s has %d entries; at most %d are allowed", key, len(n.Content), most), "remove some, or join them")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, e := range n.Content {
		d.value(e, fmt.Sprintf("%s[%d]", key, i), "", v.Index(i))
	}
}

// word fills a string that has a form of its own.
func (d *decoder) word(n *yaml.Node, key string, w word) {
	text, ok := d.text(n, key)
	if !ok {
		return
	}
	if err := w.set(text); err != nil {
		bad := err.(*wrong)
		d.add(at(n), key+" "+bad.what, bad.fix)
	}
}

// text is the string that a node holds.
func (d *decoder) text(n *yaml.Node, key string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.add(at(n), key+" must be text", "write "+last(key)+": and one value")
	case n.ShortTag() != "!!str":
		d.add(at(n), key+" must be text", "put the value in quotes")
	case n.Value == "":
		d.add(at(n), key+" is empty", "write a value, or remove the line")
	case strings.ContainsFunc(n.Value, unicode.IsControl):
		d.add(at(n), key+" holds a control character or a line break", "write it on one line")
	default:
		return n.Value, true
	}
	return "", false
}

// scalar fills a string, bool, number or duration.
func (d *decoder) scalar(n *yaml.Node, key string, tag reflect.StructTag, v reflect.Value) {
	k := last(key)
	switch {
	case v.Type() == durationType:
		lo, hi := tag.Get("min"), tag.Get("max")
		got, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || got < duration(lo) || got > duration(hi) {
			d.add(at(n), fmt.Sprintf("%s must be a duration from %s to %s", key, lo, hi), durationFix(n.Value))
			return
		}
		v.SetInt(int64(got))
	case v.Kind() == reflect.Int:
		lo, hi := tag.Get("min"), tag.Get("max")
		got, err := strconv.Atoi(n.Value)
		if n.ShortTag() != "!!int" || err != nil || got < number(lo) || got > number(hi) {
			d.add(at(n), fmt.Sprintf("%s must be a whole number from %s to %s", key, lo, hi), "write a number of that range, without quotes")
			return
		}
		v.SetInt(int64(got))
	case v.Kind() == reflect.Float64:
		lo, hi := tag.Get("min"), tag.Get("max")
		got, err := strconv.ParseFloat(n.Value, 64)
		if t := n.ShortTag(); t != "!!int" && t != "!!float" || err != nil || !(got >= fraction(lo) && got <= fraction(hi)) {
			d.add(at(n), fmt.Sprintf("%s must be a number from %s to %s", key, lo, hi), "write a number of that range, without quotes")
			return
		}
		v.SetFloat(got)
	case v.Kind() == reflect.Bool:
		if n.ShortTag() != "!!bool" {
			d.add(at(n), key+" must be true or false", "write "+k+": true, or "+k+": false, without quotes")
			return
		}
		v.SetBool(n.Value == "true" || n.Value == "True" || n.Value == "TRUE")
	default:
		d.choice(n, key, strings.Fields(tag.Get("oneof")), v)
	}
}

// durationFix is what to write in place of a text that is no duration. Days, which
// annotations know, are none here.
func durationFix(text string) string {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 10_000 {
			return fmt.Sprintf("there are no days here: write %dh", 24*n)
		}
	}
	return "write a number with its unit, such as 90s, 15m or 72h"
}

// choice fills a string, which may have to be one of some words.
func (d *decoder) choice(n *yaml.Node, key string, words []string, v reflect.Value) {
	text, ok := d.text(n, key)
	switch {
	case !ok:
	case len(words) > 0 && !slices.Contains(words, text):
		d.add(at(n), key+" must be "+strings.Join(words, " or ")+" in this version", "write "+last(key)+": "+orList(words))
	default:
		v.SetString(text)
	}
}

// orList is words as people choose among them.
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

// unknown says what is wrong with a key that is not among the fields.
func (d *decoder) unknown(k *yaml.Node, key string, fields map[string]reflect.StructField) {
	known := sorted(fields)
	whole := join(key, clip(k.Value))
	near := nearest(k.Value, known)
	line, looksSecret := secret(k.Value, known)
	switch {
	case line != "":
		d.add(at(k), whole+" would be a secret in this file", "put the secret into a file of its own and name that file here as "+line)
	case near != "":
		d.add(at(k), whole+" is not a known key", "did you mean "+near+"?")
	case looksSecret:
		d.add(at(k), whole+" would be a secret in this file", "remove it; secrets stand in files that the operator's configuration names: git.token-file, git.password-file, credentials")
	default:
		d.add(at(k), whole+" is not a known key", "remove it; known here: "+strings.Join(known, ", "))
	}
}

// fieldsOf maps keys to the fields of a struct, those of embedded structs
// included.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("yaml"); key != "" {
			fields[key] = f
		}
	}
	return fields
}

func sorted(fields map[string]reflect.StructField) []string {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// duration, number and fraction read the ends of a range, which are constants of this
// package.
func duration(s string) time.Duration { d, _ := time.ParseDuration(s); return d }

func number(s string) int { n, _ := strconv.Atoi(s); return n }

func fraction(s string) float64 { f, _ := strconv.ParseFloat(s, 64); return f }

func join(key, k string) string {
	if key == "" {
		return k
	}
	return key + "." + k
}

// last is the key itself, without the way to it.
func last(key string) string {
	key, _, _ = strings.Cut(key[strings.LastIndexByte(key, '.')+1:], "[")
	return key
}

func name(key string) string {
	if key == "" {
		return "the file"
	}
	return key
}

// clip shortens text of a file for a message and makes it harmless.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || s == "" {
		return strconv.Quote(s)
	}
	return s
}
