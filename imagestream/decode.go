package imagestream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	yaml4 "go.yaml.in/yaml/v4"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/towpath/towpath/yamledit"
)

// Values are decoded by the library that the field decodes them with. It guesses: 1.10 is
// 1.1 to it, without a word. So no value is used that the check has not let through.
//
// Of what is written plainly (yamledit.Doc.Plain), of JSON, and of a status that stands
// apart, nodes are decoded instead, which costs a tenth. That is the same: the keys and
// texts of a plain document are those that any reader finds, and where a text is more than
// that, a number or a word that one reader takes for another value, the check has made it a
// problem. A law holds both ways of decoding together.

// An object is a document, or an item of a List, in the parts that are decoded one
// by one: a bad tag loses no other. A part of another shape is empty; the check says so.
type object struct {
	Metadata json.RawMessage `json:"metadata"`
	Spec     struct {
		Repository json.RawMessage   `json:"dockerImageRepository"`
		Tags       []json.RawMessage `json:"tags"`
	} `json:"spec"`
	Status json.RawMessage `json:"status"`
	Items  []object        `json:"items"`

	apart bool // the status is decoded from nodes
}

// load cuts a document into parts. What people write goes through the library; a
// status of its own, most of the text and mostly written by towpath, is not parsed a
// second time.
func load(f *yamledit.File, doc yamledit.Doc) (*object, error) {
	text, status := apart(f, doc)
	text, err := toJSON(f, doc, text)
	if err != nil {
		return nil, err
	}
	o := object{apart: status != nil}
	_ = kjson.Unmarshal(text, &o) // it is JSON: only shapes can be wrong
	return &o, nil
}

// apart is a document's text with empty lines where its status stands, and the
// status, if it stands on lines of its own and nothing else refers to it.
func apart(f *yamledit.File, doc yamledit.Doc) ([]byte, *yamledit.Node) {
	text := f.Src[doc.Start:doc.End]
	root := doc.Root
	if root.Kind != yaml4.MappingNode || root.Style&yaml4.FlowStyle != 0 {
		return text, nil
	}
	from, to := 0, 0 // lines of the document, from 0
	var status *yamledit.Node
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i]
		if key.Column != 1 || key.Kind != yaml4.ScalarNode {
			return text, nil
		}
		if line := key.Line - 1 - linesBefore(f, doc); status != nil && to == 0 {
			to = line
		} else if key.Value == "status" && plain(key) && key.Anchor == "" {
			status, from = root.Content[i+1], line
		}
	}
	if status == nil || referred(status) {
		return text, nil
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if to == 0 {
		to = len(lines)
	}
	rest := slices.Concat(lines[:from]...)
	rest = append(rest, bytes.Repeat([]byte("\n"), bytes.Count(slices.Concat(lines[from:to]...), []byte("\n")))...)
	return append(rest, slices.Concat(lines[to:]...)...), status
}

// referred reports whether a value is bound up with others: by anchors, aliases or
// merge keys.
func referred(n *yamledit.Node) bool {
	return n.Anchor != "" || n.Kind == yaml4.AliasNode || isMerge(n) || slices.ContainsFunc(n.Content, referred)
}

func toJSON(f *yamledit.File, doc yamledit.Doc, text []byte) ([]byte, error) {
	text = withoutVersion(bytes.TrimPrefix(text, []byte("\ufeff")))
	out, err := yaml.YAMLToJSON(text)
	if infinite := (*json.UnsupportedValueError)(nil); errors.As(err, &infinite) {
		return yaml.YAMLToJSON(withoutInfinite(text, doc.Root, linesBefore(f, doc)))
	}
	return out, err
}

func linesBefore(f *yamledit.File, doc yamledit.Doc) int {
	return bytes.Count(f.Src[:doc.Start], []byte("\n"))
}

// at is the part of a List that a path of items and indices leads to.
func (o *object) at(path yamledit.Path) *object {
	for _, step := range path {
		if i, ok := step.(int); ok {
			if i >= len(o.Items) {
				return &object{}
			}
			o = &o.Items[i]
		}
	}
	return o
}

var (
	versionLine = regexp.MustCompile(`\A(?:[ \t]*(?:[#%].*)?\r?\n)*%YAML`)
	infinite    = regexp.MustCompile(`^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// withoutVersion makes a comment of %YAML: the library refuses 1.2, and reads it as 1.1
// all the same.
func withoutVersion(text []byte) []byte {
	if at := versionLine.FindIndex(text); at != nil {
		text = bytes.Clone(text)
		text[at[1]-len("%YAML")] = '#'
	}
	return text
}

// withoutInfinite writes null over numbers that JSON has no form for. None of ours is a
// number of that kind: the check refuses it.
func withoutInfinite(text []byte, root *yamledit.Node, above int) []byte {
	text = bytes.Clone(text)
	lines := bytes.SplitAfter(text, []byte("\n")) // of the same bytes
	var walk func(n *yamledit.Node)
	walk = func(n *yamledit.Node) {
		if plain(n) && infinite.MatchString(n.Value) {
			rest := lines[n.Line-1-above]
			for range n.Column - 1 {
				_, size := utf8.DecodeRune(rest)
				rest = rest[size:]
			}
			if bytes.HasPrefix(rest, []byte(n.Value)) { // else an anchor stands before it
				copy(rest, fmt.Sprintf("%*s", len(n.Value), "null"))
			}
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(root)
	return text
}

// decode reads into v what n says, from nodes or from the JSON of the same value. It reports false
// where that has become a problem; null leaves v as it is.
func (p *parser) decode(n *yamledit.Node, raw json.RawMessage, v any, key string) bool {
	if isNull(n) {
		return true
	}
	if !p.check(n, reflect.TypeOf(v).Elem(), key) {
		return false
	}
	if p.nodes {
		fill(reflect.ValueOf(v).Elem(), n)
		return true
	}
	if err := kjson.Unmarshal(raw, v); err != nil {
		p.problem(n, fmt.Sprintf("%s could not be decoded: %v", key, err), plainer)
		return false
	}
	return true
}

const plainer = "write it in plainer YAML: strings in quotes, no tags, one line a key"

// scanned is what the library says of text that it cannot scan. What else it says may
// hold values of the file, and is not passed on.
var scanned = regexp.MustCompile("^yaml: (?:line ([0-9]+): )?([^:`]+)$")

// undecoded is the problem of a document that the library refuses. The line that it
// names is the right one, or the one above.
func undecoded(f *yamledit.File, doc yamledit.Doc, err error) Problem {
	p := Problem{Line: doc.Root.Line, Col: doc.Root.Column, What: "the document could not be decoded", Fix: plainer}
	if m := scanned.FindStringSubmatch(err.Error()); m != nil {
		p.What += ": " + m[2]
		if line, err := strconv.Atoi(m[1]); err == nil {
			p.Line, p.Col = line+linesBefore(f, doc), 1
		}
	}
	return p
}
