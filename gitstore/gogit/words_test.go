package gogit

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
)

func TestLocate(t *testing.T) {
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for repo, want := range map[string]string{ // "scheme address user path", or empty if refused
		"https://example.com/team/repo.git":       "https https://example.com/team/repo.git  ",
		"https://example.com/team/repo/":          "https https://example.com/team/repo  ",
		"HTTPS://bot@example.com:8443/r":          "https https://example.com:8443/r bot ",
		"http://127.0.0.1:3000/r.git":             "http http://127.0.0.1:3000/r.git  ",
		"ssh://git@example.com:2222/team/r.git":   "ssh ssh://example.com:2222/team/r.git git /team/r.git",
		"ssh://example.com/~bot/r.git":            "ssh ssh://example.com/~bot/r.git  ~bot/r.git",
		"git@example.com:team/r.git":              "ssh ssh://example.com/team/r.git git team/r.git",
		"example.com:/srv/r.git":                  "ssh ssh://example.com/srv/r.git  /srv/r.git",
		"file:///srv/r.git":                       "file /srv/r.git  /srv/r.git",
		"/srv/r.git":                              "file /srv/r.git  /srv/r.git",
		"some/dir":                                "file " + cwd + "/some/dir  " + cwd + "/some/dir",
		"./host:dir":                              "file " + cwd + "/host:dir  " + cwd + "/host:dir",
		"":                                        "",
		"https://bot:fake@example.com/r":          "",
		"ssh://bot:fake@example.com/r":            "",
		"https://bot:fa%zzke@example.com/r":       "",
		"git://example.com/r":                     "",
		"ext::sh -c id":                           "",
		"--upload-pack=id":                        "",
		"-oProxyCommand=id:r":                     "",
		"https://example.com/r?token=fake#secret": "",
		"https:///r":                              "",
		"git@:r":                                  "",
		"git@host:":                               "",
	} {
		l, err := locate(repo)
		if want == "" {
			var e *gitstore.Error
			if !errors.As(err, &e) || e.Kind != gitstore.Unsupported || e.Fix == "" {
				t.Errorf("%q: got %v, %v, want it refused", repo, l, err)
			} else if strings.Contains(e.Error()+e.Fix, "fa") && strings.Contains(e.Error()+e.Fix, "ke@") {
				t.Errorf("%q: the error tells the password: %v", repo, e)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", repo, err)
			continue
		}
		if got := l.scheme + " " + l.String() + " " + l.user + " " + l.path; got != want {
			t.Errorf("%q: got %q, want %q", repo, got, want)
		}
	}
}

func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for content, want := range map[string]string{
		"fake":             "fake",
		"fake\n":           "fake",
		"fake\r\n":         "fake",
		"\ufefffake\r\n":   "fake",
		" fake \n":         " fake ",
		"":                 "",
		"\n":               "",
		"fake\nother":      "",
		"fake\x00":         "",
		"fake\r\nHost: x ": "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := secretFile("token", path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", content, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "fake") {
			t.Errorf("%q: the error tells the secret: %v", content, err)
		}
	}
	if _, err := secretFile("token", path+"-not"); err == nil || strings.Count(err.Error(), path) != 1 {
		t.Errorf("a missing file: %v", err)
	}
}

func TestRedact(t *testing.T) {
	s := secret{"bot", "fake/pass word"}
	for _, form := range []string{
		s.password, "fake%2Fpass+word", "fake%2Fpass%20word",
		base64.StdEncoding.EncodeToString([]byte(s.password)), base64.StdEncoding.EncodeToString([]byte("bot:" + s.password)),
	} {
		if got := s.redact("before " + form + " after"); got != "before [secret] after" {
			t.Errorf("%q: got %q", form, got)
		}
	}
	if got := (secret{}).redact("as it is"); got != "as it is" {
		t.Errorf("without a secret: %q", got)
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                       "plain",
		"two\nlines\r\n\nand a third": "two; lines; and a third",
		"\nerror:\nerror: \nNot allowed: main\nerror:\n": "Not allowed: main",
		"\x1b[31mred\x1b[0m":                             "red",
		"\x1b]0;title\x07after":                          "after",
		"\x1b]8;;http://x\x1b\\link":                     "link",
		"\u009b31mred":                                   "red",
		"tab\there":                                      "tab here",
		"bell\a nul\x00 del\x7f":                         "bell nul del",
		"bidi\u202etxt\u2066 zero\u200b":                 "bidi txt zero",
		"not\xffutf-8":                                   "not?utf-8",
		"ümlaut 文":                                       "ümlaut 文",
		"line\u2028separator\u0085control":               "lineseparatorcontrol",
		strings.Repeat("x", 1000):                        strings.Repeat("x", 300) + "…",
	} {
		want = strings.ReplaceAll(want, "bidi txt", "biditxt")
		if got := oneLine(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": time.Second, "-1": time.Second,
		"1000000000000": time.Hour, "99999999999999999999999": time.Hour,
		"Thu, 01 Jan 2026 00:00:30 GMT": 30 * time.Second,
		"Thu, 01 Jan 2026 09:00:00 GMT": time.Hour,
		"Wed, 31 Dec 2025 00:00:00 GMT": time.Second,
		"":                              0, "soon": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("fake"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]bool{
		"https://git.example.com/r": true, "http://127.0.0.1:1/r": true, "http://[::1]/r": true, "http://localhost/r": true,
		"http://git.example.com/r": false, "http://10.0.0.1/r": false, "http://127.0.0.1.example.com/r": false,
	} {
		for _, insecure := range []bool{false, true} {
			l, err := locate(url)
			if err != nil {
				t.Fatal(err)
			}
			line, err := newHTTPLine(Options{TokenFile: token, Insecure: insecure}.withDefaults(), l)
			if err != nil {
				t.Fatal(err)
			}
			c, err := line.open(t.Context(), uploadPack)
			if got := err == nil; got != (want || insecure) {
				t.Errorf("%s, insecure %t: %v", url, insecure, err)
			}
			if err == nil {
				c.close()
			}
		}
	}
}
