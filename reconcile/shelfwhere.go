package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// Record says where a tag is on record, such as FILE:LINE; empty where its stream's status does not
// have it. The error is an *Unsure where nobody can tell, or it is the store's.
func (s *Shelf) Record(ctx context.Context, tag imagestream.TagRef) (where string, err error) {
	if _, landed := s.landed[tag]; landed {
		return s.where(ctx, tag, "")
	}
	c, stream := s.cat, s.cat.Stream(tag.Stream)
	if c.Invalid || stream == nil || stream.Malformed || c.twice[tag.Stream] || c.hidden[tag.Stream] != "" {
		if why := c.unsureOfImages(); why != nil {
			return "", why
		}
	}
	if stream == nil || !slices.ContainsFunc(stream.Status.Tags, func(st imagestream.TagStatus) bool {
		return st.Tag == tag.Tag && len(st.Items) > 0
	}) {
		return "", nil
	}
	return s.where(ctx, tag, "")
}

// where is the line of a tag's status, or of that item of it that is an image, for people. Without
// a line where nobody knows it: of what landed since the file was read, lines moved.
func (s *Shelf) where(ctx context.Context, tag imagestream.TagRef, digest string) (string, error) {
	stream := s.cat.Stream(tag.Stream)
	if stream == nil {
		return tag.String(), nil
	}
	line := 0
	if !s.moved(tag.Stream) {
		src, err := s.cat.snap.Read(ctx, stream.Blob)
		if e := (*gitstore.Error)(nil); err != nil && (!errors.As(err, &e) || !e.OfOneFile()) {
			return "", err
		}
		if err == nil {
			line = lineOf(src, stream, tag.Tag, digest)
		}
	}
	if line == 0 {
		return fmt.Sprintf("%s (%s)", stream.Path, tag), nil
	}
	return fmt.Sprintf("%s:%d (%s)", stream.Path, line, tag), nil
}

// moved reports whether something landed in a stream since its file was read.
func (s *Shelf) moved(stream imagestream.Name) bool {
	for tag := range s.landed {
		if tag.Stream == stream {
			return true
		}
	}
	return false
}

// lineOf is the line in a text where the status of a stream has a tag, or an item of it that is an
// image; 0 where that is not found.
func lineOf(src []byte, stream *Stream, tag, digest string) int {
	f, docs, err := reread(src)
	if err != nil {
		return 0
	}
	d, err := stream.among(docs)
	if err != nil || d.Doc >= len(f.Docs) {
		return 0
	}
	i := slices.IndexFunc(d.Status.Tags, func(st imagestream.TagStatus) bool { return st.Tag == tag })
	if i < 0 {
		return 0
	}
	at := append(slices.Clone(d.At), "status", "tags", i)
	if digest != "" {
		j := slices.IndexFunc(d.Status.Tags[i].Items, func(item imagestream.Item) bool { return item.Image == digest })
		if j < 0 {
			return 0
		}
		at = append(at, "items", j)
	}
	if n := yamledit.Lookup(f.Docs[d.Doc].Root, at); n != nil {
		return n.Line
	}
	return 0
}
