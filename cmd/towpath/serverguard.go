package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// Of wrong tokens so many a second are told that they are.
const wrongTokens = 3

// A guard stands before all that people ask a daemon for.
type guard struct {
	token *secretFile
	wrong *rate.Limiter // of answers to who has not the token
}

func newGuard(token *secretFile) *guard {
	return &guard{token, rate.NewLimiter(wrongTokens, wrongTokens)}
}

// refuses says why a request is not to be heard; nil where it is. Who has the token is heard,
// however many others have not.
func (g *guard) refuses(r *http.Request) (code int, why error) {
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, errors.New("this is asked for by POST")
	case bears(r, g.token):
		return 0, nil
	case !g.wrong.Allow():
		return http.StatusTooManyRequests, hint{errors.New("too many wrong tokens"), "name the file with the daemon's token, and try again in a moment"}
	}
	return http.StatusUnauthorized, hint{errors.New("the token is not right"), "name the file with the daemon's token: --token-file FILE, or Authorization: Bearer"}
}

// bears reports whether a request has a token. It compares in a time that tells nothing of the
// token, nor of its length.
func bears(r *http.Request, file *secretFile) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token, err := file.read()
	if err != nil || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// turnedAway is the answer to who is not heard.
type turnedAway struct {
	Error string `json:"error"`
	Fix   string `json:"fix,omitempty"`
}

// answerPost answers what a person asked a daemon for.
func answerPost(w http.ResponseWriter, code int, answer any) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	switch code {
	case http.StatusMethodNotAllowed:
		head.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		head.Set("Retry-After", "5")
	}
	w.WriteHeader(code)
	writeJSON(w, answer) // the reader may have gone; nobody is left to tell
}
