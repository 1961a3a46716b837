// Command corpus reads real files and proves what towpath promises of each: that it
// is understood without an unknown field, that a status can be written into every
// image stream and every site rewritten, and that nothing else changes.
//
//	corpus DIR
//
// It prints a line for each file, with what is wrong in it below, and a summary:
//
//	ok          library/ruby.json  1 stream, 9 tags
//	left alone  apps/template.yaml  a template is read when somebody has processed it…
//	FAIL        odd.yaml  line 7 changed: it is no status
//
// It asks no registry: digests and times are fixed. It writes nothing.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: corpus DIR")
		os.Exit(2)
	}
	failed, err := run(os.DirFS(os.Args[1]), os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

// run checks the files below a directory, and tells how many fail.
func run(dir fs.FS, out io.Writer) (failed int, err error) {
	var all result
	files, alone := 0, 0
	err = fs.WalkDir(dir, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !manifest(path) {
			return err
		}
		src, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		r := check(src)
		files++
		switch {
		case r.err != nil:
			failed++
			fmt.Fprintf(out, "FAIL        %s  %v\n", path, r.err)
		case r.streams+r.sites == 0:
			alone++
			fmt.Fprintf(out, "left alone  %s  %s\n", path, r.why())
		default:
			fmt.Fprintf(out, "ok          %s  %s\n", path, r)
		}
		if r.err != nil || r.streams+r.sites > 0 {
			r.explain(out)
		}
		all.add(r)
		return nil
	})
	fmt.Fprintf(out, "%s: %s; %d left alone, %d failed\n", plural(files, "file"), all, alone, failed)
	return failed, err
}

// manifest reports whether a file may hold manifests, by its name.
func manifest(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// A result is what was found in a file.
type result struct {
	streams, tags, sites int
	problems             []imagestream.Problem
	err                  error // what was promised and does not hold
}

func (r *result) add(o result) {
	r.streams, r.tags, r.sites = r.streams+o.streams, r.tags+o.tags, r.sites+o.sites
	r.problems = append(r.problems, o.problems...)
}

func (r result) String() string {
	parts := []string{plural(r.streams, "stream"), plural(r.tags, "tag"), plural(r.sites, "site"), plural(len(r.problems), "remark")}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return strings.HasPrefix(p, "0 ") }), ", ")
}

// why is the reason for leaving a file alone.
func (r result) why() string {
	if len(r.problems) == 0 {
		return "no image stream, and nothing that follows one"
	}
	return fmt.Sprintf("%d:%d: %s", r.problems[0].Line, r.problems[0].Col, r.problems[0].What)
}

func (r result) explain(out io.Writer) {
	for _, p := range r.problems {
		fmt.Fprintf(out, "            %d:%d: %s\n", p.Line, p.Col, p.What)
		if p.Fix != "" {
			fmt.Fprintf(out, "                 fix: %s\n", p.Fix)
		}
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
