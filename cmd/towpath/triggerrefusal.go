package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// What set-trigger does not do, and what a person can do in its place.

var errNoTrigger = errors.New("no such trigger")

func (t *triggering) nothing(who fmt.Stringer) error {
	return failed(hint{fmt.Errorf("%s has %w", who, errNoTrigger), "towpath status --sites lists who follows what"})
}

// unsure is an edit that was not made.
func (t *triggering) unsure(why string) error {
	return t.left(why, t.byHand()+"; then check it: towpath validate "+t.shown(t.path))
}

func (t *triggering) left(why, fix string) error {
	return failed(hint{fmt.Errorf("%s is left as it is: %s", t.shown(t.path), why), fix})
}

// byHand says what to write, and where.
func (t *triggering) byHand() string {
	o := t.opt
	switch {
	case o.remove:
		return "take the trigger out by hand"
	case o.field != "" || t.asText():
		open, shut := comments(t.path)
		return "write it by hand, behind the value or on a line of its own above: " + open + " " + o.marker(marker{Part: o.part}).String() + shut
	}
	name := "NAME"
	if len(o.containers) > 0 {
		name = o.containers[0]
	}
	list, err := newTriggerList(nil, nil)
	if err != nil {
		return "write it by hand"
	}
	list.add(listed{o.follows, fmt.Sprintf(`spec.template.spec.containers[?(@.name=="%s")].image`, name), o.paused})
	text, _ := list.text()
	return fmt.Sprintf("write it by hand, below annotations of the object: %s: '%s'", trigger.Annotation, text)
}

// refusal is why the file with the edit would not be what a person wants, as a run finds it;
// nil where it would.
func (t *triggering) refusal(edit triggerEdit, old, now []trigger.Site, oldProblems, problems []imagestream.Problem) error {
	known := map[string]bool{}
	for _, p := range oldProblems {
		known[p.What] = true
	}
	problems = slices.DeleteFunc(slices.Clone(problems), func(p imagestream.Problem) bool { return known[p.What] })
	if lost := missing(old, now, edit); lost != nil {
		return t.inTheWay(lost)
	}
	for _, p := range problems {
		if !p.Note {
			return t.left(t.at(p, edit)+p.What, cmp.Or(p.Fix, t.byHand()))
		}
	}
	if edit.count > 0 && len(now) <= len(old) { // the site is not seen: a note may say why
		for _, p := range problems {
			return t.left(t.at(p, edit)+p.What, t.filledIn())
		}
	}
	return nil
}

// at is the line of a problem, where the edit has moved none.
func (t *triggering) at(p imagestream.Problem, edit triggerEdit) string {
	if p.Line == 0 || strings.Count(string(t.before), "\n") != strings.Count(string(edit.after), "\n") {
		return ""
	}
	return fmt.Sprintf("line %d: ", p.Line)
}

// filledIn is what to do about a file that others fill in before it counts.
func (t *triggering) filledIn() string {
	m := t.opt.marker(marker{Part: t.opt.part})
	return fmt.Sprintf("let the value follow that is filled in: write # %s behind it, or above its line, in the file where it is written out; or commit what comes out, and let that follow", m)
}

// missing is a site of others that the edit would lose; nil where there is none.
func missing(old, now []trigger.Site, edit triggerEdit) *trigger.Site {
	isNow := edit.is
	if edit.isNow != nil {
		isNow = edit.isNow
	}
	_, left := part(now, isNow)
	for i := range old {
		ours, others := part(old[i:i+1], edit.is)
		gone := slices.ContainsFunc(others, func(other string) bool { return !slices.Contains(left, other) })
		if gone && len(ours) == 0 {
			return &old[i]
		}
	}
	return nil
}

// inTheWay names the trigger that two of could not be used beside.
func (t *triggering) inTheWay(s *trigger.Site) error {
	line, out := t.standing(s)
	return t.left(fmt.Sprintf("%s follows %s already, by the %s in line %d, and two triggers for one image would both be unused", cmp.Or(s.ID.String(), fmt.Sprintf("line %d", s.Line)), s.Follows, formName(s.Form), line),
		"take that out first: towpath set-trigger "+t.shown(t.path)+out+" --remove")
}

func formName(form string) string {
	if form == "deploymentconfig" || form == "buildconfig" {
		return "trigger"
	}
	return form
}

// standing is the line in which a site says that it follows, and how the command names it.
func (t *triggering) standing(s *trigger.Site) (line int, out string) {
	if t.asText() {
		return s.Line, fmt.Sprintf(" --line %d", s.Line)
	}
	f, err := yamledit.Parse(t.before, yamledit.DefaultLimits)
	if err != nil {
		return s.Line, ""
	}
	if s.Form == "marker" {
		p := s.Places[0]
		line, out = s.Line, " --field "+shellWord(p.At.String())
		if c := beside(f, p.Doc, p.At); c != nil {
			line = c.Line
		}
		if len(f.Docs) > 1 && s.ID.Name != "" {
			out += fmt.Sprintf(" --kind %s --name %s", s.ID.Kind, s.ID.Name)
		}
		return line, out
	}
	line = s.Line
	all := runners(f)
	for _, r := range all {
		if !r.is(*s, s.Form) {
			continue
		}
		if n := cmp.Or(r.find("metadata", "annotations", trigger.Annotation), r.find("spec", "triggers")); n != nil {
			line = n.Line
		}
	}
	if len(all) > 1 {
		out += fmt.Sprintf(" --kind %s --name %s", s.ID.Kind, s.ID.Name)
	}
	if s.Form == "buildconfig" {
		return line, out + " --from " + s.Follows.String()
	}
	return line, out + " --container " + s.ID.Container
}

// shellWord is a word as a shell takes it.
func shellWord(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// objectless says that a file holds nothing that runs containers, and what else it may be.
func (t *triggering) objectless(f *yamledit.File) error {
	for _, d := range f.Docs {
		if kind, _ := yamledit.Get(d.Root, yamledit.Path{"kind"}); kind == "Template" {
			return t.left("it is a template, which is read when somebody has processed it", t.filledIn())
		}
		if t.isKustomization(d.Root) {
			return failed(hint{fmt.Errorf("%s is a kustomization, which runs no containers itself", t.shown(t.path)), "name an entry of its images: --field 'images[?(@.name==\"NAME\")]'"})
		}
	}
	return failed(hint{fmt.Errorf("%s holds no object with containers, and no BuildConfig", t.shown(t.path)), "name the value that holds an image with --field SELECTOR"})
}
