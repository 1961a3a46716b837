package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
)

// A drawn is what the branch of a proposal holds.
type drawn struct {
	head     gitstore.Rev
	subject  string            // of the head
	seals    []string          // of its commits; none where they are not as towpath made them
	messages []string          // …and what they say
	below    gitstore.Snapshot // …and what they stand on; nil where there are none
	beside   gitstore.Rev      // tip of the watched branch that does not hold that; empty where it does
	pending  pending
	adds     map[imagestream.Name]bool // streams of these that it brings, which the branch that is watched had not
	paths    []string                  // of the files that they change
	err      error                     // why it cannot be read
	fails    int                       // …how often in a row
	again    time.Time                 // …and when it is tried again
}

func (d drawn) ours() bool { return len(d.seals) > 0 && d.beside == "" }

// counts reports whether what a branch put on record counts: it is towpath's own or, where it stands on nothing
// that is known, its proposal says so.
func (d *desk) counts(branch string) bool {
	got, open := d.drawn[branch], d.open[branch]
	return got.head == d.heads[branch] && (got.ours() || len(got.seals) > 0 && open.Number != 0 && d.spoken(open.Body).Head == got.head)
}

// ahead is how far ahead another clock may be.
const ahead = 5 * time.Minute

// resolved is what the proposals put on record that are under review, or soon will be, and the
// catalog with the streams that they bring.
func (r *Reconciler) resolved(ctx context.Context, c *Catalog, now time.Time) (pending, *Catalog, error) {
	d := r.desk
	if d == nil || c.Invalid || c.Config.Paused() {
		return nil, c, nil
	}
	branches := slices.Sorted(maps.Keys(d.heads))
	for _, branch := range branches {
		if r.draw(ctx, c, branch, now); ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
	}
	c = d.borne(c, r.asksFor)
	all, standing := pending{}, asItStands(c, now)
	take := func(branch string, p pending) { // a branch speaks for the tags of its own lane alone, whoever made it
		for tag, e := range p {
			if l := standing.laneOf(tag); !e.Item.Created.After(now.Add(ahead)) && !l.straight() && branchName(d.prefix, r.Branch, l) == branch {
				all[tag] = e
			}
		}
	}
	for _, branch := range branches {
		if got := d.drawn[branch]; d.counts(branch) && !d.over(branch) && d.kept[branch].head != got.head {
			take(branch, got.pending)
		}
		if got := d.drawn[branch]; d.counts(branch) && d.over(branch) {
			take(branch, r.wantedBack(c, got.pending))
		}
	}
	for branch, k := range d.kept { // what was merged or declined of it meanwhile is left out by those who count it
		if head := d.heads[branch]; head == "" || head == k.head && d.counts(branch) {
			take(branch, k.pending)
		}
	}
	d.end(all)
	return all, c, nil
}

// wantedBack is what a person asks for of what was pushed and declined: this process need not be
// the one that was pushed to.
func (r *Reconciler) wantedBack(c *Catalog, declined pending) pending {
	back := pending{}
	for tag, e := range declined {
		if r.asksFor(tag) && c.isPush(*e.Item, tag) {
			back[tag] = e
		}
	}
	return back
}

// asksFor reports whether a tag is what a command was told to import.
func (r *Reconciler) asksFor(tag imagestream.TagRef) bool {
	return slices.ContainsFunc(r.Targets, func(h Hint) bool { return h.Force && h.Stream == tag.Stream && h.Tag == tag.Tag })
}

// borne is the catalog with the streams that were pushed and whose files stand in branches alone: this
// process need not be the one that was pushed to.
func (d *desk) borne(c *Catalog, asked func(imagestream.TagRef) bool) *Catalog {
	b := newBirths(c)
	for _, branch := range slices.Sorted(maps.Keys(d.drawn)) {
		if d.heads[branch] == "" || !d.counts(branch) {
			continue
		}
		p := d.drawn[branch].pending
		for _, tag := range slices.SortedFunc(maps.Keys(p), compareTags) {
			if (!d.over(branch) || asked(tag)) && c.Stream(tag.Stream) == nil && d.drawn[branch].adds[tag.Stream] && c.isPush(*p[tag].Item, tag) {
				b.takes(tag)
			}
		}
	}
	return b.catalog()
}

// counted is the catalog that counts what waits for its review as on record.
func (r *Reconciler) counted(ctx context.Context, c *Catalog, now time.Time) (*Catalog, error) {
	p, c, err := r.resolved(ctx, c, now)
	if err != nil || len(p) == 0 {
		return c, err
	}
	return c.with(p, now), nil
}

// over reports whether what a branch holds was merged or declined already.
func (d *desk) over(branch string) bool {
	past := d.past[branch]
	_, open := d.open[branch]
	return !open && len(past) > 0 && (past[0].Head == string(d.heads[branch]) || d.spoken(past[0].Body).Head == d.heads[branch])
}

// draw reads what a branch holds, unless that is known. One that cannot be read keeps nothing else from
// working.
func (r *Reconciler) draw(ctx context.Context, c *Catalog, branch string, now time.Time) {
	d, head := r.desk, r.desk.heads[branch]
	was := d.drawn[branch]
	if was.head == head && (was.err == nil && (was.beside == "" || was.beside == c.Rev) || was.err != nil && now.Before(was.again)) {
		return
	}
	var got drawn
	snap, err := r.Store.Snapshot(ctx, branch)
	e := (*gitstore.Error)(nil)
	switch {
	case errors.As(err, &e) && e.Kind == gitstore.NoBranch, err == nil && snap.Rev() != head:
		err = gitstore.ErrMoved // since the branches were listed: whose it is now is seen next time
	case err == nil:
		got, err = c.readChain(ctx, snap)
	}
	if err == nil && got.below != nil {
		stands := false
		if stands, err = d.onTrunk(ctx, c.snap, got.below); err == nil && !stands {
			if got.beside = c.Rev; was.head != head || !errors.Is(was.err, gitstore.ErrMoved) {
				err = gitstore.ErrMoved // it may stand on what the watched branch has by now
			}
		}
	}
	if errors.As(err, &e) && e.OfOneFile() {
		err = nil // it is no work of towpath's
	}
	if got.head = head; snap != nil {
		got.subject = snap.About().Subject
	}
	if got.err = err; err != nil {
		got.seals, got.messages, got.pending, got.fails = nil, nil, nil, was.fails+1
		got.again = now.Add(jitter(doubled(passingFirst, passingMost, got.fails)))
	}
	if errors.Is(err, gitstore.ErrMoved) {
		r.lookAgain()
		if got.fails == 1 {
			got.again = now
		}
	}
	d.drawn[branch] = got
}

// lookAgain has all read anew that may have changed together: the watched branch, those of proposals, and the
// forge's list.
func (r *Reconciler) lookAgain() {
	r.polled = time.Time{}
	if d := r.desk; d != nil {
		d.looked, d.asked = time.Time{}, time.Time{}
	}
}

// longestChain is how many commits a proposal's branch has at most.
const longestChain = 64

// onTrunk says of a commit whether it is the watched branch's, whose tip is given.
func (d *desk) onTrunk(ctx context.Context, tip, below gitstore.Snapshot) (bool, error) {
	if d.trunk[below.Rev()] {
		return true, nil
	}
	held, err := gitstore.Holds(ctx, tip, below)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.Kind == gitstore.Unsupported {
		return false, nil // it is too old to tell
	}
	if held && err == nil {
		d.trunk[below.Rev()] = true
	}
	return held, err
}

// moved takes in that the watched branch is at another commit. What was found on it counts no longer where it
// was set back.
func (d *desk) moved(ctx context.Context, tip gitstore.Snapshot) error {
	const most = 10_000 // commits that are remembered
	if d.empty() || len(d.trunk) > most {
		clear(d.trunk)
	} else if d.tip != nil && d.tip.Rev() != tip.Rev() {
		on, err := gitstore.Holds(ctx, tip, d.tip)
		if e := (*gitstore.Error)(nil); err != nil && !(errors.As(err, &e) && e.Kind == gitstore.Unsupported) {
			return err
		}
		if !on {
			clear(d.trunk)
			clear(d.drawn)
		}
		d.looked, d.asked = time.Time{}, time.Time{} // a merge moves all of them
	}
	d.tip, d.trunk[tip.Rev()] = tip, true
	return nil
}

// readChain reads the commits of a proposal from its head down: their seals, what they put on
// record, and where. Where one is not as towpath made it there is nothing.
func (c *Catalog) readChain(ctx context.Context, head gitstore.Snapshot) (drawn, error) {
	var d drawn
	tip := head
	for want := 0; ; {
		claimed, n, of := sealIn(tip.About().Message)
		if want == 0 {
			want = of
		}
		if claimed == "" || n != want || n < 1 || n > of || of > longestChain || len(d.seals) > 0 && len(d.seals) != of-n {
			return drawn{}, nil
		}
		below, err := tip.Parent(ctx)
		if err != nil || below == nil {
			return drawn{}, err
		}
		changes, err := tip.Changes(ctx, below)
		if err != nil {
			return drawn{}, err
		}
		edits := map[string]gitstore.BlobID{}
		for _, ch := range changes {
			if ch.New == nil || ch.New.Skip != "" {
				return drawn{}, nil
			}
			edits[ch.Path] = ch.New.Blob
			d.paths = append(d.paths, ch.Path)
		}
		if sealOf(n, of, edits) != claimed {
			return drawn{}, nil
		}
		d.seals, d.messages = append(d.seals, claimed), append(d.messages, tip.About().Message)
		if want, tip = n-1, below; want == 0 {
			break
		}
	}
	slices.Reverse(d.seals)
	slices.Reverse(d.messages)
	d.below = tip
	var err error
	d.pending, d.adds, err = c.recordsBetween(ctx, tip, head)
	return d, err
}

// recordsBetween is what a later commit has on record that an earlier one has not, and the streams that
// the earlier has not.
func (c *Catalog) recordsBetween(ctx context.Context, from, to gitstore.Snapshot) (found pending, adds map[imagestream.Name]bool, err error) {
	changes, err := to.Changes(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	found, adds = pending{}, map[imagestream.Name]bool{}
	for _, ch := range changes {
		if ch.New == nil || !c.reads(ch.Path) {
			continue
		}
		l, was := c.lens(ch.Path), nothing
		if ch.Old != nil {
			if was, err = read(ctx, from, ch.Old.Blob, l); err != nil {
				return nil, nil, err
			}
		}
		is, err := read(ctx, to, ch.New.Blob, l)
		if err != nil {
			return nil, nil, err
		}
		before := map[imagestream.TagRef]*imagestream.TagStatus{}
		for i := range was.docs {
			for j, st := range was.docs[i].Status.Tags {
				before[c.tagOf(ch.Path, was.docs[i], st.Tag)] = &was.docs[i].Status.Tags[j]
			}
		}
		for _, doc := range is.docs {
			name := c.tagOf(ch.Path, doc, "").Stream
			adds[name] = c.streamIn(was, ch.Path, name) == nil
			for _, st := range doc.Status.Tags {
				if tag := c.tagOf(ch.Path, doc, st.Tag); len(st.Items) > 0 && !sameRecord(before[tag], &st) {
					found[tag] = imagestream.Event{Tag: st.Tag, Item: &st.Items[0], Source: st.Source, At: learned(st), Clear: true}
				}
			}
		}
	}
	return found, adds, nil
}

// learned is when the newest image of a tag, or where it came from, went on record.
func learned(t imagestream.TagStatus) time.Time {
	if t.Source != nil {
		return t.Source.Since
	}
	return t.Items[0].Created
}

func (c *Catalog) tagOf(path string, d imagestream.Document, tag string) imagestream.TagRef {
	return imagestream.TagRef{Stream: imagestream.Name{Namespace: c.namespace(path, d.Name.Namespace), Name: d.Name.Name}, Tag: tag}
}

// sameRecord reports whether a tag is on record as the same image from the same source.
func sameRecord(a, b *imagestream.TagStatus) bool {
	if a == nil || len(a.Items) == 0 {
		return false
	}
	return a.Items[0] == b.Items[0] && (a.Source == b.Source || a.Source != nil && b.Source != nil && a.Source.Same(b.Source))
}
