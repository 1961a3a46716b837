package integrated

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/registry"
)

// PruneRules say what may go.
type PruneRules struct {
	// KeepTagRevisions is how many images of each tag's history stay, the current one included.
	KeepTagRevisions int
	// KeepYoungerThan is how long everything stays after it was stored.
	KeepYoungerThan time.Duration
}

// DefaultPruneRules are those that users know from OpenShift.
var DefaultPruneRules = PruneRules{KeepTagRevisions: 3, KeepYoungerThan: time.Hour}

// A StoredImage is a manifest in storage.
type StoredImage struct {
	Repository string    `json:"repository"`
	Digest     string    `json:"digest"`
	Tags       []string  `json:"tags,omitempty"`    // that storage links to it, now
	Stored     time.Time `json:"stored"`            // when it was last pushed or fetched
	Subject    string    `json:"subject,omitempty"` // digest of the image that it is about, such as a signature
	Names      []string  `json:"-"`                 // digests: children, configuration, layers
	Maybe      string    `json:"-"`                 // a tag that it may be, and that cannot be read
}

// subjects are the images that it is about: its manifest says so, or a tag such as sha256-HEX.sig.
func (s StoredImage) subjects() (all []string) {
	if s.Subject != "" {
		all = append(all, s.Subject)
	}
	for _, tag := range s.Tags {
		if subject, ok := s.attached(tag); ok {
			all = append(all, subject)
		}
	}
	return all
}

// attached is the other image that a tag of this one is about. An image that is tagged with its own
// digest is about nothing.
func (s StoredImage) attached(tag string) (subject string, ok bool) {
	subject, ok = registry.Attached(tag)
	return subject, ok && subject != s.Digest
}

// RepositoryRecord is what is said of the images of a repository.
type RepositoryRecord struct {
	Tags    map[string][]string // by tag: the images that it is and was, newest first
	Uses    map[string][]string // by digest: what names it, such as FILE:LINE
	Waiting map[string]string   // by digest: the tag that was pushed, and waits to be recorded
}

// A Verdict is what becomes of an image in storage.
type Verdict struct {
	StoredImage
	Goes bool   `json:"goes"`
	Rule Rule   `json:"rule"`
	Why  string `json:"why"` // the rule, with names
}

// A Rule is by what an image stays or goes.
type Rule string

const (
	isCurrent  Rule = "current"  // image of a tag
	isRevision Rule = "revision" // of a tag: among the newest, or where it goes none of them
	isNamed    Rule = "named"    // by a file
	isWaiting  Rule = "waiting"  // to be recorded
	isYoung    Rule = "young"
	isPart     Rule = "part"  // of a list that stays
	isAbout    Rule = "about" // an image that stays
	isNone     Rule = "none"  // of these: it is on no record, and goes
)

// judge says what goes, and why the rest stays, by repository and digest.
//
//	in storage for less than a while   stays
//	current image of a tag             stays; where that cannot be read, each that it ever was
//	among the newest of a tag          stays
//	named by a site or a status        stays
//	pushed, waits to be recorded       stays
//	child of a list that stays         stays
//	about an image that stays          stays
//	anything else                      goes
func judge(have []StoredImage, record map[string]RepositoryRecord, rules PruneRules, now time.Time) []Verdict {
	verdicts := make([]Verdict, len(have))
	at := map[[2]string]int{}    // by repository and digest
	copies := map[string][]int{} // by digest
	for i, image := range have {
		at[[2]string{image.Repository, image.Digest}] = i
		copies[image.Digest] = append(copies[image.Digest], i)
		rule, why := reasonToStay(image, record[image.Repository], rules, now)
		verdicts[i] = Verdict{StoredImage: image, Goes: why == "", Rule: rule, Why: why}
	}
	// An image that is not stored in the repository may be on record, and fetched when somebody pulls
	// it; or it lies in another repository, where clients were told to keep signatures apart.
	stays := func(repository, digest string) bool {
		if i, ok := at[[2]string{repository, digest}]; ok {
			return !verdicts[i].Goes
		}
		_, why := reasonToStay(StoredImage{Digest: digest}, record[repository], rules, now)
		return why != "" || slices.ContainsFunc(copies[digest], func(i int) bool { return !verdicts[i].Goes })
	}
	for changed := true; changed; { // what stays keeps what it names, and what is about it
		changed = false
		for i := range verdicts {
			image := verdicts[i].StoredImage
			if !verdicts[i].Goes {
				for _, child := range image.Names {
					j, ok := at[[2]string{image.Repository, child}]
					changed = ok && verdicts[j].stay(isPart, "part of "+image.Digest) || changed
				}
				continue
			}
			for _, subject := range image.subjects() {
				changed = stays(image.Repository, subject) && verdicts[i].stay(isAbout, "about "+subject) || changed
			}
		}
	}
	for i, v := range verdicts {
		if v.Goes {
			verdicts[i].Rule, verdicts[i].Why = reasonToGo(v.StoredImage, record[v.Repository], rules)
		}
	}
	slices.SortFunc(verdicts, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Digest, b.Digest))
	})
	return verdicts
}

// stay makes an image stay that would go, and reports whether it did.
func (v *Verdict) stay(rule Rule, why string) bool {
	if !v.Goes {
		return false
	}
	v.Goes, v.Rule, v.Why = false, rule, why
	return true
}

// reasonToStay is empty where the image itself gives none.
func reasonToStay(image StoredImage, r RepositoryRecord, rules PruneRules, now time.Time) (Rule, string) {
	tag, revision := newest(image.Digest, r)
	uses := r.Uses[image.Digest]
	switch {
	case revision == 0:
		return isCurrent, "current image of tag " + tag
	case image.Maybe != "":
		return isCurrent, "it may be the image of tag " + image.Maybe + ", which cannot be read: push that again"
	case len(uses) > 0:
		return isNamed, "named by " + uses[0]
	case r.Waiting[image.Digest] != "":
		return isWaiting, fmt.Sprintf("tag %s waits to be recorded", r.Waiting[image.Digest])
	case revision > 0 && revision < rules.KeepTagRevisions:
		return isRevision, fmt.Sprintf("revision %d of tag %s", revision+1, tag)
	case now.Sub(image.Stored) < rules.KeepYoungerThan:
		return isYoung, "younger than " + short(rules.KeepYoungerThan)
	}
	return "", ""
}

func reasonToGo(image StoredImage, r RepositoryRecord, rules PruneRules) (Rule, string) {
	if tag, revision := newest(image.Digest, r); revision >= 0 {
		return isRevision, fmt.Sprintf("revision %d of tag %s, %d are kept", revision+1, tag, rules.KeepTagRevisions)
	}
	return isNone, "on no record"
}

// newest is where an image stands in the history of a tag: the tag where it stands highest, from
// 0 on; -1 where it is in none.
func newest(digest string, r RepositoryRecord) (tag string, revision int) {
	revision = -1
	for _, name := range slices.Sorted(maps.Keys(r.Tags)) {
		if i := slices.Index(r.Tags[name], digest); i >= 0 && (revision < 0 || i < revision) {
			tag, revision = name, i
		}
	}
	return tag, revision
}

// short is a duration without the parts that are zero: 1h, 90m.
func short(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
