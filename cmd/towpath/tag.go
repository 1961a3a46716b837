package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/yamledit"
)

const tagHelp = `Say in a checkout where tags come from, as oc tag does in a cluster. Files are edited where
they stand, everything else in them stays as it is, and the commit is left to you.

SOURCE is an image of a registry (quay.io/team1/web:1.4), a tag of an image stream (base:1.0,
team1/base:1.0) or an image that is on record for one (base@sha256:…). Without --source,
what names an image stream of the checkout is one. A tag of a stream stands for the image
that is on record for it now; with --alias it is followed.

A tag that is there keeps what you do not speak of, except for what would contradict.`

const tagExample = `  towpath tag quay.io/team1/web:1.4 web:stable              web:stable is imported from there
  towpath tag --scheduled quay.io/team1/web:edge web:edge   … again and again
  towpath tag base:1.0 web:base team1/api:base              the image that base:1.0 is now
  towpath tag --alias base:1.0 web:base                     … and whatever it will be
  towpath tag --policy 'semver:>=1.4 <2' quay.io/team1/web web:stable
  towpath tag --file streams/new.yaml redis:8 cache:8       a stream that is not there yet
  towpath tag --delete web:old                              from spec and status both`

// tagOptions are the flags.
type tagOptions struct {
	dir, file, source              string
	alias, delete, dryRun          bool
	reference, insecure, scheduled bool
	referencePolicy, importMode    string
	policy, match, interval        string

	changed func(flag string) bool // it is on the command line, or in the environment
	given   func(flag string) bool // and says something
}

func newTag(a *app) *cobra.Command {
	o := &tagOptions{}
	c := &cobra.Command{
		Use: "tag SOURCE [NS/]STREAM:TAG… | --delete [NS/]STREAM:TAG…", Short: "Say in a checkout where tags come from",
		Long: tagHelp, Example: tagExample,
	}
	f := c.Flags()
	f.StringVar(&o.dir, "dir", ".", "a `DIR` of the checkout")
	f.StringVar(&o.file, "file", "", "the `FILE` that gets the stream where there is none yet")
	f.StringVar(&o.source, "source", "", "what SOURCE is: `docker|imagestreamtag|imagestreamimage`")
	f.BoolVar(&o.alias, "alias", false, "follow a tag of an image stream")
	f.BoolVarP(&o.delete, "delete", "d", false, "drop tags, with what is on record for them")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the diff and write nothing")
	f.BoolVar(&o.scheduled, "scheduled", false, "import again and again")
	f.BoolVar(&o.insecure, "insecure", false, "import over plain HTTP or unverified TLS, where the operator allows that")
	f.BoolVar(&o.reference, "reference", false, "take the name as it stands; import nothing")
	f.StringVar(&o.referencePolicy, "reference-policy", "", "consumers get the `source|local` name of the image")
	f.StringVar(&o.importMode, "import-mode", "", "of an image for many platforms take one or all: `Legacy|PreserveOriginal`")
	f.StringVar(&o.policy, "policy", "", "choose a tag of the repository that SOURCE names: `POLICY`")
	f.StringVar(&o.match, "match", "", "… among those that the `REGEXP` matches")
	f.StringVar(&o.interval, "interval", "", "the `time` between two imports, e.g. 5m")
	o.changed = f.Changed
	o.given = func(flag string) bool {
		v := f.Lookup(flag).Value.String()
		return f.Changed(flag) && v != "" && v != "false"
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.check(args); err != nil {
			return err
		}
		return a.tag(c.Context(), o, args)
	}
	return c
}

// importFlags are the flags that are about asking a registry.
var importFlags = []string{"scheduled", "insecure", "import-mode", "policy", "match", "interval"}

// check refuses what needs no file to be wrong.
func (o *tagOptions) check(args []string) error {
	switch {
	case o.delete && len(args) == 0:
		return usage("%w", hint{errors.New("no tag is named"), "write towpath tag --delete STREAM:TAG"})
	case !o.delete && len(args) < 2:
		return usage("%w", hint{errors.New("a source and at least one tag are wanted"), "write towpath tag SOURCE STREAM:TAG"})
	}
	if o.delete {
		for _, flag := range append([]string{"source", "alias", "reference", "reference-policy", "file"}, importFlags...) {
			if o.given(flag) {
				return contrary("--delete drops tags", flag)
			}
		}
	}
	if o.source != "" && kindWords[strings.ToLower(o.source)] == "" {
		return usage("--source %s: say docker, imagestreamtag (istag) or imagestreamimage (isimage)", o.source)
	}
	if o.referencePolicy != "" {
		if err := oneOf("--reference-policy", strings.ToLower(o.referencePolicy), "source", "local"); err != nil {
			return err
		}
	}
	for _, mode := range []string{imagestream.Legacy, imagestream.PreserveOriginal} {
		if strings.EqualFold(o.importMode, mode) {
			o.importMode = mode
		}
	}
	if o.importMode != "" {
		if err := oneOf("--import-mode", o.importMode, imagestream.Legacy, imagestream.PreserveOriginal); err != nil {
			return err
		}
	}
	for _, flag := range []string{"scheduled", "policy", "match", "interval"} {
		if o.given("reference") && o.given(flag) {
			return contrary("--reference imports nothing", flag)
		}
	}
	return nil
}

// contrary is a flag that says nothing beside what else is asked for.
func contrary(why, flag string) error {
	return usage("%w", hint{fmt.Errorf("%s: --%s says nothing there", why, flag), "leave out --" + flag})
}

// tag is the command once its flags are right.
func (a *app) tag(ctx context.Context, o *tagOptions, args []string) error {
	co, err := openCheckout(ctx, o.dir)
	if err != nil {
		return err
	}
	if co.cat.Invalid {
		printProblems(a.stderr, co.problems(func(p imagestream.Problem) bool { return p.Path == reconcile.ConfigPath }))
		return &exit{exitProblems, hint{fmt.Errorf("%s is not right", co.shown(reconcile.ConfigPath)), "correct the lines above; nothing is written until then"}}
	}
	t := &tagging{app: a, checkout: co, opt: o}
	if !o.delete {
		if err := t.from(ctx, args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	for _, arg := range args {
		if err := t.target(ctx, arg); err != nil {
			return err
		}
	}
	return t.finish()
}

// A tagging is one call of the command. It looks at all that is asked for before it
// writes anything.
type tagging struct {
	*app
	*checkout
	opt    *tagOptions
	source imagestream.From // namespace always given for a stream
	drafts []*tagDraft
	notes  []string // for when it is done
}

// A tagDraft is what becomes of one file.
type tagDraft struct {
	path   string
	before []byte         // nil where there is no file yet
	file   *yamledit.File // with the streams that are added
	docs   []imagestream.Document
	tags   []imagestream.TagRef
	edits  []imagestream.TagEdit // of the tags
	edited imagestream.Edited
}

// target takes up [NS/]STREAM:TAG.
func (t *tagging) target(ctx context.Context, arg string) error {
	path, tag, ok := strings.Cut(arg, ":")
	ns, name, several := strings.Cut(path, "/")
	if !several {
		ns, name = "", path
	}
	if !ok || name == "" || tag == "" || several && ns == "" || strings.ContainsAny(name+tag, "/@") {
		return usage("%w", hint{fmt.Errorf("%q names no tag of an image stream", arg), "write STREAM:TAG or NAMESPACE/STREAM:TAG"})
	}
	d, i, err := t.home(ctx, ns, name)
	if err != nil {
		return err
	}
	doc := &d.docs[i]
	ref := imagestream.TagRef{Stream: imagestream.Name{Namespace: t.namespace(d.path, doc.Name.Namespace), Name: name}, Tag: tag}
	if slices.Contains(d.tags, ref) {
		return usage("%w", hint{fmt.Errorf("%s is named twice", ref), "name it once"})
	}
	if err := t.allowed(ref, doc); err != nil {
		return err
	}
	d.tags = append(d.tags, ref)
	d.edits = append(d.edits, t.edit(i, ref))
	return nil
}

// edit is what is asked for of a tag of the stream i of its file.
func (t *tagging) edit(i int, ref imagestream.TagRef) imagestream.TagEdit {
	e := imagestream.TagEdit{Stream: i, Tag: ref.Tag, Delete: t.opt.delete, From: t.source, ImportMode: t.opt.importMode}
	if e.From.Namespace == ref.Stream.Namespace {
		e.From.Namespace = ""
	}
	for flag, field := range map[string]struct {
		to    **bool
		value bool
	}{
		"reference": {&e.Reference, t.opt.reference}, "insecure": {&e.Insecure, t.opt.insecure}, "scheduled": {&e.Scheduled, t.opt.scheduled},
		"reference-policy": {&e.Local, strings.EqualFold(t.opt.referencePolicy, "local")},
	} {
		if t.opt.changed(flag) {
			*field.to = &field.value
		}
	}
	for key, text := range map[string]string{"policy": t.opt.policy, "match": t.opt.match, "interval": t.opt.interval} {
		if text != "" {
			if e.Annotations == nil {
				e.Annotations = map[string]string{}
			}
			e.Annotations[key] = text
		}
	}
	return e
}

// home is the file of a stream, and which of its streams it is.
func (t *tagging) home(ctx context.Context, ns, name string) (*tagDraft, int, error) {
	s, err := t.stream(ns, name)
	switch {
	case err != nil:
		return nil, 0, err
	case s == nil && t.opt.file == "":
		return nil, 0, t.missing(ctx, ns, name)
	case s == nil:
		return t.create(ctx, ns, name)
	}
	if t.opt.file != "" {
		if in, err := t.within(t.opt.file); err != nil || in != s.Path {
			return nil, 0, usage("%w", hint{fmt.Errorf("image stream %s is in %s", s.Name, t.shown(s.Path)), "leave out --file, or name the namespace of another: NS/STREAM:TAG"})
		}
	}
	d, err := t.draft(s.Path)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(d.docs, func(doc imagestream.Document) bool { return doc.Doc == s.Doc && reflect.DeepEqual(doc.At, s.At) })
	if i < 0 {
		return nil, 0, failed(hint{fmt.Errorf("%s has changed meanwhile", t.shown(s.Path)), "try again"})
	}
	return d, i, nil
}

// missing is why a stream cannot be found. Problems of files may hide it: they are printed.
func (t *tagging) missing(ctx context.Context, ns, name string) error {
	what := imagestream.Name{Namespace: ns, Name: name}
	if places := t.claims(ctx, ns, name); len(places) > 0 {
		paths := map[string]bool{}
		for _, p := range places {
			paths[p[:strings.LastIndexByte(p, ':')]] = true
		}
		printProblems(t.stderr, t.problems(func(p imagestream.Problem) bool { return paths[t.shown(p.Path)] }))
		return &exit{exitProblems, hint{fmt.Errorf("image stream %s cannot be used: it stands in %s", what, strings.Join(places, " and ")), "correct the lines above"}}
	}
	code, fix := exitFailed, "write --file FILE to create it there, e.g. --file streams/"+name+".yaml"
	if found := t.problems(func(imagestream.Problem) bool { return true }); len(found) > 0 {
		printProblems(t.stderr, found)
		code, fix = exitProblems, "if it stands in one of the lines above, correct that; else "+fix
	}
	return &exit{code, hint{fmt.Errorf("there is no image stream %s in this checkout", what), fix}}
}

// create puts a stream without tags into the file that is named for it.
func (t *tagging) create(ctx context.Context, ns, name string) (*tagDraft, int, error) {
	if places := t.claims(ctx, ns, name); len(places) > 0 {
		return nil, 0, t.missing(ctx, ns, name)
	}
	path, err := t.within(t.opt.file)
	if err == nil && !t.cat.Config.Included(path) {
		err = hint{fmt.Errorf("%s is not among the files that are read", t.opt.file), "name a file that include: of " + reconcile.ConfigPath + " takes and exclude: does not; by default *.yaml, *.yml and *.json"}
	}
	if err != nil {
		return nil, 0, usage("--file: %w", err)
	}
	d, err := t.draft(path)
	if err != nil {
		return nil, 0, err
	}
	if t.ignored.above(path) {
		t.note("%s: a .gitignore names it: no run reads it, unless you git add it with --force", t.shown(path))
	}
	full := imagestream.Name{Namespace: ns, Name: name}
	if ns == "" {
		full.Namespace = t.namespace(path, "")
	} else if ns == t.namespace(path, "") {
		ns = ""
	}
	for i, doc := range d.docs { // an earlier tag has made it
		if full == (imagestream.Name{Namespace: t.namespace(path, doc.Name.Namespace), Name: doc.Name.Name}) {
			return d, i, nil
		}
	}
	src, problems := imagestream.AppendStream(d.file.Src, imagestream.Name{Namespace: ns, Name: name})
	if len(problems) > 0 {
		return nil, 0, t.refused(path, problems)
	}
	if err := d.read(src); err != nil {
		return nil, 0, failed(err)
	}
	return d, len(d.docs) - 1, nil
}

// draft is the one of a file, which is read once.
func (t *tagging) draft(path string) (*tagDraft, error) {
	for _, d := range t.drafts {
		if d.path == path {
			return d, nil
		}
	}
	src, err := t.readFile(path)
	if err != nil {
		return nil, failed(err)
	}
	d := &tagDraft{path: path, before: src}
	if err := d.read(src); err != nil {
		return nil, t.refused(path, problemOf(err))
	}
	t.drafts = append(t.drafts, d)
	return d, nil
}

func (d *tagDraft) read(src []byte) (err error) {
	if d.file, err = yamledit.Parse(src, yamledit.DefaultLimits); err == nil {
		d.docs, _ = imagestream.Parse(d.file)
	}
	return err
}

func problemOf(err error) []imagestream.Problem {
	p := imagestream.Problem{What: err.Error(), Fix: "correct the file"}
	if e := (*yamledit.Error)(nil); errors.As(err, &e) {
		p.Line, p.Col, p.Fix = e.Line, e.Col, e.Fix
	}
	return []imagestream.Problem{p}
}

// refused prints why a file is not edited. What has a line is wrong with the file; all
// else with what was asked for.
func (t *tagging) refused(path string, problems []imagestream.Problem) error {
	if p := problems[0]; p.Line == 0 {
		return usage("%w", hint{errors.New(p.What), p.Fix})
	}
	for i := range problems {
		problems[i].Path = t.shown(path)
	}
	printProblems(t.stderr, problems)
	return &exit{exitProblems, fmt.Errorf("%s is left as it is", t.shown(path))}
}

// finish makes the edits of every file, and then writes them, or prints what it would
// write.
func (t *tagging) finish() error {
	for _, d := range t.drafts {
		var problems []imagestream.Problem
		if d.edited, problems = imagestream.EditSpec(d.file, d.edits...); len(problems) > 0 {
			return t.refused(d.path, problems)
		}
	}
	for _, d := range t.drafts {
		if err := t.put(d); err != nil {
			return failed(hint{fmt.Errorf("%s: %w", t.shown(d.path), err), "towpath has changed nothing in this file; run it again"})
		}
	}
	for _, note := range t.notes {
		fmt.Fprintln(t.stderr, "note: "+printable(note))
	}
	return nil
}

// put writes a file and says so; or prints what it would write.
func (t *tagging) put(d *tagDraft) error {
	if bytes.Equal(d.before, d.edited.Src) {
		t.report(t.stdout, d)
		return nil
	}
	if t.opt.dryRun {
		fmt.Fprint(t.stdout, diffOf(reconcile.Write{
			Commit: gitstore.Commit{Edits: []gitstore.Edit{{Path: d.path, Content: d.edited.Src}}},
			Before: map[string][]byte{d.path: d.before},
		}))
		t.report(t.stderr, d)
		return nil
	}
	if err := t.write(d.path, d.before, d.edited.Src); err != nil {
		return err
	}
	t.report(t.stdout, d)
	return nil
}
