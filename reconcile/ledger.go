package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// A Ledger is all that a commit, and what landed since, says of images: what each tag is and was,
// and where images stand. Whoever deletes images goes by it, so that in doubt an image is named.
type Ledger struct {
	histories map[imagestream.TagRef][]string // newest first
	had       map[string][]imagestream.TagRef // by digest: tags that are it, or were
	places    map[string][]string             // by digest: FILE:LINE, or a file
}

// Unsure is an error that says that nobody can tell what images are in use.
type Unsure struct{ What, Fix string }

func (u *Unsure) Error() string { return u.What }

func newLedger() *Ledger {
	return &Ledger{map[imagestream.TagRef][]string{}, map[string][]imagestream.TagRef{}, map[string][]string{}}
}

// Ledger reads all histories. The error is an *Unsure where a file may name images and cannot be
// read, or it is the store's.
func (s *Shelf) Ledger(ctx context.Context) (*Ledger, error) {
	if why := s.cat.unsureOfImages(); why != nil {
		return nil, why
	}
	l := newLedger()
	for _, site := range s.cat.Sites {
		if digest := site.Digest(); digest != "" {
			l.places[digest] = append(l.places[digest], fmt.Sprintf("%s:%d", site.Path, site.Line))
		}
	}
	landed := map[imagestream.Name][]imagestream.Event{}
	for tag, item := range s.landed {
		landed[tag.Stream] = append(landed[tag.Stream], imagestream.Event{Tag: tag.Tag, Item: &item})
	}
	for _, f := range s.cat.inOrder() {
		if err := s.cat.enter(ctx, l, f, landed); err != nil {
			return nil, err
		}
	}
	for name, events := range landed { // of streams that just came
		for _, e := range events {
			l.enter(imagestream.TagRef{Stream: name, Tag: e.Tag}, []imagestream.Item{*e.Item})
		}
	}
	for _, tags := range l.had {
		slices.SortFunc(tags, compareTags)
	}
	return l, nil
}

// Ledger is that of a commit alone.
func (c *Catalog) Ledger(ctx context.Context) (*Ledger, error) { return (&Shelf{cat: c}).Ledger(ctx) }

// unsureOfImages is why nobody can tell what images are in use; nil where that is plain.
func (c *Catalog) unsureOfImages() error {
	fix := "towpath validate names it; put it right, or leave it out with exclude: in " + ConfigPath
	if c.Invalid {
		return &Unsure{ConfigPath + " has a problem, so that nobody knows which files name images", "towpath validate says what to put right"}
	}
	for _, f := range c.inOrder() {
		if f.included && c.parsed[f.reading()].unread {
			return &Unsure{f.Path + " cannot be read, and may name images", fix}
		}
		for _, s := range f.streams {
			switch {
			case c.twice[s.Name]:
				return &Unsure{fmt.Sprintf("image stream %s stands in two files, %s is one", s.Name, s.Path), "rename one, or leave one out with exclude: in " + ConfigPath}
			case c.hidden[s.Name] != "":
				return &Unsure{fmt.Sprintf("image stream %s is left alone: %s", s.Name, c.hidden[s.Name]), fix}
			case s.Malformed:
				return &Unsure{fmt.Sprintf("the status of image stream %s (%s:%d) cannot be read", s.Name, s.Path, s.Line), fix}
			}
		}
	}
	return nil
}

// enter takes in a file. The events that it has are then gone.
func (c *Catalog) enter(ctx context.Context, l *Ledger, f *file, landed map[imagestream.Name][]imagestream.Event) error {
	silent := c.silent(f)
	if len(f.streams) == 0 && !silent {
		return nil
	}
	src, err := c.snap.Read(ctx, f.Blob)
	if err != nil && f.Skip != "" && ctx.Err() == nil {
		return nil // no run reads it, nor can this
	}
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.OfOneFile() {
		return &Unsure{f.Path + " cannot be read, and may name images: " + e.What, e.Fix}
	}
	if err != nil {
		return err
	}
	if silent {
		for _, digest := range digestsIn(src) {
			l.places[digest] = append(l.places[digest], f.Path)
		}
	}
	if len(f.streams) == 0 {
		return nil
	}
	_, docs, err := reread(src)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	for _, d := range docs {
		name := imagestream.Name{Namespace: c.namespace(f.Path, d.Name.Namespace), Name: d.Name.Name}
		if s := c.Stream(name); s == nil || s.Path != f.Path {
			continue
		}
		status := d.After(landed[name], imagestream.Options{Now: time.Unix(0, 0), History: math.MaxInt})
		delete(landed, name)
		for _, st := range status.Tags {
			l.enter(imagestream.TagRef{Stream: name, Tag: st.Tag}, st.Items)
		}
	}
	return nil
}

// silent reports whether a file may name images that no stream and no site tells of: part of it
// has a problem, it is left alone, or patches others. Of these every digest in their text counts.
func (c *Catalog) silent(f *file) bool {
	if !f.included {
		return f.Skip != "" && f.Skip != "a symbolic link" && f.Skip != "a submodule" && c.reads(f.Path)
	}
	p := c.parsed[f.reading()]
	return f.broken() || len(p.docs) != len(f.streams) || len(p.sites) != len(f.sites) ||
		slices.ContainsFunc(f.streams, func(s *Stream) bool { return c.Stream(s.Name) != s })
}

// digestsIn finds what looks like a digest, in any encoding that YAML has.
func digestsIn(src []byte) (found []string) {
	const prefix, size = "sha256:", 64
	text := string(bytes.ReplaceAll(src, []byte{0}, nil))
	for {
		_, rest, ok := strings.Cut(text, prefix)
		if !ok {
			return found
		}
		if len(rest) >= size && registry.ValidDigest(prefix+rest[:size]) {
			found = append(found, prefix+rest[:size])
		}
		text = rest
	}
}

// enter takes in what a tag is and was.
func (l *Ledger) enter(tag imagestream.TagRef, items []imagestream.Item) {
	for _, item := range items {
		l.histories[tag] = append(l.histories[tag], item.Image)
		if item.Image != "" && !slices.Contains(l.had[item.Image], tag) {
			l.had[item.Image] = append(l.had[item.Image], tag)
		}
	}
}

// Of is what is said of images in the repository of a stream: by tag, what that is and was, newest
// first; and by digest, where it stands. Tags of other streams come with the name of theirs.
func (l *Ledger) Of(name imagestream.Name, digests []string) (tags map[string][]string, places map[string][]string) {
	tags, places = map[string][]string{}, map[string][]string{}
	for _, digest := range digests {
		if at := l.places[digest]; len(at) > 0 {
			places[digest] = at
		}
		for _, tag := range l.had[digest] {
			called := tag.String()
			if tag.Stream == name {
				called = tag.Tag
			}
			tags[called] = l.histories[tag]
		}
	}
	return tags, places
}
