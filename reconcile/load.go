package reconcile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// A Catalog is what one commit says, as streams and sites. It keeps what
// decisions need, not texts: of a tag's history only the newest item. It never
// changes once it is made; its parts are shared with the catalogs that follow it.
type Catalog struct {
	Rev     gitstore.Rev
	Config  *config.Repository
	Streams []*Stream // by name
	Sites   []*Site   // by path, then as in the file
	// Problems of all files, by path; Invalid is set when one of them is
	// in .towpath.yaml, and then nothing may be written anywhere.
	Problems []imagestream.Problem
	Invalid  bool

	snap   gitstore.Snapshot
	files  map[string]gitstore.File        // every file of the tree
	parsed map[gitstore.BlobID]*parsedFile // what is in those that are included
	config gitstore.BlobID                 // of .towpath.yaml
	byName map[imagestream.Name]*Stream
	twice  map[imagestream.Name]bool // names that two documents claim
}

// A Stream is an ImageStream with the names and settings that its place in the
// repository gives it.
type Stream struct {
	imagestream.Document // Status.Tags[…].Items is cut to the newest
	Path                 string
	Blob                 gitstore.BlobID
	Settings             config.Settings
}

// A Site is a place that follows a stream tag.
type Site struct {
	trigger.Site // Follows and ID have their namespace
	Path         string
	Blob         gitstore.BlobID
	Paused       bool // by itself or by a rule
}

// parsedFile is what a file's bytes alone say; its problems have no path yet.
type parsedFile struct {
	docs     []imagestream.Document
	sites    []trigger.Site
	problems []imagestream.Problem
}

// ConfigPath is where the repository's own config stands.
const ConfigPath = config.RepositoryFile

// Stream is the stream of that name, nil where there is none that can be used.
func (c *Catalog) Stream(name imagestream.Name) *Stream { return c.byName[name] }

// Ours reports whether towpath has recorded anything in this repository.
func (c *Catalog) Ours() bool {
	for _, s := range c.Streams {
		for _, t := range s.Status.Tags {
			if t.Source != nil {
				return true
			}
		}
	}
	return false
}

// Load reads a snapshot as streams and sites. It reads only files that prev
// has not read. The error is the store's.
func Load(ctx context.Context, snap gitstore.Snapshot, prev *Catalog, progress func(string, int, int)) (*Catalog, error) {
	if prev != nil && prev.Rev == snap.Rev() {
		return prev, nil
	}
	c := &Catalog{Rev: snap.Rev(), snap: snap, files: map[string]gitstore.File{}, parsed: map[gitstore.BlobID]*parsedFile{}}
	var from gitstore.Snapshot
	if prev != nil {
		from, c.files, c.Config, c.config = prev.snap, maps.Clone(prev.files), prev.Config, prev.config
	}
	changes, err := snap.Changes(ctx, from)
	if err != nil {
		return nil, err
	}
	for _, ch := range changes {
		if ch.New == nil {
			delete(c.files, ch.Path)
		} else {
			c.files[ch.Path] = *ch.New
		}
	}
	problems, err := c.configure(ctx, prev)
	if err != nil {
		return nil, err
	}
	if err := c.parse(ctx, prev, progress); err != nil {
		return nil, err
	}
	c.bind(problems)
	return c, nil
}

// configure reads .towpath.yaml, where it changed.
func (c *Catalog) configure(ctx context.Context, prev *Catalog) ([]imagestream.Problem, error) {
	f, ok := c.files[ConfigPath]
	if !ok || f.Skip != "" {
		c.Config, c.config = config.Default(), ""
		return nil, nil
	}
	src, err := c.snap.Read(ctx, f.Blob)
	if err != nil {
		return nil, err
	}
	conf, problems := config.ParseRepository(src)
	for i := range problems {
		problems[i].Path = ConfigPath
		c.Invalid = c.Invalid || !problems[i].Note
	}
	c.config = f.Blob
	if c.Invalid {
		conf = config.Default()
	}
	if prev == nil || prev.config != c.config || c.Config == nil {
		c.Config = conf
	}
	return problems, nil
}

// parse reads the included files whose bytes were not parsed before. Bytes that
// are in two places are parsed once. The order is that of paths, in which stores
// keep content that is alike together: any other costs them several times as much.
func (c *Catalog) parse(ctx context.Context, prev *Catalog, progress func(string, int, int)) error {
	var todo []gitstore.BlobID
	for _, path := range slices.Sorted(maps.Keys(c.files)) {
		f := c.files[path]
		if f.Skip != "" || path == ConfigPath || !c.Config.Included(path) {
			continue
		}
		if _, ok := c.parsed[f.Blob]; ok {
			continue
		}
		if prev != nil && prev.parsed[f.Blob] != nil {
			c.parsed[f.Blob] = prev.parsed[f.Blob]
			continue
		}
		c.parsed[f.Blob] = nil
		todo = append(todo, f.Blob)
	}
	var mu sync.Mutex
	done := 0
	return parallel(ctx, len(todo), func(ctx context.Context, i int) error {
		p, err := read(ctx, c.snap, todo[i])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		c.parsed[todo[i]] = p
		if done++; progress != nil && (done%64 == 0 || done == len(todo)) {
			progress("reading files", done, len(todo))
		}
		return nil
	})
}

// read parses one blob. A blob that is too large is a problem of its file, not an error.
func read(ctx context.Context, snap gitstore.Snapshot, id gitstore.BlobID) (*parsedFile, error) {
	src, err := snap.Read(ctx, id)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.Kind == gitstore.TooLarge {
		return &parsedFile{problems: []imagestream.Problem{{What: e.What, Fix: e.Fix}}}, nil
	}
	if err != nil {
		return nil, err
	}
	return parse(src), nil
}

// nothing is shared by the many files that hold neither streams nor sites.
var nothing = &parsedFile{}

// parse is a function of the bytes alone. Should a parser panic, that is this
// file's problem and nobody else's.
func parse(src []byte) (p *parsedFile) {
	defer func() {
		if r := recover(); r != nil {
			p = &parsedFile{problems: []imagestream.Problem{{
				What: fmt.Sprintf("towpath cannot read this file: %v", r),
				Fix:  "that is a bug of towpath: report it with the file, and leave the file out with exclude: until it is mended",
			}}}
		}
	}()
	if !bytes.Contains(src, []byte("ImageStream")) && !bytes.Contains(src, []byte(trigger.Annotation)) {
		return nothing
	}
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		p := imagestream.Problem{What: err.Error(), Fix: "correct the file; towpath leaves it alone until then"}
		if e := (*yamledit.Error)(nil); errors.As(err, &e) {
			p.Line, p.Col, p.Fix = e.Line, e.Col, e.Fix
		}
		return &parsedFile{problems: []imagestream.Problem{p}}
	}
	docs, problems := imagestream.Parse(f)
	sites, more := trigger.Find(f)
	for i := range docs {
		docs[i].Status = brief(docs[i].Status)
	}
	return &parsedFile{docs: docs, sites: sites, problems: append(problems, more...)}
}

// brief cuts a status to what decisions need.
func brief(s imagestream.Status) imagestream.Status {
	for i := range s.Tags {
		if items := s.Tags[i].Items; len(items) > 1 {
			s.Tags[i].Items = []imagestream.Item{items[0]}
		}
	}
	return s
}

// parallel calls do for 0…n-1 on every processor and returns the first error.
func parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// bind gives names, namespaces and settings to what the files say, by their
// paths and the repository's config. Nothing is read again for it.
func (c *Catalog) bind(problems []imagestream.Problem) {
	c.byName, c.twice, c.Problems = map[imagestream.Name]*Stream{}, map[imagestream.Name]bool{}, problems
	byName := map[imagestream.Name][]*Stream{}
	for _, path := range slices.Sorted(maps.Keys(c.files)) {
		f := c.files[path]
		if f.Skip != "" && c.Config.Included(path) {
			c.Problems = append(c.Problems, imagestream.Problem{Path: path, Note: true, What: "not read: it is " + f.Skip})
		}
		p := c.parsed[f.Blob]
		if f.Skip != "" || p == nil || p == nothing || path == ConfigPath || !c.Config.Included(path) {
			continue
		}
		for _, problem := range p.problems {
			problem.Path = path
			c.Problems = append(c.Problems, problem)
		}
		for _, d := range p.docs {
			d.Name.Namespace = c.namespace(path, d.Name.Namespace)
			s := &Stream{Document: d, Path: path, Blob: f.Blob, Settings: c.Config.For(path, d.Name.Namespace)}
			byName[d.Name] = append(byName[d.Name], s)
		}
		for _, t := range p.sites {
			c.Sites = append(c.Sites, c.site(path, f.Blob, t))
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(byName), compareNames) {
		if s := c.one(byName[name]); s != nil {
			c.byName[name] = s
			c.Streams = append(c.Streams, s)
		} else {
			c.twice[name] = true
		}
	}
}

func (c *Catalog) site(path string, blob gitstore.BlobID, t trigger.Site) *Site {
	t.ID.Namespace = c.namespace(path, t.ID.Namespace)
	if t.Follows.Stream.Namespace == "" {
		t.Follows.Stream.Namespace = t.ID.Namespace
	}
	paused := t.Paused || c.Config.For(path, t.ID.Namespace).Paused
	return &Site{Site: t, Path: path, Blob: blob, Paused: paused}
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
	full := slices.DeleteFunc(slices.Clone(all), func(s *Stream) bool {
		return len(s.Spec.Tags) == 0 && s.Spec.Repository == "" && len(s.Status.Tags) == 0
	})
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

func compareNames(a, b imagestream.Name) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func compareTags(a, b imagestream.TagRef) int {
	return cmp.Or(compareNames(a.Stream, b.Stream), cmp.Compare(a.Tag, b.Tag))
}

func compareSites(a, b *Site) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}
