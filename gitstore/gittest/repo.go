// Package gittest gives tests real Git repositories and real servers for them:
// bare repositories on disk, made and read by the git binary, and git's own
// HTTP backend behind a server on loopback that fails on request.
//
// It is for tests only. It knows nothing of YAML, of images, or of how a Store
// works; what a test sees through it is what git itself says.
package gittest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Start is the date of a repository's first commit; each commit after it is a
// minute younger.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Who made the commits of this package.
const (
	Name  = "A Person"
	Email = "person@example.com"
)

// Modes of tree entries.
const (
	Regular    = "100644"
	Executable = "100755"
	Symlink    = "120000" // the content is the target
	Submodule  = "160000" // the content is a commit id
)

// A Repo is a bare repository with the branch main. Its methods fail the test
// where git does; they may be called from several goroutines.
type Repo struct {
	Dir string // ends in ".git"

	t       testing.TB
	home    string // an empty HOME: the configuration of whoever runs the tests plays no part
	commits atomic.Int64
}

// NewRepo makes a repository whose first commit holds the files; without files
// it stays empty. It lives in the test's temporary directory.
func NewRepo(t testing.TB, files map[string]string) *Repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("these tests need git: apt-get install git")
	}
	dir := t.TempDir()
	r := &Repo{Dir: filepath.Join(dir, "repo.git"), home: dir, t: t}
	if _, err := r.run("", "init", "-q", "--bare", "--template=", "-b", "main", r.Dir); err != nil {
		t.Fatal(err)
	}
	r.configure()
	if len(files) > 0 {
		r.Commit(files, "first")
	}
	return r
}

// configure forbids background work and waiting for the disk, and lets a
// Server take pushes.
func (r *Repo) configure() {
	r.t.Helper()
	f, err := os.OpenFile(filepath.Join(r.Dir, "config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("\tfsync = none\n[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n[http]\n\treceivepack = true\n"); err != nil {
		r.t.Fatal(err)
	}
}

// Git runs git in the repository and returns what it prints, without the final
// newline.
func (r *Repo) Git(args ...string) string {
	r.t.Helper()
	return r.GitInput("", args...)
}

// GitInput is Git with standard input.
func (r *Repo) GitInput(stdin string, args ...string) string {
	r.t.Helper()
	out, err := r.Try(stdin, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// Try is GitInput for commands that may fail; the error holds what git said.
func (r *Repo) Try(stdin string, args ...string) (string, error) {
	out, err := r.run(stdin, append([]string{"--git-dir", r.Dir}, args...)...)
	return strings.TrimSuffix(out, "\n"), err
}

// run returns what git prints, to the byte.
func (r *Repo) run(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.home
	cmd.Env = r.Env()
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("git %s: %v: %s", strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return string(out), err
}

// Env is the whole environment that git runs in: nothing of the caller's but
// PATH.
func (r *Repo) Env() []string {
	date := strconv.FormatInt(Start.Unix(), 10) + " +0000"
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + r.home,
		"XDG_CONFIG_HOME=" + r.home,
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=" + Name, "GIT_AUTHOR_EMAIL=" + Email, "GIT_AUTHOR_DATE=" + date,
		"GIT_COMMITTER_NAME=" + Name, "GIT_COMMITTER_EMAIL=" + Email, "GIT_COMMITTER_DATE=" + date,
		"LC_ALL=C",
		"TZ=UTC",
	}
}

// Commit puts regular files on main, over what is there, and returns the new
// tip.
func (r *Repo) Commit(files map[string]string, message string) string {
	r.t.Helper()
	return r.change(message, puts(files)...)
}

// CommitOn is Commit on another branch. One that is not there yet begins with it.
func (r *Repo) CommitOn(branch string, files map[string]string, message string) string {
	r.t.Helper()
	return r.changeOn(branch, message, puts(files)...)
}

// Put commits one entry of any mode; the path may be one that no well-behaved
// client would write, such as ".git/config" or "../x".
func (r *Repo) Put(path, mode, content, message string) string {
	r.t.Helper()
	return r.change(message, put(path, mode, content))
}

// Delete commits the removal of files or directories.
func (r *Repo) Delete(message string, paths ...string) string {
	r.t.Helper()
	var changes []string
	for _, path := range paths {
		changes = append(changes, "D "+quote(path)+"\n")
	}
	return r.change(message, changes...)
}

// CommitTree commits a whole tree, made by Tree, on main.
func (r *Repo) CommitTree(tree, message string) string {
	r.t.Helper()
	args := []string{"commit-tree", tree, "-m", message}
	if tip := r.Tip(); tip != "" {
		args = append(args, "-p", tip)
	}
	rev := r.Git(args...)
	r.Move(rev)
	return rev
}

// A TreeEntry is a line of a tree object. The name may be anything but empty
// and may hold no zero byte.
type TreeEntry struct{ Mode, ID, Name string }

// Tree stores a tree as it is given, unsorted and unchecked, and returns its id.
func (r *Repo) Tree(entries ...TreeEntry) string {
	r.t.Helper()
	var raw strings.Builder
	for _, e := range entries {
		id, err := hex.DecodeString(e.ID)
		if err != nil {
			r.t.Fatalf("tree entry %q: %v", e.Name, err)
		}
		fmt.Fprintf(&raw, "%s %s\x00%s", strings.TrimPrefix(e.Mode, "0"), e.Name, id)
	}
	return r.GitInput(raw.String(), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
}

// Blob stores content and returns its id.
func (r *Repo) Blob(content string) string {
	r.t.Helper()
	return r.GitInput(content, "hash-object", "-w", "--stdin")
}

// Move points main at a commit, whatever it was before, as a force-push does.
func (r *Repo) Move(rev string) {
	r.t.Helper()
	r.Git("update-ref", "refs/heads/main", rev)
}

// Point puts a branch, or a ref that is named in full, at a commit, whatever it was before.
// Without a commit it is deleted.
func (r *Repo) Point(branch, rev string) {
	r.t.Helper()
	ref := branch
	if !strings.HasPrefix(ref, "refs/") {
		ref = "refs/heads/" + branch
	}
	if rev == "" {
		r.Git("update-ref", "-d", ref)
		return
	}
	r.Git("update-ref", ref, rev)
}

// Heads are the branches' commit ids by name.
func (r *Repo) Heads() map[string]string {
	r.t.Helper()
	heads := map[string]string{}
	for _, line := range lines(r.Git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/")) {
		id, ref, _ := strings.Cut(line, " ")
		heads[strings.TrimPrefix(ref, "refs/heads/")] = id
	}
	return heads
}

// Tip is main's commit id, empty if there is no such branch.
func (r *Repo) Tip() string {
	r.t.Helper()
	return r.TipOf("main")
}

// TipOf is a branch's commit id, empty if there is no such branch.
func (r *Repo) TipOf(branch string) string {
	r.t.Helper()
	// A loose ref goes before a packed one, and needs no process to read.
	if loose, err := os.ReadFile(filepath.Join(r.Dir, "refs", "heads", filepath.FromSlash(branch))); err == nil {
		return strings.TrimSpace(string(loose))
	}
	tip, _ := r.Try("", "rev-parse", "-q", "--verify", "refs/heads/"+branch)
	return tip
}

// Read returns a file's content at the tip of main.
func (r *Repo) Read(path string) string {
	r.t.Helper()
	out, err := r.run("", "--git-dir", r.Dir, "cat-file", "blob", "refs/heads/main:"+path)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// Files lists the tree of main as git ls-tree prints it: mode, type, id, path.
func (r *Repo) Files() []string {
	r.t.Helper()
	return lines(r.Git("ls-tree", "-r", "-t", "refs/heads/main"))
}

// Log lists main's first parents, newest first, each in one of git's formats:
// "%s" is the subject, "%H" the id, "%an <%ae>" the author.
func (r *Repo) Log(format string) []string {
	r.t.Helper()
	return lines(r.Git("log", "--first-parent", "--format="+format, "refs/heads/main"))
}

// Fsck fails the test where the repository breaks a rule of git's.
func (r *Repo) Fsck() {
	r.t.Helper()
	out, err := r.Try("", "fsck", "--strict", "--no-dangling", "--no-progress")
	if err != nil || out != "" {
		r.t.Errorf("git fsck: %v\n%s", err, out)
	}
}

// Hook installs a shell script as a hook of the repository. An empty script
// takes the hook away.
func (r *Repo) Hook(name, script string) {
	r.t.Helper()
	path := filepath.Join(r.Dir, "hooks", name)
	if script == "" {
		if err := os.Remove(path); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

// Lock takes the lock of a branch, as a git that writes it does, and returns
// what gives it back.
func (r *Repo) Lock(branch string) (unlock func()) {
	r.t.Helper()
	path := filepath.Join(r.Dir, "refs", "heads", branch+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	f.Close()
	return func() {
		if err := os.Remove(path); err != nil {
			r.t.Error(err)
		}
	}
}

// change is changeOn main.
func (r *Repo) change(message string, changes ...string) string {
	r.t.Helper()
	return r.changeOn("main", message, changes...)
}

// changeOn commits through fast-import: one process, any path, any mode, and a
// compare-and-swap on the branch.
func (r *Repo) changeOn(branch, message string, changes ...string) string {
	r.t.Helper()
	when := Start.Add(time.Duration(r.commits.Add(1)-1) * time.Minute)
	var in strings.Builder
	fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter %s <%s> %d +0000\n%s", branch, Name, Email, when.Unix(), data(message))
	if tip := r.TipOf(branch); tip != "" {
		fmt.Fprintf(&in, "from %s\n", tip)
	}
	for _, c := range changes {
		in.WriteString(c)
	}
	r.GitInput(in.String(), "fast-import", "--quiet")
	return r.TipOf(branch)
}

// puts are the files in path order.
func puts(files map[string]string) (changes []string) {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		changes = append(changes, put(path, Regular, files[path]))
	}
	return changes
}

func put(path, mode, content string) string {
	if mode == Submodule {
		return fmt.Sprintf("M %s %s %s\n", mode, content, quote(path))
	}
	return fmt.Sprintf("M %s inline %s\n%s", mode, quote(path), data(content))
}

func data(s string) string { return fmt.Sprintf("data %d\n%s\n", len(s), s) }

// quote writes a path as git does in C style.
func quote(path string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(path) {
		if c := path[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
