package wire

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// secrets are what nobody may read of a request. Without a credential there are none.
type secrets struct {
	token   string
	forms   []string // in which servers and libraries repeat it, longest first
	account fingerprint
}

// A fingerprint tells credentials apart, without being one.
type fingerprint [sha256.Size]byte

// shortestSecret is how long a token is at the least: fewer characters would be found
// everywhere.
const shortestSecret = 8

// hide collects what a credential added to a header, and the token itself.
func hide(token string, before, after http.Header) secrets {
	words := []string{token}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if values := after[name]; !slices.Equal(values, before[name]) && name != "User-Agent" {
			for _, v := range values {
				words = append(words, v[strings.LastIndexByte(v, ' ')+1:]) // of Basic a pair, which holds the token
			}
		}
	}
	forms := map[string]bool{}
	for _, w := range words {
		for _, form := range []string{
			w, url.QueryEscape(w), url.PathEscape(w),
			base64.StdEncoding.EncodeToString([]byte(w)), base64.RawURLEncoding.EncodeToString([]byte(w)),
		} {
			for _, f := range []string{form, escaped(form), escaped(escaped(form))} {
				if len(f) >= shortestSecret {
					forms[f] = true
				}
			}
		}
	}
	return secrets{
		token: token,
		forms: slices.SortedFunc(maps.Keys(forms), func(a, b string) int {
			return cmp.Or(len(b)-len(a), strings.Compare(a, b))
		}),
		account: sha256.Sum256([]byte(strings.Join(words, "\n"))),
	}
}

// escaped is a text as it stands in JSON.
func escaped(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return s // never: it is a string
	}
	return string(quoted[1 : len(quoted)-1])
}

const blackout = "[secret]"

func (s secrets) redact(text string) string {
	for _, form := range s.forms {
		text = strings.ReplaceAll(text, form, blackout)
	}
	return text
}

// clean takes the secrets out of an answer that repeats them: its message would be shown,
// and its links followed.
func (s secrets) clean(a *answer) {
	for _, form := range s.forms {
		a.body = bytes.ReplaceAll(a.body, []byte(form), []byte(blackout))
	}
	for _, values := range a.header {
		for i := range values {
			values[i] = s.redact(values[i])
		}
	}
}

const longestWords = 300 // characters of others' text in an error

// oneLine makes others' words fit for a log: no control or reordering characters, one
// line, not too long.
func oneLine(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), 16*longestWords)], "?")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longestWords {
		text = string(runes[:longestWords]) + "…"
	}
	return text
}
