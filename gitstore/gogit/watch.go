package gogit

import (
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/go-git/go-git/v5/plumbing"
)

// debounce gathers the events of one push.
const debounce = 100 * time.Millisecond

// A watcher says when a branch is no longer where the store's user believes it
// to be. Directories are watched, not files: a ref is replaced by a rename.
// Events are only hints; the refs are read, and also when no event comes.
type watcher struct {
	changed chan struct{} // capacity 1
	refs    *refStore
	dir     string
	fs      *fsnotify.Watcher // nil where the system has no more watches
	stop    chan struct{}
	done    chan struct{}

	mu    sync.Mutex
	known map[string]plumbing.Hash // by ref: what the user was told
}

func watchRefs(dir string, refs *refStore, o Options) *watcher {
	w := &watcher{
		changed: make(chan struct{}, 1), refs: refs, dir: dir,
		stop: make(chan struct{}), done: make(chan struct{}),
		known: map[string]plumbing.Hash{},
	}
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		o.Logger.Warn("the repository is not watched, only looked at from time to time", slog.Duration("every", o.Poll), slog.Any("error", err))
	} else {
		w.add(dir, false)
		w.add(filepath.Join(dir, "refs"), true)
	}
	go w.run(o.Poll)
	return w
}

// add watches a directory and those below it. What cannot be watched is seen
// by the next look.
func (w *watcher) add(dir string, below bool) {
	if !below {
		w.fs.Add(dir)
		return
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			w.fs.Add(path)
		}
		return nil
	})
}

func (w *watcher) run(every time.Duration) {
	defer close(w.done)
	poll := time.NewTicker(every)
	defer poll.Stop()
	settled := time.NewTimer(debounce)
	defer settled.Stop()
	var events chan fsnotify.Event
	var errors chan error
	if w.fs != nil {
		events, errors = w.fs.Events, w.fs.Errors
	}
	for {
		select {
		case <-w.stop:
			return
		case e := <-events:
			if strings.HasSuffix(e.Name, ".lock") {
				continue
			}
			if e.Has(fsnotify.Create) && strings.HasPrefix(e.Name, filepath.Join(w.dir, "refs")) {
				w.add(e.Name, true)
			}
			settled.Reset(debounce)
		case <-errors: // events were lost; the next look makes up for it
		case <-settled.C:
			w.look()
		case <-poll.C:
			w.look()
		}
	}
}

// look reads the refs that the user knows.
func (w *watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref, known := range w.known {
		_, now, err := w.refs.read(ref)
		if err != nil {
			now = plumbing.ZeroHash
		}
		if now == known {
			continue
		}
		select {
		case w.changed <- struct{}{}:
		default: // one is waiting already
		}
		return
	}
}

// told records what the user has been told; a zero id is no ref.
func (w *watcher) told(ref string, id plumbing.Hash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[ref] = id
}

// own moves a branch without anybody being told. One that was deleted is of no more interest.
func (w *watcher) own(m move, do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	if m.new.IsZero() {
		delete(w.known, m.ref)
	} else {
		w.known[m.ref] = m.new
	}
	return nil
}

func (w *watcher) close() error {
	close(w.stop)
	<-w.done
	if w.fs == nil {
		return nil
	}
	return w.fs.Close()
}
