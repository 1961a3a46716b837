package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

const maxNames = 1000 // of an object, and entries of a list of manifests

// object reads one JSON object, each name of which stands there once, whatever
// the case of its letters: what other readers would take for the same name must
// not have two values. The values are parts of raw: however many there are,
// nothing is copied.
func object(raw []byte) (map[string]json.RawMessage, error) {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	switch {
	case !utf8.Valid(raw):
		return nil, errors.New("not UTF-8")
	case len(raw) == 0 || raw[0] != '{':
		return nil, errors.New("no JSON object")
	case !json.Valid(raw):
		return nil, errors.New("not well-formed JSON, or something follows it")
	}
	fields, folded := map[string]json.RawMessage{}, map[string]bool{}
	for key, value := range members(raw) {
		name := unquote(key)
		f := strings.ToLower(strings.ToUpper(name)) // so that a long s is an s, too
		switch {
		case folded[f]:
			return nil, fmt.Errorf("%.40q stands there twice", name)
		case len(fields) == maxNames:
			return nil, fmt.Errorf("more than %d names in an object", maxNames)
		}
		folded[f], fields[name] = true, value
	}
	return fields, nil
}

// members walks through an object that is known to be valid: its names, quoted,
// and values, in order. Of anything else there are none.
func members(raw []byte) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		rest, ok := bytes.CutPrefix(raw, []byte("{"))
		for ok {
			if rest = afterMarks(rest); len(rest) == 0 || rest[0] != '"' {
				return
			}
			key := rest[:valueEnd(rest)]
			rest = afterMarks(rest[len(key):])
			value := rest[:valueEnd(rest)]
			rest = rest[len(value):]
			ok = yield(key, value)
		}
	}
}

// elements walks through a list that is known to be valid. Of anything else there
// are none.
func elements(raw []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		rest, ok := bytes.CutPrefix(raw, []byte("["))
		for ok {
			if rest = afterMarks(rest); len(rest) == 0 || rest[0] == ']' {
				return
			}
			value := rest[:valueEnd(rest)]
			rest = rest[len(value):]
			ok = yield(value)
		}
	}
}

// afterMarks leaves out what stands between two values.
func afterMarks(raw []byte) []byte { return bytes.TrimLeft(raw, " \t\r\n,:") }

// valueEnd is the length of the value that valid JSON begins with.
func valueEnd(raw []byte) int {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i += textEnd(raw[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(raw)
}

// textEnd is the length of the quoted text that valid JSON begins with.
func textEnd(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// unquote is the text of a quoted one.
func unquote(quoted []byte) string {
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return "" // never: it is valid
	}
	return s
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

const maxText = 256

// text reads a string, short and printable, or nothing.
func text(raw json.RawMessage) (string, error) {
	if absent(raw) {
		return "", nil
	}
	if raw[0] != '"' {
		return "", errors.New("no string")
	}
	s := ""
	if len(raw) <= 6*maxText+2 { // as many bytes as it may have when each is escaped
		s = unquote(raw)
	}
	if s == "" && len(raw) > 2 || len(s) > maxText || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errors.New("too long, or with characters that do not belong there")
	}
	return s, nil
}

// isJSON reports whether an error is the JSON decoder's.
func isJSON(err error) bool {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &typ) || errors.Is(err, io.ErrUnexpectedEOF)
}
