package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A secretFile is read again when it changed, so that a secret can be replaced while the
// daemon runs. Its methods may be called from several goroutines.
type secretFile struct {
	path string

	mu   sync.Mutex
	mod  time.Time
	size int64
	at   time.Time // when it was read
	text string
	err  error
}

const (
	maxSecret = 64 << 10
	// racy is how young a file may be so that it is read again although its time and size
	// are the same: clocks of file systems are coarse.
	racy = 2 * time.Second
)

// read is the text of the file as it is now, without blanks around it. What was there
// before does not count once the file is gone or empty. No error holds its text.
func (f *secretFile) read() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		f.mod = time.Time{}
		return "", err
	}
	if f.mod.Equal(info.ModTime()) && f.size == info.Size() && f.at.Sub(f.mod) > racy {
		return f.text, f.err
	}
	f.mod, f.size, f.at = info.ModTime(), info.Size(), time.Now()
	f.text, f.err = readSecret(f.path)
	return f.text, f.err
}

func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	src, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	text := strings.TrimSpace(string(src))
	switch {
	case err != nil:
		return "", err
	case len(src) > maxSecret:
		return "", fmt.Errorf("%s is larger than 64 KiB, and no secret", path)
	case text == "":
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}
