package web

import (
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"time"
)

// A Report is what GET /status.json says: what the daemon knows and Git does
// not. With ?stream=NAMESPACE/NAME, which may be repeated, it lists the tags of
// those streams only. Times that are zero are left out. Fields are added, never renamed
// or removed.
type Report struct {
	At          time.Time `json:"at"`                   // when the last pass ended
	Revision    string    `json:"revision"`             // that it read
	Next        time.Time `json:"next,omitzero"`        // when the loop looks again at the latest
	Error       string    `json:"error,omitempty"`      // what broke the pass off, or kept its writes from landing
	Waits       string    `json:"waits,omitempty"`      // why a write waits
	WritesAfter time.Time `json:"writesAfter,omitzero"` // nothing is written before
	// Settling are images that must stand unchanged before they are recorded.
	Settling []Settling `json:"settling,omitempty"`
	// Held and Deferred are sites that differ from the record and do not move: for a person's
	// sake, or until .towpath.yaml lets them.
	Held     []Site `json:"held,omitempty"`
	Deferred []Site `json:"deferred,omitempty"`
	// Proposals are what is at people for review, or waits to be; of those that came to an
	// end in the last pass, how. Forge is why the forge cannot be asked, where it cannot.
	Proposals []Proposal `json:"proposals,omitempty"`
	Forge     string     `json:"forge,omitempty"`
	// Arrivals are pushes to towpath's own registry that are not on record yet. Registry is why
	// they could not be read, where they could not.
	Arrivals []Arrival `json:"arrivals,omitempty"`
	Registry string    `json:"registry,omitempty"`
	Tags     []Tag     `json:"tags"`
}

// A Proposal is a branch of towpath's that people review.
type Proposal struct {
	Branch string    `json:"branch"`
	Number int       `json:"number,omitempty"` // where a forge knows it
	URL    string    `json:"url,omitempty"`    // of its page, or of one on which it can be opened
	Title  string    `json:"title"`
	State  string    `json:"state"` // ProposalStates, closed or merged
	Why    string    `json:"why,omitempty"`
	Fix    string    `json:"fix,omitempty"`
	Since  time.Time `json:"since,omitzero"` // when the first of its images was resolved
	Tags   []Image   `json:"tags"`           // that it brings
	Sites  int       `json:"sites"`          // that would move
}

// An Arrival is a push that is not on record yet.
type Arrival struct {
	Tag   string    `json:"tag"`
	Image string    `json:"image"`
	At    time.Time `json:"at"` // when it was pushed
	Why   string    `json:"why"`
	Fix   string    `json:"fix,omitempty"` // empty where it is nobody's move
}

// An Image is what a tag is to be.
type Image struct {
	Tag   string `json:"tag"`
	Image string `json:"image"`
}

// A Site is a place that follows a tag and stays as it is.
type Site struct {
	Path    string    `json:"path"`
	Line    int       `json:"line"`
	Site    string    `json:"site"` // as people call it
	Follows string    `json:"follows"`
	Current string    `json:"current"`
	Image   string    `json:"image"` // that the tag is
	Why     string    `json:"why"`
	Commit  string    `json:"commit,omitempty"` // that did it
	Subject string    `json:"subject,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// A Tag is when one tag is asked.
type Tag struct {
	Tag     string    `json:"tag"`               // namespace/stream:tag; namespace/stream for the list of its repository
	Due     time.Time `json:"due,omitzero"`      // may be past; zero: never by itself
	Asked   time.Time `json:"asked,omitzero"`    // zero: not since the daemon started
	Asking  bool      `json:"asking,omitempty"`  // a question is under way
	Failure *Failure  `json:"failure,omitempty"` // of the last answer, on record or not
}

// Settling is an image that is not recorded yet.
type Settling struct {
	Tag   string    `json:"tag"`
	From  string    `json:"from"` // reference as written
	Image string    `json:"image"`
	Until time.Time `json:"until"`
}

// A Failure is why a tag could not be imported.
type Failure struct {
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
	Retry   time.Time `json:"retry,omitzero"`
}

// A Schedule lists when tags are asked: those of the streams that are named, or
// all. It is called from many goroutines, and long after the pass: it must read what
// never changes.
type Schedule func(streams ...string) iter.Seq[Tag]

// reports is how many reports are written at a time: with very many tags they
// are large.
const reports = 4

// status writes a report, tag by tag so that it need not be held.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		answer(w, http.StatusServiceUnavailable, "too many ask at once\n")
		return
	}
	s := h.snapshot()
	if s.LastPass.IsZero() {
		answer(w, http.StatusServiceUnavailable, "starting: the first pass has not finished\n")
		return
	}
	head, err := json.Marshal(Report{At: s.LastPass.UTC(), Revision: s.Rev, Next: s.Next.UTC(), Error: s.Error, Waits: s.Waits, WritesAfter: s.Writes.UTC(), Settling: s.Settling, Held: s.HeldSites, Deferred: s.DeferredSites, Proposals: s.Proposals, Forge: s.Forge, Arrivals: s.Arrivals, Registry: s.Registry, Tags: []Tag{}})
	if err != nil {
		answer(w, http.StatusInternalServerError, "the report cannot be written\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(head[:len(head)-len("]}")])
	if s.Schedule != nil {
		separator := "\n"
		for t := range s.Schedule(r.URL.Query()["stream"]...) {
			line, err := json.Marshal(t)
			if err != nil {
				continue // a time that JSON cannot say
			}
			if _, err := io.WriteString(w, separator+string(line)); err != nil {
				return // the reader has gone
			}
			separator = ",\n"
		}
	}
	io.WriteString(w, "]}\n")
}
