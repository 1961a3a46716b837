package github

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"unicode"
)

// An oddAnswer is one that GitHub does not give.
type oddAnswer struct{ what string }

func (e *oddAnswer) Error() string { return e.what }

func odd(what string) error { return &oddAnswer{what} }

// strict lets through only successes that say something: the SDK takes an empty answer and a
// null for an empty list, which would mean that there is no proposal.
type strict struct{ next http.RoundTripper }

func (s strict) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(req)
	if err != nil || resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body) // in memory already, and bounded
	if err != nil {
		return nil, err
	}
	if text := bytes.TrimSpace(body); len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return nil, odd("an answer without an object or a list")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

const maxWords = 300 // runes of a server's text

// forPeople makes what GitHub said one short line. Secrets are cut out of it already.
func forPeople(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsGraphic(r)
	}), " ")
	if runes := []rune(text); len(runes) > maxWords {
		text = string(runes[:maxWords]) + "…"
	}
	return text
}
