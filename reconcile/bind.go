package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// A file is a file of the tree and, once it is bound, what it says at its path
// under the config. Catalogs that follow each other share the files that are as
// they were.
type file struct {
	gitstore.File
	included bool
	lens     *lens // of those that are
	bound    bool
	streams  []*Stream
	sites    []*Site
	problems []imagestream.Problem
}

// broken reports whether some of what a file says cannot be read.
func (f *file) broken() bool {
	return slices.ContainsFunc(f.problems, func(p imagestream.Problem) bool { return !p.Note })
}

// inOrder are the files by path.
func (c *Catalog) inOrder() []*file {
	return slices.SortedFunc(maps.Values(c.files), func(a, b *file) int { return cmp.Compare(a.Path, b.Path) })
}

// bind puts together what the files say.
func (c *Catalog) bind(files []*file, problems []imagestream.Problem) {
	c.byName, c.twice, c.Problems = make(map[imagestream.Name]*Stream, len(c.files)), map[imagestream.Name]bool{}, problems
	var streams, patches []*Stream
	patched, beyond := c.patched(files)
	c.patches = patched
	for _, f := range files {
		if !f.bound {
			c.bindFile(f)
		}
		c.obscured = c.obscured || f.included && c.parsed[f.reading()].unread
		c.Problems = append(c.Problems, f.problems...)
		c.Sites = append(c.Sites, f.sites...)
		if _, ok := patched[f.Path]; ok {
			patches = append(patches, f.streams...)
		} else {
			streams = append(streams, f.streams...)
		}
	}
	slices.SortStableFunc(streams, func(a, b *Stream) int { return compareNames(a.Name, b.Name) })
	for len(streams) > 0 {
		n := 1
		for n < len(streams) && streams[n].Name == streams[0].Name {
			n++
		}
		if s := c.one(streams[:n]); s != nil {
			c.byName[s.Name] = s
			c.Streams = append(c.Streams, s)
		} else {
			c.twice[streams[0].Name] = true
		}
		streams = streams[n:]
	}
	c.hide(patches, patched)
	c.ignored(beyond)
	c.bindAliases()
	c.cutCircles()
	c.bindUnits()
}

// bindUnits finds the first site of each unit that is still to be written as a whole.
func (c *Catalog) bindUnits() {
	first := map[unit]*Site{}
	c.starts = map[unit]*Site{}
	for _, s := range c.Sites {
		if s.Together == "" {
			continue
		}
		u := unit{s.Path, s.Together}
		if first[u] == nil {
			first[u] = s
		}
		if !s.Written && !s.Paused {
			c.starts[u] = first[u]
		}
	}
}

// bindFile gives names, namespaces and settings to what a file says, by its path
// and the config. Nothing is read again for it.
func (c *Catalog) bindFile(f *file) {
	f.bound = true
	if f.Skip != "" && (c.reads(f.Path) || f.Skip != "a symbolic link") { // links that nobody asked for are everywhere
		f.problems = []imagestream.Problem{{Path: f.Path, Note: true, What: "not read: it is " + f.Skip}}
	}
	if !f.included {
		return
	}
	p := c.parsed[f.reading()]
	for _, problem := range p.problems {
		problem.Path = f.Path
		f.problems = append(f.problems, problem)
	}
	if len(p.sites)+len(p.docs) > 0 && c.Config.Guarded(f.Path) {
		line, col := 1, 1
		if len(p.sites) > 0 {
			line, col = p.sites[0].Line, p.sites[0].Col
		}
		f.problems = append(f.problems, imagestream.Problem{Path: f.Path, Line: line, Col: col, Note: true,
			What: fmt.Sprintf("left alone: this file says what machines run; to have it written, name it in %s: %s", ConfigPath, c.Config.Including(f.Path))})
		return
	}
	for _, d := range p.docs {
		f.streams = append(f.streams, c.stream(f.File, d))
	}
	for _, t := range p.sites {
		f.sites = append(f.sites, c.site(f, t))
	}
}

// stream is a document with what its place gives it.
func (c *Catalog) stream(f gitstore.File, d imagestream.Document) *Stream {
	d.Name.Namespace = c.namespace(f.Path, d.Name.Namespace)
	s := &Stream{Document: d, Path: f.Path, Blob: f.Blob, Settings: c.Config.For(f.Path, d.Name.Namespace)}
	s.place()
	s.wants = c.wants(s)
	return s
}

// asks reports whether a tag, or where that is empty every tag of the
// repository, may be asked for.
func (s *Stream) asks(tag string) bool {
	return slices.ContainsFunc(s.wants, func(w want) bool { return w.target(s).Tag == tag })
}

// askedFor reports whether a registry says what a tag is.
func (s *Stream) askedFor(tag string) bool {
	return s.asks(tag) || s.Spec.Repository != "" && s.specTag(tag) == nil
}

func (c *Catalog) site(f *file, t trigger.Site) *Site {
	t.ID.Namespace = c.namespace(f.Path, t.ID.Namespace)
	if mapped, ok := c.Config.Policy(t.Policy); ok && t.Policy != "" {
		t.Follows = mapped
	}
	if t.Follows.Stream.Namespace == "" {
		t.Follows.Stream.Namespace = t.ID.Namespace
	}
	settings := c.Config.For(f.Path, t.ID.Namespace)
	return &Site{Site: t, Path: f.Path, Blob: f.Blob, Paused: t.Paused || settings.Paused, Settings: settings, lens: f.lens}
}

// namespace is the file's own, else what the config maps its path to, else
// "default".
func (c *Catalog) namespace(path, own string) string {
	if own != "" {
		return own
	}
	if ns := c.Config.Namespace(path); ns != "" {
		return ns
	}
	return "default"
}

// one is the stream that a name stands for. Documents without tags and
// repository beside one that has them are patches of it; two that have them are
// a problem of both, and neither is used.
func (c *Catalog) one(all []*Stream) *Stream {
	full := slices.DeleteFunc(slices.Clone(all), func(s *Stream) bool { return !isFull(&s.Document) })
	switch {
	case len(all) == 1:
		return all[0]
	case len(full) == 1:
		return full[0]
	case len(full) == 0:
		full = all
	}
	for i, s := range full {
		other := full[(i+1)%len(full)]
		c.Problems = append(c.Problems, imagestream.Problem{
			Path: s.Path, Line: s.Line, Col: s.Col,
			What: fmt.Sprintf("image stream %s is also in %s:%d; neither is used, and what follows them is left alone", s.Name, other.Path, other.Line),
			Fix:  fmt.Sprintf("rename one, or leave one out: in %s write  exclude: [%q]", ConfigPath, other.Path),
		})
	}
	return nil
}

// isFull reports whether a document says more of a stream than that it is there.
func isFull(d *imagestream.Document) bool {
	return len(d.Spec.Tags) > 0 || d.Spec.Repository != "" || len(d.Status.Tags) > 0
}

func compareNames(a, b imagestream.Name) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func compareTags(a, b imagestream.TagRef) int {
	return cmp.Or(compareNames(a.Stream, b.Stream), cmp.Compare(a.Tag, b.Tag))
}

func compareSites(a, b *Site) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}
