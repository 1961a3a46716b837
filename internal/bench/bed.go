package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/towpath/towpath/imagestream"
)

// A bed is what is measured on: a repository of image streams, and git's own
// server for it on loopback.
type bed struct {
	options
	repo
	url    string
	server *httptest.Server

	rss     []float64 // MB, told by first-load
	passes  *passes   // of idle and one-file, once they are set up
	pushing *pushing  // of push-500, likewise
}

func newBed(ctx context.Context, o options) (*bed, error) {
	dir, err := os.MkdirTemp("", "towpath-bench-")
	if err != nil {
		return nil, err
	}
	b := &bed{options: o, repo: repo{dir: dir, size: o.streams}}
	if err := errors.Join(b.make(ctx), b.serve(ctx)); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bed) close() {
	b.passes.close()
	b.pushing.close()
	if b.server != nil {
		b.server.Close()
	}
	os.RemoveAll(b.dir)
}

// serve starts git's http-backend behind a server.
func (b *bed) serve(ctx context.Context) error {
	path, err := b.git(ctx, nil, "--exec-path")
	if err != nil {
		return err
	}
	h := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(path), "git-http-backend"), Stderr: io.Discard, Logger: log.New(io.Discard, "", 0),
		Env: append(b.env(), "GIT_PROJECT_ROOT="+b.dir, "GIT_HTTP_EXPORT_ALL=1"),
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
	b.url = b.server.URL + "/" + repoName
	return nil
}

// A repo is the repository, on disk. Its branch main is towpath's, native is
// git's own.
type repo struct {
	dir  string // temporary; everything is in it
	size int    // streams
}

const (
	repoName   = "streams.git"
	perDir     = 20
	tagsOfEach = 10
	history    = 10
)

// when the repository was made: it is the same on every run.
var when = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (r repo) path() string { return filepath.Join(r.dir, repoName) }

func (r repo) make(ctx context.Context) error {
	if _, err := r.git(ctx, nil, "init", "-q", "--bare", "-b", "main", r.path()); err != nil {
		return err
	}
	for _, set := range []string{"gc.auto=0", "receive.autogc=false", "http.receivepack=true"} {
		key, value, _ := strings.Cut(set, "=")
		if _, err := r.git(ctx, nil, "-C", r.path(), "config", key, value); err != nil {
			return err
		}
	}
	numbers := make([]int, r.size)
	for i := range numbers {
		numbers[i] = i
	}
	if err := r.commit(ctx, r.path(), "main", numbers, ""); err != nil {
		return err
	}
	_, err := r.git(ctx, nil, "-C", r.path(), "branch", "native", "main")
	return err
}

// commit puts the streams of these numbers on a branch of a repository, each with
// a mark that tells it from how it was before.
func (r repo) commit(ctx context.Context, dir, branch string, numbers []int, mark string) error {
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(out, 1<<20)
		fmt.Fprintf(w, "feature done\ncommit refs/heads/%s\ncommitter bench <bench@example.com> %d +0000\ndata 5\nbench\n", branch, when.Unix())
		if mark != "" {
			fmt.Fprintf(w, "from refs/heads/%s^0\n", branch)
		}
		for _, i := range numbers {
			text := marked(stream(i), mark)
			fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", pathOf(i), len(text), text)
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
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "XDG_CONFIG_HOME=" + r.dir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "TZ=UTC",
	}
}

func pathOf(i int) string { return fmt.Sprintf("teams/team-%03d/svc-%05d.yaml", i/perDir, i) }

// stream is the text of a stream with everything on record: about 20 KB.
func stream(i int) []byte {
	var b strings.Builder
	repository := fmt.Sprintf("quay.example.com/team-%03d/svc-%05d", i/perDir, i)
	fmt.Fprintf(&b, "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: svc-%05d\n  namespace: team-%03d\n  annotations:\n    note: first\nspec:\n  tags:\n", i, i/perDir)
	for tag := range tagsOfEach {
		fmt.Fprintf(&b, "  - name: \"1.%d\"\n    from:\n      kind: DockerImage\n      name: %s:1.%d\n    importPolicy:\n      importMode: Legacy\n    referencePolicy:\n      type: Source\n", tag, repository, tag)
	}
	b.WriteString("status:\n  tags:\n")
	for tag := range tagsOfEach {
		fmt.Fprintf(&b, "  - tag: \"1.%d\"\n    items:\n", tag)
		for item := range history {
			digest := fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Append(nil, i, tag, item)))
			created := when.Add(-time.Duration(item) * 24 * time.Hour).Format(time.RFC3339)
			fmt.Fprintf(&b, "    - created: \"%s\"\n      dockerImageReference: %s@%s\n      image: %s\n", created, repository, digest, digest)
		}
		from := imagestream.From{Kind: imagestream.DockerImage, Name: fmt.Sprintf("%s:1.%d", repository, tag)}
		const mode, platform = imagestream.Legacy, "linux/amd64"
		source := imagestream.Source{From: from.Name, Mode: mode, Platform: platform, Inputs: from.Inputs(mode, platform)}
		fmt.Fprintf(&b, "    conditions:\n    - type: towpath.dev/Source\n      status: \"True\"\n      lastTransitionTime: \"%s\"\n      reason: Resolved\n      message: %s\n", when.Format(time.RFC3339), source)
	}
	return []byte(b.String())
}

// marked is a stream's text as a person changes it.
func marked(text []byte, mark string) []byte {
	if mark == "" {
		return text
	}
	return []byte(strings.Replace(string(text), "note: first", "note: "+mark, 1))
}
