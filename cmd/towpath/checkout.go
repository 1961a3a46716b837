package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/yamledit"
)

// A checkout is a person's working copy of a repository. It is read as a run would read
// the commit, and written a file at a time.
type checkout struct {
	*disk
	cat *reconcile.Catalog
}

// openCheckout reads the checkout that a directory is in.
func openCheckout(ctx context.Context, dir string) (*checkout, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	if err != nil {
		return nil, usage("--dir: %w", hint{err, "name a directory of the checkout"})
	}
	root, err := rootOf(dir)
	if err != nil {
		return nil, failed(err)
	}
	d, err := readDisk(root)
	if err != nil {
		return nil, failed(err)
	}
	cat, err := reconcile.Load(ctx, d, nil, nil)
	if err != nil {
		return nil, failed(err)
	}
	return &checkout{d, cat}, nil
}

// rootOf is the nearest directory, from dir upwards, that has a .git or a .towpath.yaml;
// dir itself where none has. It comes as people in the working directory would write it.
func rootOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := abs; ; at = filepath.Dir(at) {
		for _, mark := range []string{".git", reconcile.ConfigPath} {
			if _, err := os.Lstat(filepath.Join(at, mark)); err == nil {
				return fromHere(at), nil
			}
		}
		if at == filepath.Dir(at) {
			return dir, nil
		}
	}
}

// fromHere is a path relative to the working directory, where there is one.
func fromHere(abs string) string {
	here, err := os.Getwd()
	if err != nil {
		return abs
	}
	if rel, err := filepath.Rel(here, abs); err == nil {
		return rel
	}
	return abs
}

// within is the path in the checkout of a file that a person named.
func (co *checkout) within(file string) (string, error) {
	root, err := filepath.Abs(co.dir)
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return "", hint{fmt.Errorf("%s is outside of the checkout in %s", file, root), "name a file in the checkout, or another checkout with --dir"}
	}
	if rel = filepath.ToSlash(rel); !usablePath(rel) {
		return "", hint{fmt.Errorf("%q is a name that no run reads", file), "name a file that is in no .git, of printable characters without \\"}
	}
	return rel, nil
}

// stream finds the stream of a name; nil where there is none that can be used. Without a
// namespace the name must be the only one of its kind, or stand in default.
func (co *checkout) stream(ns, name string) (*reconcile.Stream, error) {
	var found []*reconcile.Stream
	for _, s := range co.cat.Streams {
		if s.Name.Name == name && (ns == "" || s.Name.Namespace == ns) {
			found = append(found, s)
		}
	}
	if i := slices.IndexFunc(found, func(s *reconcile.Stream) bool { return s.Name.Namespace == "default" }); i >= 0 {
		return found[i], nil
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, usage("%w", hint{
		fmt.Errorf("image stream %s stands in several namespaces: %s in %s, %s in %s",
			name, found[0].Name, co.shown(found[0].Path), found[1].Name, co.shown(found[1].Path)),
		fmt.Sprintf("say %s or %s", found[0].Name, found[1].Name)})
}

// claims are the places that a stream has in files with problems, such as another of its
// name.
func (co *checkout) claims(ctx context.Context, ns, name string) []string {
	var places []string
	seen := map[string]bool{}
	for _, p := range co.cat.Problems {
		if p.Note || seen[p.Path] {
			continue
		}
		seen[p.Path] = true
		i := slices.IndexFunc(co.files, func(f gitstore.File) bool { return f.Path == p.Path })
		if i < 0 {
			continue
		}
		src, err := co.Read(ctx, co.files[i].Blob)
		if err != nil {
			continue
		}
		f, err := yamledit.Parse(src, yamledit.DefaultLimits)
		if err != nil {
			continue
		}
		docs, _ := imagestream.Parse(f)
		for _, d := range docs {
			if d.Name.Name == name && (ns == "" || ns == co.namespace(p.Path, d.Name.Namespace)) {
				places = append(places, fmt.Sprintf("%s:%d", co.shown(p.Path), d.Line))
			}
		}
	}
	return places
}

// namespace is the one of a stream in a file.
func (co *checkout) namespace(path, own string) string {
	for _, ns := range []string{own, co.cat.Config.Namespace(path)} {
		if ns != "" {
			return ns
		}
	}
	return "default"
}

// problems are those of the catalog that pass, with paths as the person would write them.
func (co *checkout) problems(pass func(imagestream.Problem) bool) []imagestream.Problem {
	var some []imagestream.Problem
	for _, p := range co.cat.Problems {
		if !p.Note && pass(p) {
			p.Path = co.shown(p.Path)
			some = append(some, p)
		}
	}
	return some
}

// lookAt is what stands at a path, nil where nothing does. No step of the path may be a
// symbolic link: Git keeps none of what is behind one.
func (co *checkout) lookAt(root *os.Root, name string) (info fs.FileInfo, err error) {
	for i, c := range name + "/" {
		if c != '/' {
			continue
		}
		info, err = root.Lstat(name[:i])
		last := i == len(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		case err != nil:
			return nil, err
		case last && !info.Mode().IsRegular(), !last && !info.IsDir():
			return nil, hint{fmt.Errorf("%s is %s", co.shown(name[:i]), notFile(info.Mode(), last)), "name another file"}
		}
	}
	return info, nil
}

func notFile(mode fs.FileMode, file bool) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link, and none is followed"
	case file:
		return "not a regular file"
	}
	return "not a directory"
}

// write puts content in the place of a file that still is as it was, or makes it where
// before is nil. It does so at once: whoever reads the file finds the old text or the new one.
func (co *checkout) write(name string, before, content []byte) (err error) {
	root, err := os.OpenRoot(co.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := co.lookAt(root, name)
	if err != nil {
		return err
	}
	now, err := co.readFile(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, before) {
		return hint{errors.New("it has changed meanwhile"), "try again"}
	}
	mode := fs.FileMode(0o644)
	if info != nil {
		mode = info.Mode().Perm()
	} else if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	temp := path.Join(path.Dir(name), "."+path.Base(name)+"."+strings.ToLower(rand.Text()[:8]))
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			root.Remove(temp)
		}
	}()
	_, err = f.Write(content)
	if err == nil && info != nil {
		err = f.Chmod(mode) // whatever the umask
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = root.Rename(temp, name)
	}
	return err
}

// readFile is the content of a file; nil where there is none.
func (co *checkout) readFile(name string) ([]byte, error) {
	root, err := os.OpenRoot(co.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := co.lookAt(root, name)
	switch {
	case err != nil:
		return nil, err
	case info == nil:
		return nil, nil
	case info.Size() > diskLimit:
		return nil, hint{fmt.Errorf("%s is larger than 8 MiB", co.shown(name)), "split it, or name another file"}
	}
	return root.ReadFile(name)
}
