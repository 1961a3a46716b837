package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/yamledit"
)

// reread reads a text again that was read before: of histories, a catalog keeps only
// what is current.
func reread(src []byte) (*yamledit.File, []imagestream.Document, error) {
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		return nil, nil, err
	}
	docs, _ := imagestream.Parse(f)
	return f, docs, nil
}

// among is a stream as its text has it, whole.
func (s *Stream) among(docs []imagestream.Document) (imagestream.Document, error) {
	for _, d := range docs {
		if d.Doc == s.Doc && reflect.DeepEqual(d.At, s.At) {
			return d, nil
		}
	}
	return imagestream.Document{}, errors.New("the image stream is no longer where it was")
}

// A past is a stream of a text: what it has had is so for as long as the text is.
type past struct {
	blob      gitstore.BlobID
	line, col int
}

// recalled is what a past says of an image that an alias names.
type recalled struct {
	item  imagestream.Item
	count int // how many images begin as it does; item is the only one, or any
}

func (s *Stream) past() past { return past{s.Blob, s.Line, s.Col} }

// fix finds the images that aliases name. One that is on record by its whole digest
// stays as it is; for the others the histories of their streams are read, each once,
// and not again until its text changes.
func (c *Catalog) fix(ctx context.Context, prev *Catalog) error {
	asked := map[past]map[string]bool{}
	sources := map[gitstore.BlobID][]*Stream{}
	var open []*alias
	for i := range c.aliases {
		a := &c.aliases[i]
		if a.image == "" {
			continue
		}
		if item := a.current(); item != nil && registry.ValidDigest(a.image) && item.Is(a.image) {
			a.found = item
			continue
		}
		source := c.Stream(a.source.Stream)
		if source == nil || source.Malformed {
			continue
		}
		open = append(open, a)
		p := source.past()
		if known, ok := prev.recalls[p][a.image]; ok {
			c.recall(p, a.image, known)
			continue
		}
		if asked[p] == nil {
			asked[p] = map[string]bool{}
			sources[source.Blob] = append(sources[source.Blob], source)
		}
		asked[p][a.image] = true
	}
	if err := c.remember(ctx, sources, asked); err != nil {
		return err
	}
	for _, a := range open {
		c.fixed(a, c.recalls[c.Stream(a.source.Stream).past()][a.image])
	}
	return nil
}

// current is what an alias is on record as, nil where it is not.
func (a *alias) current() *imagestream.Item {
	if st := a.stream.record(a.tag.Name); st != nil && len(st.Items) > 0 {
		return &st.Items[0]
	}
	return nil
}

func (c *Catalog) recall(p past, id string, r recalled) {
	if c.recalls == nil {
		c.recalls = map[past]map[string]recalled{}
	}
	if c.recalls[p] == nil {
		c.recalls[p] = map[string]recalled{}
	}
	c.recalls[p][id] = r
}

// remember reads texts, each once, and looks up there what is asked of each past.
func (c *Catalog) remember(ctx context.Context, sources map[gitstore.BlobID][]*Stream, asked map[past]map[string]bool) error {
	blobs := slices.Sorted(maps.Keys(sources))
	var mu sync.Mutex
	return parallel(ctx, len(blobs), func(ctx context.Context, i int) error {
		src, err := c.snap.Read(ctx, blobs[i])
		if err != nil {
			return err
		}
		_, docs, err := reread(src)
		for _, s := range sources[blobs[i]] {
			var d imagestream.Document
			if err == nil {
				d, err = s.among(docs)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", s.Path, err)
			}
			images := imagesOf(d.Status)
			mu.Lock()
			for id := range asked[s.past()] {
				c.recall(s.past(), id, images.recall(id))
			}
			mu.Unlock()
		}
		return nil
	})
}

// An album is all images that a stream has had, each once, by digest without algorithm.
type album []imagestream.Item

func imagesOf(s imagestream.Status) album {
	var all album
	for _, st := range s.Tags {
		all = append(all, st.Items...)
	}
	slices.SortStableFunc(all, func(a, b imagestream.Item) int { return cmp.Compare(bare(a.Image), bare(b.Image)) })
	return slices.CompactFunc(all, func(a, b imagestream.Item) bool { return a.Image == b.Image })
}

func bare(image string) string { return image[strings.Index(image, ":")+1:] }

// recall finds the images that id begins.
func (all album) recall(id string) (r recalled) {
	i, _ := slices.BinarySearchFunc(all, bare(id), func(item imagestream.Item, id string) int { return cmp.Compare(bare(item.Image), id) })
	for _, item := range all[i:] {
		if !strings.HasPrefix(bare(item.Image), bare(id)) {
			break
		}
		if item.Is(id) {
			r = recalled{item, r.count + 1}
		}
	}
	return r
}

// fixed says what became of an image that an alias names. Where the beginning of its
// digest is not enough any more, what is on record stays.
func (c *Catalog) fixed(a *alias, r recalled) {
	if r.count == 1 {
		a.found = &r.item
		return
	}
	p := imagestream.Problem{Path: a.stream.Path, Line: a.tag.Line, Col: a.tag.Col,
		What: fmt.Sprintf("tag %s is the image %s of %s, which is not on record there", a.tag.Name, a.image, a.source.Stream),
		Fix:  fmt.Sprintf("write the whole digest of an image that %s has in its status", a.source.Stream.Name)}
	st := a.stream.record(a.tag.Name)
	switch item := a.current(); {
	case r.count > 1:
		p.What = fmt.Sprintf("tag %s: %d images of %s begin with %s", a.tag.Name, r.count, a.source.Stream, a.image)
	case item != nil && st.Source == nil && item.Is(a.image):
		p.Note = true
		p.What = fmt.Sprintf("tag %s stays %s: %s has no other image that begins with %s, and not this one any more", a.tag.Name, item.Image, a.source.Stream, a.image)
		p.Fix = "write the whole digest: " + item.Image
	}
	c.Problems = append(c.Problems, p)
}
