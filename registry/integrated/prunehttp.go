package integrated

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Prune says what may go of what is stored, and deletes it where that is confirmed. Pushes wait
// meanwhile, reads go on.
func (r *Registry) Prune(ctx context.Context, record PruneRecord, rules PruneRules, confirm bool) (PruneReport, error) {
	if err := rules.Check(); err != nil {
		return PruneReport{}, err
	}
	ctx, end, err := r.prunes.begin(ctx)
	if err != nil {
		return PruneReport{}, err
	}
	defer end()
	report, err := r.prunes.prune(logged{ctx, r.log}, record, rules, confirm)
	if confirm {
		r.count(context.WithoutCancel(ctx)) // also where it broke off: namespaces have room again
	}
	return report, err
}

// IsRecorded reports whether a storage was ever served beside streams: then its tags alone do not
// say what is in use.
func (r *Registry) IsRecorded(ctx context.Context) (bool, error) {
	_, err := r.driver.List(ctx, marksDir)
	return err == nil, unlessGone(err)
}

// PushesGoOn reports whether prune found no moment in which nothing was pushed.
func PushesGoOn(err error) bool { return errors.Is(err, errPushesGoOn) }

// ParsePrune reads how prune is asked. What is not said is as in DefaultPruneRules, and not confirmed.
func ParsePrune(query url.Values) (rules PruneRules, confirm bool, err error) {
	rules = DefaultPruneRules
	if said := query.Get("keep-tag-revisions"); said != "" {
		if rules.KeepTagRevisions, err = strconv.Atoi(said); err != nil {
			return rules, false, errors.New("keep-tag-revisions is no number")
		}
	}
	if said := query.Get("keep-younger-than"); said != "" {
		if rules.KeepYoungerThan, err = time.ParseDuration(said); err != nil {
			return rules, false, errors.New("keep-younger-than is no duration, such as 60m")
		}
	}
	switch said := query.Get("confirm"); said {
	case "true":
		confirm = true
	case "", "false":
	default:
		return rules, false, fmt.Errorf("confirm is %.20q: write true, or leave it out", said)
	}
	return rules, confirm, rules.Check()
}

// Query is how the rules are asked for.
func (r PruneRules) Query(confirm bool) url.Values {
	return url.Values{
		"keep-tag-revisions": {strconv.Itoa(r.KeepTagRevisions)}, "keep-younger-than": {r.KeepYoungerThan.String()},
		"confirm": {strconv.FormatBool(confirm)},
	}
}

// Check says what is wrong with rules.
func (r PruneRules) Check() error {
	switch {
	case r.KeepTagRevisions < 1:
		return errors.New("keep-tag-revisions must be 1 or more: the current image always stays")
	case r.KeepYoungerThan < minYoung:
		return fmt.Errorf("keep-younger-than must be %s or more: a push may be between its layers and its manifest", short(minYoung))
	}
	return nil
}

// minYoung is what a push may need between its first layer and its manifest, at the least.
const minYoung = time.Minute
