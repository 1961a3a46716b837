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

// A situation is all that decides what is done about one branch of proposals.
type situation struct {
	wanted bool // there is something to propose
	kept   bool // what is open stays as it is: part of it waits for its time, or cannot be told
	known  bool // what was made of earlier proposals is known, or nobody can know
	room   bool // one more may be open
	forge  bool // proposals are opened at a forge, and it answers

	again bool // a person asks for what was declined

	branch bool // it is there
	unread bool // …and cannot be read
	ours   bool // …as towpath made it
	same   bool // …and holds what is wanted
	open   bool // a proposal is open
	alone  bool // …and has been so without its branch for a while
	fits   bool // …and says what is wanted
	told   bool // …or says that it is left alone
	ended  end  // what became of the newest that is not open
	stale  bool // …and the branch is where that one was
}

// An end is what became of a proposal.
type end string

const (
	noEnd     end = ""
	merged    end = "merged"
	closed    end = "closed"    // by a person: declined
	withdrawn end = "withdrawn" // by towpath
)

// A deed is what is done about a branch of proposals.
type deed string

const (
	stay     deed = ""         // nothing
	await    deed = "wait"     // nothing yet
	leave    deed = "leave"    // nothing: it is a person's
	refuse   deed = "refuse"   // nothing: the branch is in the way
	push     deed = "push"     // make the branch, and open or edit its proposal
	begin    deed = "open"     // open a proposal of the branch as it is
	edit     deed = "edit"     // say what it holds
	shut     deed = "shut"     // close one whose branch is gone, as some forges do by themselves
	freeze   deed = "freeze"   // say that it is left alone from now on
	withdraw deed = "withdraw" // close it with a word, and remove the branch
	remove   deed = "remove"   // remove the branch
)

// next decides what is done.
//
//	wanted  branch             proposal   becomes
//	-       cannot be read     -          nothing yet
//	yes     -                  -          pushed and opened; beyond the most that may be open: waits
//	yes     ours, as wanted    -          opened: somebody died in between, or there is no forge
//	yes     ours, otherwise    -          pushed and opened; without a forge nothing, where part of it waits or is unclear
//	yes     a person's         -          refused; where it was merged or declined as it is: pushed
//	yes     ours, as wanted    closed     nothing: it is declined, though it does not say any more what it was
//	yes     ours, as wanted    open       edited, where it does not say so yet
//	yes     ours, otherwise    open       pushed and edited
//	yes     a person's         open       told once, and left
//	no      ours               open       withdrawn; nothing, where part of it waits or is unclear
//	no      a person's         open       left
//	-       gone               open       closed, where the forge does not do so by itself
//	no      ours               -          removed; where a person closed it: left
//	no      a person's         merged     removed, if that is what was merged
//	no      a person's         -          left
func (s situation) next() deed {
	switch {
	case s.unread:
		return await
	case s.open && !s.branch && s.alone:
		return shut
	case s.open && !s.branch:
		return stay
	case s.open && !s.ours && !s.told:
		return freeze
	case s.open && !s.ours:
		return leave
	case s.open && s.kept:
		return stay
	case s.open && !s.wanted:
		return withdraw
	case s.open && !s.same && !s.known:
		return await
	case s.open && !s.same:
		return push
	case s.open && !s.fits:
		return edit
	case s.open:
		return stay
	}
	switch {
	case !s.known:
		return await
	case s.wanted && s.branch && !s.ours && !s.stale:
		return refuse
	case s.branch && !s.forge && s.ours && (s.same || s.kept):
		return stay
	case s.wanted && s.branch && s.same && s.stale && s.ended == closed && !s.again:
		return leave
	case s.wanted && !s.room:
		return await
	case s.wanted && s.branch && s.same:
		return begin
	case s.wanted:
		return push
	case !s.branch || s.kept:
		return stay
	case s.ended == merged && (s.ours || s.stale):
		return remove
	case s.ours && s.ended != closed:
		return remove
	}
	return leave
}

// A review is one pass over the proposals.
type review struct {
	*Reconciler
	*desk
	snap gitstore.Snapshot
	now  time.Time
	said []Reviewed
	acts int
	left int       // proposals that are open and left alone: they are people's
	next time.Time // when something is due of what nothing else wakes for
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
	d, head := v.drawn[branch], v.heads[branch]
	s := situation{
		wanted: p != nil, again: p != nil && len(p.resumed) > 0, kept: kept != "", forge: v.Forge != nil, room: len(v.desk.open)-v.left < v.most(),
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
	s.same = p != nil && s.ours && slices.Equal(d.seals, p.seals())
	return s
}

// alone reports whether a proposal has been without its branch for so long that its forge will not close
// it.
func (v *review) alone(branch string) bool {
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
	case todo == push && s.forge && !s.branch && v.now.Before(v.removed[branch].Add(afterRemoval)):
		v.next = earliest(v.next, v.removed[branch].Add(afterRemoval))
		say(InLine, "", "its old branch was deleted a moment ago")
	case (todo == push || todo == begin) && v.outdated(ctx, branch):
		say(InLine, "", "people have answered meanwhile")
		v.acts++
	default:
		delete(v.later, branch)
		v.do(ctx, todo, rev, p)
	}
}

// outdated asks once more what was made of earlier proposals of a branch before it is pushed, and
// reports whether that is news: another process may have opened one, and a person closed it.
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
		v.next = v.now
	}
	return news
}

const movedMeanwhile = "its branch moved meanwhile"

const aPersons = "somebody else committed to its branch"

// quiet reports whether the forge is not asked now.
func (v *review) quiet() bool {
	return v.Forge != nil && (!v.heard || v.err != nil || v.now.Before(v.retry))
}

// awaits is why a proposal waits.
func (v *review) awaits(s situation) string {
	switch {
	case v.quiet():
		return "the forge cannot be asked"
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
	default:
		return
	}
	if p != nil && s.open && s.same {
		v.merge(ctx, rev, *p)
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
		err = v.remove(ctx, rev.Branch)
		rev.State, rev.Did = Merged, ""
		if err == nil {
			v.acts++
			return
		}
	}
	switch e := (*forge.Error)(nil); {
	case err == nil || errors.As(err, &e) && e.Kind == forge.Partly:
		v.acts++
		if err != nil {
			rev.Why, rev.Fix = e.What, e.Fix
		}
	case errors.Is(err, gitstore.ErrMoved):
		v.looked = time.Time{} // somebody was faster: look again
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

// push makes the branch, then opens or edits its proposal. Whoever dies in between has left a branch
// that says of itself whose it is.
func (v *review) push(ctx context.Context, rev *Reviewed, p Proposal) error {
	if until, spent := v.mem.budget(v.PushesPerHour, v.now); spent {
		rev.State, rev.Why = InLine, ErrThrottled.Error()
		v.next = earliest(v.next, until)
		v.acts--
		return nil
	}
	chain := make([]gitstore.Commit, len(p.Chain))
	for i, w := range p.Chain {
		chain[i] = w.Commit
	}
	old := v.heads[p.Branch]
	pushing, stop := outlive(ctx, pushDeadline)
	defer stop()
	tip, err := v.Store.Replace(pushing, p.Branch, old, v.snap, chain...)
	if err != nil {
		return err
	}
	v.mem.pushes = append(v.mem.pushes, v.now)
	v.heads[p.Branch], v.drawn[p.Branch] = tip.Rev(), drawn{head: tip.Rev(), seals: p.seals(), pending: p.resolved(v.now), paths: p.paths()}
	delete(v.later, p.Branch)
	if _, open := v.desk.open[p.Branch]; open {
		if err := v.edit(ctx, rev, p); err != nil {
			return err
		}
		rev.Did = "updated"
		return nil
	}
	return v.begin(ctx, rev, p)
}

// begin opens a proposal of a branch.
func (v *review) begin(ctx context.Context, rev *Reviewed, p Proposal) error {
	if v.Forge == nil {
		rev.State, rev.Did = Pushed, "pushed"
		return nil
	}
	got, err := v.Forge.Propose(ctx, forge.Draft{
		Branch: p.Branch, Base: v.Branch, Title: p.title(), Body: v.body("", p, v.heads[p.Branch]),
		Labels: p.Labels, Reviewers: p.Reviewers, Assignees: p.Assignees, Draft: p.Draft,
	})
	if e := (*forge.Error)(nil); err != nil && !(errors.As(err, &e) && e.Kind == forge.Partly) {
		return err
	}
	v.desk.open[p.Branch], v.seen[got.Number] = got, true
	rev.State, rev.Did, rev.Number, rev.URL, rev.Title = UnderReview, "opened", got.Number, got.URL, got.Title
	return cmp.Or(v.arm(ctx, got, p), err)
}

// edit says in a proposal what its branch holds. The title is changed where it is still the one that
// towpath gave, and of the body only what stands between the marks.
func (v *review) edit(ctx context.Context, rev *Reviewed, p Proposal) error {
	open := v.desk.open[p.Branch]
	title, body := open.Title, v.body(open.Body, p, v.heads[p.Branch])
	if was := readLetter(open.Body).marker.Title; was == title {
		title = p.title()
	}
	if err := v.Forge.Edit(ctx, open.Number, title, body); err != nil {
		return err
	}
	v.edited[p.Branch] = body
	open.Title, open.Body, open.Head = title, body, string(v.heads[p.Branch])
	v.desk.open[p.Branch] = open
	rev.State, rev.Did, rev.Title = UnderReview, "edited", title
	return v.arm(ctx, open, p)
}

// body is what a proposal should say, with all that people wrote around it.
func (v *review) body(now string, p Proposal, head gitstore.Rev) string {
	l := readLetter(now)
	l.ours, l.section = true, p.section(address{v.Repo, v.Branch})
	resumed := slices.DeleteFunc(union(slices.Clone(p.resumed), l.marker.Resumed), func(m Move) bool { return !slices.Contains(p.Moves, m) })
	l.marker = marker{Head: head, Title: p.title(), Moves: p.Moves, Resumed: resumed}
	return l.String()
}

// sent reports whether a proposal says what is wanted, or was told to already: some forges keep
// another text than they were given.
func (v *review) sent(open forge.Proposal, p Proposal, head gitstore.Rev) bool {
	body := v.body(open.Body, p, head)
	return body == open.Body || body == v.edited[open.Branch]
}

// freeze tells people once that a branch is theirs.
func (v *review) freeze(ctx context.Context, rev *Reviewed) error {
	open := v.desk.open[rev.Branch]
	l := readLetter(open.Body)
	text := fmt.Sprintf("Somebody else committed to `%s`, so towpath leaves this proposal alone from now on: it is neither updated nor closed.\n\n"+
		"To hand it back, set the branch to %s again; or close this, delete the branch, and a newer image gets a proposal of its own.", rev.Branch, cmp.Or(string(l.marker.Head), "the commit that towpath made"))
	if err := v.Forge.Comment(ctx, open.Number, "frozen", text); err != nil {
		return err
	}
	l.ours, l.marker.Frozen = true, v.heads[rev.Branch]
	open.Body = l.String()
	if err := v.Forge.Edit(ctx, open.Number, open.Title, open.Body); err != nil {
		return err
	}
	v.desk.open[rev.Branch] = open
	v.left++
	rev.State, rev.Did, rev.Why = Frozen, "left alone", aPersons
	return nil
}

// withdraw closes a proposal that has nothing left to say. It is marked first: what towpath closes
// is not declined.
func (v *review) withdraw(ctx context.Context, rev *Reviewed) error {
	rev.Why = fmt.Sprintf("nothing is left to propose: %s has what it would bring, or nobody follows it any more", v.Branch)
	if err := v.end(ctx, v.desk.open[rev.Branch], rev.Why); err != nil {
		return err
	}
	delete(v.desk.open, rev.Branch)
	delete(v.past, rev.Branch)
	rev.State, rev.Did = Withdrawn, "closed"
	return v.remove(ctx, rev.Branch)
}

// end closes a proposal in towpath's own name.
func (v *review) end(ctx context.Context, p forge.Proposal, why string) error {
	l := readLetter(p.Body)
	l.ours, l.marker.Withdrawn = true, true
	if err := v.Forge.Edit(ctx, p.Number, p.Title, l.String()); err != nil {
		return err
	}
	if err := v.Forge.Comment(ctx, p.Number, "withdrawn-"+l.marker.Head.Short(), "Closed: "+why+"."); err != nil {
		return err
	}
	return v.Forge.Close(ctx, p.Number)
}

// tidy closes what stands under an earlier prefix: there is one proposal for the same thing.
func (v *review) tidy(ctx context.Context) {
	for _, p := range v.stray {
		if v.quiet() || v.Dry {
			return
		}
		rev := Reviewed{Branch: p.Branch, Number: p.Number, URL: p.URL, Title: p.Title, State: Withdrawn, Did: "closed", Moves: v.spoken(p.Body).Moves}
		rev.Why = fmt.Sprintf("branch-prefix of %s is %q now: what is left of it is proposed on a branch of that name", ConfigPath, v.prefix)
		err := v.end(ctx, p, rev.Why)
		if err == nil {
			err = v.Store.Delete(ctx, p.Branch, gitstore.Rev(p.Head))
		}
		if err != nil && !errors.Is(err, gitstore.ErrMoved) {
			rev.State, rev.Did, rev.Why, rev.Fix = Turned, "", err.Error(), fixOf(err)
			if e := (*forge.Error)(nil); errors.As(err, &e) {
				v.desk.failed(ctx, err, v.now)
			}
		} else {
			v.asked = time.Time{}
			v.acts++
		}
		v.say(rev)
	}
}

// shut closes a proposal whose branch a person deleted. What it would have moved is declined.
func (v *review) shut(ctx context.Context, rev *Reviewed) error {
	open := v.desk.open[rev.Branch]
	rev.Why = "somebody deleted its branch"
	if err := v.Forge.Comment(ctx, open.Number, "branch-gone", "Closed: "+rev.Why+", which counts as rejecting it. A newer image gets a proposal of its own."); err != nil {
		return err
	}
	if err := v.Forge.Close(ctx, open.Number); err != nil {
		return err
	}
	delete(v.desk.open, rev.Branch)
	delete(v.past, rev.Branch)
	delete(v.gone, rev.Branch)
	rev.State, rev.Did = Rejected, "closed"
	return nil
}

// afterRemoval is how long a branch that was removed is not made again: forges hear of a deletion a little
// later, close what is open on a branch of that name then, and it would look like a person's doing.
const afterRemoval = 15 * time.Second

func (v *review) remove(ctx context.Context, branch string) error {
	if err := v.Store.Delete(ctx, branch, v.heads[branch]); err != nil {
		return err
	}
	maps.DeleteFunc(v.removed, func(_ string, at time.Time) bool { return v.now.Sub(at) > afterRemoval })
	v.removed[branch] = v.now
	delete(v.heads, branch)
	delete(v.drawn, branch)
	delete(v.edited, branch)
	return nil
}
