package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

func newValidate(a *app) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "validate PATH…", Short: "Check files on disk", Args: cobra.MinimumNArgs(1),
		Long: `Read files and directories as run reads a branch, image streams and whatever follows
them, and print what is wrong with them as file:line:column, with a fix. The whole repository that they are in is read, from the nearest
directory upwards that has a .git or a .towpath.yaml, so that its configuration and its other
files count; only problems of what was named are printed. Of the whole of a checkout, notes say which
sites are left alone, and what .towpath.yaml says of no file. Neither Git nor a registry is asked.
Exits 3 when there are problems; notes are none.`,
		Example: `  towpath validate .
  towpath validate streams/web.yaml
  towpath validate -o github .             as annotations of a GitHub workflow
  towpath validate -o json . | jq '.problems[]'`,
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "`text|json|github`")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := oneOf("-o", output, "text", "json", "github"); err != nil {
			return err
		}
		trees, err := treesOf(args)
		if err != nil {
			return failed(err)
		}
		found := findings{Problems: []problemJSON{}, Unread: []string{}}
		for _, t := range trees {
			f, err := t.check(c.Context())
			if err != nil {
				return failed(err)
			}
			if output == "text" {
				printProblems(a.stdout, f.problems)
			}
			fmt.Fprintf(a.stderr, "%s: %s, %s\n", printable(t.String()), count(f.Streams, "stream"), count(f.Sites, "site"))
			found.join(f)
		}
		if err := found.print(a, output); err != nil {
			return failed(err)
		}
		if found.bad() {
			return &exit{code: exitProblems}
		}
		return nil
	}
	return c
}

// A tree is a directory that is read as run reads a branch, or a file that is in none.
type tree struct {
	root  string // as people in the working directory would write it
	alone bool   // nothing is known but the file
	asked []asked
}

// asked is a path that a person asked: as it was given; from the root with slashes,
// where "." is all of it; and as a commit shows it.
type asked struct {
	shown, path, at string
	dir             bool
}

func newAsked(shown, path string, dir bool) asked { return asked{shown, path, quotedPath(path), dir} }

// treesOf finds the trees that paths are in, in the order in which they are first named.
func treesOf(args []string) ([]*tree, error) {
	var trees []*tree
	for _, arg := range args {
		t, err := treeOf(arg)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(trees, func(o *tree) bool { return o.root == t.root && o.alone == t.alone })
		if i < 0 {
			trees = append(trees, t)
		} else {
			trees[i].asked = append(trees[i].asked, t.asked...)
		}
	}
	return trees, nil
}

func treeOf(arg string) (*tree, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return nil, err
	}
	dir := arg
	if !info.IsDir() {
		dir = filepath.Dir(arg)
	}
	root, err := rootOf(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && !isRoot(root) {
		return &tree{root: arg, alone: true, asked: []asked{newAsked(arg, filepath.Base(arg), false)}}, nil
	}
	rel, err := between(root, arg)
	return &tree{root: root, asked: []asked{newAsked(arg, rel, info.IsDir())}}, err
}

// isRoot reports whether a directory looks like the root of a repository.
func isRoot(dir string) bool {
	return slices.ContainsFunc([]string{".git", reconcile.ConfigPath}, func(mark string) bool {
		_, err := os.Lstat(filepath.Join(dir, mark))
		return err == nil
	})
}

// between is the path from a directory to what is in it, with slashes.
func between(dir, file string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if file, err = filepath.Abs(file); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(dir, file)
	return filepath.ToSlash(rel), err
}

func (t *tree) String() string {
	if len(t.asked) == 1 {
		return t.asked[0].shown
	}
	return fmt.Sprintf("%d paths of %s", len(t.asked), t.root)
}

// shown is a path as the person would write it; ok is false for one that was not asked for.
func (t *tree) shown(p string) (shown string, ok bool) {
	for _, n := range t.asked {
		if n.at == p {
			return n.shown, true
		}
		if n.at == "." {
			return filepath.Join(n.shown, p), true
		}
		if rest, ok := strings.CutPrefix(p, n.at+"/"); ok {
			return filepath.Join(n.shown, rest), true
		}
	}
	return path.Join(filepath.ToSlash(t.root), p), false
}

// findings are what a check says. Of a tree, the problems are those of what was named,
// and of its .towpath.yaml where that is not right: nothing counts as it says then.
type findings struct {
	Problems []problemJSON `json:"problems"`
	Streams  int           `json:"streams"`
	Sites    int           `json:"sites"`
	Unread   []string      `json:"unread"` // files that were named, and towpath does not read

	problems []imagestream.Problem
	alone    []string
}

func (t *tree) check(ctx context.Context) (findings, error) {
	var f findings
	paths := make([]string, len(t.asked))
	for i, n := range t.asked {
		paths[i] = n.path
	}
	snap, err := readDisk(t.root, paths...)
	if err != nil {
		return f, err
	}
	cat, err := reconcile.Load(ctx, snap, nil, nil)
	if err != nil {
		return f, err
	}
	notes, err := t.remarks(ctx, snap, cat)
	if err != nil {
		return f, err
	}
	for _, p := range append(slices.Clone(cat.Problems), notes...) {
		shown, asked := t.shown(p.Path)
		if asked || cat.Invalid && p.Path == reconcile.ConfigPath {
			p.Path = shown
			f.problems = append(f.problems, p)
		}
	}
	for _, s := range cat.Streams {
		f.Streams += t.counts(s.Path)
	}
	for _, s := range cat.Sites {
		f.Sites += t.counts(s.Path)
	}
	for _, n := range t.asked {
		if t.alone {
			f.alone = append(f.alone, n.shown)
		}
		if !n.dir && !cat.Invalid && n.path != reconcile.ConfigPath && !cat.Config.Included(n.path) {
			f.Unread = append(f.Unread, n.shown)
		}
	}
	return f, nil
}

// counts is 1 for a file that was named, itself or by its directory.
func (t *tree) counts(p string) int {
	if _, asked := t.shown(p); asked {
		return 1
	}
	return 0
}

func (f *findings) join(o findings) {
	f.Problems = append(f.Problems, problemsOf(o.problems)...)
	f.Streams, f.Sites = f.Streams+o.Streams, f.Sites+o.Sites
	f.Unread, f.alone = append(f.Unread, o.Unread...), append(f.alone, o.alone...)
}

func (f *findings) bad() bool {
	return slices.ContainsFunc(f.Problems, func(p problemJSON) bool { return !p.Note })
}

// print prints what is there to print once, for all trees.
func (f *findings) print(a *app, output string) error {
	if len(f.Unread) > 0 {
		fmt.Fprintf(a.stderr, "not checked, for towpath does not read it (include and exclude of %s): %s\n", reconcile.ConfigPath, printable(strings.Join(f.Unread, ", ")))
	}
	if len(f.alone) > 0 {
		fmt.Fprintf(a.stderr, "checked by itself, for no .git or %s is above it: %s\n", reconcile.ConfigPath, printable(strings.Join(f.alone, ", ")))
	}
	switch output {
	case "json":
		return writeJSON(a.stdout, f)
	case "github":
		f.annotate(a.stdout)
	}
	return nil
}

// annotate prints problems as commands of a GitHub workflow, which shows them beside the
// lines that they are about.
func (f *findings) annotate(w io.Writer) {
	text := strings.NewReplacer("%", "%25", "\n", "%0A")
	value := strings.NewReplacer("%", "%25", ":", "%3A", ",", "%2C")
	for _, p := range f.Problems {
		level, what := "error", printable(p.What)
		if p.Note {
			level = "notice"
		}
		if p.Fix != "" {
			what += "\nfix: " + printableLines(p.Fix, "")
		}
		fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=towpath::%s\n", level, value.Replace(printable(p.Path)), max(p.Line, 1), max(p.Column, 1), text.Replace(what))
	}
}
