package reconcile

import (
	"strconv"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/trigger"
)

// twins say which site of the parent each site of a file was, of those that are told apart
// by a number only, where there were more or fewer of them. It is nil for a new one.
type twins map[trigger.ID]*Site

// twin is the site of a name as the parent has it in the same file, nil where it has none.
func (s *step) twin(ch *gitstore.Change, id trigger.ID, by sides) (*Site, error) {
	t, err := s.twins(ch, by)
	if err != nil {
		return nil, err
	}
	if was, ok := t[id]; ok {
		return was, nil
	}
	return s.h.site(s.parent, ch.Old, by.before, id)
}

func (s *step) twins(ch *gitstore.Change, by sides) (twins, error) {
	if t, ok := s.pairs[ch.Path][by]; ok {
		return t, nil
	}
	before, err := s.h.sites(s.parent, ch.Old, by.before)
	if err != nil {
		return nil, err
	}
	after, err := s.h.sites(s.at, ch.New, by.after)
	if err != nil {
		return nil, err
	}
	if s.pairs == nil {
		s.pairs = map[string]map[sides]twins{}
	}
	if s.pairs[ch.Path] == nil {
		s.pairs[ch.Path] = map[sides]twins{}
	}
	s.pairs[ch.Path][by] = renumbered(before, after)
	return s.pairs[ch.Path][by], nil
}

// renumbered pairs the sites of names of which there were more or fewer.
func renumbered(before, after []*Site) twins {
	var all twins
	then, now := alike(before), alike(after)
	for name, sites := range now {
		if was := then[name]; len(was) > 0 && len(was) != len(sites) {
			if all == nil {
				all = twins{}
			}
			all.pair(was, sites)
		}
	}
	return all
}

// alike are the sites of each name, in the order of the file.
func alike(sites []*Site) map[trigger.ID][]*Site {
	all := make(map[trigger.ID][]*Site, len(sites))
	for _, s := range sites {
		id := unnumbered(s.ID)
		all[id] = append(all[id], s)
	}
	return all
}

// unnumbered is an ID without the number that tells it apart.
func unnumbered(id trigger.ID) trigger.ID {
	inner, ok := strings.CutSuffix(id.Field, ")")
	if i := strings.LastIndex(inner, " ("); ok && i >= 0 {
		if _, err := strconv.Atoi(inner[i+2:]); err == nil {
			id.Field = inner[:i]
		}
	}
	return id
}

// pair takes those for the same that hold the same, in order, and as many of them as there
// can be; those between two of these by their place.
func (t twins) pair(before, after []*Site) {
	i, k := 0, 0
	for _, same := range append(common(holding(before), holding(after)), [2]int{len(before), len(after)}) {
		for ; k < same[1]; k++ {
			t[after[k].ID] = nil
			if i < same[0] {
				t[after[k].ID] = before[i]
				i++
			}
		}
		if i = same[0]; i < len(before) && k < len(after) {
			t[after[k].ID] = before[i]
			i, k = i+1, k+1
		}
	}
}

func holding(sites []*Site) []string {
	held := make([]string, len(sites))
	for i, s := range sites {
		held[i] = s.Current()
	}
	return held
}

// common is the longest common subsequence of two lists, as pairs of indices: of what lies
// between a common beginning and a common end only where that is little.
func common(a, b []string) (pairs [][2]int) {
	first := 0
	for first < len(a) && first < len(b) && a[first] == b[first] {
		pairs = append(pairs, [2]int{first, first})
		first++
	}
	last := 0
	for last < len(a)-first && last < len(b)-first && a[len(a)-1-last] == b[len(b)-1-last] {
		last++
	}
	for _, p := range inTable(a[first:len(a)-last], b[first:len(b)-last]) {
		pairs = append(pairs, [2]int{first + p[0], first + p[1]})
	}
	for ; last > 0; last-- {
		pairs = append(pairs, [2]int{len(a) - last, len(b) - last})
	}
	return pairs
}

// inTable is the longest common subsequence, by the table of what the rests have in common.
func inTable(a, b []string) (pairs [][2]int) {
	const much = 1 << 18
	if len(a)*len(b) == 0 || len(a)*len(b) > much {
		return nil
	}
	wide := len(b) + 1
	rest := make([]int32, (len(a)+1)*wide)
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			if n := &rest[i*wide+k]; a[i] == b[k] {
				*n = rest[(i+1)*wide+k+1] + 1
			} else {
				*n = max(rest[(i+1)*wide+k], rest[i*wide+k+1])
			}
		}
	}
	for i, k := 0, 0; i < len(a) && k < len(b); {
		switch {
		case a[i] == b[k]:
			pairs = append(pairs, [2]int{i, k})
			i, k = i+1, k+1
		case rest[(i+1)*wide+k] >= rest[i*wide+k+1]:
			i++
		default:
			k++
		}
	}
	return pairs
}
