package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
)

// review does what is to be done about proposals, and says when something of it is due again. They are
// made on a branch at rest: what rests on a record that goes straight to the branch waits until that is there.
func (r *Reconciler) review(ctx context.Context, snap gitstore.Snapshot, recorded *Recorded, later []Deferred, wanted []Proposal, outcome Outcome, now time.Time) (next time.Time) {
	if r.desk == nil || recorded.cat.Invalid || recorded.cat.Config.Paused() {
		return next
	}
	r.report.ForgeErr = r.desk.err
	if outcome.Landed && !outcome.Nothing {
		for _, p := range wanted { // what was resolved for them is not asked again
			r.desk.kept[p.Branch] = keep{r.desk.heads[p.Branch], p.resolved(now)}
		}
		return next
	}
	kept := r.unclear(recorded, later, wanted)
	if r.Resume != nil {
		wanted = slices.DeleteFunc(wanted, func(p Proposal) bool { return len(p.resumed) == 0 })
	}
	if r.Only == ImportOnly || r.Resume != nil {
		r.keepOthers(kept, wanted)
	}
	if r.Dry {
		r.report.Proposed = wanted
	}
	v := review{Reconciler: r, desk: r.desk, cat: recorded.cat.merged(), snap: snap, now: now, stays: map[string]moveSet{}}
	v.propose(ctx, wanted, kept)
	r.report.Proposals = slices.Concat(v.said, r.desk.mergedBy(), r.desk.rejected(recorded.declines))
	r.report.ForgeErr, r.report.acts = r.desk.err, v.acts
	r.desk.dirty = false
	maps.DeleteFunc(r.desk.later, func(_ string, at time.Time) bool { return !now.Before(at) })
	next = earliest(v.next, r.desk.retry, r.desk.wakes())
	if v.acts > 0 && !r.Dry {
		next = now // room may be free
	}
	if r.desk.more {
		next = now // there is more to ask
		r.report.acts++
	}
	return next
}

// named gives proposals the names of their branches, and says what of them a person resumed.
func (r *Reconciler) named(ps []Proposal) {
	for i := range ps {
		p := &ps[i]
		p.Branch = branchName(r.desk.prefix, r.Branch, p.lane)
		for _, w := range p.Chain {
			for _, c := range w.Sites {
				if r.Resume != nil && r.Resume(c.Site) {
					p.resumed = append(p.resumed, siteMove(c))
				}
			}
		}
	}
}

// A review is one pass over the proposals.
type review struct {
	*Reconciler
	*desk
	cat     *Catalog
	snap    gitstore.Snapshot
	now     time.Time
	said    []Reviewed
	acts    int
	checked int                // proposals of which the checks were asked for
	left    int                // proposals that are open and left alone: they are people's
	stays   map[string]moveSet // by branch: what open proposals move that stay as they are
	next    time.Time          // when something is due of what nothing else wakes for
}

// propose does what is to be done about proposals, one branch after the other; those that are
// wanted first, the oldest first. One that fails keeps no other waiting.
func (v *review) propose(ctx context.Context, wanted []Proposal, kept map[string]string) {
	v.left = len(v.desk.open) - v.taken()
	todo := map[string]bool{}
	for branch := range v.heads {
		todo[branch] = true
	}
	for branch := range v.desk.open {
		todo[branch] = true
	}
	wanted = slices.SortedFunc(slices.Values(wanted), func(a, b Proposal) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Branch, b.Branch))
	})
	keeps := map[string]keep{}
	for branch := range kept {
		if open, ok := v.desk.open[branch]; ok && kept[branch] != "" {
			v.stays[branch] = v.spoken(open.Body).moves
		}
	}
	for _, p := range wanted {
		delete(todo, p.Branch)
		v.act(ctx, p.Branch, &p, kept[p.Branch])
		k := keep{v.heads[p.Branch], p.resolved(v.now)}
		if kept[p.Branch] != "" { // what it held before still waits
			for tag, e := range v.desk.kept[p.Branch].pending {
				if _, newer := k.pending[tag]; !newer {
					k.pending[tag] = e
				}
			}
		}
		keeps[p.Branch] = k
	}
	for _, branch := range slices.Sorted(maps.Keys(todo)) {
		if k, ok := v.desk.kept[branch]; ok && kept[branch] != "" {
			keeps[branch] = k
		}
		v.act(ctx, branch, nil, kept[branch])
	}
	v.tidy(ctx)
	for branch, k := range v.desk.kept { // what nobody can tell now is not asked again either
		if _, ok := keeps[branch]; !ok && v.cat.unsureOf(k.pending) {
			keeps[branch] = k
		}
	}
	maps.DeleteFunc(v.gone, func(branch string, _ time.Time) bool {
		_, open := v.desk.open[branch]
		return !open || v.heads[branch] != ""
	})
	if !v.Dry {
		v.desk.kept = keeps
	}
}

// situation is that of a branch.
func (v *review) situation(branch string, p *Proposal, kept string) situation {
	open, isOpen := v.desk.open[branch]
	isOpen = isOpen && !slices.ContainsFunc(v.past[branch], func(p forge.Proposal) bool { return p.Number == open.Number }) // the list is older
	d, head := v.drawn[branch], v.heads[branch]
	s := situation{
		wanted: p != nil, again: p != nil && (len(p.resumed) > 0 || slices.ContainsFunc(p.Moves, func(m Move) bool { return v.asksFor(m.Tag) })), kept: kept != "", forge: v.Forge != nil, room: len(v.desk.open)-v.left < v.most(),
		branch: head != "", unread: head != "" && d.head == head && d.err != nil, ours: d.head == head && d.ours(), open: isOpen,
	}
	if !s.forge {
		s.known, s.room = true, len(v.heads) < v.most() || s.branch
	}
	if isOpen {
		m := v.spoken(open.Body)
		s.ours = s.ours || m.Head == head && head != "" && d.head == head
		s.told = m.Frozen == head
		s.fits = p != nil && v.sent(open, *p, head)
		s.alone = !s.branch && v.alone(branch)
	}
	if past, ok := v.past[branch]; ok {
		s.known = v.knows(branch)
		if len(past) > 0 && !isOpen {
			m := v.spoken(past[0].Body)
			s.stale = past[0].Head == string(head) || m.Head == head
			switch {
			case past[0].State == forge.Merged:
				s.ended = merged
			case m.Withdrawn:
				s.ended = withdrawn
			default:
				s.ended = closed
			}
		}
	}
	s.taken = p != nil && v.elsewhere(*p) != ""
	s.same = p != nil && s.ours && slices.Equal(d.seals, p.seals())
	return s
}

// elsewhere is the branch of another proposal that has a part of one, and stays as it is; empty where there is
// none.
func (v *review) elsewhere(p Proposal) string {
	for _, branch := range slices.Sorted(maps.Keys(v.stays)) {
		if branch != p.Branch && slices.ContainsFunc(p.Moves, v.stays[branch].speaks) {
			return branch
		}
	}
	return ""
}

// alone reports whether a proposal has been without its branch for so long that its forge will not close
// it.
func (v *review) alone(branch string) bool {
	if v.Wait { // a command waits for nobody; it asks once more before it closes it
		return true
	}
	since, known := v.gone[branch]
	if !known {
		v.gone[branch] = v.now
		v.next = earliest(v.next, v.now.Add(loneliest))
		return false
	}
	if until := since.Add(loneliest); v.now.Before(until) {
		v.next = earliest(v.next, until)
		return false
	}
	return true
}

// loneliest is how long a proposal may be without its branch.
const loneliest = 2 * time.Minute

func (v *review) most() int { return v.cat.Config.MaxOpen() }

// act does the next step about one branch.
func (v *review) act(ctx context.Context, branch string, p *Proposal, kept string) {
	s := v.situation(branch, p, kept)
	todo := s.next()
	open := v.desk.open[branch]
	rev := Reviewed{Branch: branch, Number: open.Number, URL: open.URL, Title: open.Title}
	if p != nil {
		rev.Title, rev.Since, rev.Moves = cmp.Or(rev.Title, p.title()), p.Since, p.Moves
	} else if s.open {
		rev.Moves = v.spoken(open.Body).Moves
	}
	say := func(state ReviewState, did, why string) {
		rev.State, rev.Did, rev.Why = state, did, why
		v.say(rev)
	}
	if v.Dry && todo != stay && todo != await && todo != leave && todo != refuse {
		rev.Due = true
		say(InLine, "", "this is a rehearsal")
		v.acts++
		return
	}
	switch at := v.later[branch]; {
	case todo == stay || todo == edit && v.quiet():
		if s.open && (p == nil || !s.same) {
			rev.Why = kept
		}
		v.standing(ctx, &rev, s, p)
	case todo == await && s.unread && errors.Is(v.drawn[branch].err, gitstore.ErrMoved):
		say(InLine, "", movedMeanwhile)
		if v.looked.IsZero() { // as of this pass: the next looks again
			v.acts++
		}
	case todo == await && s.unread:
		rev.Fix = fixOf(v.drawn[branch].err)
		say(Turned, "", v.drawn[branch].err.Error())
	case todo == await:
		if p != nil {
			say(InLine, "", v.awaits(s))
		}
	case todo == leave:
		if s.open {
			say(Frozen, "", aPersons)
		} else if p != nil {
			rev.Number, rev.URL = v.past[branch][0].Number, v.past[branch][0].URL
			say(Rejected, "", "somebody closed it")
		}
	case todo == refuse:
		rev.Fix = fmt.Sprintf("merge what branch %s holds, or delete it", branch)
		say(Turned, "", "its branch holds commits that are not towpath's")
	case v.now.Before(at): // it is tried again then
		rev.Fix = fixOf(v.broken[branch])
		say(Turned, "", v.broken[branch].Error())
	case s.forge && v.quiet() && todo != remove:
		say(InLine, "", v.awaits(s))
	case todo == push && s.forge && !s.branch && v.now.Before(v.vacated(branch).Add(afterRemoval)):
		v.next = earliest(v.next, v.vacated(branch).Add(afterRemoval))
		say(InLine, "", "its old branch was deleted a moment ago")
	case todo != edit && todo != remove && v.outdated(ctx, branch):
		if say(InLine, "", "people have answered meanwhile"); v.quiet() {
			v.said[len(v.said)-1].Why = v.awaits(s)
		}
		v.acts++
	default:
		delete(v.later, branch)
		v.do(ctx, todo, rev, p)
	}
}

// outdated asks once more what was made of earlier proposals of a branch before anything is done about it, and
// reports whether that is news: people may have merged or closed what the list still had open.
func (v *review) outdated(ctx context.Context, branch string) bool {
	if v.Forge == nil || v.pastAt[branch].Equal(v.now) {
		return false
	}
	past, err := v.Forge.Past(ctx, v.Branch, branch)
	if err != nil {
		v.desk.failed(ctx, err, v.now)
		return true
	}
	news := !slices.EqualFunc(past, v.past[branch], func(a, b forge.Proposal) bool { return a.Number == b.Number && a.State == b.State })
	v.past[branch], v.pastAt[branch] = past, v.now
	if news {
		v.lookAgain()
		v.next = v.now
	}
	return news
}

// quiet reports whether the forge is not asked now.
func (v *review) quiet() bool {
	return v.Forge != nil && (!v.heard || v.err != nil || v.now.Before(v.retry))
}

// awaits is why a proposal waits.
func (v *review) awaits(s situation) string {
	switch {
	case v.quiet():
		return "the forge cannot be asked"
	case s.taken:
		return "part of it stands in another proposal, which stays as it is for now"
	case s.room && !s.known:
		return "the forge is still to be asked about earlier ones"
	}
	return fmt.Sprintf("max-open of %s allows no more than %s", ConfigPath, count(v.most(), "open proposal"))
}

// standing says of a proposal that nothing is to be done about it, but to merge it where it waits for
// that alone.
func (v *review) standing(ctx context.Context, rev *Reviewed, s situation, p *Proposal) {
	switch {
	case s.open && s.branch:
		rev.State = UnderReview
	case s.wanted && s.branch:
		rev.State = Pushed
	case s.open:
		rev.State, rev.Why = InLine, "its branch is gone; it is closed if its forge does not do so in a moment"
	default:
		return
	}
	if p != nil && s.open && s.same {
		v.merge(ctx, rev, *p)
		v.rearm(ctx, rev, *p)
	}
	v.say(*rev)
}

func (v *review) say(rev Reviewed) { v.said = append(v.said, rev) }

// do does a step that changes something.
func (v *review) do(ctx context.Context, todo deed, rev Reviewed, p *Proposal) {
	var err error
	switch todo {
	case push:
		err = v.push(ctx, &rev, *p)
	case begin:
		err = v.begin(ctx, &rev, *p)
	case edit:
		err = v.edit(ctx, &rev, *p)
	case shut:
		err = v.shut(ctx, &rev)
	case freeze:
		err = v.freeze(ctx, &rev)
	case withdraw:
		err = v.withdraw(ctx, &rev)
	case remove:
		if err = v.remove(ctx, rev.Branch); err == nil {
			v.acts++
			return // who merged it knows
		}
	}
	v.became(ctx, rev, err)
}

// became tells what became of a step.
func (v *review) became(ctx context.Context, rev Reviewed, err error) {
	switch e := (*forge.Error)(nil); {
	case err == nil || errors.As(err, &e) && e.Kind == forge.Partly:
		v.acts++
		if err != nil {
			rev.Why, rev.Fix = e.What, e.Fix
		}
	case errors.Is(err, gitstore.ErrMoved):
		v.lookAgain() // somebody was faster
		rev.State, rev.Why = InLine, movedMeanwhile
		v.acts++
	case errors.As(err, &e) && e.Kind != forge.Refused:
		v.desk.failed(ctx, err, v.now)
		rev.State, rev.Why, rev.Fix = Turned, e.What, e.Fix
	case ctx.Err() != nil:
		return
	default: // a matter of this branch alone
		v.postpone(rev.Branch, err)
		rev.State, rev.Why, rev.Fix = Turned, err.Error(), fixOf(err)
	}
	v.say(rev)
}

// postpone leaves a branch alone for a while: what was refused keeps no other waiting.
func (v *review) postpone(branch string, err error) {
	v.broken[branch], v.later[branch] = err, v.now.Add(jitter(passingMost))
}

func fixOf(err error) string {
	if e := (*forge.Error)(nil); errors.As(err, &e) {
		return e.Fix
	}
	if e := (*gitstore.Error)(nil); errors.As(err, &e) {
		return e.Fix
	}
	return ""
}

const aPersons = "somebody else committed to its branch"

const movedMeanwhile = "its branch moved meanwhile"
