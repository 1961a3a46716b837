package integrated

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	lookAgain = time.Second // between two looks at a file
	mostBytes = 4 << 20     // of a file with users or a token
)

// A watched file is read again when it changed. While it cannot be read, what it said before
// holds; the log says so, once.
type watched[T any] struct {
	path   string
	parse  func([]byte) (T, error)
	log    *slog.Logger
	closes bool // a file that was removed says nothing any more

	mu     sync.Mutex
	looked time.Time
	seen   fs.FileInfo // of the file that was read last, good or bad
	gone   bool        // and was not read since
	said   string      // the problem that the log has
	value  T
}

// open reads the file for the first time.
func (w *watched[T]) open(now time.Time) error {
	info, value, err := w.read()
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.looked, w.seen, w.value = now, info, value
	return nil
}

// get is what the file says, and whether it says anything.
func (w *watched[T]) get(now time.Time) (value T, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.looked) >= lookAgain || now.Before(w.looked) {
		w.looked = now
		w.look()
	}
	if w.gone && w.closes {
		return value, false
	}
	return w.value, true
}

// look reads the file if it is another than last time.
func (w *watched[T]) look() {
	info, err := os.Stat(w.path)
	if err != nil {
		w.gone, w.seen = w.gone || missing(err), nil
		w.say("cannot be read", err)
		return
	}
	if w.seen != nil && os.SameFile(info, w.seen) && info.Size() == w.seen.Size() && info.ModTime().Equal(w.seen.ModTime()) {
		return
	}
	read, value, err := w.read()
	if err != nil {
		w.seen = info
		w.say("is not as it must be", err)
		return
	}
	w.seen, w.value, w.gone, w.said = read, value, false, ""
	w.log.Info("file of the registry read again", "file", w.path)
}

// say tells what is wrong, once.
func (w *watched[T]) say(what string, err error) {
	if w.said == err.Error() {
		return
	}
	w.said = err.Error()
	holds := "what it said before holds until it is right"
	if w.closes && w.gone {
		holds = "its token opens nothing until it is right"
	}
	w.log.Warn("file of the registry "+what+"; "+holds, "file", w.path, "error", err)
}

// read reads and parses the file. The information is of the very file that was read.
func (w *watched[T]) read() (info fs.FileInfo, value T, err error) {
	f, err := os.Open(w.path)
	if err != nil {
		return nil, value, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, value, err
	}
	src, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err == nil && len(src) > mostBytes {
		err = fmt.Errorf("it has more than %d bytes; use another file", mostBytes)
	}
	if err == nil {
		value, err = w.parse(src)
	}
	return info, value, err
}
