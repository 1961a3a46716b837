package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// A Kind is what receivers choose events by.
type Kind string

const (
	Images    Kind = "image"    // what is on record moved
	Sites     Kind = "site"     // a site followed
	Failures  Kind = "failing"  // an import fails, or works again
	Proposals Kind = "proposal" // what people are asked, and what they said
	Holds     Kind = "held"     // a site is left alone for a person's sake
	Heads     Kind = "head"     // what the watched branch's head is worth: for the forge, and of no use later
)

// Kinds are those that receivers choose among.
var Kinds = []Kind{Images, Sites, Failures, Proposals, Holds}

// An Event is something that happened once. What of it strangers wrote is as they wrote it.
type Event struct {
	ID   string // the same for the same event, however often it is sent
	Kind Kind
	Type string // of CloudEvents: dev.towpath.image.recorded.v1
	// Subject is what it is about: namespace/stream:tag, a path, a proposal's branch.
	Subject    string
	Time       time.Time
	Namespaces []string // whose it is
	Data       Data
}

// Data is the content of an event: one of the types below.
type Data interface {
	about() (kind Kind, name, subject string)
}

// New is an event of a content. What makes two of them the same is the content, which names the
// commit or the proposal; of what begins and ends without one, and may begin again, it is the time, too.
func New(at time.Time, d Data, namespaces ...string) Event {
	kind, name, subject := d.about()
	e := Event{Kind: kind, Type: "dev.towpath." + name + ".v1", Subject: subject, Time: at.UTC().Truncate(time.Second), Namespaces: namespaces, Data: d}
	content, err := json.Marshal(d)
	if err != nil {
		content = []byte(subject) // never: the types below are texts, numbers and times
	}
	if p, ok := d.(ProposalNews); kind == Failures || kind == Holds || ok && p.Number == 0 {
		content = e.Time.AppendFormat(content, time.RFC3339)
	}
	sum := sha256.Sum256(append([]byte(e.Type+"\x00"), content...))
	e.ID = hex.EncodeToString(sum[:16])
	return e
}

// An ImageRecorded says that a tag is another image now.
type ImageRecorded struct {
	Stream    string `json:"stream"` // namespace/name
	Tag       string `json:"tag"`    // namespace/name:tag
	Image     string `json:"image,omitempty"`
	Previous  string `json:"previous,omitempty"` // image; empty: there was none
	Reference string `json:"reference"`          // to pull it by
	Source    string `json:"source,omitempty"`   // reference that it was resolved from
	Commit    string `json:"commit"`             // that has it
	Proposal  int    `json:"proposal,omitempty"` // by whose merge it came
	Page      string `json:"-"`                  // of the proposal, for people
}

func (d ImageRecorded) about() (Kind, string, string) { return Images, "image.recorded", d.Tag }

// A SiteFollowed says that a place in a file holds another image now.
type SiteFollowed struct {
	Path     string `json:"path"`
	Line     int    `json:"line"`
	Site     string `json:"site"` // as people call it
	Tag      string `json:"tag"`  // that it follows
	Image    string `json:"image"`
	Previous string `json:"previous,omitempty"`
	Commit   string `json:"commit"`
	Proposal int    `json:"proposal,omitempty"`
	Page     string `json:"-"` // of the proposal, for people
}

func (d SiteFollowed) about() (Kind, string, string) { return Sites, "site.followed", d.Path }

// An ImportFailing says that a tag, or the list of a stream's repository, cannot be imported.
type ImportFailing struct {
	Tag     string `json:"tag"` // namespace/name where it is the list
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Commit  string `json:"commit"` // that has the failure or, where none is made for it, that was read
}

func (d ImportFailing) about() (Kind, string, string) { return Failures, "import.failing", d.Tag }

// An ImportRecovered says that it works again.
type ImportRecovered struct {
	Tag    string `json:"tag"`
	Reason string `json:"reason,omitempty"` // why it failed
	Commit string `json:"commit"`
}

func (d ImportRecovered) about() (Kind, string, string) { return Failures, "import.recovered", d.Tag }

// A ProposalNews says what became of a proposal.
type ProposalNews struct {
	State  string   `json:"state"` // opened, merged, closed (by towpath), rejected (by people)
	Number int      `json:"number,omitempty"`
	URL    string   `json:"url,omitempty"`
	Branch string   `json:"branch"`
	Title  string   `json:"title"`
	Why    string   `json:"why,omitempty"`
	Tags   []Tagged `json:"tags"`  // that it brings
	Sites  int      `json:"sites"` // that would move
}

// Tagged is what a tag is to be.
type Tagged struct {
	Tag   string `json:"tag"`
	Image string `json:"image"`
}

func (d ProposalNews) about() (Kind, string, string) {
	return Proposals, "proposal." + d.State, d.Branch
}

// A SiteHeld says that a place is left alone for a person's sake.
type SiteHeld struct {
	Path    string `json:"path"`
	Line    int    `json:"line"`
	Site    string `json:"site"`
	Tag     string `json:"tag"`
	Current string `json:"current"`
	Image   string `json:"image"` // that it would hold
	Why     string `json:"why"`
	Commit  string `json:"commit,omitempty"` // that did it
	Subject string `json:"subject,omitempty"`
	URL     string `json:"url,omitempty"` // of the proposal that was declined
}

func (d SiteHeld) about() (Kind, string, string) { return Holds, "site.held", d.Path }

// A HeadWorth is what the head of the watched branch is worth.
type HeadWorth struct {
	Commit string
	State  string // success, failure, pending
	Words  string
}

func (d HeadWorth) about() (Kind, string, string) { return Heads, "head.judged", d.Commit }
