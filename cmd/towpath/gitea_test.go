//go:build gitea

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/towpath/towpath/examples"
	"github.com/towpath/towpath/forge/gitea/giteatest"
)

// A yard is a repository on a real Gitea whose branch main only its owner may push to, a registry, and
// towpath as the user bot.
type yard struct {
	t      *testing.T
	forge  *giteatest.Server
	owner  giteatest.User
	images *images
	config string
}

func newYard(t *testing.T) *yard {
	y := &yard{t: t, images: newImages(t)}
	var err error
	if y.forge, err = giteatest.Start(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.forge.Stop)
	y.owner = y.user("owner1", "write:repository", "write:issue", "write:user")
	bot := y.user("bot", "write:repository", "write:issue")
	if err := y.forge.Repo(y.owner, "streams", "bot"); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"streams/web.yaml", "deploy/web.yaml"} {
		src, err := os.ReadFile(filepath.Join("../../examples/quickstart", file))
		if err != nil {
			t.Fatal(err)
		}
		y.write("main", file, strings.ReplaceAll(string(src), examples.QuickstartHost, y.images.host))
	}
	y.ask(http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "enable_push": true, "enable_push_whitelist": true, "push_whitelist_usernames": []string{"owner1"}}, nil)
	dir := t.TempDir()
	y.config = filepath.Join(dir, "operator.yaml")
	for name, text := range map[string]string{
		"token":         bot.Token,
		"operator.yaml": fmt.Sprintf("repo: %s\ngit: {token-file: token}\nforge: {kind: gitea}\nregistries:\n  - {host: %q, insecure: true}\n", y.forge.Git("owner1", "streams"), y.images.host),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return y
}

func (y *yard) user(name string, scopes ...string) giteatest.User {
	y.t.Helper()
	u, err := y.forge.User(name, scopes...)
	if err != nil {
		y.t.Fatal(err)
	}
	return u
}

// ask is a request of the owner's about the repository.
func (y *yard) ask(method, path string, send, into any) {
	y.t.Helper()
	if err := y.forge.Ask(y.owner, method, "/repos/owner1/streams"+path, send, into); err != nil {
		y.t.Fatal(err)
	}
}

// write commits a file as its owner; one that is there already is replaced.
func (y *yard) write(branch, path, text string) {
	y.t.Helper()
	send := map[string]any{"branch": branch, "message": "write " + path, "content": base64.StdEncoding.EncodeToString([]byte(text))}
	var was struct{ SHA string }
	method := http.MethodPost
	if y.forge.Ask(y.owner, http.MethodGet, "/repos/owner1/streams/contents/"+path+"?ref="+branch, nil, &was) == nil {
		method, send["sha"] = http.MethodPut, was.SHA
	}
	y.ask(method, "/contents/"+path, send, nil)
}

func (y *yard) read(branch, path string) string {
	y.t.Helper()
	var file struct{ Content string }
	y.ask(http.MethodGet, "/contents/"+path+"?ref="+branch, nil, &file)
	text, err := base64.StdEncoding.DecodeString(file.Content)
	if err != nil {
		y.t.Fatal(err)
	}
	return string(text)
}

// once is a run of towpath: it ends with the code, and says all of these.
func (y *yard) once(code int, says ...string) string {
	y.t.Helper()
	var out bytes.Buffer
	got := Main(y.t.Context(), []string{"run", "--once", "--config", y.config}, &out, &out, func(string) string { return "" })
	for _, say := range says {
		if !strings.Contains(out.String(), say) {
			y.t.Fatalf("it does not say %q:\n%s", say, out.String())
		}
	}
	if got != code {
		y.t.Fatalf("it ended with %d, want %d:\n%s", got, code, out.String())
	}
	return out.String()
}

// digest is that of the image that a word determines.
func (y *yard) digest(word string) string {
	for digest, w := range y.images.words {
		if w == word {
			return digest
		}
	}
	y.t.Fatalf("no image of %s was pushed", word)
	return ""
}

type pull struct {
	Number      int
	State, Body string
	Title       string
	Head        struct{ Ref, Sha string }
	Comments    int
}

func (y *yard) pulls(state string) []pull {
	y.t.Helper()
	var all []pull
	y.ask(http.MethodGet, "/pulls?state="+state, nil, &all)
	return all
}

func (y *yard) one() pull {
	y.t.Helper()
	open := y.pulls("open")
	if len(open) != 1 {
		y.t.Fatalf("%d pull requests are open: %+v", len(open), open)
	}
	return open[0]
}

// A pull request's life on a real Gitea, by the program itself: a protected branch, opened, kept
// fresh, merged in each way, declined, frozen. // fault: G-05, X-11, F-03, F-04, F-08, F-13
func TestGiteaStory(t *testing.T) {
	y := newYard(t)
	holds := func(branch, word string) {
		t.Helper()
		if text := y.read(branch, "deploy/web.yaml"); !strings.Contains(text, y.digest(word)) {
			t.Fatalf("%s does not hold %s:\n%s", branch, word, text)
		}
	}
	y.images.push(t, "team1/web:1.4", "one")
	y.once(exitFailed, "the server refuses the push", "status: proposal")

	y.write("main", ".towpath.yaml", "version: 1\nnamespaces: {\"**\": demo}\ndefaults: {status: proposal, triggers: proposal, labels: [images]}\n")
	y.once(exitDone, "opened #1 ")
	f := y.one()
	holds(f.Head.Ref, "one")
	y.once(exitDone)
	if now := y.one(); now.Head != f.Head || now.Body != f.Body {
		t.Fatalf("it changed for nothing:\n%s\n%s", f.Body, now.Body)
	}
	y.images.push(t, "team1/web:1.4", "two")
	y.once(exitDone, "updated #1 ")
	holds(f.Head.Ref, "two")

	for i, how := range []string{"squash", "rebase", "merge", "rebase-merge"} {
		f = y.one()
		y.ask(http.MethodPost, fmt.Sprintf("/pulls/%d/merge", f.Number), map[string]any{"Do": how, "delete_branch_after_merge": i%2 == 0}, nil)
		y.once(exitDone)
		if open := y.pulls("open"); len(open) > 0 {
			t.Fatalf("after a %s are open: %+v", how, open)
		}
		if err := y.forge.Ask(y.owner, http.MethodGet, "/repos/owner1/streams/branches/"+f.Head.Ref, nil, nil); err == nil {
			t.Fatalf("after a %s the branch is still there", how)
		}
		word := fmt.Sprint("more", i)
		y.images.push(t, "team1/web:1.4", word)
		y.once(exitDone, fmt.Sprintf("opened #%d ", i+2))
		holds(f.Head.Ref, word)
	}

	f = y.one()
	y.ask(http.MethodPatch, fmt.Sprintf("/pulls/%d", f.Number), map[string]any{"state": "closed"}, nil)
	for range 2 {
		y.once(exitDone)
		if open := y.pulls("open"); len(open) > 0 {
			t.Fatalf("what was closed is back: %+v", open)
		}
	}

	y.images.push(t, "team1/web:1.4", "newer")
	y.once(exitDone, "opened #6 ")
	f = y.one()
	y.write(f.Head.Ref, "notes.txt", "mine\n")
	tip := y.one().Head.Sha
	for _, word := range []string{"newest", "last"} {
		y.images.push(t, "team1/web:1.4", word)
		y.once(exitDone)
		if now := y.one(); now.Head.Sha != tip || now.Comments != 1 {
			t.Fatalf("a person's branch became %+v", now)
		}
	}
}
