package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/imagestream"
)

// arm leaves the merge of a proposal to the forge, where that is wanted.
func (v *review) arm(ctx context.Context, open forge.Proposal, p Proposal) error {
	head := v.heads[p.Branch]
	if p.Merge != "platform" || v.armed[p.Branch] == head {
		return nil
	}
	err := v.Forge.AutoMerge(ctx, open.Number, string(head))
	if e := (*forge.Error)(nil); errors.As(err, &e) && e.Kind == forge.Refused {
		v.armed[p.Branch] = head
		return &forge.Error{Kind: forge.Partly, Forge: e.Forge, What: "the forge does not merge it by itself: " + e.What, Fix: e.Fix}
	}
	if err == nil {
		v.armed[p.Branch] = head
	}
	return err
}

// checkEvery is the time between two looks at the checks of a proposal that waits for them.
const checkEvery = time.Minute

// merge merges a proposal that waits for nothing but its checks.
func (v *review) merge(ctx context.Context, rev *Reviewed, p Proposal) {
	if p.Merge != "when-green" || !p.StatusOnly() || p.Draft || v.quiet() || v.Dry {
		return
	}
	if next := v.green[p.Branch].Add(checkEvery); v.now.Before(next) {
		v.next = earliest(v.next, next)
		return
	}
	v.green[p.Branch] = v.now
	v.next = earliest(v.next, v.now.Add(checkEvery))
	open, head := v.desk.open[p.Branch], string(v.heads[p.Branch])
	checks, err := v.Forge.Checks(ctx, head)
	switch {
	case err != nil:
	case checks == forge.Green && !v.sureOf(p):
		rev.Why = "its checks are green, and its registry is asked once more before it is merged"
	case checks == forge.Green:
		if err = v.Forge.Merge(ctx, open.Number, head); err == nil {
			rev.Did, rev.Why = "merged", "its checks are green"
			v.looked, v.asked, v.polled = time.Time{}, time.Time{}, time.Time{}
			v.acts++
			return
		}
	case checks == forge.NoChecks:
		rev.Why = "it is merged when its checks are green, and nothing checks it yet"
	default:
		rev.Why = "its checks are " + string(checks)
	}
	if err != nil && !errors.Is(err, forge.ErrMoved) {
		e := (*forge.Error)(nil)
		if errors.As(err, &e) {
			rev.Why, rev.Fix = e.What, e.Fix
		}
		if e == nil || e.Kind != forge.Refused { // which may be over at the next look
			v.desk.failed(ctx, err, v.now)
		}
	}
}

// sureOf reports whether registries themselves have told this process all that a proposal puts on
// record. What was found on a branch is taken over, as a person will look at it; where nobody does,
// who may push a branch could otherwise have any image merged. What is not sure is asked again.
func (v *review) sureOf(p Proposal) bool {
	sure := true
	for _, m := range p.Moves {
		s := v.cat.Stream(m.Tag.Stream)
		if s == nil || !s.askedFor(m.Tag.Tag) || v.sure[m.Tag] == m.Image {
			continue // what another tag is follows from that
		}
		sure, v.next = false, v.now
		v.doubts = append(v.doubts, Hint{Stream: m.Tag.Stream, Tag: m.Tag.Tag})
	}
	return sure
}

// doubtful are the tags that are to be asked because a merge waits for it.
func (d *desk) doubtful() []Hint {
	if d == nil {
		return nil
	}
	hints := d.doubts
	d.doubts = nil
	return hints
}

// told notes what registries said of tags whose records people review first.
func (d *desk) told(recorded *Recorded, fresh []Answer) {
	if d == nil || !recorded.cat.Config.Proposes() {
		return
	}
	for _, a := range fresh {
		for _, res := range a.Results {
			tag := imagestream.TagRef{Stream: a.Target.Stream, Tag: res.Tag}
			if delete(d.sure, tag); res.Err == nil && !recorded.laneOf(tag).straight() {
				d.sure[tag] = res.Image
			}
		}
	}
}
