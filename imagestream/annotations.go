package imagestream

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/yamledit"
)

// prefix begins the annotations that are ours. All of them are known by name: one that
// did nothing would mislead.
const prefix = "towpath.dev/"

var (
	streamKeys = []string{"interval", "scheduled", "settle"}
	tagKeys    = slices.Concat(policy.Keys, []string{"interval", "settle"})
)

// A span is what a duration may be.
type span struct {
	lo, hi  time.Duration
	text    string
	example string
}

var (
	intervals = span{time.Second, 720 * time.Hour, "1s to 720h", "15m"}
	settles   = span{0, 720 * time.Hour, "0s to 720h", "30m"}
)

// wishes are the annotations of an object that are ours, without prefix.
type wishes struct {
	who  string // begins what is said of them
	at   *yamledit.Node
	text map[string]string
	bad  bool // one of them has become a problem
}

func wishesOf(who string, at *yamledit.Node, annotations map[string]string) *wishes {
	w := &wishes{who: who, at: at}
	for key, text := range annotations {
		if key, ours := strings.CutPrefix(key, prefix); ours {
			if w.text == nil {
				w.text = map[string]string{}
			}
			w.text[key] = text
		}
	}
	return w
}

// wish makes a problem of an annotation.
func (p *parser) wish(w *wishes, key, what, fix string) {
	w.bad = true
	p.problem(nearest(w.at, "annotations", prefix+key), w.who+what, fix)
}

// known makes problems of what is not among the keys.
func (p *parser) known(w *wishes, keys []string, elsewhere func(key string) (what, fix string)) {
	for _, key := range slices.Sorted(maps.Keys(w.text)) {
		if slices.Contains(keys, key) {
			continue
		}
		what, fix := elsewhere(key)
		if what == "" {
			what, fix = "there is no annotation "+clip(prefix+key), "remove it; known here: "+prefix+strings.Join(keys, ", "+prefix)
			if near := closest(key, keys); near != "" {
				fix = "did you mean " + prefix + near + "?"
			}
		}
		p.wish(w, key, what, fix)
	}
}

// duration is nil where there is none, or none that holds.
func (p *parser) duration(w *wishes, key string, s span) *time.Duration {
	text, ok := w.text[key]
	if !ok {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < s.lo || d > s.hi {
		p.wish(w, key, fmt.Sprintf("%s%s must be a duration from %s, not %q", prefix, key, s.text, clip(text)),
			"write a number and its unit, s, m or h: "+p.line(prefix+key, p.quoted(s.example)))
		return nil
	}
	return &d
}

// streamWishes reads the annotations of a stream. They are about the import of
// spec.dockerImageRepository, which is not made while it is not known how.
func (p *parser) streamWishes(d *Document, n *yamledit.Node, annotations map[string]string) {
	w := wishesOf("", field(n, "metadata"), annotations)
	if w.text == nil {
		return
	}
	for key := range w.text {
		if n := field(w.at, "annotations", prefix+key); !isNull(n) && !isText(n) { // a problem already
			delete(w.text, key)
			w.bad = true
		}
	}
	p.known(w, streamKeys, func(key string) (what, fix string) {
		if slices.Contains(tagKeys, key) {
			return prefix + key + " belongs to a tag", "write it below annotations of a tag of spec.tags"
		}
		return "", ""
	})
	if interval := p.duration(w, "interval", intervals); interval != nil {
		d.Interval, d.Scheduled = *interval, true
	}
	d.Settle = p.duration(w, "settle", settles)
	switch text, ok := w.text["scheduled"]; {
	case text == "true", text == "false":
		d.Scheduled = text == "true"
	case ok:
		p.wish(w, "scheduled", fmt.Sprintf("%sscheduled must be true or false, not %q", prefix, clip(text)), p.line(prefix+"scheduled", `"true"`))
	}
	if w.bad {
		d.Spec.Repository = ""
	} else if scalar(n, "spec", "dockerImageRepository") == "" {
		p.note(nearest(w.at, "annotations"), "the stream's annotations "+prefix+"… are about spec.dockerImageRepository, which it has not; "+
			"for its tags there are importPolicy.scheduled and annotations of their own")
	}
}

// tagWishes reads the annotations of a tag; it reports whether all of them hold.
func (p *parser) tagWishes(n *yamledit.Node, tag *Tag, t imagev1.TagReference) bool {
	w := wishesOf("tag "+t.Name+": ", n, t.Annotations)
	if w.text == nil {
		return true
	}
	p.known(w, tagKeys, func(key string) (what, fix string) {
		if key == "scheduled" {
			return prefix + key + " belongs to the stream, for its spec.dockerImageRepository", "for a tag, write " + p.line("importPolicy", "{scheduled: true}")
		}
		return "", ""
	})
	if interval := p.duration(w, "interval", intervals); interval != nil {
		tag.Interval = *interval
	}
	tag.Settle = p.duration(w, "settle", settles)
	wants := p.policy(w, tag)
	if imported := t.From != nil && t.From.Kind == DockerImage && !t.Reference; !imported {
		p.unimported(w, t)
	} else if wants {
		p.wholeRepository(w, t)
	}
	if isNull(field(n, "importPolicy", "scheduled")) {
		tag.Scheduled = tag.Policy != nil || tag.Interval > 0
	}
	return !w.bad
}

// policy reports whether there is one, good or bad.
func (p *parser) policy(w *wishes, tag *Tag) bool {
	own := map[string]string{}
	for _, key := range policy.Keys {
		if text, ok := w.text[key]; ok {
			own[key] = text
		}
	}
	if len(own) == 0 {
		return false
	}
	chosen, err := policy.Parse(own)
	if err != nil {
		p.wish(w, err.Key, err.What, err.Fix)
	}
	tag.Policy = chosen
	return true
}

// unimported says of each annotation that nothing comes of it: no registry is asked for
// the tag.
func (p *parser) unimported(w *wishes, t imagev1.TagReference) {
	why := "it has no from"
	switch {
	case t.Reference:
		why = "reference: true takes from.name as it stands"
	case t.From != nil:
		why = "it follows " + clip(t.From.Name)
	}
	for _, key := range slices.Sorted(maps.Keys(w.text)) {
		if slices.Contains(tagKeys, key) {
			p.wish(w, key, fmt.Sprintf("%s%s is for a tag that is imported; %s", prefix, key, why),
				"remove it, or import the tag: "+p.line("kind", p.quoted(DockerImage))+" below from")
		}
	}
}

// wholeRepository wants from.name without tag and digest: the policy finds the tag.
func (p *parser) wholeRepository(w *wishes, t imagev1.TagReference) {
	name := t.From.Name
	if what, _ := checkReference(name); what != "" {
		return // said elsewhere
	}
	if bare := repositoryOf(name); bare != name {
		w.bad = true
		p.problem(nearest(w.at, "from", "name"), fmt.Sprintf("%sfrom.name %q names one image, and its policy chooses among all of a repository", w.who, name),
			p.line("name", p.quoted(bare)))
	}
}

// isText reports whether an annotation is a string to every reader.
func isText(n *yamledit.Node) bool {
	if n == nil || n.Kind != yaml.ScalarNode {
		return false
	}
	read := ""
	if plain(n) {
		read = readsAs(n.Value)
	}
	return read == "" || read == readTime
}

// clip shortens what stands in a file for a message.
func clip(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return text
}
