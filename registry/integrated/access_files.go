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

// racy is how young a file may be so that it is read again although its time and size are the
// same: clocks of file systems are coarse.
const racy = 2 * time.Second

// A watched file is read again when it changed. When it is gone, it says nothing any more. While
// it is there and not as it must be it says nothing either, unless it keeps what it said:
// one wrong line need not lock out everybody else. The log says so, once.
type watched[T any] struct {
	path  string
	parse func([]byte) (T, error)
	log   *slog.Logger
	opens string // what it says, for the log
	keeps bool

	mu     sync.Mutex
	looked time.Time
	seen   fs.FileInfo // of the file that was read last, good or bad
	read   time.Time   // when that was
	shut   bool        // it says nothing until it is read again
	said   string      // the problem that the log has
	value  T
}

// open reads the file for the first time.
func (w *watched[T]) open(now time.Time) error {
	info, value, err := w.load()
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.looked, w.read, w.seen, w.value = now, now, info, value
	return nil
}

// get is what the file says, and whether it says anything.
func (w *watched[T]) get(now time.Time) (value T, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.looked) >= lookAgain || now.Before(w.looked) {
		w.looked = now
		w.look(now)
	}
	if w.shut {
		return value, false
	}
	return w.value, true
}

// look reads the file if it may be another than last time.
func (w *watched[T]) look(now time.Time) {
	info, err := os.Stat(w.path)
	if err != nil {
		w.seen = nil
		w.fail(err, missing(err) || !w.keeps)
		return
	}
	if w.seen != nil && same(info, w.seen) && w.read.Sub(info.ModTime()) > racy {
		return
	}
	before := w.seen
	info, value, err := w.load()
	w.seen, w.read = info, now
	if err != nil {
		w.fail(err, missing(err) || !w.keeps)
		return
	}
	if w.shut || w.said != "" || before == nil || !same(info, before) {
		w.log.Info("file of the registry read again", "file", w.path)
	}
	w.value, w.shut, w.said = value, false, ""
}

// same reports whether a file looks as it did.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// fail takes in that the file says nothing that can be used, and tells, once.
func (w *watched[T]) fail(err error, shut bool) {
	w.shut = w.shut || shut
	if w.said == err.Error() {
		return
	}
	w.said = err.Error()
	holds := "what it said before holds until it is right"
	if w.shut {
		holds = w.opens + " cannot log in until it is right"
	}
	w.log.Warn("file of the registry cannot be used; "+holds, "file", w.path, "error", err)
}

// load reads and parses the file. The information is of the very file that was read.
func (w *watched[T]) load() (info fs.FileInfo, value T, err error) {
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
