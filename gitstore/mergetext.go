package gitstore

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// mergeText takes the lines that each side changed since old. It does as git does: changes that
// overlap or touch are a conflict unless they are the same, and so is a file that is no text.
func mergeText(old, ours, theirs []byte) (merged []byte, ok bool) {
	for _, text := range [][]byte{old, ours, theirs} {
		if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			return nil, false
		}
	}
	lines := &numbered{ids: map[string]int{}}
	a, b, c := lines.of(old), lines.of(ours), lines.of(theirs)
	one, other := hunks(a, b), hunks(a, c)
	var out []int
	at := 0
	for len(one)+len(other) > 0 {
		lo, hi := len(a), -1
		var mine, yours []hunk
		for grown := true; grown; {
			grown = false
			for _, side := range []struct{ rest, taken *[]hunk }{{&one, &mine}, {&other, &yours}} {
				if rest := *side.rest; len(rest) > 0 && (hi < 0 && first(rest, one, other) || hi >= 0 && rest[0].from <= hi) {
					lo, hi, grown = min(lo, rest[0].from), max(hi, rest[0].to), true
					*side.taken, *side.rest = append(*side.taken, rest[0]), rest[1:]
				}
			}
		}
		now := apply(a, lo, hi, mine)
		switch {
		case len(mine) == 0:
			now = apply(a, lo, hi, yours)
		case len(yours) > 0 && !slices.Equal(now, apply(a, lo, hi, yours)):
			return nil, false
		}
		out = append(append(out, a[at:lo]...), now...)
		at = hi
	}
	return lines.text(append(out, a[at:]...)), true
}

// first tells whether a list's first hunk begins no later than those of both.
func first(list, one, other []hunk) bool {
	for _, l := range [][]hunk{one, other} {
		if len(l) > 0 && l[0].from < list[0].from {
			return false
		}
	}
	return true
}

// A hunk is a range of lines and what another text has in its place.
type hunk struct {
	from, to int
	now      []int
}

// apply is a range of lines with the hunks in it.
func apply(a []int, lo, hi int, in []hunk) (out []int) {
	for _, h := range in {
		out = append(append(out, a[lo:h.from]...), h.now...)
		lo = h.to
	}
	return append(out, a[lo:hi]...)
}

// Numbered lines are compared faster.
type numbered struct {
	ids   map[string]int
	lines []string
}

func (n *numbered) of(text []byte) (ids []int) {
	for line := range strings.Lines(string(text)) {
		id, there := n.ids[line]
		if !there {
			id = len(n.lines)
			n.ids[line], n.lines = id, append(n.lines, line)
		}
		ids = append(ids, id)
	}
	return ids
}

func (n *numbered) text(ids []int) []byte {
	out := []byte{}
	for _, id := range ids {
		out = append(out, n.lines[id]...)
	}
	return out
}

// hunks are the ranges in which b is another than a.
func hunks(a, b []int) (out []hunk) {
	m := matching{a, b, make([]int, len(a))}
	for i := range m.at {
		m.at[i] = -1
	}
	m.match(0, len(a), 0, len(b), 0)
	k := 0
	for i := 0; i <= len(a); {
		from := i
		for i < len(a) && m.at[i] < 0 {
			i++
		}
		next := len(b)
		if i < len(a) {
			next = m.at[i]
		}
		if from < i || k < next {
			out = append(out, hunk{from, i, b[k:next]})
		}
		i, k = i+1, next+1
	}
	return out
}

// A matching says where in b each line of a is; -1 where it is not.
type matching struct{ a, b, at []int }

// How much work a matching is at most: strangers write what is compared. Beyond it, lines count as
// changed.
const (
	deepMatch = 64
	wideMatch = 1 << 20
)

// match takes what is the same at both ends, and between them goes by the lines that are
// there once, which say best what belongs together.
func (m matching) match(a0, a1, b0, b1, depth int) {
	for a0 < a1 && b0 < b1 && m.a[a0] == m.b[b0] {
		m.at[a0] = b0
		a0, b0 = a0+1, b0+1
	}
	for a0 < a1 && b0 < b1 && m.a[a1-1] == m.b[b1-1] {
		a1, b1 = a1-1, b1-1
		m.at[a1] = b1
	}
	if a0 == a1 || b0 == b1 {
		return
	}
	anchors := m.once(a0, a1, b0, b1)
	switch {
	case len(anchors) == 0 && (a1-a0)*(b1-b0) <= wideMatch:
		m.table(a0, a1, b0, b1)
		return
	case len(anchors) == 0, depth == deepMatch:
		return
	}
	for _, p := range append(anchors, [2]int{a1, b1}) {
		m.match(a0, p[0], b0, p[1], depth+1)
		if a0, b0 = p[0], p[1]; a0 < a1 {
			m.at[a0] = b0
			a0, b0 = a0+1, b0+1
		}
	}
}

// once are the places of lines that either range holds once, as many as are in order.
func (m matching) once(a0, a1, b0, b1 int) (pairs [][2]int) {
	type places struct{ a, b, inA, inB int }
	seen := map[int]*places{}
	for i := a0; i < a1; i++ {
		if p := seen[m.a[i]]; p != nil {
			p.inA++
		} else {
			seen[m.a[i]] = &places{a: i, inA: 1}
		}
	}
	for k := b0; k < b1; k++ {
		if p := seen[m.b[k]]; p != nil {
			p.b = k
			p.inB++
		}
	}
	var all [][2]int
	for _, p := range seen {
		if p.inA == 1 && p.inB == 1 {
			all = append(all, [2]int{p.a, p.b})
		}
	}
	slices.SortFunc(all, func(x, y [2]int) int { return cmp.Compare(x[0], y[0]) })
	// The longest row that ascends in b, too: ends[n] is where one of n+1 ends lowest.
	var ends []int
	before := make([]int, len(all))
	for i, p := range all {
		n, _ := slices.BinarySearchFunc(ends, p[1], func(e, b int) int { return cmp.Compare(all[e][1], b) })
		if before[i] = -1; n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	if len(ends) == 0 {
		return nil
	}
	for i := ends[len(ends)-1]; i >= 0; i = before[i] {
		pairs = append(pairs, all[i])
	}
	slices.Reverse(pairs)
	return pairs
}

// table matches as many lines as can be.
func (m matching) table(a0, a1, b0, b1 int) {
	a, b := m.a[a0:a1], m.b[b0:b1]
	wide := len(b) + 1
	rest := make([]int32, (len(a)+1)*wide)
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			if a[i] == b[k] {
				rest[i*wide+k] = rest[(i+1)*wide+k+1] + 1
			} else {
				rest[i*wide+k] = max(rest[(i+1)*wide+k], rest[i*wide+k+1])
			}
		}
	}
	for i, k := 0, 0; i < len(a) && k < len(b); {
		switch {
		case a[i] == b[k]:
			m.at[a0+i] = b0 + k
			i, k = i+1, k+1
		case rest[(i+1)*wide+k] >= rest[i*wide+k+1]:
			i++
		default:
			k++
		}
	}
}
