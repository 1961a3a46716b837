package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/trigger"
)

// What comes after set-trigger, as far as the checkout and its log tell.

// next says what stands in the way, and what comes next.
func (t *triggering) next(ctx context.Context, edit triggerEdit, sites []trigger.Site) error {
	then := ""
	if !t.opt.remove && len(sites) > 0 {
		var err error
		if then, err = t.expect(ctx, edit.after, sites[0]); err != nil {
			return failed(err)
		}
	}
	for _, note := range t.notes {
		fmt.Fprintln(t.stderr, "note: "+printable(note))
	}
	if !bytes.Equal(t.before, edit.after) {
		if then != "" {
			then = "; " + then
		}
		fmt.Fprintf(t.stderr, "next: commit %s%s\n", printable(t.shown(t.path)), printable(then))
	}
	return nil
}

// expect is what a run will do with a site, as things stand; empty where it will do nothing,
// or has no need to. It notes why not.
func (t *triggering) expect(ctx context.Context, after []byte, found trigger.Site) (string, error) {
	file, config := t.shown(t.path), t.cat.Config
	switch {
	case config.Excludes(t.path):
		t.note("no run reads %s: exclude of %s leaves it out", file, reconcile.ConfigPath)
		return "", nil
	case !config.Included(t.path):
		t.note("no run reads %s: write into %s  %s", file, reconcile.ConfigPath, config.Including(t.path))
		return "", nil
	case config.Guarded(t.path):
		t.note("%s says what machines run: nothing in it follows until %s names it:  %s", file, reconcile.ConfigPath, config.Including(t.path))
		return "", nil
	}
	cat, err := reconcile.Load(ctx, edited{t.disk, t.path, after}, t.cat, nil)
	if err != nil {
		return "", err
	}
	w := wish{cat: cat, now: time.Now()}
	if !w.find(t.path, found) {
		return "", nil
	}
	for _, u := range w.recorded.Unresolved() {
		if u.Site == w.site {
			t.note("%s%s: the image stays as it is", u.Why, t.instead(cat, w.site.Follows))
			return "", nil
		}
	}
	if w.change == nil {
		return "", nil
	}
	hold, told := t.hold(ctx, after, found, w.now)
	if hold != nil {
		t.note("held: %s; once this is committed, towpath follow --resume %s moves it all the same", heldWhy(*hold), t.path)
		return "", nil
	}
	_, later := reconcile.Guard(w.changes, w.now)
	for _, d := range later {
		if d.Change.Site == w.site {
			return fmt.Sprintf("a run writes %s there%s, not at once: %s", w.change.Writes(), afterWords(d.Until), d.Why), nil
		}
	}
	if !told {
		return fmt.Sprintf("the next run then writes %s there, unless the log says that a person took it back", w.change.Writes()), nil
	}
	return fmt.Sprintf("the next run then writes %s there", w.change.Writes()), nil
}

func afterWords(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return " after " + stamp(until)
}

// A wish is what the record of a catalog wants of a site.
type wish struct {
	cat      *reconcile.Catalog
	now      time.Time
	site     *reconcile.Site
	recorded *reconcile.Recorded
	changes  []reconcile.SiteChange // of all sites
	change   *reconcile.SiteChange  // of this one; nil where it is right
}

// find looks for a site by where it stands.
func (w *wish) find(path string, found trigger.Site) bool {
	i := slices.IndexFunc(w.cat.Sites, func(s *reconcile.Site) bool { return s.Path == path && s.Line == found.Line && s.Col == found.Col })
	if i < 0 {
		return false
	}
	w.site, w.recorded = w.cat.Sites[i], reconcile.Record(w.cat, nil, w.now)
	w.changes = reconcile.Follow(w.recorded)
	if i := slices.IndexFunc(w.changes, func(c reconcile.SiteChange) bool { return c.Site == w.site }); i >= 0 {
		w.change = &w.changes[i]
	}
	return true
}

// instead is what could have been meant by a tag that is not there.
func (t *triggering) instead(cat *reconcile.Catalog, ref imagestream.TagRef) string {
	if s := cat.Stream(ref.Stream); s != nil {
		if s.Status.Tag(ref.Tag) == nil && !hasTag(s.Spec, ref.Tag) {
			return fmt.Sprintf(" (it has %s)", tagsIn(&s.Document))
		}
		return ""
	}
	for _, s := range cat.Streams {
		if s.Name.Name == ref.Stream.Name {
			return fmt.Sprintf(" (--from %s:%s)", s.Name, ref.Tag)
		}
	}
	return ""
}

// hold is what a run would hold against a site once the edit is committed on the branch that
// is checked out; nil for nothing. The log of a checkout may not be at hand: told is false then.
func (t *triggering) hold(ctx context.Context, after []byte, found trigger.Site, now time.Time) (hold *reconcile.Hold, told bool) {
	head, err := os.ReadFile(filepath.Join(t.dir, ".git", "HEAD"))
	if os.IsNotExist(err) {
		return nil, true // there is no log
	}
	branch, ok := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: refs/heads/")
	if err != nil || !ok {
		return nil, false
	}
	store, err := gogit.Open(ctx, gogit.Options{Repo: t.dir})
	if err != nil {
		return nil, false
	}
	defer store.Close()
	tip, err := store.Snapshot(ctx, branch)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.Kind == gitstore.NoBranch {
		return nil, true // nothing is committed yet
	}
	if err != nil {
		return nil, false
	}
	snap := committed{tip, t.path, after, now}
	cat, err := reconcile.Load(ctx, snap, nil, nil)
	if err != nil {
		return nil, false
	}
	w := wish{cat: cat, now: now}
	if !w.find(t.path, found) || w.change == nil {
		return nil, true // what the record is here stands in no commit
	}
	held, err := reconcile.Holds(ctx, snap, cat, []reconcile.SiteChange{*w.change}, &reconcile.Memory{}, now)
	if err != nil || len(held) == 0 {
		return nil, err == nil
	}
	return &held[0], true
}

// committed is a commit on top of another, in which one file has another content.
type committed struct {
	gitstore.Snapshot // the other
	path              string
	content           []byte
	when              time.Time
}

func (c committed) Rev() gitstore.Rev { return "edited" }

func (c committed) About() gitstore.About { return gitstore.About{When: c.when} }

func (c committed) Parent(context.Context) (gitstore.Snapshot, error) { return c.Snapshot, nil }

// Changes are those since the other, or since nothing.
func (c committed) Changes(ctx context.Context, from gitstore.Snapshot) ([]gitstore.Change, error) {
	all, err := c.Snapshot.Changes(ctx, nil)
	if err != nil {
		return nil, err
	}
	edit := gitstore.Change{Path: c.path, New: &gitstore.File{Path: c.path, Blob: editedBlob}}
	i, there := slices.BinarySearchFunc(all, c.path, func(ch gitstore.Change, path string) int { return strings.Compare(ch.Path, path) })
	if from != nil {
		if there {
			edit.Old = all[i].New
		}
		return []gitstore.Change{edit}, nil
	}
	if !there {
		return slices.Insert(slices.Clone(all), i, edit), nil
	}
	all = slices.Clone(all)
	all[i] = edit
	return all, nil
}

func (c committed) Read(ctx context.Context, id gitstore.BlobID) ([]byte, error) {
	if id == editedBlob {
		return c.content, nil
	}
	return c.Snapshot.Read(ctx, id)
}
