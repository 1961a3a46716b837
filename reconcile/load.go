package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"unique"

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

	snap     gitstore.Snapshot
	files    map[string]*file        // every file of the tree, by path
	parsed   map[reading]*parsedFile // what is in those that are included
	config   gitstore.BlobID         // of .towpath.yaml
	byName   map[imagestream.Name]*Stream
	twice    map[imagestream.Name]bool    // names that two documents claim
	aliases  []alias                      // sources first
	recalls  map[past]map[string]recalled // by what aliases call an image: what texts have said of it
	hidden   map[imagestream.Name]string  // of streams that stand in patches alone: who says so
	patches  map[string]string            // by file that a kustomization names as a patch: that kustomization
	dirs     func() map[string]bool       // that files are in
	obscured bool                         // there is a file that cannot be read at all: it may hold streams
	starts   map[unit]*Site               // by unit that is still to be written as a whole: the first of its sites
	mentions *mentions                    // of digests, for who asks what uses an image

	base     *Catalog  // nil but where this one counts what waits for its review as on record
	overlaid []*Stream // of which something does
}

// A Stream is an ImageStream with the names and settings that its place in the
// repository gives it.
type Stream struct {
	imagestream.Document // Status.Tags[…].Items is cut to the newest
	Path                 string
	Blob                 gitstore.BlobID
	Settings             config.Settings
	wants                []want // what may be asked for it
	inSpec, inStatus     places // of Spec.Tags and Status.Tags
	tags                 int    // that one of them names, or both

	seed    []byte              // the file that it would begin with, where it has none yet
	base    *Stream             // as the branch has it, where Status counts what is in review, too
	pending []imagestream.Event // which is this
}

// A Site is a place that follows a stream tag.
type Site struct {
	trigger.Site // Follows and ID have their namespace
	Path         string
	Blob         gitstore.BlobID
	Paused       bool // by itself or by a rule
	Settings     config.Settings
	lens         *lens
}

// parsedFile is what a file's bytes alone say; its problems have no path yet.
type parsedFile struct {
	docs     []imagestream.Document
	sites    []trigger.Site
	patches  []string // files that it names as patches, where it is a kustomization
	problems []imagestream.Problem
	unread   bool // it says nothing, as it cannot be read
}

// ConfigPath is where the repository's own config stands.
const ConfigPath = config.RepositoryFile

// Stream is the stream of that name, nil where there is none that can be used.
func (c *Catalog) Stream(name imagestream.Name) *Stream { return c.byName[name] }

// Ours reports whether towpath has recorded anything in this repository.
func (c *Catalog) Ours() bool {
	for _, s := range c.Streams {
		for _, t := range s.Status.Tags {
			if t.Source != nil || c.pushed(s, &t) {
				return true
			}
		}
	}
	return false
}

// Load reads a snapshot as streams and sites. It reads only files that prev
// has not read. The error is the store's.
func Load(ctx context.Context, snap gitstore.Snapshot, prev *Catalog, progress func(string, int, int)) (*Catalog, error) {
	if prev == nil {
		prev = &Catalog{}
	} else if prev.Rev == snap.Rev() {
		return prev, nil
	}
	c := &Catalog{Rev: snap.Rev(), snap: snap, Config: prev.Config, config: prev.config, mentions: &mentions{}}
	if err := c.compare(ctx, prev); err != nil {
		return nil, err
	}
	problems, err := c.configure(ctx, prev)
	if err != nil {
		return nil, err
	}
	if c.Config != prev.Config {
		c.forget()
	}
	files := c.inOrder()
	if err := c.parse(ctx, files, prev, progress); err != nil {
		return nil, err
	}
	c.bind(files, problems)
	c.index()
	return c, c.fix(ctx, prev)
}

// compare takes over the files that are as they were.
func (c *Catalog) compare(ctx context.Context, prev *Catalog) error {
	changes, err := c.snap.Changes(ctx, prev.snap)
	if err != nil {
		return err
	}
	if c.files = maps.Clone(prev.files); c.files == nil {
		c.files = make(map[string]*file, len(changes))
	}
	for _, ch := range changes {
		if ch.New == nil {
			delete(c.files, ch.Path)
		} else {
			c.files[ch.Path] = &file{File: *ch.New}
		}
	}
	return nil
}

// forget gives up what files meant under another config.
func (c *Catalog) forget() {
	for path, f := range c.files {
		c.files[path] = &file{File: f.File}
	}
}

// configure reads .towpath.yaml, where it changed.
func (c *Catalog) configure(ctx context.Context, prev *Catalog) ([]imagestream.Problem, error) {
	f, ok := c.files[ConfigPath]
	if !ok {
		c.Config, c.config = config.Default(), ""
		return c.misnamed(), nil
	}
	if f.Skip != "" {
		c.Config, c.config, c.Invalid = config.Default(), "", true
		return []imagestream.Problem{{Path: ConfigPath, What: "it is " + f.Skip, Fix: "make it a regular file; nothing is written until then"}}, nil
	}
	src, err := c.snap.Read(ctx, f.Blob)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.OfOneFile() {
		c.Config, c.config, c.Invalid = config.Default(), f.Blob, true
		return []imagestream.Problem{{Path: ConfigPath, What: e.What, Fix: e.Fix}}, nil
	}
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
	if prev.config != c.config || c.Config == nil {
		c.Config = conf
	}
	return problems, nil
}

// misnamed says of a config under a name that is not read: whoever wrote it believes in its
// guard rails, so that nothing is written until it has its name.
func (c *Catalog) misnamed() (problems []imagestream.Problem) {
	for _, name := range []string{".towpath.yml", "towpath.yaml", ".towpath.json"} {
		if _, ok := c.files[name]; ok {
			c.Invalid = true
			problems = append(problems, imagestream.Problem{Path: name, What: "this is not read: the config's name is " + ConfigPath,
				Fix: "git mv " + name + " " + ConfigPath + "; nothing is written until then"})
		}
	}
	return problems
}

// parse reads the included files whose bytes were not parsed before. Bytes that
// are in two places are parsed once. The order is that of paths, in which stores
// keep content that is alike together: any other costs them several times as much.
func (c *Catalog) parse(ctx context.Context, files []*file, prev *Catalog, progress func(string, int, int)) error {
	c.parsed = make(map[reading]*parsedFile, len(c.files))
	var todo []*file
	for _, f := range files {
		if !f.bound {
			f.included = f.Skip == "" && f.Path != ConfigPath && c.reads(f.Path)
		}
		if !f.included {
			continue
		}
		if f.lens == nil {
			f.lens = c.lens(f.Path)
		}
		r := f.reading()
		if _, done := c.parsed[r]; done {
			continue
		}
		if c.parsed[r] = prev.parsed[r]; c.parsed[r] == nil {
			todo = append(todo, f)
		}
	}
	var mu sync.Mutex
	done := 0
	return parallel(ctx, len(todo), func(ctx context.Context, i int) error {
		p, err := read(ctx, c.snap, todo[i].Blob, todo[i].lens)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		c.parsed[todo[i].reading()] = p
		if done++; progress != nil && (done%64 == 0 || done == len(todo)) {
			progress("reading files", done, len(todo))
		}
		return nil
	})
}

// read parses one blob. A blob that is too large, or none, is a problem of its file, not an error.
func read(ctx context.Context, snap gitstore.Snapshot, id gitstore.BlobID, l *lens) (*parsedFile, error) {
	src, err := snap.Read(ctx, id)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.OfOneFile() {
		return &parsedFile{unread: true, problems: []imagestream.Problem{{What: e.What, Fix: e.Fix}}}, nil
	}
	if err != nil {
		return nil, err
	}
	return parse(src, l), nil
}

// nothing is shared by the many files that hold neither streams nor sites.
var nothing = &parsedFile{}

// parse is a function of the bytes and of how they are read. Should a parser panic, that is this
// file's problem and nobody else's.
func parse(src []byte, l *lens) (p *parsedFile) {
	defer func() {
		if r := recover(); r != nil {
			p = &parsedFile{unread: true, problems: []imagestream.Problem{{
				What: fmt.Sprintf("towpath cannot read this file: %v", r),
				Fix:  "that is a bug of towpath: report it with the file, and leave the file out with exclude: until it is mended",
			}}}
		}
	}()
	if l.Text {
		return parseText(src)
	}
	utf16 := bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff"))
	ours := utf16 || bytes.Contains(src, []byte("ImageStream")) || len(l.Fields) > 0 || trigger.Mentions(src)
	if !ours && !bytes.Contains(src, []byte("patches")) {
		return nothing
	}
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if !ours {
		return &parsedFile{patches: patchesOf(f)} // whatever else it is, nobody here reads it
	}
	if err != nil {
		p := imagestream.Problem{What: err.Error(), Fix: "correct the file; towpath leaves it alone until then"}
		if e := (*yamledit.Error)(nil); errors.As(err, &e) {
			p.Line, p.Col, p.Fix = e.Line, e.Col, e.Fix
		}
		return &parsedFile{unread: true, problems: []imagestream.Problem{p}}
	}
	return understand(f, l)
}

// understand is what a file says that was read.
func understand(f *yamledit.File, l *lens) *parsedFile {
	docs, problems := imagestream.Parse(f)
	sites, more := trigger.Find(f, l.Fields...)
	for i := range docs {
		brief(&docs[i])
	}
	return &parsedFile{docs: docs, sites: sites, patches: patchesOf(f), problems: append(problems, more...)}
}

// parseText is what a file says that is neither YAML nor JSON.
func parseText(src []byte) *parsedFile {
	if !trigger.Mentions(src) {
		return nothing
	}
	sites, problems := trigger.FindText(src)
	return &parsedFile{sites: sites, problems: problems}
}

// learn takes over what is known of files as they were written, so that they are not
// read and parsed again: an edit has been parsed to prove it.
func (c *Catalog) learn(written map[string]*parsedFile, texts map[string][]byte) {
	for path, p := range written {
		c.parsed[reading{gitstore.IDOf(texts[path]), c.lens(path).key}] = p
	}
}

// brief cuts a stream to what decisions need, and keeps texts once that are the
// same as others or part of them: there are many streams.
func brief(d *imagestream.Document) {
	from := make(map[string]string, len(d.Spec.Tags))
	for i := range d.Spec.Tags {
		t := &d.Spec.Tags[i]
		t.From.Kind, t.ImportMode = once(t.From.Kind), once(t.ImportMode)
		from[t.From.Name] = t.From.Name
	}
	for i := range d.Status.Tags {
		st := &d.Status.Tags[i]
		if len(st.Items) > 0 {
			item := st.Items[0]
			if rest, ok := strings.CutSuffix(item.Reference, item.Image); ok {
				item.Image = item.Reference[len(rest):]
			}
			st.Items = []imagestream.Item{item}
		}
		if src := st.Source; src != nil { // its texts are parts of one line
			src.Mode, src.Platform, src.Inputs = once(src.Mode), once(src.Platform), strings.Clone(src.Inputs)
			if known, ok := from[src.From]; ok {
				src.From = known
			} else {
				src.From = strings.Clone(src.From)
			}
		}
	}
}

// once is the text of which there is one for all that are equal.
func once(text string) string { return unique.Make(text).Value() }

// parallel calls do for 0…n-1 and returns the first error. Little work leaves one processor to
// those who are answered meanwhile: webhooks, people, pulls.
func parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	if n < 256 {
		workers = max(1, workers-1)
	}
	for range min(n, workers) {
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
