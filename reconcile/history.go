package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// history reads what files said in older commits, as the catalog's config has it. Only
// files that a commit changed are read, each content once.
type history struct {
	ctx    context.Context
	cat    *Catalog
	parsed map[reading]*parsedFile
	bound  map[gitstore.File][]*Site // what was found at a path
	byID   map[gitstore.File]map[trigger.ID]*Site
}

func (c *Catalog) history(ctx context.Context) *history {
	return &history{ctx: ctx, cat: c, parsed: map[reading]*parsedFile{}, bound: map[gitstore.File][]*Site{}, byID: map[gitstore.File]map[trigger.ID]*Site{}}
}

// A step goes from a commit back to its first parent.
type step struct {
	h       *history
	at      gitstore.Snapshot
	parent  gitstore.Snapshot
	changes []gitstore.Change // from parent to at, by path

	gone  *departed
	gave  map[giving]bool
	moved map[imagestream.TagRef][]change // sites that both sides have, and the change touched
}

// giving is that sites of a tag are given an image.
type giving struct {
	tag   imagestream.TagRef
	image trigger.Image
}

// change is a site on both sides of a step.
type change struct{ before, after *Site }

// errCut says that the history is longer than is at hand.
var errCut = errors.New("the history is cut off here")

// back walks the log from a snapshot towards its root, for at most so many commits, until
// visit has seen enough. The error is errCut where the log goes on.
func (h *history) back(snap gitstore.Snapshot, most int, visit func(*step) (enough bool, err error)) error {
	for range most {
		parent, err := snap.Parent(h.ctx)
		if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.Kind == gitstore.Unsupported {
			return errCut
		}
		if err != nil || parent == nil {
			return err
		}
		changes, err := snap.Changes(h.ctx, parent)
		if err != nil {
			return err
		}
		enough, err := visit(&step{h: h, at: snap, parent: parent, changes: changes})
		if err != nil || enough {
			return err
		}
		h.leave(changes)
		snap = parent
	}
	return errCut
}

// leave gives up what files said at a commit that older ones do not say: of a long log it would
// be most of what is in memory.
func (h *history) leave(changes []gitstore.Change) {
	for _, ch := range changes {
		if ch.New == nil || ch.Old != nil && ch.Old.Blob == ch.New.Blob {
			continue
		}
		delete(h.parsed, reading{ch.New.Blob, h.cat.lens(ch.Path).key})
		delete(h.bound, *ch.New)
		delete(h.byID, *ch.New)
	}
}

// read is what a file said.
func (h *history) read(snap gitstore.Snapshot, f *gitstore.File) (*parsedFile, error) {
	if f == nil || f.Skip != "" || !h.cat.reads(f.Path) {
		return nothing, nil
	}
	l := h.cat.lens(f.Path)
	r := reading{f.Blob, l.key}
	if p := h.cat.parsed[r]; p != nil {
		return p, nil
	}
	if p := h.parsed[r]; p != nil {
		return p, nil
	}
	p, err := read(h.ctx, snap, f.Blob, l)
	if err == nil {
		h.parsed[r] = p
	}
	return p, err
}

// sites are those of one side of a change, named as their path has it.
func (h *history) sites(snap gitstore.Snapshot, f *gitstore.File) ([]*Site, error) {
	p, err := h.read(snap, f)
	if err != nil || len(p.sites) == 0 {
		return nil, err
	}
	if sites, ok := h.bound[*f]; ok {
		return sites, nil
	}
	sites := make([]*Site, len(p.sites))
	in := &file{File: *f, lens: h.cat.lens(f.Path)}
	for i, t := range p.sites {
		sites[i] = h.cat.site(in, t)
	}
	h.bound[*f] = sites
	return sites, nil
}

// site is one of them, nil where it is none.
func (h *history) site(snap gitstore.Snapshot, f *gitstore.File, id trigger.ID) (*Site, error) {
	sites, err := h.sites(snap, f)
	if err != nil || len(sites) == 0 {
		return nil, err
	}
	byID := h.byID[*f]
	if byID == nil {
		byID = make(map[trigger.ID]*Site, len(sites))
		for _, s := range sites {
			byID[s.ID] = s
		}
		h.byID[*f] = byID
	}
	return byID[id], nil
}

// change is what the step did at a path, nil where it did nothing.
func (s *step) change(path string) *gitstore.Change {
	i, ok := slices.BinarySearchFunc(s.changes, path, func(c gitstore.Change, p string) int { return strings.Compare(c.Path, p) })
	if !ok {
		return nil
	}
	return &s.changes[i]
}

// siteBefore is a site as the parent has it: the same one where the step did not touch its
// file; nil where it was not there yet. A site that came into its file is looked for
// among those that the step took out of others, then among those that lost their names.
func (s *step) siteBefore(site *Site) (*Site, error) {
	ch := s.change(site.Path)
	if ch == nil {
		return site, nil
	}
	if then, err := s.h.site(s.parent, ch.Old, site.ID); then != nil || err != nil {
		return then, err
	}
	if broken, err := s.broken(ch.Old); broken || err != nil {
		return site, err // nobody knows what it held meanwhile: it is looked for further back
	}
	gone, err := s.wentAway()
	if err != nil {
		return nil, err
	}
	if was := closest(gone.sites[site.ID], site); was != nil || ch.New == nil {
		return was, nil
	}
	before, err := s.h.sites(s.parent, ch.Old)
	if err != nil {
		return nil, err
	}
	after, err := s.h.sites(s.at, ch.New)
	return renamed(before, after, site), err
}

// renamed is what a site was called before the step that changed its file: of those that follow
// the same tag there and lost their names, the one that held the same, else the one
// at the same place among them. Containers get other names, and elements of lists move.
func renamed(before, after []*Site, site *Site) *Site {
	lost, found := without(before, after, site.Follows), without(after, before, site.Follows)
	for _, then := range lost {
		if then.Current() == site.Current() {
			return then
		}
	}
	if i := slices.IndexFunc(found, func(s *Site) bool { return s.ID == site.ID }); i >= 0 && len(lost) > 0 {
		return lost[min(i, len(lost)-1)]
	}
	return nil
}

// without are the sites that follow a tag, and whose names others do not have.
func without(sites, others []*Site, tag imagestream.TagRef) []*Site {
	return slices.DeleteFunc(slices.Clone(sites), func(s *Site) bool {
		return s.Follows != tag || slices.ContainsFunc(others, func(o *Site) bool { return o.ID == s.ID })
	})
}

// broken reports whether the parent's file has a problem, so that what is not found in it may
// have been there all the same.
func (s *step) broken(f *gitstore.File) (bool, error) {
	p, err := s.h.read(s.parent, f)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(p.problems, func(p imagestream.Problem) bool { return !p.Note }), nil
}

// recordBefore is a stream's record of a tag as the parent has it, and in which file; nil
// where the stream was not there, or said nothing of the tag.
func (s *step) recordBefore(tag imagestream.TagRef, path string) (*imagestream.TagStatus, string, error) {
	p, err := s.h.read(s.parent, s.change(path).Old)
	if err != nil {
		return nil, "", err
	}
	if d := s.h.stream(p, path, tag.Stream); d != nil {
		return d.Status.Tag(tag.Tag), path, nil
	}
	gone, err := s.wentAway()
	if err != nil {
		return nil, "", err
	}
	if was, ok := gone.streams[tag.Stream]; ok {
		return was.doc.Status.Tag(tag.Tag), was.path, nil
	}
	return nil, "", nil
}

// unknown reports whether the parent's file does not show what a stream's record was: the
// file cannot be read, or the status cannot.
func (s *step) unknown(name imagestream.Name, path string) (bool, error) {
	old := s.change(path).Old
	p, err := s.h.read(s.parent, old)
	if err != nil {
		return false, err
	}
	if d := s.h.stream(p, path, name); d != nil {
		return d.Malformed, nil
	}
	return s.broken(old)
}

// stream is the stream of a name in a file: the one of several that says what it is.
func (h *history) stream(p *parsedFile, path string, name imagestream.Name) (found *imagestream.Document) {
	for i := range p.docs {
		d := &p.docs[i]
		if d.Name.Name == name.Name && h.cat.namespace(path, d.Name.Namespace) == name.Namespace && (found == nil || !isFull(found) && isFull(d)) {
			found = d
		}
	}
	return found
}

// departed are the sites and streams that a step took out of files.
type departed struct {
	sites   map[trigger.ID][]*Site
	streams map[imagestream.Name]home
}

type home struct {
	path string
	doc  *imagestream.Document
}

// wentAway are the sites and streams that the parent has in files which lost them.
func (s *step) wentAway() (*departed, error) {
	if s.gone != nil {
		return s.gone, nil
	}
	gone := &departed{map[trigger.ID][]*Site{}, map[imagestream.Name]home{}}
	for _, ch := range s.changes {
		if ch.Old == nil {
			continue
		}
		p, err := s.h.read(s.parent, ch.Old)
		if err != nil {
			return nil, err
		}
		now, err := s.h.read(s.at, ch.New)
		if err != nil {
			return nil, err
		}
		for i := range p.docs {
			d := &p.docs[i]
			name := imagestream.Name{Namespace: s.h.cat.namespace(ch.Path, d.Name.Namespace), Name: d.Name.Name}
			if s.h.stream(now, ch.Path, name) == nil {
				gone.streams[name] = home{ch.Path, d}
			}
		}
		before, err := s.h.sites(s.parent, ch.Old)
		if err != nil {
			return nil, err
		}
		for _, site := range before {
			after, err := s.h.site(s.at, ch.New, site.ID)
			if err != nil {
				return nil, err
			}
			if after == nil {
				gone.sites[site.ID] = append(gone.sites[site.ID], site)
			}
		}
	}
	s.gone = gone
	return gone, nil
}

// closest is where a site most likely came from: the same content, else the path with
// the most in common at its end.
func closest(all []*Site, site *Site) *Site {
	var best *Site
	most := -1
	for _, s := range all {
		n := ending(s.Path, site.Path)
		if s.Blob == site.Blob {
			n += 1 << 20
		}
		if n > most {
			best, most = s, n
		}
	}
	return best
}

// ending is how long an ending two texts share.
func ending(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// touched are the sites that follow a tag, that both sides have, and whose files the step
// changed.
func (s *step) touched(tag imagestream.TagRef) ([]change, error) {
	if s.moved != nil {
		return s.moved[tag], nil
	}
	moved := map[imagestream.TagRef][]change{}
	for _, ch := range s.changes {
		if ch.Old == nil || ch.New == nil {
			continue
		}
		after, err := s.h.sites(s.at, ch.New)
		if err != nil {
			return nil, err
		}
		for _, a := range after {
			b, err := s.h.site(s.parent, ch.Old, a.ID)
			if err != nil {
				return nil, err
			}
			if b != nil {
				moved[a.Follows] = append(moved[a.Follows], change{b, a})
			}
		}
	}
	s.moved = moved
	return moved[tag], nil
}
