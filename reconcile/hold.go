package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// holdDepth is how many commits are looked through for the hand of a person.
const holdDepth = 1000

// A Hold is a site that is left alone although it differs from the record.
type Hold struct {
	Change SiteChange
	Why    HoldReason
	By     gitstore.Rev // the commit that did it; empty where the history is TooLong
	About  gitstore.About
	Until  time.Time // of FlipFlop: when it may move again; zero: when the record says another image
}

// A HoldReason says why a site is left alone.
type HoldReason string

const (
	TakenBack HoldReason = "taken back" // it was given this image, and somebody took it back
	LeftOut   HoldReason = "left out"   // a proposal was merged that moved others of the tag, and not this one
	FlipFlop  HoldReason = "flip-flop"  // it was given this image three times within a day
	TooLong   HoldReason = "too long"   // the history is too long, or cut off, to tell
)

// Held are the holds of one pass.
type Held []Hold

// Without is what is left of the changes when those that are held are taken out.
func (h Held) Without(changes []SiteChange) []SiteChange {
	return slices.DeleteFunc(slices.Clone(changes), func(c SiteChange) bool {
		return slices.ContainsFunc(h, func(hold Hold) bool { return hold.Change.Site == c.Site })
	})
}

// holdKey names what a verdict was about. A hold lasts as long as neither file
// changes.
type holdKey struct {
	path         string
	id           trigger.ID
	site, stream gitstore.BlobID
	image        string
}

// Holds finds the sites that a person put back: those that held the image that
// is on record in an earlier first-parent commit in which the record said
// it already, without a break until now. Images that come on record in this
// very pass cannot have been taken back yet. Only files that a commit
// changed are read, and the walk of the log ends for a site where the record
// differs or where the site begins.
func Holds(ctx context.Context, snap gitstore.Snapshot, c *Catalog, wanted []SiteChange, m *Memory) (Held, error) {
	var held Held
	var open []*suspect
	for _, w := range wanted {
		if w.Moved {
			continue
		}
		s := &suspect{change: w, site: w.Site.Path, stream: c.Stream(w.Site.Follows.Stream).Path}
		if hold, ok := m.held[s.key(c)]; ok {
			hold.Change = w
			held = append(held, hold)
			continue
		}
		open = append(open, s)
	}
	log := history{ctx: ctx, cat: c, parsed: map[reading]*parsedFile{}}
	for depth := 0; len(open) > 0; depth++ {
		parent, err := snap.Parent(ctx)
		if e := (*gitstore.Error)(nil); depth == holdDepth || errors.As(err, &e) && e.Kind == gitstore.Unsupported {
			for _, s := range open { // the history is too long, or cut off: one site must not stop the others
				held = append(held, Hold{Change: s.change, Why: TooLong})
			}
			break
		}
		if err != nil {
			return nil, err
		}
		if parent == nil {
			break
		}
		changes, err := snap.Changes(ctx, parent)
		if err != nil {
			return nil, err
		}
		var still []*suspect
		for _, s := range open {
			verdict, err := log.judge(s, parent, changes)
			switch {
			case err != nil:
				return nil, err
			case verdict == takenBack:
				held = append(held, Hold{Change: s.change, Why: TakenBack, By: snap.Rev(), About: snap.About()})
			case verdict == goOn:
				still = append(still, s)
			}
		}
		open, snap = still, parent
	}
	m.remember(c, held)
	slices.SortStableFunc(held, func(a, b Hold) int { return compareSites(a.Change.Site, b.Change.Site) })
	return held, nil
}

// remember keeps the holds of this pass, and only those.
func (m *Memory) remember(c *Catalog, held Held) {
	m.held = map[holdKey]Hold{}
	for _, h := range held {
		s := suspect{change: h.Change}
		m.held[s.key(c)] = h
	}
}

// suspect is a site on its way back through the log.
type suspect struct {
	change       SiteChange
	site, stream string // where the two files were, at the commit that was reached
}

func (s *suspect) key(c *Catalog) holdKey {
	site := s.change.Site
	return holdKey{site.Path, site.ID, site.Blob, c.Stream(site.Follows.Stream).Blob, s.change.Writes()}
}

type verdict int

const (
	goOn      verdict = iota // as at the commit after
	free                     // the record differed, or the site was not there
	takenBack                // the site held the image that the record said
)

// history reads what files said in older commits.
type history struct {
	ctx    context.Context
	cat    *Catalog
	parsed map[reading]*parsedFile
}

// judge looks at a suspect in the parent of the commit that was reached.
func (h history) judge(s *suspect, parent gitstore.Snapshot, changes []gitstore.Change) (verdict, error) {
	stream, site := find(changes, s.stream), find(changes, s.site)
	if stream != nil {
		says, path, err := h.record(s, parent, stream, changes)
		if err != nil || !says {
			return free, err
		}
		s.stream = path
	}
	if site == nil {
		return goOn, nil
	}
	then, path, err := h.siteThen(s, parent, site, changes)
	switch {
	case err != nil || then == nil:
		return free, err
	case then.Has(s.change.Image, s.change.Site.style()):
		return takenBack, nil
	}
	s.site = path
	return goOn, nil
}

// record reports whether the record said the image in the parent, and in which
// file.
func (h history) record(s *suspect, parent gitstore.Snapshot, ch *gitstore.Change, all []gitstore.Change) (bool, string, error) {
	name, tag := s.change.Site.Follows.Stream, s.change.Site.Follows.Tag
	for _, old := range before(ch, all) {
		p, err := h.read(parent, old)
		if err != nil {
			return false, "", err
		}
		for _, d := range p.docs {
			if d.Name.Name != name.Name || h.cat.namespace(old.Path, d.Name.Namespace) != name.Namespace {
				continue
			}
			st := d.Status.Tag(tag)
			return st != nil && len(st.Items) > 0 && s.change.says(st.Items[0]), old.Path, nil
		}
	}
	return false, "", nil
}

// says reports whether a record's item is the image of the change.
func (c SiteChange) says(item imagestream.Item) bool {
	older := trigger.ParseImage(item.Reference)
	if c.Image.Digest != "" {
		return older.Digest == c.Image.Digest
	}
	return older == c.Image
}

// siteThen is the site in the parent, nil where it was not there yet.
func (h history) siteThen(s *suspect, parent gitstore.Snapshot, ch *gitstore.Change, all []gitstore.Change) (*trigger.Site, string, error) {
	id := s.change.Site.ID
	for _, old := range before(ch, all) {
		p, err := h.read(parent, old)
		if err != nil {
			return nil, "", err
		}
		for _, t := range p.sites {
			t.ID.Namespace = h.cat.namespace(old.Path, t.ID.Namespace)
			if t.ID == id {
				return &t, old.Path, nil
			}
		}
	}
	return nil, "", nil
}

// before lists where a file's content may have stood in the parent: at its
// path or, where it is new, in the files that the commit deleted.
func before(ch *gitstore.Change, all []gitstore.Change) []gitstore.File {
	if ch.Old != nil {
		return []gitstore.File{*ch.Old}
	}
	var gone []gitstore.File
	for _, c := range all {
		if c.New == nil && c.Old != nil {
			gone = append(gone, *c.Old)
		}
	}
	return gone
}

func (h history) read(snap gitstore.Snapshot, f gitstore.File) (*parsedFile, error) {
	if f.Skip != "" || !h.cat.Config.Included(f.Path) {
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

func find(changes []gitstore.Change, path string) *gitstore.Change {
	i, ok := slices.BinarySearchFunc(changes, path, func(c gitstore.Change, p string) int {
		switch {
		case c.Path < p:
			return -1
		case c.Path > p:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &changes[i]
}
