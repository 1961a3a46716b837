package reconcile

import (
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// A Report is what one pass saw and did.
type Report struct {
	At   time.Time
	Idle bool // the pass ended right after the poll: the rest is the last pass's
	Cut  bool // the pass broke off: the rest is the last pass's
	Took time.Duration

	Rev                  gitstore.Rev
	Streams, Tags, Sites int
	Problems             []imagestream.Problem // of files, notes among them
	Invalid              bool                  // .towpath.yaml is not right: nothing is written
	Paused               bool                  // .towpath.yaml says so: nothing is written
	Failing              []Failing
	Settling             []Settling // by tag: images that must stand unchanged first
	Arrivals             []Awaiting // by tag: pushes that are not on record yet, and why
	Dropped              []Dropped  // by tag: pushes that this pass let go of although they are not on record, and why
	ArrivalsErr          error      // why what was pushed could not be read; nil when it can
	Held                 Held
	Deferred             []Deferred // sites that move later
	Unresolved           []Unresolved
	Proposals            []Reviewed // that are open, waiting, or came to an end in this pass
	Proposed             []Proposal // what is wanted to be under review
	acts                 int        // what was done about proposals
	ForgeErr             error      // the forge's last failure; nil when it answers, or none is asked

	Heard       []Hint    // with which Run walked
	Outstanding int       // questions under way
	Answers     []Answer  // that came in this pass
	Planned     []Write   // what the pass meant to write
	Commits     []Landed  // what landed
	Err         error     // what broke the pass off, or kept its writes from landing
	Waits       error     // why a write waits for its next try; nil where none does
	Next        time.Time // when Run walks again at the latest
}

// Failing is a tag whose last import failed.
type Failing struct {
	Tag   imagestream.TagRef // Tag is empty for the listing of a repository
	Err   *registry.Error
	Since time.Time
	Retry time.Time
}

// Unresolved is a site that is left alone because the record gives it no image.
type Unresolved struct {
	Site *Site
	Why  string
}

// A Deferred is a site that a guard rail of .towpath.yaml keeps for a while.
type Deferred struct {
	Change SiteChange
	Why    string // for people: "its window opens Mon 08:00"
	Until  time.Time
}

// again is the last report, of a pass that found nothing new.
func (r Report) again(now time.Time) Report {
	r.At, r.Idle, r.Took = now, true, time.Since(now)
	r.Answers, r.Planned, r.Commits, r.Heard, r.Dropped, r.Err, r.acts = nil, nil, nil, nil, nil, nil, 0
	r.Proposals = undone(r.Proposals)
	return r
}

// Due are the proposals that a rehearsal would open or change, with what each would hold.
func (r Report) Due() []Proposal {
	return slices.DeleteFunc(slices.Clone(r.Proposed), func(p Proposal) bool {
		return !slices.ContainsFunc(r.Proposals, func(is Reviewed) bool { return is.Branch == p.Branch && is.Due })
	})
}

// Bad lists the problems that are not mere notes.
func (r Report) Bad() []imagestream.Problem {
	return slices.DeleteFunc(slices.Clone(r.Problems), func(p imagestream.Problem) bool { return p.Note })
}

func (r *Reconciler) summary(cat *Catalog, plan Plan, held Held, later []Deferred, writes Writes, answers []Answer, outcome Outcome, now time.Time) Report {
	rep := Report{
		At: now, Took: time.Since(now), Rev: cat.Rev,
		Streams: len(cat.Streams), Sites: len(cat.Sites), Invalid: cat.Invalid, Paused: cat.Config.Paused(),
		Problems: append(slices.Clone(cat.Problems), r.mem.rememberRefused(cat, plan, writes)...),
		Held:     held,
		Deferred: later,
		Answers:  answers, Planned: writes.Chain,
		Commits: outcome.Commits, Err: outcome.Err, Waits: r.mem.waits,
		Proposals: undone(r.report.Proposals), ArrivalsErr: r.report.ArrivalsErr,
	}
	for _, s := range cat.Streams {
		rep.Tags += s.tags
	}
	rep.Unresolved = plan.Recorded.Unresolved()
	for tag, st := range r.mem.loud {
		s := cat.Stream(tag.Stream)
		if s == nil || !s.asks(tag.Tag) {
			continue
		}
		if st.failure != nil {
			rep.Failing = append(rep.Failing, Failing{tag, st.failure, st.first(), st.retry})
		}
		rep.Settling = append(rep.Settling, st.settling...)
	}
	rep.Outstanding = r.asker.underWay()
	slices.SortFunc(rep.Settling, func(a, b Settling) int { return compareTags(a.Tag, b.Tag) })
	slices.SortFunc(rep.Failing, func(a, b Failing) int { return compareTags(a.Tag, b.Tag) })
	return rep
}

// A Reviewed is a proposal as people see it, and what became of it.
type Reviewed struct {
	Branch string
	Number int    // 0 where there is none at a forge
	URL    string // of its page; empty where there is none
	Title  string
	State  ReviewState
	Did    string // what this pass did: "opened", "updated", "closed", "pushed" …; empty: nothing
	Why    string // for people: why it is as it is
	Fix    string // whose move it is, where somebody's
	Since  time.Time
	Moves  []Move
	Due    bool // a rehearsal: it would be opened, or changed
}

// ReviewState is how far a proposal has come.
type ReviewState string

const (
	UnderReview ReviewState = "open"
	Pushed      ReviewState = "pushed"  // a branch without a proposal at a forge
	InLine      ReviewState = "waiting" // as many as may be are open, or the forge cannot be asked
	Frozen      ReviewState = "frozen"  // somebody else committed to its branch
	Turned      ReviewState = "refused" // the branch cannot be pushed, or the forge says no
	Withdrawn   ReviewState = "closed"  // by towpath: it has nothing left to say
	Merged      ReviewState = "merged"
	Rejected    ReviewState = "rejected" // people closed it, or merged it without some of its moves; it is shown while that keeps anything back
)

// undone are proposals of which nothing was done any more.
func undone(ps []Reviewed) []Reviewed {
	var still []Reviewed
	for _, p := range ps {
		if p.State != Withdrawn && p.State != Merged {
			p.Did = ""
			still = append(still, p)
		}
	}
	return still
}

// joined are the proposals of a later pass, with what earlier ones did.
func joined(earlier, later []Reviewed) []Reviewed {
	all := slices.Clone(later)
	for _, was := range earlier {
		i := slices.IndexFunc(all, func(p Reviewed) bool { return p.Branch == was.Branch })
		switch {
		case was.Did == "":
		case i < 0:
			all = append(all, was)
		case all[i].Did == "" || was.Did == "opened" && all[i].Did != "closed":
			all[i].Did = was.Did
			if all[i].Why == "" {
				all[i].Why, all[i].Fix = was.Why, was.Fix
			}
		}
	}
	return all
}
