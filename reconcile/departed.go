package reconcile

import (
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// departed are sites and streams that were taken out of files. Each stands under its name
// and, for whom the config gave it another namespace, under its name without one.
type departed struct {
	sites   map[trigger.ID][]*Site
	streams map[imagestream.Name][]*home
}

func newDeparted() *departed {
	return &departed{map[trigger.ID][]*Site{}, map[imagestream.Name][]*home{}}
}

func (d *departed) addSite(s *Site) {
	d.sites[s.ID] = append(d.sites[s.ID], s)
	id := s.ID
	id.Namespace = ""
	d.sites[id] = append(d.sites[id], s)
}

func (d *departed) addStream(h *home) {
	d.streams[h.name] = append(d.streams[h.name], h)
	name := imagestream.Name{Name: h.name.Name}
	d.streams[name] = append(d.streams[name], h)
}

// site is where a site most likely came from, nil for nowhere.
func (d *departed) site(s *Site, by sides) *Site {
	was := closest(d.sites[s.ID], whereSite, whereSite(s))
	if was == nil && by.before != by.after {
		id := s.ID
		id.Namespace = ""
		was = closest(d.sites[id], whereSite, whereSite(s))
	}
	return was
}

// stream is where a record most likely came from, nil for nowhere.
func (d *departed) stream(at home, by sides) *home {
	for _, name := range by.names(at.name) {
		if was := closest(d.streams[name], func(h *home) gitstore.File { return h.file }, at.file); was != nil {
			return was
		}
	}
	return nil
}

// names are those by which the parent may have a stream: its own and, under another config, that
// in any namespace.
func (by sides) names(name imagestream.Name) []imagestream.Name {
	if by.before == by.after {
		return []imagestream.Name{name}
	}
	return []imagestream.Name{name, {Name: name.Name}}
}

// wentAway are the sites and streams that the parent has in files which lost them.
func (s *step) wentAway(by sides) (*departed, error) {
	if gone, ok := s.gone[by]; ok {
		return gone, nil
	}
	gone := newDeparted()
	for i := range s.changes {
		if ch := &s.changes[i]; ch.Old != nil {
			if err := s.lost(gone, ch, by); err != nil {
				return nil, err
			}
		}
	}
	if s.gone == nil {
		s.gone = map[sides]*departed{}
	}
	s.gone[by] = gone
	return gone, nil
}

// lost adds what a change took out of a file.
func (s *step) lost(gone *departed, ch *gitstore.Change, by sides) error {
	p, err := s.h.read(s.parent, ch.Old, by.before)
	if err != nil {
		return err
	}
	now, err := s.h.read(s.at, ch.New, by.after)
	if err != nil {
		return err
	}
	for i := range p.docs {
		if was := by.before.home(*ch.Old, &p.docs[i]); by.after.streamIn(now, ch.Path, was.name) == nil {
			gone.addStream(was)
		}
	}
	before, err := s.h.sites(s.parent, ch.Old, by.before)
	if err != nil {
		return err
	}
	for _, site := range before {
		after, err := s.h.site(s.at, ch.New, by.after, site.ID)
		if err != nil {
			return err
		}
		if after == nil {
			gone.addSite(site)
		}
	}
	return nil
}

// goesAway are the sites and streams that the parent has in files which commits not long after
// removed: what was copied there, before the step, and what the step copied.
func (s *step) goesAway(under *Catalog) (*departed, error) {
	if later, ok := s.later[under]; ok {
		return later, nil
	}
	later := newDeparted()
	for _, r := range s.h.removed {
		p, err := s.h.read(s.parent, &r.file, under)
		if err != nil {
			return nil, err
		}
		for i := range p.docs {
			later.addStream(under.home(r.file, &p.docs[i]))
		}
		sites, err := s.h.sites(s.parent, &r.file, under)
		if err != nil {
			return nil, err
		}
		for _, site := range sites {
			later.addSite(site)
		}
	}
	if s.later == nil {
		s.later = map[*Catalog]*departed{}
	}
	s.later[under] = later
	return later, nil
}

func whereSite(s *Site) gitstore.File { return gitstore.File{Path: s.Path, Blob: s.Blob} }

// closest is where something most likely came from: the same content, else the path with the
// most in common at its end, of equal ones the first.
func closest[T any](all []*T, where func(*T) gitstore.File, to gitstore.File) *T {
	var best *T
	most := -1
	for _, t := range all {
		f := where(t)
		n := ending(f.Path, to.Path)
		if f.Blob == to.Blob {
			n += 1 << 20
		}
		if n > most || n == most && f.Path < where(best).Path {
			best, most = t, n
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
