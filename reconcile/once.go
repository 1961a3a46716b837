package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/registry"
)

// A Reconciler walks the line over one branch of one repository. Fields are set
// before its first use; Once and Run are called from one goroutine.
type Reconciler struct {
	Store  gitstore.Store
	Branch string
	Reader registry.Reader
	Author gitstore.Person
	// Arrivals are the pushes to the registry of the same process; nil: it serves none.
	Arrivals registry.Arrivals
	Forge    forge.Forge // where proposals are reviewed; nil: nowhere, their branches are pushed
	Repo     string      // the repository, as people name it

	Poll time.Duration // how often Git is looked at; 0: on every pass
	Wait bool          // a pass waits for every answer, as one-shot commands do
	Dry  bool          // nothing is written
	Yes  bool          // a first run may change any number of files
	Only Walk          // how far along the line a pass goes

	Targets []Hint // if set, only tags that these name are asked for
	// Resume, if set, names sites that a person wants moved now: neither holds nor guard
	// rails keep them.
	Resume func(*Site) bool

	PushesPerHour int // how many pushes an hour at most; 0: any number

	// Progress, if set, hears how far long work has come.
	Progress func(what string, done, total int)
	// Passed, if set, hears of every pass that Run made.
	Passed func(Report)

	desk   *desk // what is known of proposals; nil where there never were any
	asker  asker
	cat    *Catalog
	mem    *Memory
	polled time.Time // when Git was last looked at; zero: look now
	next   time.Time // when the next tag is due
	asOf   time.Time // when what is asked must be due; zero: now
	report Report    // of the last pass that did not end right after the poll

	inbox inbox     // hints that wait
	gitAt time.Time // when Git is looked at because somebody said that it moved; zero: nobody did

	left   []registry.Arrival    // pushes that waited after the last pass; nil: nothing was read yet
	sights sights                // …what their tags were before that
	sorted deliveries            // …what was made of them
	vigils vigils                // …and how far the log was looked through for them
	shelf  atomic.Pointer[Shelf] // what a registry is told
	looks  looks                 // …and what look at Git that is of
}

// Walk is how far a pass goes.
type Walk int

const (
	Whole      Walk = iota // imports and follows
	ImportOnly             // imports, and follows nothing
)

// A first run that would change more files than this asks for consent.
const firstRunFiles = 100

// Once walks the line once. The error is what broke the pass off, or kept its
// writes from landing; the report has it, too.
func (r *Reconciler) Once(ctx context.Context, hints ...Hint) (Report, error) {
	rep, err := r.walk(ctx, hints, time.Now())
	if err != nil {
		return r.failed(err), err
	}
	return rep, rep.Err
}

// walk is the line. The order is the point: what was pushed, what Git says, what to ask, what
// registries say, what is then on record, and only from that record what follows it.
func (r *Reconciler) walk(ctx context.Context, hints []Hint, now time.Time) (Report, error) {
	hints = r.gitSaid(hints, now)
	waiting, err := r.waiting(ctx) // what was pushed
	if err != nil {
		return Report{}, err
	}
	r.mistrust(waiting, hints, now)
	snap, err := r.look(ctx, now) // what Git says after that
	if err != nil {
		r.looks.failed(err)
		return Report{}, err
	}
	cat, err := Load(ctx, snap, r.cat, r.Progress) // as streams and sites
	if err != nil {
		r.looks.failed(err)
		return Report{}, err
	}
	r.inbox.know(cat)
	r.shelve(cat, nil)
	r.looks.done()
	news, err := r.glance(ctx, cat, now) // what is under review
	if err != nil {
		return Report{}, err
	}
	pushed, err := r.arrivals(ctx, cat, waiting, hints, now) // what becomes of what was pushed
	if err != nil {
		return Report{}, err
	}
	r.desk.ends(pushed)
	hints = append(asking(hints), r.desk.doubtful()...)
	if !news && !pushed.fresh && !r.desk.unread() && r.nothingNew(snap, hints, now) {
		return r.report.again(now), nil
	}
	mem := r.memory(now)
	if cat != r.cat {
		mem.forget(cat)
	}
	mem.dropStale(now)
	over, err := r.counted(ctx, pushed.cat, now) // what waits for its review counts as on record
	if err != nil {
		return Report{}, err
	}
	ask, next := Due(over, mem, hints, cmp.Or(r.asOf, now)) // what to ask
	ask = r.targeted(over, ask)
	if err := r.consent(cat, filesOf(ask)); err != nil {
		return Report{}, err
	}
	fresh := r.exchange(ctx, ask, next, r.hurries(pushed, now))              // what registries have said
	answers := mem.owing()                                                   // and all that was not written yet
	recorded, wanted, err := r.decided(ctx, over, answers, pushed.news, now) // the record as it will stand, and the sites that differ
	if err != nil {
		return Report{}, err
	}
	held, err := r.held(ctx, recorded, wanted, now) // those that people put back, or declined
	if err != nil {
		return Report{}, err
	}
	moves, later := r.moves(recorded, held, wanted, now) // and those that wait for their time
	plan := Plan{Recorded: recorded, Sites: moves, Author: r.Author, When: now}
	if err := r.consent(cat, plan.unasked(pushed.paths())); err != nil {
		return Report{}, err
	}
	texts, err := Texts(ctx, snap, plan.Paths()) // the files as they are
	if err != nil {
		return Report{}, err
	}
	writes := plan.Writes(texts) // in which commits
	r.named(writes.Proposals)
	outcome := r.apply(ctx, snap, writes.Chain, now) // make it so
	mem.After(answers, recorded, writes, outcome, now)
	if outcome.Landed {
		cat.learn(writes.parsed, writes.now)
		mem.gave(writes.Chain, now)
		r.shelve(cat, writes.Chain)
	}
	if len(answers) > 0 { // what was asked is due again some day, what was outrun at once
		if ask, next = Due(recorded.cat, mem, nil, cmp.Or(r.asOf, now)); len(ask) > 0 {
			next = now
		}
	}
	r.cat = cat
	r.report = r.summary(cat, plan, held, later, writes, fresh, outcome, now)
	r.took(ctx, pushed, recorded, writes, outcome)
	again := r.review(ctx, snap, recorded, later, writes.Proposals, outcome, now) // and what people review first
	r.next = earliest(next, wakes(held, later), again)
	return r.report, nil
}

// look reads the branch's tip, unless that was done less than a poll ago and
// nobody says that it moved.
func (r *Reconciler) look(ctx context.Context, now time.Time) (gitstore.Snapshot, error) {
	if r.cat != nil && r.Poll > 0 && now.Sub(r.polled) < r.Poll {
		return r.cat.snap, nil
	}
	r.looks.begin()
	snap, err := r.Store.Snapshot(ctx, r.Branch)
	if err != nil {
		return nil, fmt.Errorf("reading branch %s: %w", r.Branch, err)
	}
	r.polled, r.gitAt = now, time.Time{}
	return snap, nil
}

// nothingNew reports whether a pass may end right after the poll.
func (r *Reconciler) nothingNew(snap gitstore.Snapshot, hints []Hint, now time.Time) bool {
	return r.cat != nil && snap.Rev() == r.cat.Rev && len(hints) == 0 && !(r.Wait && r.asker.underWay() > 0) &&
		(r.next.IsZero() || now.Before(r.next)) && !r.asker.answered() && !r.mem.owes(now)
}

func (r *Reconciler) memory(now time.Time) *Memory {
	if r.mem == nil {
		r.mem = &Memory{started: now}
	}
	return r.mem
}

// exchange hands new questions over and takes back the answers that came in;
// they are owed until something became of them. When the next tag is due, or a hint
// comes, it takes none: the next pass goes on with them. Where something else is to be
// written now, it takes those that are there: left, they would have the next pass begin at once.
func (r *Reconciler) exchange(ctx context.Context, ask []Question, next time.Time, atOnce bool) []Answer {
	r.asker.Progress, r.asker.OneShot = r.Progress, r.Wait
	if r.asker.Reader == nil { // once: answers may be under way
		r.asker.Reader = r.Reader
	}
	r.mem.inFlight(ask, time.Now())
	bell := r.inbox.bell()
	if atOnce {
		rung := make(chan struct{})
		close(rung)
		bell = rung
	}
	fresh := r.asker.exchange(ctx, ask, next, bell)
	if atOnce && fresh == nil {
		fresh = r.asker.take()
	}
	r.mem.owe(fresh)
	return fresh
}

// targeted keeps the questions that Targets name.
func (r *Reconciler) targeted(cat *Catalog, ask []Question) []Question {
	if r.Resume != nil {
		return nil
	}
	if len(r.Targets) == 0 {
		return ask
	}
	return slices.DeleteFunc(ask, func(q Question) bool {
		return !slices.ContainsFunc(r.Targets, func(h Hint) bool { return h.names(cat.Stream(q.Target.Stream), q.Target.Tag, true) })
	})
}

// decided is what answers put on record, and the sites that differ from it then. What people declined is
// known only after the forge was asked about just those that have something to propose.
func (r *Reconciler) decided(ctx context.Context, over *Catalog, answers []Answer, pushed []delivery, now time.Time) (*Recorded, []SiteChange, error) {
	recorded := r.record(over, answers, pushed, now)
	wanted := r.follow(recorded)
	r.desk.told(recorded, answers)
	r.desk.pushed(recorded, pushed)
	asked, err := r.declines(ctx, recorded, wanted, now)
	if err != nil || !asked {
		return recorded, wanted, err
	}
	if over, err = r.counted(ctx, over.merged(), now); err != nil {
		return nil, nil, err
	}
	recorded = r.record(over, answers, pushed, now)
	return recorded, r.follow(recorded), nil
}

// record turns answers and pushes into the record as it will stand. Who resumes a site gets
// it as it stands.
func (r *Reconciler) record(cat *Catalog, answers []Answer, pushed []delivery, now time.Time) *Recorded {
	if r.Resume != nil {
		answers, pushed = nil, nil
		if !cat.Config.Proposes() {
			return asItStands(cat, now)
		}
	}
	return record(cat, answers, pushed, r.noes(), r.Dry, now, r.Targets...)
}

func (r *Reconciler) follow(recorded *Recorded) []SiteChange {
	wanted := Follow(recorded)
	if r.Only == ImportOnly { // what is reviewed is so with what follows
		return slices.DeleteFunc(wanted, func(c SiteChange) bool { return recorded.laneOfSite(c.Site).straight() })
	}
	return wanted
}

// moves are the changes of sites that are made now, and those that are made later. What a
// person resumes is made at once, and nothing else but what goes to the same review; what is
// under review stays there, whatever the hour.
func (r *Reconciler) moves(recorded *Recorded, held Held, wanted []SiteChange, now time.Time) (made []SiteChange, later []Deferred) {
	made, later = Guard(held.Without(wanted), now)
	made, later = r.underReview(recorded, made, later)
	if r.Resume == nil {
		return made, later
	}
	lanes := map[lane]bool{}
	resumed := slices.DeleteFunc(slices.Clone(wanted), func(c SiteChange) bool { return !r.Resume(c.Site) })
	for _, c := range resumed {
		lanes[recorded.laneOfSite(c.Site)] = true
	}
	for _, c := range made {
		if l := recorded.laneOfSite(c.Site); !l.straight() && lanes[l] && !r.Resume(c.Site) {
			resumed = append(resumed, c)
		}
	}
	return resumed, nil
}

// wakes is when a site may move that may not now; zero: none by the clock alone.
func wakes(held Held, later []Deferred) time.Time {
	var next time.Time
	for _, h := range held {
		next = earliest(next, h.Until)
	}
	for _, d := range later {
		next = earliest(next, d.Until)
	}
	return next
}

// apply pushes the chain, unless there is nothing to push, this is a rehearsal,
// or the last refusal was too short a time ago.
func (r *Reconciler) apply(ctx context.Context, snap gitstore.Snapshot, ws []Write, now time.Time) Outcome {
	switch {
	case len(ws) == 0:
		return Outcome{Landed: true, Nothing: true}
	case r.Dry:
		return Outcome{Dry: true}
	case now.Before(r.mem.pushAfter):
		return Outcome{Waiting: true}
	}
	if until, spent := r.mem.budget(r.PushesPerHour, now); spent {
		r.mem.pushAfter = until
		return Outcome{Waiting: true, Throttled: true}
	}
	outcome := Apply(ctx, r.Store, r.Branch, snap, ws)
	r.polled = time.Time{} // whatever became of it, the branch is read again before anything is built on it
	return outcome
}

// failed is the report of a pass that broke off: the last one, with the error.
func (r *Reconciler) failed(err error) Report {
	rep := r.report
	rep.At, rep.Idle, rep.Cut, rep.Err = time.Now(), false, true, err
	rep.Answers, rep.Planned, rep.Commits, rep.Dropped = nil, nil, nil, nil
	r.polled = time.Time{}
	return rep
}

// Catalog is what the last pass read; nil before the first.
func (r *Reconciler) Catalog() *Catalog { return r.cat }

// ErrFirstRun says that a first run would change more files than a person may
// expect.
var ErrFirstRun = errors.New("a first run with many changes waits for consent")

// consent stops a run over a repository where towpath has recorded nothing yet,
// and so many files would change.
func (r *Reconciler) consent(cat *Catalog, files int) error {
	if r.Yes || r.Dry || files <= firstRunFiles || cat.Ours() {
		return nil
	}
	return fmt.Errorf("%w: towpath has recorded nothing in this repository yet, and would change %d files (more than %d)",
		ErrFirstRun, files, firstRunFiles)
}

// filesOf counts the files whose record is asked for the first time.
func filesOf(ask []Question) int {
	files := map[string]bool{}
	for _, q := range ask {
		if !q.OnRecord {
			files[q.On.Path] = true
		}
	}
	return len(files)
}
