package gogit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// A secret is what a request carries. It is read anew for every conversation.
type secret struct{ user, password string }

// readSecret reads the files that the options name, or asks for the token.
func readSecret(ctx context.Context, o Options) (s secret, err error) {
	kind, file := "token", o.TokenFile
	if file == "" {
		kind, file = "password", o.PasswordFile
	}
	if file == "" && o.Token == nil {
		return secret{}, nil
	}
	s.user = cmp.Or(o.Username, "towpath")
	if o.Token != nil {
		s.user = cmp.Or(o.Username, "x-access-token") // as GitHub calls whoever has one; others take any name
	}
	if o.UsernameFile != "" {
		if s.user, err = secretFile("user name", o.UsernameFile); err != nil {
			return secret{}, err
		}
	}
	if o.Token != nil {
		s.password, err = askToken(ctx, o.Token)
	} else {
		s.password, err = secretFile(kind, file)
	}
	return s, err
}

// A tokenError is a token that was not to be had.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "no token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

func askToken(ctx context.Context, ask func(context.Context) (string, error)) (string, error) {
	token, err := ask(ctx)
	switch {
	case err != nil:
		return "", &tokenError{err}
	case token == "":
		return "", &tokenError{errors.New("it is empty")}
	case strings.ContainsFunc(token, unicode.IsControl):
		return "", &tokenError{errors.New("it holds more than one line, or control characters")}
	}
	return token, nil
}

// A fileError is a credential's file that cannot be used.
type fileError struct {
	kind, path string
	why        string
}

func (e *fileError) Error() string { return fmt.Sprintf("the %s file %s %s", e.kind, e.path, e.why) }

const maxSecretFile = 64 << 10

// secretFile reads one line of text.
func secretFile(kind, path string) (string, error) {
	raw, err := smallFile(kind, path)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(bytes.TrimPrefix(raw, []byte("\ufeff"))), "\r\n")
	switch {
	case text == "":
		return "", &fileError{kind, path, "is empty"}
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", &fileError{kind, path, "holds more than one line, or control characters"}
	}
	return text, nil
}

func smallFile(kind, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &fileError{kind, path, "cannot be read: " + reason(err)}
	}
	if info.Size() > maxSecretFile*16 {
		return nil, &fileError{kind, path, "is too large"}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, &fileError{kind, path, "cannot be read: " + reason(err)}
	}
	return raw, nil
}

// reason is a file error without the path, which the sentence already holds.
func reason(err error) string {
	if p, ok := err.(*os.PathError); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// redact takes the secret out of a text, in the forms in which servers and
// libraries repeat it.
func (s secret) redact(text string) string {
	if s.password == "" {
		return text
	}
	basic := base64.StdEncoding.EncodeToString([]byte(s.user + ":" + s.password))
	for _, form := range []string{
		basic, base64.StdEncoding.EncodeToString([]byte(s.password)), s.password, url.QueryEscape(s.password), url.PathEscape(s.password),
	} {
		text = cutSecret(strings.ReplaceAll(text, form, "[secret]"), form)
	}
	return text
}

// cutSecret takes off the beginning of a secret at which a text was cut.
func cutSecret(text, form string) string {
	for n := min(len(form), len(text)); n >= 4; n-- {
		if strings.HasSuffix(text, form[:n]) {
			return text[:len(text)-n] + "[secret]"
		}
	}
	return text
}

// escapes are the sequences that terminals obey: CSI, OSC, and the short ones.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]?")

// bare are beginnings of lines that say nothing alone: some forges frame their words with them.
var bare = map[string]bool{"error:": true, "remote:": true, "fatal:": true, "remote: error:": true}

// oneLine makes a server's words fit for a log: no escape sequences, no
// control or reordering characters, one line, not too long.
func oneLine(text string) string {
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, "?"), "")
	var parts []string
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(strings.Map(printable, line)); line != "" && !bare[line] {
			parts = append(parts, line)
		}
	}
	text = strings.Join(parts, "; ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case deceptive(r):
		return -1
	}
	return r
}
