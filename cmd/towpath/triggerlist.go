package main

import (
	"encoding/json"
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A triggerList is the JSON list of an annotation with triggers. It is edited as text, so
// that the entries that stay, and how they are laid out, stay as they are.
type triggerList struct {
	file    *yamledit.File // of the list alone
	entries []listed
	changes []yamledit.Change
	gone    int

	// Of one in a block of lines: where in the file it stands, and behind which indent.
	start, end int
	indent     string
}

// listed is an entry.
type listed struct {
	follows   imagestream.TagRef
	fieldPath string
	paused    bool
}

// newTriggerList reads the value of an annotation, which may be missing.
func newTriggerList(src []byte, node *yamledit.Node) (*triggerList, error) {
	l := &triggerList{}
	text := "[]"
	switch {
	case node == nil:
	case node.Kind != yaml.ScalarNode:
		return nil, errors.New("the triggers are YAML; their annotation is a string")
	case strings.TrimSpace(node.Value) == "":
	case node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		text = l.block(src, node)
	default:
		text = node.Value
	}
	return l, l.read(text)
}

// block is the list in a block of lines, without their indent. Its end is that of the JSON.
func (l *triggerList) block(src []byte, node *yamledit.Node) string {
	l.start = lineStart(src, node.Line+1)
	rest := string(src[l.start:])
	l.indent = rest[:len(rest)-len(strings.TrimLeft(rest, " "))]
	d := json.NewDecoder(strings.NewReader(rest))
	var list json.RawMessage
	if d.Decode(&list) != nil {
		return rest
	}
	l.start += len(l.indent)
	l.end = l.start - len(l.indent) + int(d.InputOffset())
	return strings.ReplaceAll(string(src[l.start:l.end]), "\n"+l.indent, "\n")
}

func (l *triggerList) read(text string) error {
	var entries []struct {
		From      struct{ Name, Namespace string }
		FieldPath string
		Paused    bool
	}
	if json.Unmarshal([]byte(text), &entries) != nil {
		return errors.New("the triggers are no JSON list as it should be")
	}
	for _, e := range entries {
		stream, tag, _ := strings.Cut(e.From.Name, ":")
		l.entries = append(l.entries, listed{imagestream.TagRef{Stream: imagestream.Name{Namespace: e.From.Namespace, Name: stream}, Tag: tag}, e.FieldPath, e.Paused})
	}
	var err error
	l.file, err = yamledit.Parse([]byte(text), yamledit.DefaultLimits)
	return err
}

func (l *triggerList) change(op yamledit.Op, value yamledit.Value, at ...any) {
	l.changes = append(l.changes, yamledit.Change{At: at, Op: op, Value: value})
}

// add puts an entry behind the others.
func (l *triggerList) add(e listed) {
	entry := yamledit.Map{{Key: "from", Value: from(e.follows)}, {Key: "fieldPath", Value: e.fieldPath}}
	if e.paused {
		entry = append(entry, yamledit.Entry{Key: "paused", Value: true})
	}
	l.change(yamledit.Insert, entry, len(l.entries))
}

// set changes what an entry follows, and whether it is paused.
func (l *triggerList) set(i int, e listed) {
	for _, field := range from(e.follows) {
		l.change(yamledit.Set, field.Value, i, "from", field.Key)
	}
	if e.follows.Stream.Namespace == "" {
		l.change(yamledit.Delete, nil, i, "from", "namespace")
	}
	l.change(yamledit.Delete, nil, i, "from", "apiVersion") // with which none is watched
	if e.paused != l.entries[i].paused {
		l.change(yamledit.Set, e.paused, i, "paused")
	}
}

func (l *triggerList) remove(i int) {
	l.gone++
	l.change(yamledit.Delete, nil, i)
}

// empty reports whether no entry is left.
func (l *triggerList) empty() bool { return l.gone > 0 && l.gone == len(l.entries) }

// text is the list with its changes.
func (l *triggerList) text() (string, error) {
	out, err := l.file.Apply(l.changes...)
	return string(out), err
}

// within is the file with the list, as text has it, in the place of its block.
func (l *triggerList) within(src []byte, text string) []byte {
	text = strings.ReplaceAll(text, "\n", "\n"+l.indent)
	return []byte(string(src[:l.start]) + text + string(src[l.end:]))
}
