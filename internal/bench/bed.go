package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A bed is what is measured on: a repository of image streams, and git's own
// server for it, and for others, on loopback.
type bed struct {
	options
	repo
	server *httptest.Server

	told     map[string][]sample // by measure: what another one found out on its way
	passes   *passes             // of idle and one-file, once they are set up
	pushing  *pushing            // of push-500, likewise
	registry *upstream           // of those that ask one, likewise
	holding  *holding            // of held-idle and held-news, likewise
	layers   *layers             // of push-200mb, likewise
	sown     map[string]repo     // other repositories, by name
	digests  int                 // that were made up
	clones   int                 // of held-1000's floor
}

func newBed(ctx context.Context, o options) (*bed, error) {
	dir, err := os.MkdirTemp("", "towpath-bench-")
	if err != nil {
		return nil, err
	}
	b := &bed{options: o, repo: repo{Dir: dir, Name: "streams.git", Size: o.streams, Seed: seed{History: history}}}
	b.told, b.sown = map[string][]sample{}, map[string]repo{}
	if err := errors.Join(b.make(ctx), b.serve(ctx)); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bed) close() {
	b.passes.close()
	b.pushing.close()
	b.registry.close()
	b.holding.close()
	b.layers.close()
	if b.server != nil {
		b.server.Close()
	}
	os.RemoveAll(b.Dir)
}

// tell keeps what one measure finds out for another.
func (b *bed) tell(name string, s sample) { b.told[name] = append(b.told[name], s) }

// scaled is how many of something there are on a bed of this size, where n is for
// one of full size.
func (b *bed) scaled(n int) int { return max(1, min(n, n*b.streams/fullSize)) }

// serve starts git's http-backend behind a server.
func (b *bed) serve(ctx context.Context) error {
	path, err := b.git(ctx, nil, "--exec-path")
	if err != nil {
		return err
	}
	h := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(path), "git-http-backend"), Stderr: io.Discard, Logger: log.New(io.Discard, "", 0),
		Env: append(b.env(), "GIT_PROJECT_ROOT="+b.Dir, "GIT_HTTP_EXPORT_ALL=1"),
	}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 { // a CGI program wants a length
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(strings.NewReader(string(body))), int64(len(body)), nil
		}
		h.ServeHTTP(w, r)
	}))
	return nil
}

// url is where a repository is served.
func (b *bed) url(r repo) string { return b.server.URL + "/" + r.Name }

// sow makes a repository beside the first, once.
func (b *bed) sow(ctx context.Context, name string, s seed) (repo, error) {
	if r, made := b.sown[name]; made {
		return r, nil
	}
	r := repo{Dir: b.Dir, Name: name, Size: b.Size, Seed: s}
	b.sown[name] = r
	return r, r.make(ctx)
}

// A repo is a repository, on disk. Its branch main is towpath's, native is git's
// own.
type repo struct {
	Dir  string // temporary; everything is in it
	Name string // of the repository in it
	Size int    // streams
	Seed seed
}

// A seed is what the streams of a repository are like. Without a host they are of
// a registry that nobody asks, and not scheduled.
type seed struct {
	Host    string
	History int // items of each tag; 0: nothing is on record
	Tags    int // of each stream; 0: tagsOfEach
}

const (
	fullSize   = 10_000
	perDir     = 20
	tagsOfEach = 10
	history    = 10
)

// when the repository was made: it is the same on every run.
var when = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (r repo) path() string { return filepath.Join(r.Dir, r.Name) }

func (r repo) make(ctx context.Context) error {
	if err := r.init(ctx); err != nil {
		return err
	}
	return r.filled(ctx, r.commit(ctx, r.path(), "main", "", r.numbers()))
}

// init makes an empty one.
func (r repo) init(ctx context.Context) error {
	if _, err := r.git(ctx, nil, "init", "-q", "--bare", "-b", "main", r.path()); err != nil {
		return err
	}
	for _, set := range []string{"gc.auto=0", "receive.autogc=false", "http.receivepack=true"} {
		key, value, _ := strings.Cut(set, "=")
		if _, err := r.git(ctx, nil, "-C", r.path(), "config", key, value); err != nil {
			return err
		}
	}
	return nil
}

// filled gives git its branch of a repository that has its commits now.
func (r repo) filled(ctx context.Context, err error) error {
	if err == nil {
		_, err = r.git(ctx, nil, "-C", r.path(), "branch", "native", "main")
	}
	return err
}

// numbers are those of every stream.
func (r repo) numbers() []int {
	numbers := make([]int, r.Size)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// commit puts the streams of these numbers on a branch of a repository, one commit
// for each list, with a mark that tells them from how they were before.
func (r repo) commit(ctx context.Context, dir, branch, mark string, commits ...[]int) error {
	revisions := make([]revision, len(commits))
	for n, numbers := range commits {
		revisions[n] = func(yield func(string, []byte) bool) {
			for _, i := range numbers {
				if !yield(pathOf(i), marked(r.stream(i), mark)) {
					return
				}
			}
		}
	}
	return r.write(ctx, dir, branch, mark != "", revisions...)
}

// A revision is what one commit changes: paths, and what they hold then.
type revision = iter.Seq2[string, []byte]

// write makes commits by git fast-import, on top of a branch or as its first.
func (r repo) write(ctx context.Context, dir, branch string, onTop bool, commits ...revision) error {
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(out, 1<<20)
		fmt.Fprintln(w, "feature done")
		for n, changes := range commits {
			fmt.Fprintf(w, "commit refs/heads/%s\ncommitter bench <bench@example.com> %d +0000\ndata 5\nbench\n", branch, when.Unix())
			if onTop && n == 0 {
				fmt.Fprintf(w, "from refs/heads/%s^0\n", branch)
			}
			for path, text := range changes {
				fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", path, len(text), text)
			}
		}
		fmt.Fprint(w, "done\n")
		out.CloseWithError(w.Flush())
	}()
	// Digests do not compress: git repack keeps no deltas of such files, so a server has
	// none. Left alone, fast-import would make chains of them.
	_, err := r.git(ctx, in, "-C", dir, "fast-import", "--quiet", "--depth=0")
	return err
}

// git runs git without anybody's configuration.
func (r repo) git(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env, cmd.Stdin = r.env(), stdin
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}

func (r repo) env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.Dir, "XDG_CONFIG_HOME=" + r.Dir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "TZ=UTC",
	}
}

// marked is a stream's text as a person changes it.
func marked(text []byte, mark string) []byte {
	if mark == "" {
		return text
	}
	return []byte(strings.Replace(string(text), "note: first", "note: "+mark, 1))
}
