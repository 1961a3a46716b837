package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

const setTriggerHelp = `Say in a checkout what follows a tag of an image stream, as oc set triggers does in a
cluster. The file is edited where it stands, everything else in it stays as it is, and the
commit is left to you. What PATH holds decides what is written:

  objects         containers get an entry in the annotation image.openshift.io/triggers; a
                  DeploymentConfig or a BuildConfig gets an ImageChange trigger
  any YAML        with --field, the value there gets a marker in a comment behind it
  other text      the marker stands in a comment above the line: of a Dockerfile above
                  its only FROM, or that of --stage; else above --line
  JSON            has no comments: with --field, what to write into .towpath.yaml is printed

What follows a tag already follows the one that you name from then on.`

const setTriggerExample = `  towpath set-trigger deploy/web.yaml --from team1/web:stable --container web
  towpath set-trigger deploy/all.yaml --kind CronJob --name report --from web:stable
  towpath set-trigger build.yaml --from base:1 --paused     a BuildConfig
  towpath set-trigger values.yaml --field image.tag --part tag --from web:stable
  towpath set-trigger Dockerfile --stage build --from go:1.26
  towpath set-trigger .env --line 3 --part tag --from web:stable
  towpath set-trigger deploy/web.yaml --container web --remove`

// triggerOptions are the flags.
type triggerOptions struct {
	from, kind, name       string
	containers             []string
	field, part, form      string
	line                   int
	stage                  string
	paused, remove, dryRun bool
	pausedGiven            bool
	follows                imagestream.TagRef // of from; zero without
}

func newSetTrigger(a *app) *cobra.Command {
	o := &triggerOptions{}
	c := &cobra.Command{
		Use: "set-trigger PATH --from [NS/]STREAM:TAG", Short: "Say in a checkout what follows a tag",
		Long: setTriggerHelp, Example: setTriggerExample, Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "the tag that is followed: `[NS/]STREAM:TAG`; without NS that of the object or file")
	f.StringSliceVarP(&o.containers, "container", "c", nil, "the `NAME` of a container; may be repeated")
	f.StringVar(&o.kind, "kind", "", "the `KIND` of the object, where a file has several")
	f.StringVar(&o.name, "name", "", "the `NAME` of the object, where a file has several")
	f.StringVar(&o.field, "field", "", "the value in a file of YAML: `SELECTOR`, such as image.tag or images[?(@.name==\"web\")].newTag")
	f.StringVar(&o.part, "part", "", "what of the image the value holds: `ref|name|tag|digest|tag@digest`")
	f.StringVar(&o.form, "form", "", "how the reference is written, in an object all of them: `digest|tag@digest|tag`")
	f.IntVar(&o.line, "line", 0, "the line `N` of a text")
	f.StringVar(&o.stage, "stage", "", "the stage `NAME` of a Dockerfile")
	f.BoolVar(&o.paused, "paused", false, "follow nothing for now")
	f.BoolVar(&o.remove, "remove", false, "take the trigger out again")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the diff and write nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		o.pausedGiven = f.Changed("paused")
		if err := o.check(); err != nil {
			return err
		}
		return a.setTrigger(c.Context(), o, args[0])
	}
	return c
}

// check refuses what needs no file to be wrong.
func (o *triggerOptions) check() error {
	if o.from == "" && !o.remove {
		return usage("%w", hint{errors.New("no tag is named"), "write --from STREAM:TAG"})
	}
	if o.from != "" {
		follows, err := imagestream.ParseTagRef(o.from)
		if err != nil {
			return usage("%w", hint{fmt.Errorf("--from %q %w", o.from, err), "write STREAM:TAG or NAMESPACE/STREAM:TAG"})
		}
		o.follows = follows
	}
	if o.part != "" {
		if err := oneOf("--part", o.part, "ref", "name", "tag", "digest", "tag@digest"); err != nil {
			return err
		}
	}
	if o.form != "" {
		if err := oneOf("--form", o.form, "digest", "tag@digest", "tag"); err != nil {
			return err
		}
	}
	if o.form != "" && o.part != "" && o.part != "ref" {
		return contrary("--part "+o.part+" is no whole reference", "form")
	}
	return o.checkPlace()
}

// checkPlace refuses flags that name places of different kinds.
func (o *triggerOptions) checkPlace() error {
	switch {
	case o.field != "" && (o.line != 0 || o.stage != ""), o.line != 0 && o.stage != "":
		return usage("%w", hint{errors.New("--field, --line and --stage each name a place"), "give one of them"})
	case o.line < 0:
		return usage("--line %d: lines are counted from 1", o.line)
	case o.remove && o.pausedGiven:
		return contrary("--remove takes the trigger out", "paused")
	case o.remove && o.form != "":
		return contrary("--remove takes the trigger out", "form")
	}
	marked := o.field != "" || o.line != 0 || o.stage != ""
	switch {
	case marked && len(o.containers) > 0:
		return contrary("a marker stands beside a value", "container")
	case len(o.containers) > 0 && o.part != "":
		return contrary("the trigger of a container stands for a whole reference", "part")
	}
	return nil
}

// A triggering is one call of the command: a file, and what becomes of it.
type triggering struct {
	*app
	*checkout
	opt    *triggerOptions
	path   string
	before []byte
	notes  []string
}

// setTrigger is the command once its flags are right.
func (a *app) setTrigger(ctx context.Context, o *triggerOptions, file string) error {
	co, err := openCheckout(ctx, filepath.Dir(file))
	if err != nil {
		return err
	}
	if co.cat.Invalid {
		return a.invalid(co)
	}
	t := &triggering{app: a, checkout: co, opt: o}
	if t.path, err = co.within(file); err != nil {
		return usage("%w", err)
	}
	if t.before, err = co.readFile(t.path); err != nil {
		return failed(err)
	}
	if t.before == nil {
		return failed(hint{fmt.Errorf("there is no file %s", file), "name a file of the checkout"})
	}
	edit, err := t.edit()
	if err != nil {
		return err
	}
	return t.finish(ctx, edit)
}

// A triggerEdit is a file as it will be, and the sites that the edit is about.
type triggerEdit struct {
	after []byte
	// is reports whether a site, or a place of it, is one of those, whatever it follows;
	// count is how many of them follow what is asked for afterwards: none where they are
	// removed.
	is    func(trigger.Site, trigger.Place) bool
	isNow func(trigger.Site, trigger.Place) bool // afterwards; nil: the same
	count int
	said  []string // a line for each, without the place
}

func (t *triggering) edit() (triggerEdit, error) {
	o := t.opt
	switch {
	case o.field != "":
		return t.editField()
	case o.line != 0 || o.stage != "" || !isYAML(t.path):
		return t.editText()
	}
	return t.editObject()
}

// isYAML reports whether a run reads a file as YAML or JSON.
func isYAML(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return filepath.Base(path) == "Kustomization"
}

// asText reports whether the edit is one of text.
func (t *triggering) asText() bool { return !isYAML(t.path) }

// finish reads the file again as a run will, and then writes it, or prints what it would
// write.
func (t *triggering) finish(ctx context.Context, edit triggerEdit) error {
	sites, err := t.sure(edit)
	if err != nil {
		return err
	}
	w := t.stdout
	if t.opt.dryRun && !bytes.Equal(t.before, edit.after) {
		fmt.Fprint(t.stdout, diffOf(reconcile.Write{
			Commit: gitstore.Commit{Edits: []gitstore.Edit{{Path: t.path, Content: edit.after}}},
			Before: map[string][]byte{t.path: t.before},
		}))
		w = t.stderr
	} else if !bytes.Equal(t.before, edit.after) {
		if err := t.write(t.path, t.before, edit.after); err != nil {
			return failed(hint{fmt.Errorf("%s: %w", t.shown(t.path), err), "towpath has changed nothing in this file; run it again"})
		}
	}
	for i, line := range edit.said {
		at := t.shown(t.path)
		if len(sites) > 0 {
			at = fmt.Sprintf("%s:%d", at, sites[min(i, len(sites)-1)].Line)
		}
		fmt.Fprintf(w, "%s: %s\n", printable(at), printable(line))
	}
	return t.next(ctx, edit, sites)
}

// sure are the sites that the edit made, found in its text as a run finds them.
func (t *triggering) sure(edit triggerEdit) ([]trigger.Site, error) {
	old, oldProblems, err := t.find(t.before)
	if err != nil {
		return nil, t.broken(err)
	}
	now, problems, err := t.find(edit.after)
	if err != nil {
		return nil, t.unsure(err.Error())
	}
	if err := t.refusal(edit, old, now, oldProblems, problems); err != nil {
		return nil, err
	}
	before, othersBefore := part(old, edit.is)
	if edit.isNow != nil {
		edit.is = edit.isNow
	}
	ours, others := part(now, edit.is)
	asked := slices.DeleteFunc(slices.Clone(ours), func(s trigger.Site) bool { return !t.means(s.Follows, s.ID.Namespace) })
	switch {
	case !slices.Equal(others, othersBefore):
		return nil, t.unsure("another trigger of the file would be lost or found")
	case len(asked) < edit.count, t.opt.remove && places(ours) > 0 && places(ours) >= places(before):
		return nil, t.unsure("a run would not see the file as you want it")
	}
	if t.opt.remove {
		return nil, nil
	}
	return asked, nil
}

// part are the sites that an edit is about, and the other places, each in a word.
func part(sites []trigger.Site, is func(trigger.Site, trigger.Place) bool) (ours []trigger.Site, others []string) {
	for _, s := range sites {
		mine := false
		for _, p := range s.Places {
			if is(s, p) {
				mine = true
				continue
			}
			others = append(others, fmt.Sprintf("%s %s %s %d %s %s", s.Form, s.Follows, p.Part, p.Doc, p.At, p.Value))
		}
		if mine {
			ours = append(ours, s)
		}
	}
	slices.Sort(others)
	return ours, others
}

func places(sites []trigger.Site) (n int) {
	for _, s := range sites {
		n += len(s.Places)
	}
	return n
}

// find are the sites of a text, as a run finds them.
func (t *triggering) find(src []byte) ([]trigger.Site, []imagestream.Problem, error) {
	if t.asText() {
		sites, problems := trigger.FindText(src)
		return sites, problems, nil
	}
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		return nil, nil, err
	}
	sites, problems := trigger.Find(f)
	return sites, problems, nil
}

// broken is a file that cannot be read.
func (t *triggering) broken(err error) error { return t.refused(problemOf(err)) }

// refused prints why the file is not edited.
func (t *triggering) refused(problems []imagestream.Problem) error {
	for i := range problems {
		problems[i].Path = t.shown(t.path)
	}
	printProblems(t.stderr, problems)
	return &exit{exitProblems, fmt.Errorf("%s is left as it is", t.shown(t.path))}
}

// applied is the file with changes. What cannot be edited surely comes with the lines to
// write by hand.
func (t *triggering) applied(f *yamledit.File, changes ...yamledit.Change) ([]byte, error) {
	out, err := f.Apply(changes...)
	if r := (*yamledit.Refused)(nil); errors.As(err, &r) {
		return nil, t.refused([]imagestream.Problem{{Line: r.Line, Col: r.Col, What: r.What, Fix: r.Fix}})
	}
	if err != nil {
		return nil, failed(err)
	}
	return out, nil
}

// invalid says that nothing counts while the repository's config is not right.
func (a *app) invalid(co *checkout) error {
	printProblems(a.stderr, co.problems(func(p imagestream.Problem) bool { return p.Path == reconcile.ConfigPath }))
	return &exit{exitProblems, hint{fmt.Errorf("%s is not right", co.shown(reconcile.ConfigPath)), "correct the lines above; nothing is written until then"}}
}

func (t *triggering) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}
