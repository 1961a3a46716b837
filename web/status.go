package web

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Status is what the daemon says after a pass.
type Status struct {
	LastPass time.Time     // when the pass ended
	Took     time.Duration // how long it took
	Failed   bool          // it ended with an error
	Ready    bool          // it got as far as reading the repository
	// Next is when the loop tries again after a failed pass, where it knows.
	Next time.Time
	Rev  string // commit that was read

	// For programs, beside Report. They must hold no secret, either.
	Error, Waits string    // what went wrong; why a write waits
	Writes       time.Time // nothing is written before; zero: any time
	Settling     []Settling
	Schedule     Schedule // when tags are asked; nil: as before
	// Sites that differ from the record and do not move.
	HeldSites, DeferredSites []Site
	Proposals                []Proposal
	Forge                    string // why the forge cannot be asked; empty: it can, or nothing is asked of it
	Arrivals                 []Arrival
	Registry                 string // why what was pushed cannot be read; empty: it can, or no registry is served

	// As things stand after the pass.
	Streams   int  // image streams
	Tags      int  // tags of them
	Sites     int  // places that follow a tag
	Problems  int  // things in files that a person must put right
	Failing   int  // tags whose last import failed
	Held      int  // sites that a person put back
	Deferred  int  // sites that move later
	BadConfig bool // .towpath.yaml is invalid, so that nothing is written

	HeldBy map[string]int // sites that are held, by the commit that did it; empty: not known

	// In this pass alone; the Handler adds them up.
	Commits map[string]int // written, by kind: CommitKinds
	Imports map[string]int // answers of registries, by result: ImportResults

	// Notifications are what became of them since the process started, by the kind of who is
	// told (NotifySinks) and outcome (NotifyOutcomes).
	Notifications map[string]map[string]int

	// Report is the pass in lines for people. It must hold no secret; what else
	// stands in it is made harmless.
	Report []string
}

// totals are counts since the process started.
type totals struct {
	passes, failed   int
	took             time.Duration
	commits, imports map[string]int // by label value
}

// add counts a pass in. Maps that were read before stay as they are.
func (t totals) add(s Status) totals {
	t.passes++
	if s.Failed {
		t.failed++
	}
	t.took += s.Took
	t.commits = sum(t.commits, s.Commits, CommitKinds)
	t.imports = sum(t.imports, s.Imports, ImportResults)
	return t
}

// sum adds counts up; what is outside the set counts as its last label.
func sum(before, more map[string]int, labels []string) map[string]int {
	counts := make(map[string]int, len(labels))
	maps.Copy(counts, before)
	for label, n := range more {
		if !slices.Contains(labels, label) {
			label = labels[len(labels)-1]
		}
		counts[label] += n
	}
	return counts
}

// ProposalStates are the values of the label state of towpath_proposals: those in which
// a proposal stays.
var ProposalStates = []string{"open", "pushed", "waiting", "frozen", "refused"}

// byState counts proposals. Only those in ProposalStates are shown.
func byState(ps []Proposal) map[string]int {
	counts := map[string]int{}
	for _, p := range ps {
		counts[p.State]++
	}
	return counts
}

// CommitKinds are the values of the label kind of towpath_commits_total. The
// last counts what is none of the others.
var CommitKinds = []string{"status", "trigger", "other"}

// ImportResults are the values of the label result of towpath_imports_total:
// OK, the kinds of failure, and what is none of them.
var ImportResults = []string{
	"OK", "NotFound", "Unauthorized", "Forbidden", "RateLimited",
	"Unreachable", "TLS", "Invalid", "InternalError", "other",
}

// NotifySinks and NotifyOutcomes are the values of the labels of towpath_notifications_total.
var (
	NotifySinks    = []string{"cloudevents", "slack", "commit-status"}
	NotifyOutcomes = []string{"sent", "refused", "expired", "dropped", "unsent"}
)

// byOutcome lists all outcomes of those that are told anything. What is none of the sets is not shown.
func byOutcome(all map[string]map[string]int) map[string]int {
	counts := map[string]int{}
	for _, sink := range NotifySinks {
		for _, outcome := range NotifyOutcomes {
			if by, told := all[sink]; told {
				counts[sink+","+outcome] = by[outcome]
			}
		}
	}
	return counts
}

// heldCommits is how many commits the label of towpath_sites_held names at most.
const heldCommits = 20

// byCommit counts sites by commit: those that hold most of them by themselves, the rest, and
// what is no commit's name, as other.
func byCommit(held map[string]int) map[string]int {
	counts := map[string]int{}
	names := slices.SortedFunc(maps.Keys(held), func(a, b string) int { return cmp.Or(held[b]-held[a], strings.Compare(a, b)) })
	named := 0
	for _, name := range names {
		label := "other"
		if isCommit(name) && named < heldCommits {
			label = name
			named++
		}
		counts[label] += held[name]
	}
	return counts
}

// isCommit reports whether a text is the name of a commit: nothing else becomes a label.
func isCommit(name string) bool {
	return (len(name) == 40 || len(name) == 64) && strings.Trim(name, "0123456789abcdef") == ""
}

// Bounds of how long nothing may be heard of the loop before it counts as
// stuck.
const (
	intervals = 3
	shortest  = 30 * time.Second // counts as poll interval where that is shorter: a push may take its time
	patience  = 10 * time.Minute // with a first pass, which clones, and after a failed one, when the loop backs off
)

// A pulse is what is known of the loop's being alive.
type pulse struct {
	started, beat time.Time // of the process; the last sign of life within a pass
	poll          time.Duration
	last          Status
}

// overdue is for how long more than allowed nothing was heard of the loop.
func (p pulse) overdue(now time.Time) time.Duration {
	allowed := intervals * max(p.poll, shortest)
	signs := []time.Time{p.beat, p.last.LastPass}
	if p.last.LastPass.IsZero() || p.last.Failed {
		allowed = max(allowed, patience)
		signs = append(signs, p.last.Next)
	}
	heard := p.started
	for _, t := range signs {
		if t.After(heard) {
			heard = t
		}
	}
	return now.Sub(heard) - allowed
}
