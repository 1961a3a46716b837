package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/registry"
)

// Why a proposal is there, in plain words.

// summary is what changes and why, in one paragraph.
func (p Proposal) summary(all []*bringing) string {
	var fresh, sites int
	for _, b := range all {
		if b.recorded {
			fresh++
		}
		sites += len(b.sites)
	}
	one := len(all) == 1
	follow, are := fmt.Sprintf("the %d sites that follow", sites), "are"
	if sites == 1 {
		follow, are = "the site that follows", "is"
	}
	text := whyOf(all)
	switch {
	case fresh == 0:
		return text + either(one, " It is", " They are") + " on record already; this changes " + follow + "."
	case sites == 0:
		return text + " This puts " + either(one, "it", "them") + " on record, in the `status` of the streams, and changes nothing else:" +
			" what follows moves afterwards."
	}
	return text + fmt.Sprintf(" First %s on record, in the `status` of the streams; then %s %s changed."+
		" The commits come in that order, and any way to merge keeps it: no site holds what is not on record.", either(one, "it goes", "they go"), follow, are)
}

func either(holds bool, this, that string) string {
	if holds {
		return this
	}
	return that
}

// whyOf says of one tag what happened to it, and of several how often what did.
func whyOf(all []*bringing) string {
	if len(all) == 1 {
		sentence, _ := all[0].why()
		return sentence
	}
	times, kinds := map[string]int{}, []string(nil)
	for _, b := range all {
		_, kind := b.why()
		if times[kind]++; times[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	slices.SortStableFunc(kinds, func(a, b string) int { return cmp.Compare(times[b], times[a]) })
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%s: %d", kind, times[kind])
	}
	return fmt.Sprintf("%s of image streams have another image (%s).", count(len(all), "tag"), strings.Join(kinds, ", "))
}

// why is what happened to a tag, as far as both records tell: a sentence and, where several are counted,
// a few words.
//
//	from, before and now   what spec says       becomes
//	the same               the same             pushed again
//	different              the same             its policy chose another
//	the same               different            resolved otherwise
//	different              different, a policy  its policy says something else
//	different              different            spec names another tag
//	one is not known       -                    moved, where both names are known
func (b *bringing) why() (sentence, kind string) {
	tag := code(b.tag.String())
	old, after := code(b.old.called(b.new)), code(b.new.called(b.old))
	known := b.old.from != "" && b.new.from != "" && b.old.inputs != ""
	says := b.old.inputs == b.new.inputs
	switch {
	case b.failure != nil:
		return tag + " cannot be imported any more.", "cannot be imported"
	case b.recorded && b.old.image == "":
		return tag + " has its first image.", "first image"
	case b.old.image == b.new.image && b.old.image != "":
		return tag + " is the same image as before, from another place.", "from another place"
	case b.alias != "":
		return tag + " is what " + code(b.alias) + " is, which is another image now.", "moved with another tag"
	case known && b.old.from == b.new.from && says:
		return "The tag " + after + " was pushed again: " + tag + " is another image now.", "pushed again"
	case known && b.old.from == b.new.from:
		return "What the stream's `spec` says of " + tag + " changed: it is another image now.", "`spec` changed"
	case known && says:
		return "The policy of " + tag + " chose " + after + " after " + old + ".", "chosen by its policy"
	case known && b.spec != nil && b.spec.Policy != nil:
		return tag + " moved from " + old + " to " + after + ": the stream's `spec` has another policy for it.", "another policy"
	case known:
		return tag + " moved from " + old + " to " + after + ": the stream's `spec` names another tag.", "`spec` names another tag"
	case b.old.upstream != "" && b.new.upstream != "" && b.old.upstream != b.new.upstream:
		return tag + " moved from " + old + " to " + after + ".", "moved"
	}
	return tag + " is another image now.", "another image"
}

// called is what people call an image beside another: by its tag, or in full where the repository is
// another, too.
func (s side) called(other side) string {
	if s.from != "" && other.from != "" && registry.Repository(s.from) != registry.Repository(other.from) {
		return s.from
	}
	return s.name()
}
