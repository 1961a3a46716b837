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
	v.heads[p.Branch], v.drawn[p.Branch] = tip.Rev(), drawn{head: tip.Rev(), seals: p.seals(), pending: p.resolved(v.now), adds: p.adds(), paths: p.paths()}
	delete(v.later, p.Branch)
	delete(v.green, p.Branch)
	delete(v.unchecked, p.Branch)
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
	l.ours, l.marker.Frozen, l.marker.Withdrawn = true, v.heads[rev.Branch], false
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
	rev.Why = v.nothingLeft(rev.Branch)
	if err := v.end(ctx, v.desk.open[rev.Branch], rev.Why); err != nil {
		return err
	}
	delete(v.desk.open, rev.Branch)
	delete(v.past, rev.Branch)
	rev.State, rev.Did = Withdrawn, "closed"
	return v.remove(ctx, rev.Branch)
}

// nothingLeft is why a proposal has nothing left to say.
func (v *review) nothingLeft(branch string) string {
	moves := v.spoken(v.desk.open[branch].Body).Moves
	for _, m := range moves {
		if v.ended[m.Tag] {
			return fmt.Sprintf("%s was pushed again as the image that %s has", m.Tag, v.Branch)
		}
	}
	for _, other := range slices.Sorted(maps.Keys(v.desk.open)) {
		p := v.desk.open[other]
		if says := v.spoken(p.Body).moves; other != branch && slices.ContainsFunc(moves, says.speaks) {
			return fmt.Sprintf("what is left of it is proposed in #%d now", p.Number)
		}
	}
	if !slices.ContainsFunc(moves, func(m Move) bool { return !v.cat.made(m) }) {
		return fmt.Sprintf("nothing is left to propose: %s has all that it would bring", v.Branch)
	}
	return fmt.Sprintf("nothing is left to propose: %s has what it would bring, or does not want it any more", v.Branch)
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

// tidy closes what stands under an earlier prefix: there is one proposal for the same thing. What does not
// hold commits of towpath's own is somebody's copy, and left alone.
func (v *review) tidy(ctx context.Context) {
	for _, p := range v.stray {
		if v.quiet() || v.Dry || v.Resume != nil || v.Only != Whole || v.now.Before(v.later[p.Branch]) {
			continue
		}
		rev := Reviewed{Branch: p.Branch, Number: p.Number, URL: p.URL, Title: p.Title, State: Withdrawn, Did: "closed", Moves: v.spoken(p.Body).Moves}
		rev.Why = fmt.Sprintf("branch-prefix of %s is %q now: what is left of it is proposed on a branch of that name", ConfigPath, v.prefix)
		snap, err := v.Store.Snapshot(ctx, p.Branch)
		if err == nil {
			var got drawn
			if got, err = v.cat.readChain(ctx, snap); err == nil && (len(got.seals) == 0 || string(snap.Rev()) != p.Head) {
				continue
			}
		}
		if err == nil {
			err = v.end(ctx, p, rev.Why)
		}
		if err == nil {
			err = v.Store.Delete(ctx, p.Branch, gitstore.Rev(p.Head))
		}
		v.became(ctx, rev, err)
		v.asked = time.Time{}
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

// vacated is when a branch was removed: by this process, or as its last proposal ended.
func (v *review) vacated(branch string) time.Time {
	at := v.removed[branch]
	if past := v.past[branch]; len(past) > 0 && past[0].Ended.After(at) && !past[0].Ended.After(v.now.Add(time.Minute)) {
		at = past[0].Ended
	}
	return at
}

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
