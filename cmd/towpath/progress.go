package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// bar is one line on a terminal that says how far long work has come. It shows
// nothing in the first second, and nothing at all where no person is looking.
type bar struct {
	mu      sync.Mutex
	out     io.Writer // nil: nobody is looking
	width   int
	started time.Time
	drawn   time.Time
	what    string
}

const (
	barPatience = time.Second
	barPace     = 100 * time.Millisecond
)

// progress is a bar on standard error, if that is a terminal.
func (a *app) progress() *bar {
	b := &bar{started: time.Now()}
	if f, ok := a.terminal.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.out = f
		if b.width, _, _ = term.GetSize(int(f.Fd())); b.width == 0 {
			b.width = 80
		}
	}
	return b
}

// set says that done of total things are done.
func (b *bar) set(what string, done, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.out == nil || now.Sub(b.started) < barPatience || now.Sub(b.drawn) < barPace && what == b.what {
		return
	}
	b.drawn, b.what = now, what
	fmt.Fprintf(b.out, "\r\x1b[K%s", barLine(what, done, total, now.Sub(b.started), b.width-1))
}

// barLine is the text of a bar that fits the width.
func barLine(what string, done, total int, took time.Duration, width int) string {
	const cells = 20
	full := 0
	if total > 0 {
		full = done * cells / total
	}
	line := fmt.Sprintf("%-18s [%-*s] %d of %d, %s", what, cells, fill(full), done, total, took.Round(time.Second))
	return line[:min(len(line), max(width, 0))]
}

func fill(n int) string {
	const hashes = "####################"
	return hashes[:min(max(n, 0), len(hashes))]
}

// done wipes the line.
func (b *bar) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out != nil && !b.drawn.IsZero() {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
