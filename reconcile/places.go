package reconcile

import (
	"cmp"
	"slices"

	"github.com/towpath/towpath/imagestream"
)

// places are where the elements of a list stand, in the order of their names: a map
// would find them as well, and there are too many streams for one each.
type places []int32

// byName makes the places of a list whose elements name names.
func byName[T any](list []T, name func(*T) string) places {
	p := make(places, len(list))
	for i := range p {
		p[i] = int32(i)
	}
	order := func(a, b int32) int { return cmp.Compare(name(&list[a]), name(&list[b])) }
	if !slices.IsSortedFunc(p, order) {
		slices.SortFunc(p, order)
	}
	return p
}

// lookUp is the element of that name, nil where there is none.
func lookUp[T any](p places, list []T, name func(*T) string, wanted string) *T {
	i, ok := slices.BinarySearchFunc(p, wanted, func(i int32, wanted string) int { return cmp.Compare(name(&list[i]), wanted) })
	if !ok {
		return nil
	}
	return &list[p[i]]
}

func specName(t *imagestream.Tag) string          { return t.Name }
func recordName(st *imagestream.TagStatus) string { return st.Tag }

// place notes where tags stand.
func (s *Stream) place() {
	s.inSpec, s.inStatus = byName(s.Spec.Tags, specName), byName(s.Status.Tags, recordName)
	s.tags = len(s.Spec.Tags)
	for i := range s.Status.Tags {
		if s.specTag(s.Status.Tags[i].Tag) == nil { // pushed, or listed
			s.tags++
		}
	}
}

// specTag is what spec says of a tag, nil where it does not name it.
func (s *Stream) specTag(name string) *imagestream.Tag {
	return lookUp(s.inSpec, s.Spec.Tags, specName, name)
}

// record is what the status says of a tag, nil where there is nothing.
func (s *Stream) record(name string) *imagestream.TagStatus {
	return lookUp(s.inStatus, s.Status.Tags, recordName, name)
}
