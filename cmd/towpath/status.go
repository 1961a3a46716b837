package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

func newStatus(a *app) *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use: "status [[NS/]STREAM[:TAG]…]", Short: "Show what is on record, and who follows it",
		Long: `Read the branch and print a line for each image stream, what is wrong, and which
sites are held, deferred or left alone. With --tags, a line for each tag; with --sites, below
it the sites that follow it: what each holds, in which form, and since which commit. For streams
or tags that are named, everything: where each tag comes from, its history, why it fails, who
follows it. No registry is asked.

When a tag is asked next is the daemon's to know: where the operator's config says that one
listens on this machine, or --server names one, it is asked, too.`,
		Example: `  towpath status --repo /srv/git/streams.git       a line for each stream  (oc get is)
  towpath status --tags                            a line for each tag     (oc get istag)
  towpath status --sites                           …and below it the sites that follow it
  towpath status team1/web                         everything about one    (oc describe is)
  towpath status web:stable                        everything about one tag
  towpath status --server http://127.0.0.1:8080    when tags are asked next, to the second
  towpath status -o json | jq '.tags[] | select(.failure)'`,
	}
	f := c.Flags()
	f.BoolVarP(&o.tags, "tags", "t", false, "print a line for each tag")
	f.BoolVar(&o.sites, "sites", false, "print a line for each tag and, below it, the sites that follow it, since when; reads the log")
	f.StringVarP(&o.output, "output", "o", "text", "`text|json`")
	f.StringVar(&o.server, "server", "", "ask the daemon that serves `URL`, such as http://127.0.0.1:8080")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := oneOf("-o", o.output, "text", "json"); err != nil {
			return err
		}
		if err := checkServer(o.server, "--listen"); err != nil {
			return err
		}
		return a.status(c.Context(), o, args)
	}
	return c
}

type statusOptions struct {
	tags, sites    bool
	output, server string
}

func (a *app) status(ctx context.Context, o statusOptions, args []string) error {
	r, op, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer r.Store.Close()
	bar := a.progress()
	r.Progress = bar.set
	cat, rep, err := r.Survey(ctx)
	bar.done()
	if err != nil {
		return failed(err)
	}
	targets, err := targetsOf(cat, args)
	if err != nil {
		return err
	}
	told, unheard := ask(ctx, o.server, string(op.Listen), targets, rep.Rev)
	s := newSurvey(cat, rep, selected(cat, targets), told)
	s.propose(a.venue.reviewed(rep, told))
	if o.sites {
		err := s.lookUp(ctx, r)
		bar.done()
		if err != nil {
			return failed(err)
		}
	}
	if err := s.describe(ctx, targets); err != nil {
		return failed(err)
	}
	if o.output == "json" {
		if err := writeJSON(a.stdout, surveyOf(s)); err != nil {
			return failed(err)
		}
	} else {
		s.print(a.stdout, o)
		printProblems(a.stderr, rep.Problems)
	}
	if unheard != nil {
		return failed(unheard)
	}
	if len(rep.Bad()) > 0 || s.fails() {
		return &exit{code: exitProblems}
	}
	return nil
}

// A survey is what status shows: what Git says and, where a daemon was asked, what
// it knows besides.
type survey struct {
	cat       *reconcile.Catalog
	rep       reconcile.Report
	tags      []reconcile.TagView // that are shown
	told      *told               // nil: no daemon was asked, or none answered
	now       time.Time
	proposals []web.Proposal
	reviews   inReview                   // of them, by tag
	standings map[*reconcile.Site]string // of sites that do not move: why
	// since says which commit gave sites what they hold, where that was looked up.
	since map[*reconcile.Site]reconcile.Since
	// named are the streams that were named, once each, in full.
	named    []named
	byStream map[imagestream.Name][]reconcile.TagView // parts of tags
}

// newSurvey sorts tags, which come stream by stream, by these.
func newSurvey(cat *reconcile.Catalog, rep reconcile.Report, tags []reconcile.TagView, told *told) *survey {
	s := &survey{cat: cat, rep: rep, tags: tags, told: told, now: time.Now(), standings: standingsOf(rep), byStream: map[imagestream.Name][]reconcile.TagView{}}
	for first, i := 0, 0; i < len(tags); i++ {
		stream := tags[i].Tag.Stream
		if stream != tags[first].Tag.Stream {
			first = i
		}
		s.byStream[stream] = tags[first : i+1]
	}
	return s
}

// lookUp finds the commits that gave the sites that are shown what they hold. It walks the
// log.
func (s *survey) lookUp(ctx context.Context, r *reconcile.Reconciler) error {
	var sites []*reconcile.Site
	for _, v := range s.tags {
		sites = append(sites, v.Sites...)
	}
	found, err := r.Since(ctx, s.cat, sites)
	s.since = make(map[*reconcile.Site]reconcile.Since, len(found))
	for _, since := range found {
		s.since[since.Site] = since
	}
	return err
}

// named is a stream that was named.
type named struct {
	stream *reconcile.Stream
	reconcile.Description
}

func (s *survey) print(w io.Writer, o statusOptions) {
	switch {
	case o.tags || o.sites:
		s.printTags(w, o.sites)
	case len(s.named) > 0:
		s.printDescriptions(w)
	default:
		s.printStreams(w)
	}
	s.printRest(w, o.sites)
}

// describe reads the streams that are named in full.
func (s *survey) describe(ctx context.Context, targets []imagestream.TagRef) error {
	seen := map[imagestream.Name]bool{}
	for _, t := range targets {
		if seen[t.Stream] {
			continue
		}
		seen[t.Stream] = true
		stream := s.cat.Stream(t.Stream)
		d, err := s.cat.Describe(ctx, stream)
		if err != nil {
			return err
		}
		s.named = append(s.named, named{stream, d})
	}
	return nil
}

// of are the tags of a stream that are shown.
func (s *survey) of(stream imagestream.Name) []reconcile.TagView { return s.byStream[stream] }

// failure is why a tag fails: what is on record, else what the daemon met.
func (s *survey) failure(v reconcile.TagView) *failureJSON {
	if v.Failure != nil {
		return &failureJSON{v.Failure.Reason, v.Failure.Message, v.Failure.Since}
	}
	if u := s.unrecorded(v); u != nil {
		return &failureJSON{u.Reason, u.Message, u.Since}
	}
	return nil
}

// fails reports whether a tag that is shown fails, or a repository of one.
func (s *survey) fails() bool {
	return slices.ContainsFunc(s.tags, func(v reconcile.TagView) bool { return s.failure(v) != nil || s.unlisted(v.Tag.Stream) != nil })
}

// targetsOf finds what the arguments name.
func targetsOf(cat *reconcile.Catalog, args []string) ([]imagestream.TagRef, error) {
	var targets []imagestream.TagRef
	for _, arg := range args {
		target, err := targetOf(cat, arg)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// selected are the tags that are named, by name; all without any.
func selected(cat *reconcile.Catalog, targets []imagestream.TagRef) []reconcile.TagView {
	return slices.DeleteFunc(cat.Tags(), func(v reconcile.TagView) bool {
		return len(targets) > 0 && !slices.ContainsFunc(targets, func(t imagestream.TagRef) bool {
			return t.Stream == v.Tag.Stream && (t.Tag == "" || t.Tag == v.Tag.Tag)
		})
	})
}

// targetOf finds the stream that [NS/]STREAM[:TAG] names. Without a namespace
// the name must be the only one of its kind, or stand in default.
func targetOf(cat *reconcile.Catalog, arg string) (imagestream.TagRef, error) {
	name, tag, _ := strings.Cut(arg, ":")
	names := make([]imagestream.Name, 0, len(cat.Streams))
	for _, s := range cat.Streams {
		names = append(names, s.Name)
	}
	stream, err := streamNamed(names, cat.Rev.Short(), name)
	if err != nil {
		return imagestream.TagRef{}, err
	}
	return imagestream.TagRef{Stream: stream, Tag: tag}, checkTag(cat, stream, tag)
}

// streamNamed finds a stream of a commit by [NS/]STREAM.
func streamNamed(names []imagestream.Name, rev, name string) (imagestream.Name, error) {
	ns, short, qualified := strings.Cut(name, "/")
	if !qualified {
		ns, short = "", name
	}
	var found []imagestream.Name
	for _, n := range names {
		if n.Name == short && (!qualified || n.Namespace == ns) {
			found = append(found, n)
		}
	}
	if i := slices.Index(found, imagestream.Name{Namespace: "default", Name: short}); len(found) > 1 && i >= 0 {
		found = found[i : i+1]
	}
	switch len(found) {
	case 0:
		return imagestream.Name{}, failed(hint{fmt.Errorf("there is no image stream %s at %s", name, rev), "towpath status lists them all"})
	case 1:
		return found[0], nil
	}
	return imagestream.Name{}, usage("%s stands in several namespaces: say %s or %s", name, found[0], found[1])
}

func checkTag(cat *reconcile.Catalog, stream imagestream.Name, tag string) error {
	known := func(v reconcile.TagView) bool { return v.Tag.Stream == stream && v.Tag.Tag == tag }
	if tag == "" || slices.ContainsFunc(cat.Tags(), known) || cat.Stream(stream).Spec.Repository != "" {
		return nil
	}
	return failed(hint{fmt.Errorf("image stream %s has no tag %s", stream, tag), fmt.Sprintf("towpath status %s lists them", stream)})
}
