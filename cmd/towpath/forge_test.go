package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/reconcile"
)

// operatorOf is the operator's config of a test.
func operatorOf(t *testing.T, text string) *config.Operator {
	t.Helper()
	op, problems := config.ParseOperator("operator.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return op
}

// Where proposals are reviewed, and whether Git's token goes there.
func TestVenue(t *testing.T) {
	for _, tt := range []struct {
		text               string
		kind, api, project string
		home               bool
	}{
		{"repo: https://github.com/acme/streams.git", "github", "https://api.github.com/", "acme/streams", true},
		{"repo: git@github.com:acme/streams.git", "github", "https://api.github.com/", "acme/streams", true},
		{"repo: https://gitlab.com/acme/platform/streams", "gitlab", "https://gitlab.com/api/v4/", "acme/platform/streams", true},
		{"repo: https://codeberg.org/acme/streams", "gitea", "https://codeberg.org/api/v1/", "acme/streams", true},
		{"repo: ssh://git@git.example:2222/acme/streams.git\nforge: {kind: gitea}", "gitea", "https://git.example/api/v1/", "acme/streams", true},
		{"repo: https://git.example/acme/streams.git\nforge: {kind: github}", "github", "https://git.example/api/v3/", "acme/streams", true},
		{"repo: https://git.example/acme/streams.git\nforge: {kind: gitea, api: 'https://git.example/forge/api/v1'}", "gitea", "https://git.example/forge/api/v1/", "acme/streams", true},
		{"repo: https://git.example/acme/streams.git\nforge: {kind: gitea, api: 'https://api.example/'}", "gitea", "https://api.example/", "acme/streams", false},
		{"repo: https://git.example/acme/streams.git\nforge: {kind: gitea, api: 'https://git.example:8443/api/v1/'}", "gitea", "https://git.example:8443/api/v1/", "acme/streams", false},
		{"repo: https://git.example/acme/streams.git\nforge: {kind: gitea, api: 'https://git.example.evil.test/api/v1/'}", "gitea", "https://git.example.evil.test/api/v1/", "acme/streams", false},
		{"repo: /srv/git/streams.git\nforge: {kind: gitea, api: 'http://127.0.0.1:3000/api/v1/', project: a/b}", "gitea", "http://127.0.0.1:3000/api/v1/", "a/b", false},
		{"repo: https://github.com/acme/streams\nforge: {project: acme/other}", "github", "https://api.github.com/", "acme/other", true},
		{"repo: https://github.com/acme/streams\nforge: {kind: none}", "none", "", "", false},
		{"repo: https://git.example/acme/streams", "none", "", "", false},
		{"repo: /srv/git/streams.git", "none", "", "", false},
		{"repo: http://gitea.lan/acme/streams.git", "none", "", "", false}, // where a token would be read by all
		{"repo: http://127.0.0.1:3000/acme/streams.git\nforge: {kind: gitea}", "gitea", "http://127.0.0.1:3000/api/v1/", "acme/streams", true},
	} {
		v, err := venueOf(operatorOf(t, tt.text+"\n"))
		if err != nil || v.kind != tt.kind || v.api != tt.api || v.project != tt.project || v.home != tt.home {
			t.Errorf("%s:\n got %s %s %s %v, %v\nwant %s %s %s %v", tt.text, v.kind, v.api, v.project, v.home, err, tt.kind, tt.api, tt.project, tt.home)
		}
	}
}

// Without a forge the page is known all the same on which a person opens a proposal.
func TestVenueWithoutForge(t *testing.T) {
	v, err := venueOf(operatorOf(t, "repo: https://github.com/acme/streams\nforge: {kind: none}\n"))
	if got := v.Propose("main", "towpath/main/web-1"); err != nil || !strings.HasPrefix(got, "https://github.com/acme/streams/compare/main...towpath/main/web-1") {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestVenueProblems(t *testing.T) {
	for _, tt := range []struct{ text, want, fix string }{
		{"repo: https://git.example/a/b\nforge: {token-file: x}", "does not say which forge", "kind: github"},
		{"repo: /srv/a.git\nforge: {kind: gitea}", "does not say where its proposals are", "project: OWNER/NAME"},
		{"repo: /srv/a.git\nforge: {kind: gitea, project: a/b}", "does not say where its proposals are", "api: https://"},
		{"repo: https://github.com/a/b\nforge: {project: a/b/c}", "a/b/c is no OWNER/NAME", "only GitLab"},
		{"repo: https://gitlab.com/a/b\nforge: {app: {id: 1, key-file: k}}", "forge.app is GitHub's", "token-file"},
	} {
		_, err := venueOf(operatorOf(t, tt.text+"\n"))
		if e := (*exit)(nil); !errors.As(err, &e) || e.code != exitUsage || !strings.Contains(err.Error(), tt.want) || !strings.Contains(fixOf(err), tt.fix) {
			t.Errorf("%s: got %v (fix: %s), want %s (fix: %s)", tt.text, err, fixOf(err), tt.want, tt.fix)
		}
	}
}

// Which token goes to the forge. Git's own is not for a host that is not Git's.
func TestForgeToken(t *testing.T) {
	dir := t.TempDir()
	secret := func(name string) string { // made at run time
		text := fmt.Sprintf("%s-%x", name, rand.Uint64())
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return text
	}
	forges, gits := secret("forge"), secret("git")
	inVariable, usual := fmt.Sprintf("v-%x", rand.Uint64()), fmt.Sprintf("u-%x", rand.Uint64())
	env := map[string]string{"MY_TOKEN": inVariable, forgeVariable: usual}
	for text, want := range map[string]string{
		"repo: https://github.com/a/b\ngit: {token-file: git}\nforge: {token-file: forge}":                               forges,
		"repo: https://github.com/a/b\ngit: {token-file: git}\nforge: {token-env: MY_TOKEN}":                             inVariable,
		"repo: https://github.com/a/b\ngit: {token-file: git}":                                                           gits,
		"repo: https://github.com/a/b\ngit: {token-env: MY_TOKEN}":                                                       inVariable,
		"repo: https://git.example/a/b\ngit: {token-env: MY_TOKEN}\nforge: {kind: gitea, api: 'https://other.example/'}": usual,
		"repo: git@github.com:a/b.git\ngit: {ssh-key-file: k}":                                                           usual,
		"repo: https://git.example/a/b\ngit: {token-file: git}\nforge: {kind: gitea}":                                    gits,
		"repo: https://git.example/a/b\ngit: {token-file: git}\nforge: {kind: gitea, api: 'https://other.example/'}":     usual,
		"repo: https://git.example/a/b\ngit: {token-file: git}\nforge: {kind: gitea, api: 'https://git.example:8443/'}":  usual,
	} {
		op := operatorOf(t, text+"\n")
		op.In(dir)
		v, err := venueOf(op)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tokenAt(op, v).token(v.api, func(name string) string { return env[name] })(t.Context())
		if err != nil || got != want {
			t.Errorf("%s: got another token, or %v", text, err)
		}
	}
}

// A token that is replaced counts from the next request on; what is none is never sent, and
// never told.
func TestForgeTokenProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	canary := fmt.Sprintf("canary-%x", rand.Uint64())
	ask := tokenSource{file: file, key: "forge.token-file"}.token("https://git.example/api/v1/", func(string) string { return "" })
	for _, tt := range []struct{ text, want, what string }{
		{canary, canary, ""},
		{"\ufeff" + canary + "\r\n", canary, ""},
		{"", "", "is empty"},
		{" \n", "", "is empty"},
		{canary + "\n" + canary, "", "something else than one token"},
		{canary + " x", "", "something else than one token"},
		{"X: " + canary + "é", "", "something else than one token"},
		{strings.Repeat(canary, 10_000), "", "too large"},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ask(t.Context())
		checkToken(t, tt.text, got, tt.want, err, tt.what, canary)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	got, err := ask(t.Context())
	checkToken(t, "no file", got, "", err, "cannot be read", canary)

	got, err = tokenSource{variable: forgeVariable}.token("https://git.example/api/v1/", func(string) string { return "" })(t.Context())
	checkToken(t, "nothing at all", got, "", err, "no token for proposals", canary)
}

func checkToken(t *testing.T, name, got, want string, err error, what, canary string) {
	t.Helper()
	switch e := (*forge.Error)(nil); {
	case what == "" && err == nil && got == want:
	case what == "":
		t.Errorf("%.20q: got %q, %v", name, got, err)
	case !errors.As(err, &e) || e.Kind != forge.Unauthorized || e.Fix == "" || !strings.Contains(e.What, what) || got != "":
		t.Errorf("%.20q: got %q, %v, want %s", name, got, err, what)
	case strings.Contains(err.Error()+e.Fix, canary):
		t.Errorf("%.20q: the error tells the token", name)
	}
}

// An app's tokens are Git's password where Git has none of its own, at the same host alone.
func TestLend(t *testing.T) {
	for text, want := range map[string]bool{
		"repo: https://github.com/a/b":                                                            true,
		"repo: https://git.example/a/b\nforge: {kind: github}":                                    true,
		"repo: https://git.example/a/b\nforge: {kind: github, api: 'https://api.other.example/'}": false,
		"repo: https://github.com/a/b\ngit: {token-file: t}":                                      false,
		"repo: https://github.com/a/b\ngit: {token-env: T}":                                       false,
		"repo: https://github.com/a/b\ngit: {username: u, password-file: p}":                      false,
		"repo: git@github.com:a/b.git\ngit: {ssh-key-file: k}":                                    false,
	} {
		op := operatorOf(t, text+"\n")
		op.Forge.App = config.App{ID: 1, KeyFile: "k"}
		v, err := venueOf(op)
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&app{getenv: func(string) string { return "" }}).openForge(op, v)
		if err != nil || !r.app || r.Forge == nil {
			t.Fatalf("%s: %v, %v", text, r, err)
		}
		var to gogit.Options
		if err := r.lend(&to, op, v); err != nil || (to.Token != nil) != want || to.Commits != nil {
			t.Errorf("%s: lent %v, %v; want %v", text, to.Token != nil, err, want)
		}
	}
}

// What keeps an app from its tokens is said to who waits for Git, with the next step and how long it takes.
func TestLentTokenFails(t *testing.T) {
	canary := fmt.Sprintf("canary-%x", rand.Uint64())
	for want, failed := range map[gitstore.Kind][]forge.Error{
		gitstore.Unreachable: {
			{Kind: forge.RateLimited, Forge: "https://api.example", What: "it has asked to wait", Fix: "nobody's", RetryAfter: time.Minute},
			{Kind: forge.Unreachable, Forge: "https://api.example", What: "no such host", Fix: "nobody's", Err: errors.New("lookup")},
			{Kind: forge.Invalid, Forge: "https://api.example", What: "a web page", Fix: "look at the proxy"},
		},
		gitstore.Unauthorized: {
			{Kind: forge.Unauthorized, Forge: "https://api.example", What: "the key is no key", Fix: "put the key there"},
			{Kind: forge.NotFound, Forge: "https://api.example", What: "no installation", Fix: "install the App"},
			{Kind: forge.Forbidden, Forge: "https://api.example", What: "not allowed", Fix: "install the App"},
			{Kind: forge.Refused, Forge: "https://api.example", What: "suspended", Fix: "make it active"},
		},
	} {
		for _, e := range failed {
			got, err := forGit(func(context.Context) (string, error) { return canary, fmt.Errorf("asked: %w", &e) })(t.Context())
			is := (*gitstore.Error)(nil)
			if !errors.As(err, &is) || is.Kind != want || is.Fix != e.Fix || is.RetryAfter != e.RetryAfter || is.Err != e.Err || got != "" ||
				!strings.Contains(is.What, e.What) || !strings.Contains(is.What, e.Forge) {
				t.Errorf("%s: got %q, %#v; want %s", e.Kind, got, err, want)
			}
		}
	}
	if got, err := forGit(func(context.Context) (string, error) { return canary, nil })(t.Context()); got != canary || err != nil {
		t.Errorf("got another token, or %v", err)
	}
	if _, err := forGit(func(context.Context) (string, error) { return "", context.Canceled })(t.Context()); err != context.Canceled {
		t.Errorf("got %v, want the context's", err)
	}
}

// An app's failure reaches who reads or writes the repository as it is.
func TestAppWithoutItsKey(t *testing.T) {
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the server was asked %s", r.URL)
	}))
	t.Cleanup(remote.Close)
	op := operatorOf(t, "repo: "+remote.URL+"/a/b.git\nforge: {kind: github}\n")
	op.Forge.App = config.App{ID: 1, KeyFile: config.File(filepath.Join(t.TempDir(), "missing.pem"))}
	v, err := venueOf(op)
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&app{getenv: func(string) string { return "" }}).openForge(op, v)
	if err != nil {
		t.Fatal(err)
	}
	to := gogit.Options{Repo: op.Repo}
	if err := r.lend(&to, op, v); err != nil {
		t.Fatal(err)
	}
	store, err := gogit.Open(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	_, err = store.Snapshot(t.Context(), "main")
	e := (*gitstore.Error)(nil)
	if !errors.As(err, &e) || e.Kind != gitstore.Unauthorized || !strings.Contains(e.What, "missing.pem") || !strings.Contains(e.Fix, "Generate a private key") {
		t.Errorf("got %v (%#v)", err, e)
	}
}

// GitHub makes commits, and nobody else does.
func TestCommitsByTheForge(t *testing.T) {
	for text, want := range map[string]bool{
		"repo: https://github.com/a/b":   true,
		"repo: https://gitlab.com/a/b":   false,
		"repo: https://codeberg.org/a/b": false,
		"repo: https://git.example/a/b":  false,
	} {
		op := operatorOf(t, text+"\ngit: {commits: forge}\n")
		v, err := venueOf(op)
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&app{getenv: func(string) string { return "" }}).openForge(op, v)
		if err != nil {
			t.Fatal(err)
		}
		var to gogit.Options
		err = r.lend(&to, op, v)
		if want != (err == nil && to.Commits != nil) || err != nil && !strings.Contains(fixOf(err), "remove git.commits") {
			t.Errorf("%s: %v (fix: %s), %v; want %v", text, err, fixOf(err), to.Commits, want)
		}
	}
}

// Who has branches pushed, and did not say that there is no forge, hears how pull requests are opened; where the
// page is known on which people do that, the line has it.
func TestUnopened(t *testing.T) {
	for text, want := range map[string]bool{
		"repo: https://git.example/a/b":                        true,
		"repo: https://git.example/a/b\nforge: {kind: none}":   false,
		"repo: https://github.com/a/b\nforge: {kind: none}":    false,
		"repo: https://bitbucket.org/a/b":                      false,
		"repo: http://gitea.lan/a/b.git":                       false,
		"repo: https://gitlab.com/a/b\nforge: {token-file: t}": false,
		"repo: /srv/git/streams.git":                           true,
	} {
		v, err := venueOf(operatorOf(t, text+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		p := reconcile.Reviewed{Branch: "towpath/main/web-1f2e3d4c", State: reconcile.Pushed, Did: "pushed", Title: "x"}
		var out strings.Builder
		(&app{venue: v}).printDid(&out, reconcile.Report{Proposals: []reconcile.Reviewed{p, p}})
		if got := strings.Count(out.String(), "fix: to have pull requests opened"); got == 1 != want {
			t.Errorf("%s: said %q", text, &out)
		}
		if p.State = reconcile.UnderReview; v.unopened(p) != "" {
			t.Errorf("%s: said of one that is open", text)
		}
	}
}

// What is wrong with a forge is said before anything is asked, with the key that it is about.
func TestOpenForgeProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing.pem")
	op := operatorOf(t, "repo: https://git.example/a/b\nforge: {kind: gitea, ca-file: "+file+"}\n")
	v, err := venueOf(op)
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&app{getenv: func(string) string { return "" }}).openForge(op, v)
	if err == nil { // it may be read when it is needed
		_, err = r.List(t.Context(), "main", "towpath/")
	}
	if err == nil || !strings.Contains(err.Error(), "missing.pem") && !strings.Contains(fixOf(err), "missing.pem") {
		t.Errorf("got %v (fix: %s)", err, fixOf(err))
	}
	if r, err := (&app{}).openForge(op, venue{kind: "none"}); err != nil || r.Forge != nil {
		t.Errorf("no forge: %v, %v", r.Forge, err)
	}
}

// Each forge is asked at its API, with the token that the operator names, as it is at that moment.
func TestForgeIsAsked(t *testing.T) {
	for kind, header := range map[string]string{"github": "Authorization", "gitlab": "Private-Token", "gitea": "Authorization"} {
		var asked []*http.Request
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r)
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "[]")
		}))
		defer server.Close()
		path := map[string]string{"github": "/api/v3/", "gitlab": "/api/v4/", "gitea": "/api/v1/"}[kind]
		file := filepath.Join(t.TempDir(), "token")
		op := operatorOf(t, fmt.Sprintf("repo: https://git.example/acme/streams.git\nforge: {kind: %s, api: '%s%s', token-file: '%s'}\n", kind, server.URL, path, file))
		v, err := venueOf(op)
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&app{getenv: func(string) string { return "" }}).openForge(op, v)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the token is replaced in between
			token := fmt.Sprintf("t-%x", rand.Uint64())
			if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
			asked = nil
			list, err := r.List(t.Context(), "main", "towpath/")
			if err != nil || len(list) != 0 || len(asked) == 0 {
				t.Errorf("%s: %v, %v, %d requests", kind, list, err, len(asked))
			}
			for _, q := range asked {
				if !strings.HasPrefix(q.URL.Path, path) || !strings.HasSuffix(q.Header.Get(header), token) || !strings.HasPrefix(q.UserAgent(), "towpath/") || strings.Contains(q.URL.String(), token) {
					t.Errorf("%s: asked %s as %s", kind, q.URL.Path, q.UserAgent())
				}
			}
		}
	}
}
