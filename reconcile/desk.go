package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
)

// A desk is what a process knows of the proposals for the branch that is watched: what Git has of
// their branches, what the forge says of them, and what was made of earlier ones. All of it
// can be lost: it is read again.
type desk struct {
	prefix   string                        // of their names, as .towpath.yaml has it
	dir      string                        // what the names of their branches begin with
	looked   time.Time                     // when the branches were listed last; zero: list them now
	heads    map[string]gitstore.Rev       // where the branches are
	drawn    map[string]drawn              // what they hold
	trunk    map[gitstore.Rev]bool         // commits of the branch that is watched, as far as somebody wanted to know
	kept     map[string]keep               // what the last pass had resolved for them
	lanes    map[string]lane               // of branches
	kin      map[string][]string           // of branches, sorted: those that they would be under another group
	removed  map[string]time.Time          // branches that were, and when
	edited   map[string]string             // the body that was last sent for a branch
	armed    map[string]gitstore.Rev       // heads that the forge was asked to merge when it may
	green    map[string]time.Time          // when the checks of a branch were asked for last
	sure     map[imagestream.TagRef]string // the images that registries themselves told this process
	doubts   []Hint                        // tags that are to be asked before they are merged
	later    map[string]time.Time          // branches that could not be pushed: when it is tried again
	broken   map[string]error              // …and why
	heard    bool                          // the forge has answered since the process began
	asked    time.Time                     // when it was asked last; zero: ask now
	open     map[string]forge.Proposal     // by branch
	stray    []forge.Proposal              // that are open under names with an earlier prefix
	past     map[string][]forge.Proposal   // by branch, as far as somebody wanted to know
	pastAt   map[string]time.Time          // …and when
	said     map[string]*spoken            // by body: what proposals say
	leftOuts map[leftOutKey]bool           // what the log says of sites that merges seem to have left out
	gone     map[string]time.Time          // when an open proposal was first seen without its branch
	dirty    bool                          // there is news that no pass went through with yet
	more     bool                          // branches are left of which that is still to be asked
	seen     map[int]bool                  // proposals that were open, by number
	err      error                         // the forge's last failure
	fails    int
	retry    time.Time // no question to the forge before
}

// A drawn is what the branch of a proposal holds.
type drawn struct {
	head    gitstore.Rev
	subject string   // of the head
	seals   []string // of its commits; none where they are not as towpath made them
	pending pending
	paths   []string  // of the files that they change
	err     error     // why it cannot be read
	fails   int       // …how often in a row
	again   time.Time // …and when it is tried again
}

func (d drawn) ours() bool { return len(d.seals) > 0 }

// A keep is what a pass had resolved for a branch that was at a head.
type keep struct {
	head    gitstore.Rev // empty: there was no branch yet
	pending pending
}

// forgePoll is the time between two questions to the forge while nothing happens.
const forgePoll = 30 * time.Second

// glance looks at the branches of proposals and at the forge's list of those that are open, and
// reports whether either is news. That the forge cannot be asked is no error: all the rest goes on.
func (r *Reconciler) glance(ctx context.Context, c *Catalog, now time.Time) (news bool, err error) {
	if c.Invalid || c.Config.Paused() {
		return false, nil
	}
	dir := branchDir(c.Config.BranchPrefix(), r.Branch)
	if r.desk == nil || r.desk.dir != dir {
		r.desk = newDesk(dir)
		r.desk.prefix = c.Config.BranchPrefix()
	}
	d := r.desk
	d.trunk[c.Rev], d.more = true, false
	if !c.Config.Proposes() && d.empty() && !d.looked.IsZero() {
		return false, nil // nor were there any when the process began
	}
	if d.looked.IsZero() || now.Sub(d.looked) >= r.Poll {
		heads, err := r.Store.Branches(ctx, dir)
		if err != nil {
			return false, fmt.Errorf("reading the branches of proposals: %w", err)
		}
		maps.DeleteFunc(heads, func(name string, _ gitstore.Rev) bool { return !d.isOurs(name) })
		if news = !maps.Equal(heads, d.heads); news {
			d.dirty = true
			d.asked = time.Time{} // somebody made something of a branch, or of its proposal
			maps.DeleteFunc(d.past, func(branch string, _ []forge.Proposal) bool { return heads[branch] != d.heads[branch] })
		}
		for branch := range d.heads {
			if heads[branch] == "" {
				d.removed[branch] = now
			}
		}
		d.heads, d.looked = heads, now
	}
	if r.Forge == nil || now.Before(d.retry) || !c.Config.Proposes() && d.empty() {
		return news, nil
	}
	if d.asked.IsZero() || now.Sub(d.asked) >= forgePoll {
		list, err := r.Forge.List(ctx, r.Branch, "")
		if err != nil {
			return news, d.failed(ctx, err, now)
		}
		d.works(now)
		news = d.took(list) || news
		d.dirty = d.dirty || news
	}
	learned, err := r.inquire(ctx, d.orphans(), now)
	d.dirty = d.dirty || learned
	return news || learned, err
}

// spoken is what a body says.
func (d *desk) spoken(body string) *spoken {
	if s := d.said[body]; s != nil {
		return s
	}
	return speak(readLetter(body).marker)
}

// taken is how many proposals are open, without those that are a person's now.
func (d *desk) taken() (n int) {
	for branch, p := range d.open {
		if f := d.spoken(p.Body).Frozen; f == "" || f != d.heads[branch] {
			n++
		}
	}
	return n
}

// unread reports whether there is news that no pass went through with.
func (d *desk) unread() bool { return d != nil && d.dirty }

// learnsMore reports whether the forge is still to be asked about branches, and said of more than were
// known before: that ends, however many there are.
func (d *desk) learnsMore(known *int) bool {
	if d == nil || !d.more || len(d.past) <= *known {
		return false
	}
	*known = len(d.past)
	return true
}

// wakes is when something is to be done about a branch that could not be pushed, or read.
func (d *desk) wakes() (next time.Time) {
	for _, at := range d.later {
		next = earliest(next, at)
	}
	for branch, got := range d.drawn {
		if got.err != nil && d.heads[branch] == got.head {
			next = earliest(next, got.again)
		}
	}
	return next
}

// orphans are the branches of which no proposal is open.
func (d *desk) orphans() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.heads)), func(branch string) bool { _, open := d.open[branch]; return open })
}

func newDesk(dir string) *desk {
	return &desk{
		dir: dir, heads: map[string]gitstore.Rev{}, drawn: map[string]drawn{}, trunk: map[gitstore.Rev]bool{}, kept: map[string]keep{}, lanes: map[string]lane{}, kin: map[string][]string{},
		edited: map[string]string{}, armed: map[string]gitstore.Rev{}, green: map[string]time.Time{}, sure: map[imagestream.TagRef]string{}, later: map[string]time.Time{}, broken: map[string]error{},
		gone: map[string]time.Time{}, removed: map[string]time.Time{}, seen: map[int]bool{}, open: map[string]forge.Proposal{}, past: map[string][]forge.Proposal{}, pastAt: map[string]time.Time{},
	}
}

func (d *desk) empty() bool { return len(d.heads) == 0 && len(d.open) == 0 }

// isOurs reports whether a name is one that towpath gives to branches for the branch that is watched.
func (d *desk) isOurs(name string) bool {
	rest, ok := strings.CutPrefix(name, d.dir)
	return ok && ourName.MatchString(rest)
}

// wasOurs reports whether a proposal is one that towpath made while branch-prefix was another: its branch has
// such a name but for the prefix, and holds what the proposal itself says that towpath made.
func (d *desk) wasOurs(p forge.Proposal) bool {
	if d.prefix == "" || p.Head == "" {
		return false
	}
	_, name, ok := cutLast(p.Branch, strings.TrimPrefix(d.dir, d.prefix))
	return ok && ourName.MatchString(name) && string(d.spoken(p.Body).Head) == p.Head
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

var ourName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*-[0-9a-f]{8}$`)

// took takes in what is open, and reports whether that is news.
func (d *desk) took(list []forge.Proposal) (news bool) {
	open := map[string]forge.Proposal{}
	strays := len(d.stray)
	d.stray = nil
	for _, p := range list {
		if d.isOurs(p.Branch) {
			open[p.Branch], d.seen[p.Number] = p, true
		} else if d.wasOurs(p) {
			d.stray = append(d.stray, p)
		}
	}
	news = !d.heard || len(d.stray) != strays
	for branch, p := range open {
		was, ok := d.open[branch]
		news = news || !ok || was.Number != p.Number || was.Title != p.Title || was.Body != p.Body || was.Head != p.Head
	}
	for branch, was := range d.open {
		if open[branch].Number != was.Number {
			news = true
			delete(d.past, branch) // somebody made something of it
		}
	}
	d.open, d.heard = open, true
	return news
}

// failed notes that the forge could not be asked. Only the end of the pass itself is an error.
func (d *desk) failed(ctx context.Context, err error, now time.Time) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.fails++
	wait := jitter(doubled(passingFirst, passingMost, d.fails))
	if e := (*forge.Error)(nil); errors.As(err, &e) {
		if !e.Kind.Passing() {
			wait = jitter(passingMost)
		}
		wait = max(wait, e.RetryAfter)
	}
	d.err, d.retry = err, now.Add(wait)
	return nil
}

func (d *desk) works(now time.Time) { d.err, d.fails, d.retry, d.asked = nil, 0, time.Time{}, now }

// resolved is what the proposals put on record that are under review, or soon will be.
func (r *Reconciler) resolved(ctx context.Context, c *Catalog, now time.Time) (pending, error) {
	d := r.desk
	if d == nil || c.Invalid || c.Config.Paused() {
		return nil, nil
	}
	all, standing := pending{}, asItStands(c, now)
	take := func(branch string, p pending) { // a branch speaks for the tags of its own lane alone, whoever made it
		for tag, e := range p {
			if l := standing.laneOf(tag); !l.straight() && branchName(d.prefix, r.Branch, l) == branch {
				all[tag] = e
			}
		}
	}
	for _, branch := range slices.Sorted(maps.Keys(d.heads)) {
		if r.draw(ctx, c, branch, now); ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if got := d.drawn[branch]; got.ours() && !d.over(branch) && d.kept[branch].head != got.head {
			take(branch, got.pending)
		}
	}
	for branch, k := range d.kept { // what was merged or declined of it meanwhile is left out by those who count it
		if head := d.heads[branch]; head == "" || head == k.head && d.drawn[branch].ours() {
			take(branch, k.pending)
		}
	}
	return all, nil
}

// over reports whether what a branch holds was merged or declined already.
func (d *desk) over(branch string) bool {
	past := d.past[branch]
	_, open := d.open[branch]
	return !open && len(past) > 0 && (past[0].Head == string(d.heads[branch]) || readLetter(past[0].Body).marker.Head == d.heads[branch])
}

// draw reads what a branch holds, unless that is known. One that cannot be read keeps nothing else from
// working.
func (r *Reconciler) draw(ctx context.Context, c *Catalog, branch string, now time.Time) {
	d, head := r.desk, r.desk.heads[branch]
	if was := d.drawn[branch]; was.head == head && (was.err == nil || now.Before(was.again)) {
		return
	}
	var got drawn
	snap, err := r.Store.Snapshot(ctx, branch)
	e := (*gitstore.Error)(nil)
	switch {
	case errors.As(err, &e) && e.Kind == gitstore.NoBranch, err == nil && snap.Rev() != head:
		d.looked, err = time.Time{}, gitstore.ErrMoved // since the branches were listed: whose it is now is seen next time
	case err == nil:
		got, err = c.readChain(ctx, snap, d.onTrunk(c.snap))
	}
	if errors.As(err, &e) && e.OfOneFile() {
		err = nil // it is no work of towpath's
	}
	if got.head = head; snap != nil {
		got.subject = snap.About().Subject
	}
	if got.err = err; err != nil {
		got.seals, got.pending, got.again = nil, nil, now.Add(jitter(doubled(passingFirst, passingMost, d.drawn[branch].fails+1)))
		got.fails = d.drawn[branch].fails + 1
	}
	d.drawn[branch] = got
}

// longestChain is how many commits a proposal's branch has at most.
const longestChain = 64

// onTrunk says of a commit whether it is the watched branch's, whose tip is given.
func (d *desk) onTrunk(tip gitstore.Snapshot) func(context.Context, gitstore.Snapshot) (bool, error) {
	return func(ctx context.Context, below gitstore.Snapshot) (bool, error) {
		if d.trunk[below.Rev()] {
			return true, nil
		}
		held, err := gitstore.Holds(ctx, tip, below)
		if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.Kind == gitstore.Unsupported {
			return false, nil // it is too old to tell: it is made again
		}
		d.trunk[below.Rev()] = held && err == nil
		return held, err
	}
}

// readChain reads the commits of a proposal from its head down: their seals, what they put on
// record, and where. Where one is not as towpath made it, or they do not stand on the branch that is
// watched, there is nothing.
func (c *Catalog) readChain(ctx context.Context, head gitstore.Snapshot, onTrunk func(context.Context, gitstore.Snapshot) (bool, error)) (drawn, error) {
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
		d.seals = append(d.seals, claimed)
		if want, tip = n-1, below; want == 0 {
			break
		}
	}
	if stands, err := onTrunk(ctx, tip); err != nil || !stands {
		return drawn{}, err
	}
	slices.Reverse(d.seals)
	found, err := c.recordsBetween(ctx, tip, head)
	d.pending = found
	return d, err
}

// recordsBetween is what a later commit has on record that an earlier one has not.
func (c *Catalog) recordsBetween(ctx context.Context, from, to gitstore.Snapshot) (pending, error) {
	changes, err := to.Changes(ctx, from)
	if err != nil {
		return nil, err
	}
	found := pending{}
	for _, ch := range changes {
		if ch.Old == nil || ch.New == nil || !c.reads(ch.Path) {
			continue
		}
		l := c.lens(ch.Path)
		was, err := read(ctx, from, ch.Old.Blob, l)
		if err != nil {
			return nil, err
		}
		is, err := read(ctx, to, ch.New.Blob, l)
		if err != nil {
			return nil, err
		}
		before := map[imagestream.TagRef]*imagestream.TagStatus{}
		for i := range was.docs {
			for j, st := range was.docs[i].Status.Tags {
				before[c.tagOf(ch.Path, was.docs[i], st.Tag)] = &was.docs[i].Status.Tags[j]
			}
		}
		for _, doc := range is.docs {
			for _, st := range doc.Status.Tags {
				if tag := c.tagOf(ch.Path, doc, st.Tag); len(st.Items) > 0 && !sameRecord(before[tag], &st) {
					found[tag] = imagestream.Event{Tag: st.Tag, Item: &st.Items[0], Source: st.Source, At: learned(st), Clear: true}
				}
			}
		}
	}
	return found, nil
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

// holdsUnclear is why a branch stays as it is, where no forge says what it is about; empty where it does not.
func (r *Reconciler) holdsUnclear(recorded *Recorded, branch string, waits []SiteChange) string {
	d, c := r.desk.drawn[branch], recorded.cat
	if d.head != r.desk.heads[branch] {
		return ""
	}
	here := func(s *Site) bool { return branchName(r.desk.prefix, r.Branch, recorded.laneOfSite(s)) == branch }
	var why string
	for tag := range d.pending {
		why = cmp.Or(why, c.unsure(Move{Tag: tag}))
	}
	for _, path := range d.paths {
		f := c.files[path]
		if f == nil {
			continue
		}
		if f.broken() {
			why = cmp.Or(why, stays+path+" has a problem")
		}
		for _, s := range f.sites { // of a stream that is gone nobody can tell the lane either
			if c.Stream(s.Follows.Stream) == nil || here(s) {
				why = cmp.Or(why, c.unsure(Move{Tag: s.Follows, Path: path, Site: s.ID.String()}))
			}
		}
	}
	for _, change := range waits {
		if why == "" && slices.Contains(d.paths, change.Site.Path) {
			why = partWaits
		}
	}
	return why
}

// lies are the proposals as they lie there, whatever is to be done about them; declines are moves of which
// it is known that they are not made.
func (d *desk) lies(declines []decline) (all []Reviewed) {
	for branch, p := range d.open {
		m := readLetter(p.Body).marker
		rev := Reviewed{Branch: branch, Number: p.Number, URL: p.URL, Title: p.Title, State: UnderReview, Moves: m.Moves}
		if m.Frozen != "" && m.Frozen == d.heads[branch] {
			rev.State, rev.Why = Frozen, aPersons
		}
		all = append(all, rev)
	}
	for branch, head := range d.heads {
		past := d.past[branch]
		switch _, open := d.open[branch]; {
		case open:
		case !d.heard:
			got := d.drawn[branch]
			rev := Reviewed{Branch: branch, State: Pushed, Title: got.subject}
			for tag, e := range got.pending {
				rev.Moves = append(rev.Moves, Move{Tag: tag, Image: identity(e.Item.Image, e.Item.Reference)})
			}
			slices.SortFunc(rev.Moves, func(a, b Move) int { return compareTags(a.Tag, b.Tag) })
			all = append(all, rev)
		case len(past) > 0 && past[0].State == forge.Closed && past[0].Head == string(head):
			if says := d.spoken(past[0].Body); !says.Withdrawn {
				for _, m := range says.Moves {
					declines = append(declines, decline{m, &ended{spoken: says, Proposal: past[0]}})
				}
			}
		}
	}
	all = append(all, d.rejected(declines)...)
	slices.SortFunc(all, func(a, b Reviewed) int {
		return cmp.Or(cmp.Compare(a.Branch, b.Branch), cmp.Compare(a.Number, b.Number))
	})
	return all
}
