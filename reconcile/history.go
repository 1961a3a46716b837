package reconcile

import (
	"context"
	"errors"
	"slices"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// history reads what files said in older commits: as the catalog's config has it and, for what is
// not found so, as the config of those days had it. Only files that a commit changed are
// read, each content once.
type history struct {
	ctx     context.Context
	cat     *Catalog
	parsed  map[gitstore.BlobID]map[string]*parsedFile // by the key of the lens
	bound   map[gitstore.File]map[*Catalog]*bound      // by what has the config
	removed map[string]removal                         // files that newer commits removed, as the reached one has them
	depth   int                                        // of the commit that was reached
}

// bound is what was found in a file under a config.
type bound struct {
	sites []*Site
	byID  map[trigger.ID]*Site
}

// A removal is a file that a commit removed, not long after the one that was reached.
type removal struct {
	file  gitstore.File
	depth int // of that commit
}

// apart is how many commits may lie between the two halves of a move: a copy and the end of what
// was copied, or the end of something and its return.
const apart = 10

// An era is a stretch of the log under one config.
type era struct {
	last gitstore.Snapshot
	file *gitstore.File // the config's
	cat  *Catalog       // has that config, and no more; nil until somebody asks
}

func (c *Catalog) history(ctx context.Context) *history {
	return &history{ctx: ctx, cat: c, parsed: map[gitstore.BlobID]map[string]*parsedFile{}, bound: map[gitstore.File]map[*Catalog]*bound{}, removed: map[string]removal{}}
}

// errCut says that the history is longer than is at hand.
var errCut = errors.New("the history is cut off here")

// back walks the log from a snapshot towards its root, for at most so many commits, until
// visit has seen enough. The error is errCut where the log goes on.
func (h *history) back(snap gitstore.Snapshot, most int, visit func(*step) (enough bool, err error)) error {
	now := &era{cat: h.cat}
	for h.depth = range most {
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
		st := &step{h: h, at: snap, parent: parent, changes: changes}
		if ch := st.change(ConfigPath); ch != nil {
			now = &era{last: parent, file: ch.Old}
		}
		st.era = now
		h.remember(changes)
		enough, err := visit(st)
		if err != nil || enough {
			return err
		}
		h.leave(changes)
		snap = parent
	}
	return errCut
}

// remember keeps which files were removed of late.
func (h *history) remember(changes []gitstore.Change) {
	for path, r := range h.removed {
		if h.depth-r.depth > apart {
			delete(h.removed, path)
		}
	}
	for _, ch := range changes {
		r, removed := h.removed[ch.Path]
		switch {
		case ch.New == nil:
			h.removed[ch.Path] = removal{*ch.Old, h.depth}
		case removed && ch.Old == nil:
			delete(h.removed, ch.Path)
		case removed:
			h.removed[ch.Path] = removal{*ch.Old, r.depth}
		}
	}
}

// leave gives up what files said at a commit that older ones do not say: of a long log it would
// be most of what is in memory.
func (h *history) leave(changes []gitstore.Change) {
	for _, ch := range changes {
		if ch.New == nil || ch.Old != nil && ch.Old.Blob == ch.New.Blob {
			continue
		}
		delete(h.parsed, ch.New.Blob)
		delete(h.bound, *ch.New)
	}
}

// config is a catalog that has the config of an era and no more: today's where that one was
// invalid, as nothing was written under it.
func (h *history) config(e *era) (*Catalog, error) {
	if e.cat != nil {
		return e.cat, nil
	}
	var id gitstore.BlobID
	if e.file != nil {
		id = e.file.Blob
	}
	e.cat = h.cat
	switch {
	case id == h.cat.config || e.file != nil && e.file.Skip != "":
		return e.cat, nil
	case id == "":
		e.cat = &Catalog{Config: config.Default()}
		return e.cat, nil
	}
	src, err := e.last.Read(h.ctx, id)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.Kind == gitstore.TooLarge {
		return h.cat, nil
	}
	if err != nil {
		return nil, err
	}
	if conf, problems := config.ParseRepository(src); !slices.ContainsFunc(problems, isGrave) {
		e.cat = &Catalog{Config: conf}
	}
	return e.cat, nil
}

func isGrave(p imagestream.Problem) bool { return !p.Note }

// under is what has the config under which a site was found.
func (h *history) under(s *Site) *Catalog {
	if s.lens != nil && s.lens.under != nil {
		return s.lens.under
	}
	return h.cat
}

// read is what a file said.
func (h *history) read(snap gitstore.Snapshot, f *gitstore.File, under *Catalog) (*parsedFile, error) {
	if f == nil || f.Skip != "" || !under.reads(f.Path) {
		return nothing, nil
	}
	l := under.lens(f.Path)
	if p := h.cat.parsed[reading{f.Blob, l.key}]; p != nil {
		return p, nil
	}
	if p := h.parsed[f.Blob][l.key]; p != nil {
		return p, nil
	}
	p, err := read(h.ctx, snap, f.Blob, l)
	if err != nil {
		return nil, err
	}
	if h.parsed[f.Blob] == nil {
		h.parsed[f.Blob] = map[string]*parsedFile{}
	}
	h.parsed[f.Blob][l.key] = p
	return p, nil
}

// sites are those of one side of a change, named as their path has it.
func (h *history) sites(snap gitstore.Snapshot, f *gitstore.File, under *Catalog) ([]*Site, error) {
	b, err := h.find(snap, f, under)
	if b == nil {
		return nil, err
	}
	return b.sites, err
}

// site is one of them, nil where it is none.
func (h *history) site(snap gitstore.Snapshot, f *gitstore.File, under *Catalog, id trigger.ID) (*Site, error) {
	b, err := h.find(snap, f, under)
	if b == nil {
		return nil, err
	}
	if b.byID == nil {
		b.byID = make(map[trigger.ID]*Site, len(b.sites))
		for _, s := range b.sites {
			b.byID[s.ID] = s
		}
	}
	return b.byID[id], err
}

// find is nil where a file holds no sites.
func (h *history) find(snap gitstore.Snapshot, f *gitstore.File, under *Catalog) (*bound, error) {
	p, err := h.read(snap, f, under)
	if err != nil || len(p.sites) == 0 {
		return nil, err
	}
	if b := h.bound[*f][under]; b != nil {
		return b, nil
	}
	b := &bound{sites: make([]*Site, len(p.sites))}
	in := &file{File: *f, lens: under.lens(f.Path)}
	if under != h.cat {
		in.lens = &lens{in.lens.As, in.lens.key, under}
	}
	for i, t := range p.sites {
		b.sites[i] = under.site(in, t)
	}
	if h.bound[*f] == nil {
		h.bound[*f] = map[*Catalog]*bound{}
	}
	h.bound[*f][under] = b
	return b, nil
}

// A home is where a stream's record stands in an older commit.
type home struct {
	file  gitstore.File
	name  imagestream.Name
	under *Catalog // has the config by which it has the name
	doc   *imagestream.Document
}

// home is where the record of a stream of the catalog stands.
func (h *history) home(s *Stream) home {
	return home{file: gitstore.File{Path: s.Path, Blob: s.Blob}, name: s.Name, under: h.cat}
}

// stream is the stream of a name in a file: the one of several that says what it is. Without a
// namespace the name is that of any.
func (c *Catalog) streamIn(p *parsedFile, path string, name imagestream.Name) (found *imagestream.Document) {
	for i := range p.docs {
		d := &p.docs[i]
		same := d.Name.Name == name.Name && (name.Namespace == "" || c.namespace(path, d.Name.Namespace) == name.Namespace)
		if same && (found == nil || !isFull(found) && isFull(d)) {
			found = d
		}
	}
	return found
}
