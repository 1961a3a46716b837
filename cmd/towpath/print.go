package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// printError says what happened and, where it is known, what to do about it.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "towpath: %s\n", printableLines(err.Error(), ""))
	if fix := fixOf(err); fix != "" {
		fmt.Fprintf(w, "fix: %s\n", printableLines(fix, ""))
	}
}

// fixOf is the next step after an error.
func fixOf(err error) string {
	if errors.Is(err, reconcile.ErrFirstRun) {
		return "read what would change: towpath plan; then consent once: towpath run --yes"
	}
	if errors.Is(err, gitstore.ErrMoved) {
		return "somebody else pushes all the time; try again"
	}
	if errors.Is(err, reconcile.ErrThrottled) {
		return "wait: it is written as soon as the hour allows; or raise limits: {pushes-per-hour: …} in the operator's config"
	}
	if h := (hint{}); errors.As(err, &h) {
		return h.fix
	}
	if e := (*gitstore.Error)(nil); errors.As(err, &e) {
		return e.Fix
	}
	if e := (*forge.Error)(nil); errors.As(err, &e) {
		return e.Fix
	}
	return ""
}

// printProblems prints a problem a line, with the next step below it.
func printProblems(w io.Writer, problems []imagestream.Problem) {
	for _, p := range problems {
		path, what := printable(p.Path), printable(p.What)
		if p.Note {
			what = "note: " + what
		}
		if p.Line == 0 {
			fmt.Fprintf(w, "%s: %s\n", path, what)
		} else {
			fmt.Fprintf(w, "%s:%d:%d: %s\n", path, p.Line, max(p.Col, 1), what)
		}
		if p.Fix != "" {
			fmt.Fprintf(w, "  fix: %s\n", printableLines(p.Fix, "       "))
		}
	}
}

// diffOf is the unified diff of a commit's files.
func diffOf(w reconcile.Write) string {
	var b strings.Builder
	for _, e := range w.Commit.Edits {
		from, before := "/dev/null", w.Before[e.Path]
		if before != nil {
			from = quoted("a/" + e.Path)
		}
		d := string(diff.Diff(from, before, quoted("b/"+e.Path), e.Content))
		_, d, _ = strings.Cut(d, "\n") // its own "diff" line
		b.WriteString(d)
	}
	return b.String()
}

// quoted is the name of a file in a diff; one that would break its line, or worse, stands
// in quotes.
func quoted(name string) string {
	if printable(name) != name {
		return strconv.Quote(name)
	}
	return name
}

// shortDigest is a digest as people compare it, or - where there is none.
func shortDigest(digest string) string {
	return cmp.Or(digest[:min(len(digest), len("sha256:")+12)], "-")
}

// count is "1 file", "2 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
