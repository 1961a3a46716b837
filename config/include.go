package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/towpath/towpath/imagestream"
)

// Including is the line of .towpath.yaml that has a file read beside those that are read
// already: include replaces its default, so all of it must be written.
func (r *Repository) Including(path string) string {
	globs := []string{}
	for _, g := range r.orDefault().file.Include {
		globs = append(globs, strconv.Quote(g.text))
	}
	if file := strconv.Quote(literally(path)); !slices.Contains(globs, file) {
		globs = append(globs, file)
	}
	return "include: [" + strings.Join(globs, ", ") + "]"
}

// literally is a glob that one path fits.
func literally(path string) string {
	var b strings.Builder
	for _, c := range path {
		if strings.ContainsRune(wildcards, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Excludes reports whether exclude leaves a file out, whatever include says.
func (r *Repository) Excludes(path string) bool { return anyMatch(r.orDefault().file.Exclude, path) }

// Idle are notes of the rules that are for no file and the entries of follow that name none,
// of all that a repository has. It is asked of files, so that what only names namespaces is
// not judged.
func (r *Repository) Idle(files []string) []imagestream.Problem {
	f := &r.orDefault().file
	read := slices.DeleteFunc(slices.Clone(files), func(path string) bool { return !r.Included(path) })
	var notes []imagestream.Problem
	note := func(at Position, what string, globs []Glob, files []string) {
		if len(globs) == 0 || slices.ContainsFunc(files, func(path string) bool { return anyMatch(globs, path) }) {
			return
		}
		notes = append(notes, imagestream.Problem{Path: RepositoryFile, Line: at.Line, Col: at.Col, Note: true,
			What: fmt.Sprintf("%s: no file that is read fits %s", what, texts(globs)),
			Fix:  "correct paths:, which begin at the root of the repository, or remove the entry"})
	}
	for _, rule := range f.Rules {
		note(rule.At, "the rule is for nothing", rule.Paths, read)
	}
	data := slices.DeleteFunc(read, func(path string) bool { return !isData(path) })
	for _, e := range f.Follow {
		note(e.At, "nothing follows by this entry", e.Paths, data)
	}
	return notes
}

func texts(globs []Glob) string {
	all := make([]string, len(globs))
	for i, g := range globs {
		all[i] = g.text
	}
	return strings.Join(all, ", ")
}
