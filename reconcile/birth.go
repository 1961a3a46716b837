package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/yamledit"
)

// A Refusal is why something that was pushed cannot go on record, and whose move it is.
type Refusal struct {
	What, Fix string
	sourced   bool // the tag comes from elsewhere: what was pushed was overtaken
}

func notTaken(fix, what string, args ...any) *Refusal {
	return &Refusal{What: fmt.Sprintf(what, args...), Fix: fix}
}

// births are the streams that pushes bring to a catalog: each has a name and a place, and no
// file yet.
type births struct {
	cat     *Catalog
	streams map[imagestream.Name]*Stream
	paths   map[string]imagestream.Name
	dirs    map[string]bool // of those paths
}

func newBirths(c *Catalog) births {
	return births{cat: c, streams: map[imagestream.Name]*Stream{}, paths: map[string]imagestream.Name{}, dirs: map[string]bool{}}
}

// places gives new streams their places: those that go first, then those that were pushed first.
func (b *births) places(waiting []registry.Arrival, in circumstances) {
	var born []registry.Arrival
	for _, a := range waiting {
		_, attached := registry.Attached(a.Tag)
		if tag := tagOf(a); !attached && b.cat.Stream(tag.Stream) == nil && in.over[tag] == nil {
			born = append(born, a)
		}
	}
	slices.SortStableFunc(born, func(x, y registry.Arrival) int {
		return cmp.Or(falseFirst(!in.first[tagOf(x).Stream], !in.first[tagOf(y).Stream]), x.At.Compare(y.At))
	})
	for _, a := range born {
		b.takes(tagOf(a))
	}
}

// claims are the streams that proposals bring: they keep their places.
func (r *Reconciler) claims(ctx context.Context, c *Catalog, waiting []registry.Arrival, now time.Time) map[imagestream.Name]bool {
	d, first := r.desk, map[imagestream.Name]bool{}
	if d == nil || len(waiting) == 0 {
		return first
	}
	for branch := range d.heads {
		if r.Forge == nil {
			r.draw(ctx, c, branch, now)
		}
		for name, adds := range d.drawn[branch].adds {
			first[name] = first[name] || adds && d.counts(branch) && !d.over(branch)
		}
	}
	for branch, p := range d.open { // also right after the start
		for _, m := range d.spoken(p.Body).Moves {
			first[m.Tag.Stream] = first[m.Tag.Stream] || m.Site == "" && d.heads[branch] != ""
		}
	}
	return first
}

// takes is the stream whose tag may be pushed, which may be a new one, or why it may not.
func (b *births) takes(tag imagestream.TagRef) (*Stream, *Refusal) {
	s, why := b.takesAny(tag.Stream)
	switch {
	case why != nil:
		return nil, why
	case slices.Contains(s.Spec.Broken, tag.Tag):
		return nil, notTaken("towpath validate says what to put right", "the spec of %s (%s:%d) has a problem", tag, s.Path, s.Line)
	}
	if why = s.elsewhere(tag); why != nil {
		why.sourced = true
	}
	return s, why
}

// takesAny is the stream of which some tag may be pushed, as far as that is for all of them to
// say, or why none may.
func (b *births) takesAny(name imagestream.Name) (*Stream, *Refusal) {
	c := b.cat
	s := c.Stream(name)
	switch {
	case c.Invalid:
		return nil, notTaken("towpath validate says what to put right", "%s has a problem, so that nothing is written", ConfigPath)
	case c.Config.Paused():
		return nil, notTaken("take  paused: true  out of it", "%s says that nothing is written", ConfigPath)
	case c.Config.Registry() == "":
		return nil, notTaken(fmt.Sprintf("in %s write  registry: {host: HOST, streams: {%s: DIRECTORY}}  with the name by which clients reach this registry", ConfigPath, strconv.Quote(name.Namespace)),
			"%s does not say what this registry is called", ConfigPath)
	case c.twice[name]:
		return nil, notTaken("towpath validate names them; rename one, or leave one out with exclude:", "image stream %s stands in two files", name)
	case s == nil && c.hidden[name] != "":
		return nil, notTaken("put that right, or push to another repository", "image stream %s is left alone: %s", name, c.hidden[name])
	case s == nil:
		return b.born(name)
	case s.Malformed:
		return nil, notTaken("towpath validate says what to put right", "the status of image stream %s (%s:%d) cannot be read", name, s.Path, s.Line)
	case s.Settings.Paused:
		return nil, notTaken("take  paused: true  out of what is for "+s.Path, "image stream %s is paused by %s", name, ConfigPath)
	}
	return s, nil
}

// elsewhere is why a tag is not pushed: it has a source.
func (s *Stream) elsewhere(tag imagestream.TagRef) *Refusal {
	t := s.specTag(tag.Tag)
	switch {
	case s.pushable(tag.Tag):
		return nil
	case t == nil:
		return notTaken(fmt.Sprintf("remove dockerImageRepository in %s:%d, or push to another repository", s.Path, s.Line),
			"%s is imported with all tags of %s", tag, s.Spec.Repository)
	case t.From.Kind == imagestream.DockerImage:
		return notTaken(fmt.Sprintf("remove from: of that tag in %s:%d, or push another tag", s.Path, t.Line), "%s is imported from %s", tag, t.From.Name)
	}
	return notTaken(fmt.Sprintf("remove from: of that tag in %s:%d, or push another tag", s.Path, t.Line), "%s follows %s", tag, t.From.Name)
}

// born makes the stream that a first push brings.
func (b *births) born(name imagestream.Name) (*Stream, *Refusal) {
	if s := b.streams[name]; s != nil {
		return s, nil
	}
	c := b.cat
	line := c.Config.DirectoryLine(name.Namespace)
	dir, ok := c.Config.Directory(name.Namespace)
	file := path.Join(dir, name.Name+".yaml")
	switch {
	case !ok:
		return nil, notTaken(fmt.Sprintf("in %s write, below registry.streams:  %s: DIRECTORY", ConfigPath, strconv.Quote(name.Namespace)),
			"there is no image stream %s, and %s names no directory for new ones of that namespace", name, ConfigPath)
	case c.obscured:
		return nil, notTaken("towpath validate names it", "there is no image stream %s, but a file that may hold it cannot be read", name)
	}
	if why := misnomer(name.Name); why != "" {
		return nil, notTaken("push to a repository of another name", "there is no image stream %s, and none can be added: %s", name, why)
	}
	s, why := b.at(file, name)
	if why != "" {
		return nil, notTaken(fmt.Sprintf("name another directory in %s:%d, or add the stream in a file of another name", ConfigPath, line),
			"image stream %s would be added as %s, by %s:%d; %s", name, file, ConfigPath, line, why)
	}
	if by := c.patches[file]; by != "" {
		return nil, notTaken(fmt.Sprintf("take it out of the patches there, or name another directory in %s:%d", ConfigPath, line),
			"image stream %s would be added as %s, by %s:%d; %s names that file as a patch", name, file, ConfigPath, line, by)
	}
	if fix := c.unread(file); fix != "" {
		return nil, notTaken(fix, "image stream %s would be added as %s, by %s:%d; the config has that file left alone", name, file, ConfigPath, line)
	}
	if s.Settings.Paused {
		return nil, notTaken("take  paused: true  out of what is for "+file, "image stream %s would be added as %s, which is paused by %s", name, file, ConfigPath)
	}
	b.streams[name], b.paths[file] = s, name
	above(file, b.dirs)
	return s, nil
}

// misnomer is why a stream cannot have a name, or no file of that name; empty where it can.
func misnomer(name string) string {
	switch {
	case len(name) > 200 || !imagestream.IsName(name):
		return strconv.Quote(name) + " cannot name an image stream"
	case slices.Contains(kustomizations, name+".yaml"):
		return "kustomize would take " + name + ".yaml for its own"
	}
	return ""
}

// unread is the line that has a file read and written; empty where it is.
func (c *Catalog) unread(file string) string {
	switch {
	case c.Config.Excludes(file):
		return fmt.Sprintf("in %s take %s out of exclude:", ConfigPath, file)
	case !c.reads(file) || c.Config.Guarded(file):
		return fmt.Sprintf("in %s write  %s", ConfigPath, c.Config.Including(file))
	}
	return ""
}

// at is a new stream at a path, or why that cannot be.
func (b *births) at(file string, name imagestream.Name) (s *Stream, why string) {
	if other, taken := b.paths[file]; taken {
		return nil, fmt.Sprintf("%s, which was pushed, too, would be there", other)
	}
	if why := b.blocked(file); why != "" {
		return nil, why
	}
	c := b.cat
	own := name
	if c.namespace(file, "") == name.Namespace {
		own.Namespace = ""
	}
	seed, err := seedOf(own)
	if err != nil {
		return nil, err.Error()
	}
	p := parse(seed, c.lens(file))
	if len(p.problems) > 0 || len(p.docs) != 1 || p.docs[0].Name != own {
		return nil, "the name is none that a file could hold"
	}
	s = c.stream(gitstore.File{Path: file}, p.docs[0])
	s.seed = seed
	return s, ""
}

// blocked is why there can be no new file at a path; empty where there can.
func (b *births) blocked(file string) string {
	files := b.cat.files
	if files[file] != nil {
		return "there is such a file already"
	}
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if _, born := b.paths[dir]; born || files[dir] != nil {
			return dir + " is a file"
		}
	}
	if b.dirs[file] || b.cat.dirs()[file] {
		return "that is a directory"
	}
	return ""
}

// above adds the directories that a file is in.
func above(file string, dirs map[string]bool) {
	for dir := path.Dir(file); dir != "." && !dirs[dir]; dir = path.Dir(dir) {
		dirs[dir] = true
	}
}

// index has the directories of a catalog's files found when somebody first wants to know.
func (c *Catalog) index() {
	files := c.files
	c.dirs = sync.OnceValue(func() map[string]bool {
		dirs := map[string]bool{}
		for file := range files {
			above(file, dirs)
		}
		return dirs
	})
}

// seedOf is the file of a stream of which nothing is on record yet.
func seedOf(name imagestream.Name) ([]byte, error) {
	const text = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: stream\n"
	f, err := yamledit.Parse([]byte(text), yamledit.DefaultLimits)
	if err != nil {
		return nil, err
	}
	changes := []yamledit.Change{{At: yamledit.Path{"metadata", "name"}, Op: yamledit.Set, Value: name.Name}}
	if name.Namespace != "" {
		changes = append(changes, yamledit.Change{At: yamledit.Path{"metadata", "namespace"}, Op: yamledit.Set, Value: name.Namespace})
	}
	if f, err = f.Edit(changes...); err != nil {
		return nil, err
	}
	return f.Src, nil
}

// catalog is the catalog with the streams that were born. They are like any other there; only
// their files are still to come.
func (b *births) catalog() *Catalog {
	if len(b.streams) == 0 {
		return b.cat
	}
	c := *b.cat
	c.mentions = &mentions{}
	c.Streams, c.byName, c.files = slices.Clone(c.Streams), maps.Clone(c.byName), maps.Clone(c.files)
	for name, s := range b.streams {
		c.Streams, c.byName[name] = append(c.Streams, s), s
		c.files[s.Path] = &file{File: gitstore.File{Path: s.Path}, included: true, bound: true, lens: c.lens(s.Path), streams: []*Stream{s}}
	}
	slices.SortFunc(c.Streams, func(a, b *Stream) int { return compareNames(a.Name, b.Name) })
	c.index()
	return &c
}
