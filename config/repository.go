package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/window"
)

// RepositoryFile is the path of the repository's configuration, in the root of
// the watched branch. It is never a manifest itself.
const RepositoryFile = ".towpath.yaml"

// A Repository is what .towpath.yaml says. The nil Repository is that of a
// repository without the file. It never changes; its methods may be called from
// several goroutines.
type Repository struct {
	file repositoryFile
}

// Settings are in force for one stream, or for one file.
type Settings struct {
	Interval     time.Duration // between two imports of a scheduled tag
	History      int           // items that a tag keeps
	ImportMode   string        // Legacy or PreserveOriginal, for tags that do not say
	Scheduled    bool          // tags are scheduled, whether they say so or not
	FailureAfter time.Duration // how long a passing failure lasts before it is recorded
	Group        string        // what one trigger commit holds: tag, stream, namespace or all
	TagsCap      int           // tags imported of a spec.dockerImageRepository
	Paused       bool          // nothing is asked, recorded or rewritten
	Settle       time.Duration // how long an image must stand unchanged before it is recorded
	MinAge       time.Duration // how old an image must be for a policy that names no age itself
	Labels       bool          // what an image's labels say of its origin goes on record, too

	// Of sites that follow a tag. MinAge is also how long an image must have been on
	// record before sites move to it, less what the tag's own policy asked of its age.
	ReferenceForm string          // how a reference is written: digest, tag@digest or tag
	Windows       []window.Window // when sites move; none: any time
	HoldDepth     int             // how many commits are looked through for the hand of a person
	Prefix        string          // stands before the subject of a commit
	Template      Template        // of a trigger commit's message; empty: towpath's own
	Author        string          // of commits, as "Name <address>"; empty: the operator's

	// Of changes that people review first.
	Status, Triggers string   // commit or proposal: how the status of streams and how sites are written
	ProposalLabels   []string // of a proposal with such a change
	Reviewers        []string // users or, as org/team, teams
	Assignees        []string
	Draft            bool
	Merge            string // by-hand, platform (the forge's own auto-merge), when-green (towpath merges what only touches status)
}

// Proposes reports whether the settings send anything to review.
func (s Settings) Proposes() bool { return s.Status == proposal || s.Triggers == proposal }

const proposal = "proposal"

// repositoryFile is the file's shape.
type repositoryFile struct {
	Version       version     `yaml:"version" need:"true"`
	Include       []Glob      `yaml:"include" max:"100"`
	Exclude       []Glob      `yaml:"exclude" max:"500"`
	Namespaces    namespaces  `yaml:"namespaces"`
	Platform      platform    `yaml:"platform"`
	Registry      integrated  `yaml:"registry"`
	Paused        bool        `yaml:"paused"`
	BranchPrefix  branchPart  `yaml:"branch-prefix"`
	MaxOpen       int         `yaml:"max-open" min:"1" max:"1000"`
	Defaults      overrides   `yaml:"defaults"`
	Rules         []rule      `yaml:"rules" max:"500"`
	Follow        []following `yaml:"follow" max:"1000"`
	ImagePolicies policies    `yaml:"imagepolicies"`
}

// A rule changes settings where its globs match.
type rule struct {
	At         Position
	Paths      []Glob `yaml:"paths" max:"100"`
	Namespaces []Glob `yaml:"namespaces" max:"100"`
	overrides
}

// overrides are settings of which some are given.
type overrides struct {
	Interval     *time.Duration `yaml:"interval" min:"1s" max:"720h"`
	History      *int           `yaml:"history" min:"1" max:"100"`
	ImportMode   *string        `yaml:"import-mode" oneof:"Legacy PreserveOriginal"`
	Scheduled    *bool          `yaml:"scheduled"`
	FailureAfter *time.Duration `yaml:"failure-after" min:"1s" max:"720h"`
	Group        *string        `yaml:"group" oneof:"tag stream namespace all"`
	TagsCap      *int           `yaml:"tags-cap" min:"1" max:"1000"`
	Paused       *bool          `yaml:"paused"`
	Settle       *time.Duration `yaml:"settle" min:"0s" max:"720h"`
	MinAge       *time.Duration `yaml:"min-age" min:"0s" max:"8760h"`
	Record       *string        `yaml:"record" oneof:"image labels"`

	ReferenceForm *string         `yaml:"reference-form" oneof:"digest tag@digest tag"`
	Windows       []opening       `yaml:"windows" max:"50"` // empty, but not nil: any time again
	windows       []window.Window // what Windows say
	HoldDepth     *int            `yaml:"hold-depth" min:"1" max:"100000"`
	Prefix        *prefix         `yaml:"prefix"`
	Template      *Template       `yaml:"template"`
	Author        *author         `yaml:"author"`

	Status         *string       `yaml:"status" oneof:"commit proposal"`
	Triggers       *string       `yaml:"triggers" oneof:"commit proposal"`
	ProposalLabels []reviewLabel `yaml:"labels" max:"20"` // empty, but not nil: none again
	Reviewers      []reviewer    `yaml:"reviewers" max:"20"`
	Assignees      []assignee    `yaml:"assignees" max:"20"`
	Draft          *bool         `yaml:"draft"`
	Merge          *string       `yaml:"merge" oneof:"by-hand platform when-green"`
}

// An opening is one entry of windows.
type opening struct {
	Cron cronLine      `yaml:"cron" need:"true"`
	For  time.Duration `yaml:"for" need:"true" min:"1m" max:"744h"`
	Zone zone          `yaml:"zone"`
}

// defaultFile is what holds where a file says nothing.
func defaultFile() repositoryFile {
	return repositoryFile{
		Include:  globs("**/*.{yaml,yml,json}", "**/{Dockerfile,Containerfile}*"),
		Platform: "linux/amd64",

		BranchPrefix: "towpath/",
		MaxOpen:      20,
	}
}

func defaultSettings() Settings {
	return Settings{
		Interval:     15 * time.Minute,
		History:      10,
		ImportMode:   "Legacy",
		FailureAfter: time.Hour,
		Group:        "tag",
		TagsCap:      50,

		ReferenceForm: "digest",
		HoldDepth:     1000,

		Status: "commit", Triggers: "commit", Merge: "by-hand",
	}
}

// fallback stands for the nil Repository.
var fallback = &Repository{defaultFile()}

// Default is the configuration of a repository without the file.
func Default() *Repository { return fallback }

// ParseRepository reads .towpath.yaml. With problems the Repository that it
// returns is paused: nothing may be written until they are put right.
func ParseRepository(src []byte) (*Repository, []imagestream.Problem) {
	r := &Repository{defaultFile()}
	d := decode(RepositoryFile, src, &r.file)
	if len(d.problems) == 0 {
		d.checkRepository(&r.file)
	}
	if len(d.problems) > 0 {
		broken := defaultFile()
		broken.Paused = true
		return &Repository{broken}, d.inOrder()
	}
	r.file.ready()
	return r, nil
}

// checkRepository says what one key alone cannot show.
func (d *decoder) checkRepository(f *repositoryFile) {
	if len(f.Include) == 0 {
		d.add(Position{1, 1}, "include is empty, so that nothing would be read", "remove it for the default, or name globs")
	}
	for _, r := range f.Rules {
		if len(r.Paths) == 0 && len(r.Namespaces) == 0 {
			d.add(r.At, "the rule names neither paths nor namespaces", `write paths: ["apps/**"] or namespaces: [team1], or move its keys below defaults:`)
		}
	}
	for _, e := range f.Follow {
		d.checkFollow(e)
	}
}

// ready makes what the file says quick to use.
func (f *repositoryFile) ready() {
	f.Defaults.open()
	for i := range f.Rules {
		f.Rules[i].open()
	}
	for i := range f.Follow {
		f.Follow[i].follow()
	}
}

// open makes the windows, of which each part was found to be good.
func (o *overrides) open() {
	for _, w := range o.Windows {
		made, err := window.Parse(string(w.Cron), w.For, string(w.Zone))
		if err != nil {
			panic("config: " + err.Error())
		}
		o.windows = append(o.windows, made)
	}
}

func (r *Repository) orDefault() *Repository {
	if r == nil {
		return fallback
	}
	return r
}

// Included reports whether a file is read at all: where include or a path of follow
// names it, and exclude does not.
func (r *Repository) Included(path string) bool {
	f := &r.orDefault().file
	return path != RepositoryFile && (anyMatch(f.Include, path) || f.follows(path)) && !anyMatch(f.Exclude, path)
}

// Namespace is the namespace of objects in a file that name none: of the globs
// that match, the one with most bytes that are not wildcards decides, of equal ones the
// first. It is empty where none matches.
func (r *Repository) Namespace(path string) string {
	best, most := "", -1
	for _, n := range r.orDefault().file.Namespaces {
		if n.glob.literal > most && n.glob.Match(path) {
			best, most = n.namespace, n.glob.literal
		}
	}
	return best
}

// Platform is what Legacy imports choose where a tag prefers nothing:
// os/architecture or os/architecture/variant.
func (r *Repository) Platform() string { return string(r.orDefault().file.Platform) }

// Paused reports whether nothing is written to the repository at all.
func (r *Repository) Paused() bool { return r.orDefault().file.Paused }

// PausedBy says for people which line of the file pauses a stream or a file; empty where it is not
// paused.
func (r *Repository) PausedBy(path, namespace string) string {
	f := &r.orDefault().file
	by := ""
	say := func(paused *bool, where string) {
		if paused != nil {
			by = map[bool]string{true: where}[*paused]
		}
	}
	say(f.Defaults.Paused, "paused: true below defaults")
	for i := range f.Rules {
		if r := &f.Rules[i]; r.matches(path, namespace) {
			say(r.Paused, fmt.Sprintf("paused: true of the rule that begins in line %d", r.At.Line))
		}
	}
	if f.Paused {
		by = "paused: true"
	}
	return by
}

// For is what holds for a stream or a file: the defaults, then every rule that
// matches, in order; for each key the last one decides. A rule with paths and
// namespaces applies where both match.
func (r *Repository) For(path, namespace string) Settings {
	f := &r.orDefault().file
	s := defaultSettings()
	f.Defaults.apply(&s)
	for i := range f.Rules {
		if f.Rules[i].matches(path, namespace) {
			f.Rules[i].apply(&s)
		}
	}
	s.Paused = s.Paused || f.Paused
	return s
}

func (r *rule) matches(path, namespace string) bool {
	return (r.Paths == nil || anyMatch(r.Paths, path)) &&
		(r.Namespaces == nil || anyMatch(r.Namespaces, namespace))
}

func (o *overrides) apply(s *Settings) {
	set(&s.Interval, o.Interval)
	set(&s.History, o.History)
	set(&s.ImportMode, o.ImportMode)
	set(&s.Scheduled, o.Scheduled)
	set(&s.FailureAfter, o.FailureAfter)
	set(&s.Group, o.Group)
	set(&s.TagsCap, o.TagsCap)
	set(&s.Paused, o.Paused)
	set(&s.Settle, o.Settle)
	set(&s.MinAge, o.MinAge)
	if o.Record != nil {
		s.Labels = *o.Record == "labels"
	}
	set(&s.ReferenceForm, o.ReferenceForm)
	if o.Windows != nil {
		s.Windows = o.windows
	}
	set(&s.HoldDepth, o.HoldDepth)
	set(&s.Prefix, (*string)(o.Prefix))
	set(&s.Template, o.Template)
	set(&s.Author, (*string)(o.Author))
	o.review(s)
}

func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// A version is the file's version, of which there is one.
type version struct{}

func (v *version) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.ShortTag() != "!!int" || n.Value != "1" {
		d.add(at(n), "this towpath knows version 1 of the file only", "write version: 1, or run the towpath that the file was written for")
	}
}

// A platform is os/architecture or os/architecture/variant.
type platform string

func (p *platform) set(text string) error {
	parts := strings.Split(text, "/")
	bad := len(parts) < 2 || len(parts) > 3
	for _, part := range parts {
		bad = bad || part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != ""
	}
	if bad {
		return &wrong{"must be os/architecture or os/architecture/variant", "write such as linux/amd64 or linux/arm/v7"}
	}
	*p = platform(text)
	return nil
}

// namespaces are the namespaces of paths, in the file's order.
type namespaces []struct {
	glob      Glob
	namespace string
}

func (ns *namespaces) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		d.add(at(n), key+" must be a mapping", `write a glob and its namespace on each line: "apps/team1/**": team1`)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		var e struct {
			glob      Glob
			namespace string
		}
		k, value := n.Content[i], n.Content[i+1]
		d.word(k, "a glob of "+key, &e.glob)
		d.word(value, join(key, clip(k.Value)), (*label)(&e.namespace))
		*ns = append(*ns, e)
	}
}

// A label is the name of a namespace.
type label string

func (l *label) set(text string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	inner := strings.Trim(text, letters+"-")
	if inner != "" || len(text) > 63 || strings.HasPrefix(text, "-") || strings.HasSuffix(text, "-") {
		return &wrong{"is not the name of a namespace", "write lower-case letters, digits and dashes, at most 63"}
	}
	*l = label(text)
	return nil
}

// globs compiles globs of this package.
func globs(texts ...string) []Glob {
	gs := make([]Glob, len(texts))
	for i, t := range texts {
		if err := gs[i].set(t); err != nil {
			panic("config: " + t + " " + err.Error())
		}
	}
	return gs
}
