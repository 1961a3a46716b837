package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// rearm does so where that failed, or nobody knows whether it was done.
func (v *review) rearm(ctx context.Context, rev *Reviewed, p Proposal) {
	if v.quiet() || v.Dry {
		return
	}
	if err := v.arm(ctx, v.desk.open[p.Branch], p); err != nil {
		rev.Why, rev.Fix = err.Error(), fixOf(err)
		if e := (*forge.Error)(nil); errors.As(err, &e) && e.Kind != forge.Partly {
			v.desk.failed(ctx, err, v.now)
		}
	}
}

// The checks of a proposal that waits for them are looked at so often; where nothing has checked it ten times
// in a row not so often, and of so many in a pass.
const (
	checkEvery  = time.Minute
	uncheckedBy = 10 * time.Minute
	mostChecks  = 25
)

// merge merges a proposal that waits for nothing but its checks.
func (v *review) merge(ctx context.Context, rev *Reviewed, p Proposal) {
	if p.Merge != "when-green" || p.Draft || v.quiet() || v.Dry {
		return
	}
	if !p.StatusOnly() {
		rev.Why = "merge: when-green is for proposals of records alone, and this one changes sites"
		return
	}
	if next := v.green[p.Branch]; v.now.Before(next) || v.checked == mostChecks {
		rev.Why = v.waits[p.Branch]
		v.next = earliest(v.next, next, v.now.Add(checkEvery))
		return
	}
	v.checked++
	v.green[p.Branch] = v.now.Add(checkEvery)
	v.next = earliest(v.next, v.green[p.Branch])
	defer func() { v.waits[p.Branch] = rev.Why }()
	open, head := v.desk.open[p.Branch], string(v.heads[p.Branch])
	checks, err := v.Forge.Checks(ctx, head)
	switch {
	case err != nil:
	case checks == forge.Green && !v.asMade(p):
		rev.Why, rev.Fix = "its checks are green, but what its commits say is not towpath's: it is for a person to merge", "merge it, or delete its branch and it is made anew"
	case checks == forge.Green && !v.sureOf(p):
		rev.Why = "its checks are green, and its registry is asked once more before it is merged"
		delete(v.green, p.Branch) // as soon as that has answered
	case checks == forge.Green:
		if err = v.Forge.Merge(ctx, open.Number, head); err == nil {
			rev.Did, rev.Why = "merged", "its checks are green"
			delete(v.seen, open.Number)
			v.lookAgain()
			v.acts++
			return
		}
	case checks == forge.NoChecks:
		if v.unchecked[p.Branch]++; v.unchecked[p.Branch] > 10 {
			v.green[p.Branch] = v.now.Add(uncheckedBy)
		}
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
	for _, w := range p.Chain {
		for _, c := range w.Streams {
			for _, e := range c.Events {
				tag := imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag}
				said := v.sure[tag]
				switch settled := said.since.Add(said.settle); {
				case !c.Stream.askedFor(e.Tag) && !c.Stream.pushable(e.Tag): // what another tag is follows from that
				case !sameEvent(said.Event, e):
					sure = false
					v.doubt(tag)
				case v.now.Before(settled):
					sure, v.next = false, earliest(v.next, settled)
				}
			}
		}
	}
	return sure
}

// doubt has a tag asked for, and not again for a while.
func (v *review) doubt(tag imagestream.TagRef) {
	if v.now.Before(v.doubted[tag].Add(passingMost)) {
		return
	}
	v.doubted[tag] = v.now
	v.doubts = append(v.doubts, Hint{Stream: tag.Stream, Tag: tag.Tag})
	v.next = v.now
	v.acts++
}

// sameEvent reports whether two events bring the same image from the same source.
func sameEvent(a, b imagestream.Event) bool {
	return a.Item != nil && a.Item.Image == b.Item.Image && a.Item.Reference == b.Item.Reference &&
		(a.Source == nil) == (b.Source == nil) && (a.Source == nil || a.Source.Same(b.Source))
}

// asMade reports whether the commits of a branch say what towpath's would. Its sign-off may stand below.
func (v *review) asMade(p Proposal) bool {
	said := v.drawn[p.Branch].messages
	if said == nil { // this process made them
		return true
	}
	return slices.EqualFunc(said, p.Chain, func(said string, w Write) bool {
		rest, ok := strings.CutPrefix(strings.TrimSpace(said), strings.TrimSpace(w.Commit.Message))
		for line := range strings.Lines(rest) {
			ok = ok && (strings.TrimSpace(line) == "" || strings.HasPrefix(line, "Signed-off-by: "))
		}
		return ok
	})
}

// pushed notes what was pushed: nobody else is asked for it.
func (d *desk) pushed(recorded *Recorded, pushed []delivery) {
	if d == nil || !recorded.cat.Config.Proposes() {
		return
	}
	for _, p := range pushed {
		d.sure[p.tag()] = told{Event: p.event, since: recorded.at}
	}
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

// A told is what a registry says of a tag: since when, as far as this process heard, and how long it must say so.
// That does not rest on what a branch has on record.
type told struct {
	imagestream.Event
	since  time.Time
	settle time.Duration
}

// told notes what registries said of tags whose records people review first.
func (d *desk) told(recorded *Recorded, answers []Answer) {
	if d == nil || !recorded.cat.Config.Proposes() {
		return
	}
	for _, a := range answers {
		for _, res := range a.Results {
			tag := imagestream.TagRef{Stream: a.Target.Stream, Tag: res.Tag}
			was := d.sure[tag]
			if delete(d.sure, tag); res.Err == nil && !recorded.laneOf(tag).straight() {
				is := told{succeeded(nil, res, a, recorded.at)[0], recorded.at, a.Settle}
				if sameEvent(was.Event, is.Event) {
					is.since = was.since
				}
				d.sure[tag] = is
			}
		}
	}
}
