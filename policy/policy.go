package policy

import (
	"time"
)

// Keys are the annotations of a spec tag that say how a tag is chosen, without
// their prefix towpath.dev/. All others need the first.
var Keys = []string{"policy", "match", "extract", "ignore", "min-age", "platforms", "allow-downgrade"}

// A Policy chooses one of a repository's tags. It never changes once it is
// parsed; its methods may be called from many goroutines.
type Policy struct{}

// An Error is an annotation that cannot be used. There is no policy then: an
// invalid one never matches everything.
type Error struct {
	Key  string // of Keys
	What string // what is wrong with it
	Fix  string // what to write
}

func (e *Error) Error() string { return e.What }

// Parse reads annotations by Keys. It returns nil, nil where there is none of them.
func Parse(annotations map[string]string) (*Policy, *Error) { return nil, nil }

// String is the policy in one line of canonical form: two policies that choose
// alike for the same words are written alike. It goes into the inputs of a tag's Source.
func (p *Policy) String() string { return "" }

// WithMinAge is the policy with a minimum age where it names none itself.
func (p *Policy) WithMinAge(d time.Duration) *Policy { return p }

// Facts are what an image says of itself.
type Facts struct {
	// Created is the time that the image's configuration gives; zero where it gives
	// none that can be read.
	Created time.Time
	// Platforms are os/architecture or os/architecture/variant, one for each image
	// that the tag offers.
	Platforms []string
	// Gone says that the tag is listed but there is no such image; a non-empty
	// Unfit that what there is cannot be chosen, and why ("is no image").
	Gone  bool
	Unfit string
}

// A Shortlist is the tags of a repository that a policy lets through by their
// names, best first where names decide.
type Shortlist struct{}

// Shortlist sorts a repository's tags. Their order does not matter.
func (p *Policy) Shortlist(tags []string) *Shortlist { return nil }

// A Choice is a tag, or why there is none.
type Choice struct {
	Tag string // empty: none can be chosen
	Why string // why this one, or why none: one sentence without a full stop
	// Passed are the tags that came before the choice, or might have, best first,
	// with the reason; at most 20. PassedOver is how many there are in all.
	Passed     []Rejection
	PassedOver int
}

// A Rejection is a tag that was passed over.
type Rejection struct{ Tag, Why string }

// Pick chooses. Current is the tag that is on record, empty without one; the
// choice never falls below it while it satisfies the policy's names itself,
// listed or not, unless the policy allows downgrades. Facts are what is known of
// tags so far. Where need is not empty the choice cannot be made yet: it must be
// called again with the facts of those tags, too.
func (s *Shortlist) Pick(current string, facts map[string]Facts, now time.Time) (c Choice, need []string) {
	return Choice{}, nil
}
