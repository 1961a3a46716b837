package reconcile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// A Plan is what a pass means to write.
type Plan struct {
	Recorded *Recorded
	Sites    []SiteChange
	Author   gitstore.Person
	When     time.Time
}

// CommitKind is what a commit is for.
type CommitKind string

const (
	StatusCommit  CommitKind = "status"
	TriggerCommit CommitKind = "trigger"
)

// A Write is one commit of the chain, with what it is about.
type Write struct {
	Kind    CommitKind
	Commit  gitstore.Commit
	Before  map[string][]byte    // by path: what the edited files were
	Streams []StatusChange       // of a status commit
	Tags    []imagestream.TagRef // of a trigger commit, in order: those that its sites follow
	Sites   []SiteChange         // of a trigger commit, in the order of files

	voice
	seal string // of a proposal's commit: its part in the whole
}

// Writes are the commits of a plan, in order, and what could not be written.
type Writes struct {
	Chain     []Write
	Proposals []Proposal // by lane
	Problems  []imagestream.Problem

	now    map[string][]byte      // by path: the files as the chain leaves them
	parsed map[string]*parsedFile // and what those say that only records changed
}

// paths are the files that the chain edits.
func (w Writes) paths() map[string]bool {
	paths := map[string]bool{}
	for _, write := range w.Chain {
		for _, e := range write.Commit.Edits {
			paths[e.Path] = true
		}
	}
	return paths
}

// Paths lists the files that the plan edits.
func (p Plan) Paths() map[string]gitstore.BlobID {
	paths := map[string]gitstore.BlobID{}
	for _, c := range p.Recorded.Changes {
		paths[c.Stream.Path] = c.Stream.Blob
	}
	for _, s := range p.Sites {
		paths[s.Site.Path] = s.Site.Blob
	}
	return paths
}

// unasked is how many files the plan edits of which nobody asked for that by pushing.
func (p Plan) unasked(pushed map[string]bool) int {
	paths := p.Paths()
	maps.DeleteFunc(paths, func(path string, _ gitstore.BlobID) bool { return pushed[path] })
	return len(paths)
}

// Texts reads the files that a plan edits. Those that it adds have none.
func Texts(ctx context.Context, snap gitstore.Snapshot, paths map[string]gitstore.BlobID) (map[string][]byte, error) {
	texts := make(map[string][]byte, len(paths))
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if paths[path] == "" {
			continue // the file is still to come
		}
		src, err := snap.Read(ctx, paths[path])
		if err != nil {
			return nil, err
		}
		texts[path] = src
	}
	return texts, nil
}

// statusFiles is how many files a status commit holds at most.
const statusFiles = 500

// Writes cuts the plan into commits: first status commits of at most 500
// files, then trigger commits, as the sites' settings group them. Where an edit is refused
// it is left out as a problem and, if it was a record that moved, so is what
// would follow it: no site may hold an image that is not on record. What goes to review is
// cut the same way for each lane, on top of the branch as it is; in a rehearsal, as the chain
// would leave it.
func (p Plan) Writes(texts map[string][]byte) Writes {
	parts := p.parted()
	w := p.cut(parts[lane{}], maps.Clone(texts))
	delete(parts, lane{})
	below := texts
	if p.Recorded.rehearsed {
		below = w.now
	}
	for _, l := range slices.SortedFunc(maps.Keys(parts), lane.compare) {
		own := p.cut(parts[l], parts[l].of(below))
		w.Problems = append(w.Problems, own.Problems...)
		if len(own.Chain) > 0 {
			w.Proposals = append(w.Proposals, proposalOf(l, own.Chain))
		}
	}
	return w.Writes
}

// cut makes the commits of one lane out of the texts below it.
func (p Plan) cut(of share, texts map[string][]byte) writer {
	w := writer{plan: p, refused: map[imagestream.Name]bool{}}
	w.now, w.parsed = texts, map[string]*parsedFile{}
	w.status(of.changes)
	w.triggers(of.sites)
	return w
}

// A share of a plan is what goes into one lane.
type share struct {
	changes []StatusChange
	sites   []SiteChange
}

// of are the texts that a share edits.
func (s share) of(texts map[string][]byte) map[string][]byte {
	own := map[string][]byte{}
	for _, c := range s.changes {
		own[c.Stream.Path] = texts[c.Stream.Path]
	}
	for _, c := range s.sites {
		own[c.Site.Path] = texts[c.Site.Path]
	}
	return own
}

// parted sorts a plan by lanes. Only images go to review: that an import fails, or works again, is
// shown where it happens, and no reason to ask people for a merge.
func (p Plan) parted() map[lane]share {
	parts := map[lane]share{}
	for _, c := range p.Recorded.Changes {
		byLane := map[lane][]imagestream.Event{}
		for _, e := range c.Events {
			l := p.Recorded.laneOf(imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag})
			if l.straight() || e.Item != nil {
				byLane[l] = append(byLane[l], e)
			}
		}
		for l, events := range byLane {
			change := c
			if change.Events = events; !l.straight() {
				change.LeftOut = 0
			}
			own := parts[l]
			own.changes = append(own.changes, change)
			parts[l] = own
		}
	}
	for _, s := range p.Sites {
		l := p.Recorded.laneOfSite(s.Site)
		own := parts[l]
		own.sites = append(own.sites, s)
		parts[l] = own
	}
	return parts
}

// writer is a plan being cut; now is the tree as it stands after the commits
// so far.
type writer struct {
	Writes
	plan    Plan
	refused map[imagestream.Name]bool   // streams whose record cannot be written
	dropped map[imagestream.TagRef]bool // tags that take their image from those
}

// A fileEdit is what became of one file.
type fileEdit struct {
	text    []byte
	parsed  *parsedFile // what text says, where it is new
	done    []StatusChange
	refused []refusal
}

type refusal struct {
	stream *Stream
	err    error
}

func (w *writer) status(changes []StatusChange) {
	byPath := map[string][]StatusChange{}
	for _, c := range changes {
		byPath[c.Stream.Path] = append(byPath[c.Stream.Path], c)
	}
	edits := map[string]fileEdit{}
	for todo := slices.Sorted(maps.Keys(byPath)); len(todo) > 0; todo = w.withoutDropped(byPath) {
		results := make([]fileEdit, len(todo))
		parallel(context.Background(), len(todo), func(_ context.Context, i int) error {
			results[i] = recordAll(w.now[todo[i]], byPath[todo[i]], w.plan.Recorded.cat.files[todo[i]].lens)
			return nil
		})
		for i, path := range todo {
			edits[path] = results[i]
			for _, r := range results[i].refused {
				w.refused[r.stream.Name] = true
			}
		}
	}
	byVoice := map[voice][]string{}
	for _, path := range slices.Sorted(maps.Keys(edits)) {
		for _, r := range edits[path].refused {
			w.refuse(path, r.stream.Line, r.err)
		}
		if done := edits[path].done; len(done) > 0 { // of a file with several streams the first one's voice
			v := statusVoice(done[0].Stream.Settings)
			byVoice[v] = append(byVoice[v], path)
		}
	}
	for _, v := range slices.SortedFunc(maps.Keys(byVoice), voice.compare) {
		for paths := range slices.Chunk(byVoice[v], statusFiles) {
			write := Write{Kind: StatusCommit, Before: map[string][]byte{}, voice: v}
			for _, path := range paths {
				if w.edit(&write, path, edits[path].text) {
					write.Streams = append(write.Streams, edits[path].done...)
					w.parsed[path] = edits[path].parsed
				}
			}
			w.add(write)
		}
	}
}

// withoutDropped takes out what follows a record that cannot be written, and returns
// the files that must be edited again for it.
func (w *writer) withoutDropped(byPath map[string][]StatusChange) (again []string) {
	w.dropped = w.plan.Recorded.followers(w.refused)
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		var kept []StatusChange
		fewer := false
		for _, c := range byPath[path] {
			events := slices.DeleteFunc(slices.Clone(c.Events), func(e imagestream.Event) bool {
				return w.dropped[imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag}]
			})
			fewer = fewer || len(events) < len(c.Events)
			if c.Events = events; len(events) > 0 {
				kept = append(kept, c)
			}
		}
		if fewer {
			byPath[path], again = kept, append(again, path)
		}
	}
	return again
}

// recordAll records the changes of one file, and says which are refused.
func recordAll(text []byte, changes []StatusChange, l *lens) (e fileEdit) {
	if len(changes) == 0 {
		return fileEdit{text: text}
	}
	if seed := changes[0].Stream.seed; text == nil && seed != nil {
		text = seed
	}
	var last *yamledit.File
	edit := func(src []byte, changes []StatusChange) ([]byte, error) {
		f, err := recordIn(src, changes)
		if err != nil {
			return nil, err
		}
		last = f
		return f.Src, nil
	}
	e.text, e.done = editAll(text, changes, edit, func(c StatusChange, err error) {
		e.refused = append(e.refused, refusal{c.Stream, err})
	})
	if last != nil {
		e.parsed = understand(last, l)
	}
	return e
}

func (w *writer) triggers(sites []SiteChange) {
	byGroup := map[group][]SiteChange{}
	for _, s := range w.wholes(sites) {
		if !s.Moved || !w.refused[s.Site.Follows.Stream] && !w.dropped[s.Site.Follows] {
			byGroup[s.group()] = append(byGroup[s.group()], s)
		}
	}
	for _, g := range slices.SortedFunc(maps.Keys(byGroup), group.compare) {
		write := Write{Kind: TriggerCommit, Before: map[string][]byte{}, voice: g.voice}
		byPath := map[string][]SiteChange{}
		for _, s := range byGroup[g] {
			byPath[s.Site.Path] = append(byPath[s.Site.Path], s)
		}
		for _, path := range slices.Sorted(maps.Keys(byPath)) {
			changes := slices.SortedStableFunc(slices.Values(byPath[path]), func(a, b SiteChange) int { return compareSites(a.Site, b.Site) })
			text, done := editAll(w.now[path], changes, rewriteIn, func(c SiteChange, err error) {
				w.refuse(path, c.Site.Line, err)
			})
			if w.edit(&write, path, text) {
				write.Sites = append(write.Sites, done...)
				delete(w.parsed, path)
			}
		}
		write.Tags = tagsOf(write.Sites)
		w.add(write)
	}
}

// wholes are the plan's changes of sites, without objects that start whole of which some
// place cannot be edited.
func (w *writer) wholes(sites []SiteChange) []SiteChange {
	units := map[unit][]SiteChange{}
	for _, c := range sites {
		if s := c.Site; s.Together != "" {
			u := unit{s.Path, s.Together}
			units[u] = append(units[u], c)
		}
	}
	cut := map[unit]bool{}
	for _, c := range sites {
		u := unit{c.Site.Path, c.Site.Together}
		changes := units[u]
		delete(units, u)
		if !slices.ContainsFunc(changes, func(c SiteChange) bool { return !c.Site.Written }) {
			continue
		}
		if _, err := rewriteIn(w.now[u.path], changes); err != nil {
			cut[u] = true
			w.refuse(u.path, changes[0].Site.Line, err)
		}
	}
	return slices.DeleteFunc(slices.Clone(sites), func(c SiteChange) bool { return cut[unit{c.Site.Path, c.Site.Together}] })
}

// editAll makes the changes of one file, together or, where one is refused, without it:
// half of them, and half of those, until it is found.
func editAll[T any](text []byte, changes []T, edit func([]byte, []T) ([]byte, error), refused func(T, error)) ([]byte, []T) {
	out, err := edit(text, changes)
	switch {
	case err == nil:
		return out, changes
	case len(changes) == 1:
		refused(changes[0], err)
		return text, nil
	}
	half := len(changes) / 2
	text, done := editAll(text, changes[:half], edit, refused)
	text, more := editAll(text, changes[half:], edit, refused)
	return text, slices.Concat(done, more)
}

// edit puts a file's new text into a commit, if it is new.
func (w *writer) edit(write *Write, path string, text []byte) bool {
	if bytes.Equal(text, w.now[path]) {
		return false
	}
	write.Before[path] = w.now[path]
	write.Commit.Edits = append(write.Commit.Edits, gitstore.Edit{Path: path, Content: text})
	w.now[path] = text
	return true
}

func (w *writer) add(write Write) {
	if len(write.Commit.Edits) == 0 {
		return
	}
	write.Commit.Author, write.Commit.When = write.person(w.plan.Author), w.plan.When
	write.Commit.Message = write.message()
	w.Chain = append(w.Chain, write)
}

func (w *writer) refuse(path string, line int, err error) {
	p := imagestream.Problem{Path: path, Line: line, Col: 1, What: "not edited: " + err.Error()}
	if e := (*yamledit.Refused)(nil); errors.As(err, &e) {
		p.Line, p.Col, p.Fix = cmp.Or(e.Line, line), cmp.Or(e.Col, 1), e.Fix
	}
	w.Problems = append(w.Problems, p)
}

// recordIn puts the status changes of one file into its text.
func recordIn(src []byte, changes []StatusChange) (*yamledit.File, error) {
	f, docs, err := reread(src)
	if err != nil {
		return nil, err
	}
	var updates []imagestream.Update
	for _, c := range changes {
		d, err := c.Stream.among(docs)
		if err != nil {
			return nil, err
		}
		updates = append(updates, imagestream.Update{Document: d, After: d.After(c.Events, c.Options), Options: c.Options})
	}
	return imagestream.Updated(f, updates)
}

// rewriteIn gives the sites of one file their images.
func rewriteIn(src []byte, changes []SiteChange) ([]byte, error) {
	rewrites := make([]trigger.Rewrite, len(changes))
	for i, c := range changes {
		rewrites[i] = trigger.Rewrite{Site: c.Site.Site, Image: c.Image, Style: c.Site.style()}
	}
	return trigger.Rewritten(src, changes[0].Site.lens.As, rewrites...)
}
