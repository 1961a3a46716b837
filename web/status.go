package web

import "time"

// A Status is how the daemon stands after a pass. Counts are of that moment,
// totals since the process started.
type Status struct {
	Started      time.Time     // of the process
	LastPass     time.Time     // end of the last pass, successful or not; zero before the first
	PollInterval time.Duration // between two looks at the repository
	Ready        bool          // a pass has finished
	Rev          string        // commit that the last pass read

	Streams  int // image streams
	Tags     int // tags of them
	Sites    int // places that follow a tag
	Problems int // things in files that a person must put right
	Failing  int // tags whose last import failed
	Held     int // sites that a person put back
	// BadConfig says that .towpath.yaml is invalid, so that nothing is written.
	BadConfig bool

	Passes       int            // passes
	FailedPasses int            // of them, those that ended with an error
	PassTime     time.Duration  // time that passes took together
	Commits      map[string]int // by kind: CommitKinds
	Imports      map[string]int // by result: ImportResults
	LostRaces    int            // pushes refused because the branch had moved

	// Report is the last pass in lines for people. It must hold no secret; what
	// else stands in it is made harmless.
	Report []string
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

// Bounds of how long nothing may be heard of the loop before it counts as
// stuck.
const (
	intervals   = 3
	shortest    = 30 * time.Second // counts as poll interval where that is shorter: a push may take its time
	firstPeriod = 10 * time.Minute // for the first pass, which clones
)

// allowance is how long nothing may be heard of the loop.
func (s Status) allowance() time.Duration {
	if s.LastPass.IsZero() {
		return firstPeriod
	}
	return intervals * max(s.PollInterval, shortest)
}

// silence is how long nothing was heard of the loop.
func (s Status) silence(beat, now time.Time) time.Duration {
	last := s.Started
	for _, t := range []time.Time{s.LastPass, beat} {
		if t.After(last) {
			last = t
		}
	}
	return now.Sub(last)
}
