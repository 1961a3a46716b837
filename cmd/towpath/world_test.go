package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/towpath/towpath/examples"
	"github.com/towpath/towpath/gitstore/gittest"
)

// patience bounds every wait of a script.
const patience = 30 * time.Second

// A world is all that one script plays with. Its methods are called by the
// script alone, one after another; they fail it where they cannot do their part.
type world struct {
	t    testing.TB
	ts   *testscript.TestScript // of the command that runs
	dir  string                 // the script's own
	repo *gittest.Repo          // nil until a script makes it

	server  *gittest.Server // nil until a script serves it
	secrets []string        // that no output may hold
	mounts  int             // how many times the password was mounted
	met     <-chan struct{} // closed when a request met the last fault

	images  *images
	docks   []string // where daemons serve registries
	daemons map[string]*daemon
}

func newWorld(t testing.TB, dir string) *world {
	im := newImages(t)
	return &world{t: t, dir: dir, secrets: []string{im.password}, images: im, daemons: map[string]*daemon{}}
}

// checkHistory looks for secrets in what was committed.
func (w *world) checkHistory() {
	history, err := w.repo.Try("", "log", "--all", "-p", "--format=fuller")
	if err != nil {
		w.t.Error(err)
	}
	w.checkSecrets("the history", history)
}

func (w *world) checkSecrets(where, text string) {
	for _, s := range w.secrets {
		if strings.Contains(text, s) {
			w.t.Errorf("%s holds a secret", where)
		}
	}
}

// checkCommands looks for what a terminal would do, and not show.
func (w *world) checkCommands(text string) {
	if i := strings.IndexFunc(strings.ReplaceAll(text, "\r\n", "\n"), commands); i >= 0 {
		w.t.Errorf("the output commands the terminal: %q", text)
	}
}

// git is the repository.
func (w *world) git() *gittest.Repo {
	if w.repo == nil {
		w.ts.Fatalf("there is no repository yet: repo DIR")
	}
	return w.repo
}

// files are the regular files below a directory of the script, or below
// examples/NAME.
func (w *world) files(dir string) map[string]string {
	root := w.ts.MkAbs(dir)
	if strings.HasPrefix(dir, "examples/") {
		root = filepath.Join("../..", dir)
	}
	files := map[string]string{}
	w.ts.Check(fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		src, err := os.ReadFile(filepath.Join(root, path))
		files[path] = strings.ReplaceAll(string(src), examples.QuickstartHost, w.images.host)
		return err
	}))
	return files
}

func (w *world) makeRepo(args []string) {
	files := map[string]string{}
	if len(args) > 0 {
		files = w.files(args[0])
	}
	w.repo = gittest.NewRepo(w.t, files)
	w.t.Cleanup(w.checkHistory)
	w.ts.Setenv("repo", w.repo.Dir)
	w.ts.Setenv("TOWPATH_REPO", w.repo.Dir)
}

func (w *world) makeStreams(args []string) {
	n, err := strconv.Atoi(args[0])
	w.ts.Check(err)
	dir := w.ts.MkAbs(args[1])
	w.ts.Check(os.MkdirAll(dir, 0o700))
	for i := range n {
		text := fmt.Sprintf(`apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: app%03d}
spec:
  tags:
    - name: stable
      from: {kind: DockerImage, name: "%s/team1/web:1.4"}
      importPolicy: {insecure: true}
`, i, w.images.host)
		w.ts.Check(os.WriteFile(filepath.Join(dir, fmt.Sprintf("app%03d.yaml", i)), []byte(text), 0o600))
	}
}

// waitLog waits for as many commits; the tip is looked at, and only where it
// moved the log.
func (w *world) waitLog(args []string) {
	want, err := strconv.Atoi(args[0])
	w.ts.Check(err)
	tip, n := "", 0
	w.await(func() bool {
		if now := w.git().Tip(); now != "" && now != tip {
			tip, n = now, len(w.git().Log("%H"))
		}
		return n >= want
	}, func() string { return fmt.Sprintf("%d commits, want %d", n, want) })
	if n > want {
		w.printLog(nil)
		w.ts.Fatalf("%d commits, want %d", n, want)
	}
}

// await looks again and again until something holds.
func (w *world) await(holds func() bool, instead func() string) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-enough.C:
			w.ts.Fatalf("after %s: %s%s", patience, instead(), w.daemonLogs())
		}
	}
}

func (w *world) printLog([]string) {
	subjects := w.git().Log("%s")
	slices.Reverse(subjects)
	w.print(strings.Join(subjects, "\n") + "\n")
}

// printMoved prints the lines that the last commit on main changed, below their files.
func (w *world) printMoved([]string) {
	for line := range strings.Lines(w.git().Git("show", "--format=", "-U0", "--no-prefix", "main")) {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "--- ") {
			w.print(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
}

// print is standard output of a command.
func (w *world) print(text string) { fmt.Fprint(w.ts.Stdout(), w.plain(text)) }

var (
	timestamps = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)
	dates      = regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`)
	commitIDs  = regexp.MustCompile(`\b([0-9a-f]{40}|[0-9a-f]{10})\b`)
	inputs     = regexp.MustCompile(`\binputs=[0-9a-f]{8}\b`)
)

// plain is text with names for what differs from run to run.
func (w *world) plain(text string) string {
	for _, digest := range slices.Sorted(maps.Keys(w.images.words)) {
		word := "sha256:" + w.images.words[digest]
		text = strings.ReplaceAll(text, digest, word)
		text = strings.ReplaceAll(text, shortDigest(digest), word)
	}
	if w.server != nil {
		text = strings.ReplaceAll(text, w.server.Repo(w.repo), "https://git.example/streams.git")
	}
	if w.repo != nil {
		text = strings.ReplaceAll(text, w.repo.Dir, "streams.git")
	}
	for _, dock := range w.docks {
		text = strings.ReplaceAll(text, dock, "localhost:5000")
	}
	text = strings.ReplaceAll(text, w.images.host, examples.QuickstartHost)
	text = strings.ReplaceAll(text, w.dir+"/", "")
	text = timestamps.ReplaceAllString(text, "TIME")
	text = dates.ReplaceAllString(text, "DATE")
	text = inputs.ReplaceAllString(text, "inputs=INPUTS")
	return commitIDs.ReplaceAllString(text, "COMMIT")
}
