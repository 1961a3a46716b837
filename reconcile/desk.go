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
	"github.com/towpath/towpath/registry"
)

// A desk is what a process knows of the proposals for the branch that is watched: what Git has of
// their branches, what the forge says of them, and what was made of earlier ones. All of it
// can be lost: it is read again.
type desk struct {
	prefix    string                                  // of their names, as .towpath.yaml has it
	dir       string                                  // what the names of their branches begin with
	looked    time.Time                               // when the branches were listed last; zero: list them now
	heads     map[string]gitstore.Rev                 // where the branches are
	drawn     map[string]drawn                        // what they hold
	tip       gitstore.Snapshot                       // of the branch that is watched
	trunk     map[gitstore.Rev]bool                   // commits of the branch that is watched, as far as somebody wanted to know
	kept      map[string]keep                         // what the last pass had resolved for them
	lanes     map[string]lane                         // of branches
	kin       map[string][]string                     // of branches, sorted: those that they would be under another group
	removed   map[string]time.Time                    // branches that were, and when
	edited    map[string]string                       // the body that was last sent for a branch
	armed     map[string]gitstore.Rev                 // heads that the forge was asked to merge when it may
	green     map[string]time.Time                    // when the checks of a branch are asked for next
	unchecked map[string]int                          // how often in a row nothing checked it
	sure      map[imagestream.TagRef]told             // what registries themselves told this process
	doubted   map[imagestream.TagRef]time.Time        // when tags were asked for because of that
	ending    map[imagestream.TagRef]registry.Arrival // by tag: pushes of what is on record already, which end what waits for its review
	ended     map[imagestream.TagRef]bool             // …that did so in this pass
	waits     map[string]string                       // why proposals are not merged yet, by branch
	doubts    []Hint                                  // tags that are to be asked before they are merged
	later     map[string]time.Time                    // branches that could not be pushed: when it is tried again
	broken    map[string]error                        // …and why
	heard     bool                                    // the forge has answered since the process began
	asked     time.Time                               // when it was asked last; zero: ask now
	open      map[string]forge.Proposal               // by branch
	stray     []forge.Proposal                        // that are open under names with an earlier prefix
	past      map[string][]forge.Proposal             // by branch, as far as somebody wanted to know
	pastAt    map[string]time.Time                    // …and when
	said      map[string]*spoken                      // by body: what proposals say
	leftOuts  map[leftOutKey]bool                     // what the log says of sites that merges seem to have left out
	gone      map[string]time.Time                    // when an open proposal was first seen without its branch
	dirty     bool                                    // there is news that no pass went through with yet
	more      bool                                    // branches are left of which that is still to be asked
	seen      map[int]bool                            // proposals that were open, by number
	err       error                                   // the forge's last failure
	fails     int
	retry     time.Time // no question to the forge before
}

// A keep is what a pass had resolved for a branch that was at a head.
type keep struct {
	head    gitstore.Rev // empty: there was no branch yet
	pending pending
}

// forgePoll is the time between two questions to the forge while nothing happens.
const forgePoll = 30 * time.Second

// forgeNudge is the shortest such time when somebody says that something happened.
const forgeNudge = 10 * time.Second

// nudge lets the next glance look, although it is not time yet. A forge counts how often
// it is asked.
func (d *desk) nudge(poll time.Duration, now time.Time) {
	if d == nil || d.looked.IsZero() {
		return
	}
	if d.looked = d.looked.Add(-poll); now.Sub(d.asked) >= forgeNudge {
		d.asked = d.asked.Add(-forgePoll)
	}
}

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
	d.more = false
	if err := d.moved(ctx, c.snap); err != nil {
		return false, err
	}
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
		edited: map[string]string{}, armed: map[string]gitstore.Rev{}, green: map[string]time.Time{}, sure: map[imagestream.TagRef]told{}, doubted: map[imagestream.TagRef]time.Time{}, waits: map[string]string{}, unchecked: map[string]int{}, later: map[string]time.Time{}, broken: map[string]error{},
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
	prefix, name, ok := cutLast(p.Branch, strings.TrimPrefix(d.dir, d.prefix))
	return ok && (strings.HasSuffix(prefix, "/") || strings.HasSuffix(prefix, "-")) && ourName.MatchString(name) && string(d.spoken(p.Body).Head) == p.Head
}

var ourName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*-[0-9a-f]{8}$`)

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

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
		if slices.ContainsFunc(d.past[branch], func(e forge.Proposal) bool { return e.Number == p.Number }) {
			delete(d.past, branch) // it is open again, or the list is older
		}
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

// lies are the proposals as they lie there, whatever is to be done about them; declines are moves of which
// it is known that they are not made.
func (d *desk) lies(c *Catalog, declines []decline) (all []Reviewed) {
	listed := map[int]bool{}
	for _, no := range declines {
		listed[no.by.Number] = true
	}
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
			if says := d.spoken(past[0].Body); !says.Withdrawn && !listed[past[0].Number] {
				for _, m := range says.Moves {
					if !c.made(m) {
						declines = append(declines, decline{m, &ended{spoken: says, Proposal: past[0]}})
					}
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
