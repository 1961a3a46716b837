package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	lookAgain  = 10 * time.Second // at what is mounted, at the earliest
	maxMounted = 1 << 20          // bytes of a file
)

// A fresh value is read again from time to time, because whoever mounts its
// files may replace them. While they cannot be read, the last value stands.
type fresh[T any] struct {
	what string // for the log
	read func() (T, error)
	log  *slog.Logger

	turn sync.Mutex // held by whoever reads; the others take the last value

	mu     sync.Mutex // over all below
	value  T
	looked time.Time
	told   string // the error that was logged last
}

// newFresh reads the value for the first time. Its error is the operator's to
// mend.
func newFresh[T any](what string, log *slog.Logger, read func() (T, error)) (*fresh[T], error) {
	value, err := read()
	if err != nil {
		return nil, err
	}
	return &fresh[T]{what: what, read: read, log: log, value: value, looked: time.Now()}, nil
}

// get is the value as it was a moment ago.
func (f *fresh[T]) get(now time.Time) T {
	if f.due(now) && f.turn.TryLock() {
		defer f.turn.Unlock()
		value, err := f.read()
		f.keep(value, err, now)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.value
}

func (f *fresh[T]) due(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return now.Sub(f.looked) >= lookAgain
}

func (f *fresh[T]) keep(value T, err error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = now
	if err == nil {
		f.value, f.told = value, ""
		return
	}
	if text := err.Error(); text != f.told {
		f.told = text
		f.log.Warn(f.what+" cannot be read again, the last one stands", "err", err)
	}
}

// readMounted reads a file of bounded size. A byte order mark is not part of it.
func readMounted(open func(string) (*os.File, error), path string) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxMounted+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxMounted {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("larger than 1 MiB")}
	}
	return bytes.TrimPrefix(body, []byte("\ufeff")), nil
}

// readLine reads a file of one line, such as a password. The line's end is not
// part of it.
func readLine(path string) (string, error) {
	body, err := readMounted(os.Open, path)
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(body), "\r\n")
	if line == "" || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s: empty, or more than one line", path)
	}
	return line, nil
}
