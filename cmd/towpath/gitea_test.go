//go:build gitea

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/examples"
	"github.com/towpath/towpath/forge/gitea/giteatest"
)

// A yard is a repository on a real Gitea whose branch main only its owner may push to, a registry, and
// towpath as the user bot.
type yard struct {
	t      *testing.T
	forge  *giteatest.Server
	owner  giteatest.User
	bot    giteatest.User
	repo   string
	images *images
	config string
}

func newYard(t *testing.T) *yard {
	y := &yard{t: t}
	var err error
	if y.forge, err = giteatest.Start(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.forge.Stop)
	y.owner = y.user("owner1", "write:repository", "write:issue", "write:user")
	y.bot = y.user("bot", "write:repository", "write:issue")
	return y.beside(t, "streams")
}

// reviewed is one in which an image waits for its review, as #1.
func reviewed(t *testing.T) *yard {
	y := newYard(t)
	y.write("main", ".towpath.yaml", reviewAll)
	y.images.push(t, "team1/web:1.4", "one")
	y.once(exitDone, "opened #1 ")
	return y
}

const reviewAll = "version: 1\nnamespaces: {\"**\": demo}\ndefaults:\n  status: proposal\n  triggers: proposal\n  labels: [images]\n"

// beside is a yard with another repository on the same Gitea.
func (y *yard) beside(t *testing.T, repo string) *yard {
	y = &yard{t: t, forge: y.forge, owner: y.owner, bot: y.bot, repo: repo, images: newImages(t)}
	if err := y.forge.Repo(y.owner, repo, "bot"); err != nil {
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
		"token":         y.bot.Token,
		"operator.yaml": fmt.Sprintf("repo: %s\npoll: 1s\ngit: {token-file: token}\nforge: {kind: gitea}\nregistries:\n  - {host: %q, insecure: true}\n", y.forge.Git("owner1", repo), y.images.host),
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
	if err := y.try(method, path, send, into); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) try(method, path string, send, into any) error {
	return y.forge.Ask(y.owner, method, "/repos/owner1/"+y.repo+path, send, into)
}

// until waits for what Gitea does in its own time.
func (y *yard) until(what string, done func() bool) {
	y.t.Helper()
	const most = 2 * time.Minute
	for end := time.Now().Add(most); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			y.t.Fatalf("after %v it is not so: %s", most, what)
		}
	}
}

// opens runs until a pull request is open, which is not while Gitea may still close what stands on a
// branch that is gone.
func (y *yard) opens(number int) {
	y.t.Helper()
	y.until(fmt.Sprintf("#%d is open", number), func() bool {
		y.once(exitDone)
		return len(y.pulls("open")) == 1
	})
	if now := y.one(); now.Number != number {
		y.t.Fatalf("open is #%d, want #%d", now.Number, number)
	}
}

// write commits a file as its owner; one that is there already is replaced.
func (y *yard) write(branch, path, text string) {
	y.t.Helper()
	send := map[string]any{"branch": branch, "message": "write " + path, "content": base64.StdEncoding.EncodeToString([]byte(text))}
	var was struct{ SHA string }
	method := http.MethodPost
	if y.try(http.MethodGet, "/contents/"+path+"?ref="+branch, nil, &was) == nil {
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
	Labels      []struct{ Name string }
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

// patch is what a person does to a pull request.
func (y *yard) patch(number int, send map[string]any) {
	y.t.Helper()
	y.ask(http.MethodPatch, fmt.Sprintf("/pulls/%d", number), send, nil)
}

// merge merges as soon as Gitea has looked whether it can.
func (y *yard) merge(number int, how string, deleteBranch bool) {
	y.t.Helper()
	y.until(fmt.Sprintf("#%d is merged", number), func() bool {
		err := y.try(http.MethodPost, fmt.Sprintf("/pulls/%d/merge", number), map[string]any{"Do": how, "delete_branch_after_merge": deleteBranch}, nil)
		if err != nil && !strings.Contains(err.Error(), "try again later") {
			y.t.Fatal(err)
		}
		return err == nil
	})
}

// holds checks the image in a branch's manifest.
func (y *yard) holds(branch, word string) {
	y.t.Helper()
	if text := y.read(branch, "deploy/web.yaml"); !strings.Contains(text, y.digest(word)) {
		y.t.Fatalf("%s does not hold %s:\n%s", branch, word, text)
	}
}

// none checks that nothing is open.
func (y *yard) none() {
	y.t.Helper()
	if open := y.pulls("open"); len(open) > 0 {
		y.t.Fatalf("open are: %+v", open)
	}
}

// A pull request's life on a real Gitea, by the program itself: a protected branch, opened, kept
// fresh, merged in each way, declined, frozen. // fault: G-05, X-11, F-03, F-04, F-08, F-13
func TestGiteaStory(t *testing.T) {
	y := newYard(t)
	y.images.push(t, "team1/web:1.4", "one")
	y.once(exitFailed, "the server refuses the push", "status: proposal")

	y.write("main", ".towpath.yaml", reviewAll)
	y.once(exitDone, "opened #1 ")
	f := y.one()
	y.holds(f.Head.Ref, "one")
	y.once(exitDone)
	if now := y.one(); now.Head != f.Head || now.Body != f.Body {
		t.Fatalf("it changed for nothing:\n%s\n%s", f.Body, now.Body)
	}
	y.images.push(t, "team1/web:1.4", "two")
	y.once(exitDone, "updated #1 ")
	y.holds(f.Head.Ref, "two")

	for i, how := range []string{"squash", "rebase", "merge", "rebase-merge"} {
		f = y.one()
		y.merge(f.Number, how, i%2 == 0)
		y.once(exitDone)
		if open := y.pulls("open"); len(open) > 0 {
			t.Fatalf("after a %s are open: %+v", how, open)
		}
		if err := y.try(http.MethodGet, "/branches/"+f.Head.Ref, nil, nil); err == nil {
			t.Fatalf("after a %s the branch is still there", how)
		}
		word := fmt.Sprint("more", i)
		y.images.push(t, "team1/web:1.4", word)
		y.opens(i + 2)
		y.holds(f.Head.Ref, word)
	}

	f = y.one()
	y.patch(f.Number, map[string]any{"state": "closed"})
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

// The branch was pushed, and of its pull request nothing is left: it is opened of that branch. // fault: F-02
func TestGiteaOpensOnce(t *testing.T) {
	y := reviewed(t)
	f := y.one()
	y.ask(http.MethodDelete, "/issues/1", nil, nil)
	if all := y.pulls("all"); len(all) > 0 {
		t.Fatalf("it is still there: %+v", all)
	}
	y.once(exitDone, "opened #2 ")
	y.once(exitDone)
	if now := y.one(); now.Head != f.Head || now.Body != f.Body {
		t.Errorf("opened is %+v, want what was there: %+v", now, f)
	}
	if all := y.pulls("all"); len(all) != 1 {
		t.Errorf("there are %d, want 1", len(all))
	}
	y.merge(2, "squash", false)
	y.once(exitDone)
	y.none()
	y.holds("main", "one")
}

// The branch is made again only when a file that it edits changed on main, and never one of a person's. // fault: F-09
func TestGiteaBaseMoves(t *testing.T) {
	y := reviewed(t)
	f := y.one()
	y.write("main", "notes.txt", "hello\n")
	y.once(exitDone)
	if now := y.one(); now.Head != f.Head {
		t.Fatalf("it was made again for nothing: %+v", now)
	}
	y.write("main", "deploy/web.yaml", y.read("main", "deploy/web.yaml")+"# a comment\n")
	y.once(exitDone, "updated #1 ")
	now := y.one()
	if text := y.read(now.Head.Ref, "deploy/web.yaml"); now.Head.Sha == f.Head.Sha || !strings.Contains(text, "# a comment") {
		t.Fatalf("it was not made again:\n%s", text)
	}
	y.holds(now.Head.Ref, "one")

	y.write(now.Head.Ref, "mine.txt", "mine\n")
	tip := y.one().Head
	y.write("main", "deploy/web.yaml", y.read("main", "deploy/web.yaml")+"# another\n")
	y.once(exitDone)
	if now := y.one(); now.Head != tip {
		t.Errorf("a person's branch was made again: %+v", now)
	}
}

// A person's title, labels, and words around towpath's section stay. // fault: F-10
func TestGiteaKeepsWords(t *testing.T) {
	y := reviewed(t)
	f := y.one()
	var label struct{ ID int }
	y.ask(http.MethodPost, "/labels", map[string]any{"name": "mine", "color": "#00aabb"}, &label)
	y.ask(http.MethodPut, "/issues/1/labels", map[string]any{"labels": []int{label.ID}}, nil)
	y.patch(f.Number, map[string]any{"title": "My title", "body": "Before.\n\n" + f.Body + "\n\nAfter."})
	y.once(exitDone)
	y.images.push(t, "team1/web:1.4", "two")
	y.once(exitDone, "updated #1 ")
	now := y.one()
	if now.Title != "My title" || len(now.Labels) != 1 || now.Labels[0].Name != "mine" {
		t.Errorf("title %q, labels %+v", now.Title, now.Labels)
	}
	if !strings.HasPrefix(now.Body, "Before.") || !strings.HasSuffix(strings.TrimSpace(now.Body), "After.") || strings.Count(now.Body, "Before.") != 1 {
		t.Errorf("the body is\n%s", now.Body)
	}
	if one, two := y.digest("one")[:19], y.digest("two")[:19]; strings.Contains(now.Body, one) || !strings.Contains(now.Body, two) {
		t.Errorf("the body does not say what is proposed:\n%s", now.Body)
	}
	y.holds(now.Head.Ref, "two")
}

// Who deletes the branch has said no to its image; a newer one gets a pull request of its own. // fault: F-03
func TestGiteaBranchDeleted(t *testing.T) {
	y := reviewed(t)
	f := y.one()
	y.ask(http.MethodDelete, "/branches/"+url.PathEscape(f.Head.Ref), nil, nil)
	y.once(exitDone)
	y.until("#1 is closed", func() bool { return len(y.pulls("open")) == 0 })
	for range 2 {
		y.once(exitDone)
		y.none()
	}
	if err := y.try(http.MethodGet, "/branches/"+url.PathEscape(f.Head.Ref), nil, nil); err == nil {
		t.Error("its branch is back")
	}
	y.images.push(t, "team1/web:1.4", "two")
	y.opens(2)
	y.holds(y.one().Head.Ref, "two")
}

// Who opens it again has changed their mind.
func TestGiteaReopened(t *testing.T) {
	y := reviewed(t)
	f := y.one()
	y.patch(f.Number, map[string]any{"state": "closed"})
	y.once(exitDone)
	y.none()
	y.patch(f.Number, map[string]any{"state": "open"})
	y.once(exitDone)
	if now := y.one(); now.Number != f.Number || now.Head != f.Head {
		t.Errorf("opened again is %+v, want %+v", now, f)
	}
	y.images.push(t, "team1/web:1.4", "two")
	y.once(exitDone, "updated #1 ")
	y.holds(y.one().Head.Ref, "two")
}

// Gitea hears of a deleted branch a little later, and closes what is open on a branch of that name
// then. What is proposed right after a merge is not among it. // fault: F-05
func TestGiteaImageRightAfterMerge(t *testing.T) {
	all := newYard(t)
	for round := range 5 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			y := all.beside(t, fmt.Sprint("round", round))
			y.write("main", ".towpath.yaml", reviewAll+"  scheduled: true\n  interval: 1s\n")
			y.images.push(t, "team1/web:1.4", "one")
			y.daemon()
			y.until("#1 is open", func() bool { return len(y.pulls("open")) == 1 })
			y.merge(1, "squash", true)
			y.images.push(t, "team1/web:1.4", "two")
			y.until("#2 is open", func() bool { return len(y.pulls("all")) == 2 })
			f := y.one()
			y.holds(f.Head.Ref, "two")
			y.merge(2, "merge", true) // Gitea merges what is open
			y.holds("main", "two")
		})
	}
}

// daemon runs towpath until the test ends.
func (y *yard) daemon() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var said bytes.Buffer
	go func() {
		defer close(ended)
		Main(ctx, []string{"run", "--config", y.config}, &said, &said, func(string) string { return "" })
	}()
	y.t.Cleanup(func() {
		stop()
		<-ended
		if y.t.Failed() {
			y.t.Log(said.String())
		}
	})
}
