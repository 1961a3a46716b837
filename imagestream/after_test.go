package imagestream

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	one  = noon.Add(time.Hour)
)

func image(w string, created time.Time) Item {
	return Item{created, "quay.io/canal/barge@" + word(w), word(w)}
}

func source(inputs string, since time.Time) *Source {
	return &Source{From: "quay.io/canal/barge:1", Mode: Legacy, Platform: "linux/amd64", Inputs: inputs, Since: since}
}

// TestAfter is the table above After, and what happens to Source and Failure
// beside it.
func TestAfter(t *testing.T) {
	a, b := image("a", noon), image("b", noon)
	fresh := func(i Item) *Item { i.Created = time.Time{}; return &i }
	at := func(i Item, created time.Time) Item { i.Created = created; return i }
	lost := &Failure{Reason: "NotFound", From: "quay.io/canal/barge:1", Message: "no such tag", Since: noon}
	s1 := source("00000001", noon)
	tests := []struct {
		name   string
		before TagStatus
		event  Event
		want   TagStatus
	}{
		{"no items: the new one is the first", TagStatus{}, Event{Item: fresh(a), Source: s1},
			TagStatus{Items: []Item{at(a, one)}, Source: source("00000001", one)}},
		{"same and same: stays", TagStatus{Items: []Item{a}, Source: s1}, Event{Item: fresh(a), Source: source("00000001", one)},
			TagStatus{Items: []Item{a}, Source: s1}},
		{"another image: replaced", TagStatus{Items: []Item{a, b}}, Event{Item: &Item{one, a.Reference, b.Image}},
			TagStatus{Items: []Item{{noon, a.Reference, b.Image}, b}}},
		{"another reference: replaced", TagStatus{Items: []Item{a}}, Event{Item: &Item{one, "elsewhere/barge@" + a.Image, a.Image}},
			TagStatus{Items: []Item{{noon, "elsewhere/barge@" + a.Image, a.Image}}}},
		{"both others: goes before", TagStatus{Items: []Item{a}, Source: s1}, Event{Item: fresh(b), Source: source("00000002", noon)},
			TagStatus{Items: []Item{at(b, one), a}, Source: source("00000002", one)}},
		{"back again: three items", TagStatus{Items: []Item{b, a}}, Event{Item: fresh(a)},
			TagStatus{Items: []Item{at(a, one), b, a}}},
		{"an alias keeps its source's time", TagStatus{Items: []Item{a}}, Event{Item: &Item{noon.Add(time.Minute), b.Reference, b.Image}},
			TagStatus{Items: []Item{at(b, noon.Add(time.Minute)), a}}},
		{"but is not older than what it was", TagStatus{Items: []Item{a}}, Event{Item: &Item{noon.Add(-time.Hour), b.Reference, b.Image}},
			TagStatus{Items: []Item{at(b, noon), a}}},
		{"other inputs, same image: only the source", TagStatus{Items: []Item{a}, Source: s1}, Event{Item: fresh(a), Source: source("00000002", noon)},
			TagStatus{Items: []Item{a}, Source: source("00000002", one)}},
		{"no source: taken away", TagStatus{Items: []Item{a}, Source: s1}, Event{Item: fresh(a)},
			TagStatus{Items: []Item{a}}},
		{"a failure: beside items and source", TagStatus{Items: []Item{a}, Source: s1}, Event{Failure: &Failure{Reason: "NotFound", From: "x:1", Message: "gone"}},
			TagStatus{Items: []Item{a}, Source: s1, Failure: &Failure{Reason: "NotFound", From: "x:1", Message: "gone", Since: one}}},
		{"the same failure in other words: stays", TagStatus{Failure: lost}, Event{Failure: &Failure{Reason: lost.Reason, From: lost.From, Message: "not there"}},
			TagStatus{Failure: lost}},
		{"the same reason elsewhere: another failure", TagStatus{Failure: lost}, Event{Failure: &Failure{Reason: lost.Reason, From: "x:1", Message: "gone"}},
			TagStatus{Failure: &Failure{Reason: lost.Reason, From: "x:1", Message: "gone", Since: one}}},
		{"another reason: another failure", TagStatus{Failure: lost}, Event{Failure: &Failure{Reason: "Forbidden", From: lost.From, Message: "no"}},
			TagStatus{Failure: &Failure{Reason: "Forbidden", From: lost.From, Message: "no", Since: one}}},
		{"a move clears the failure", TagStatus{Items: []Item{a}, Failure: lost}, Event{Item: fresh(b)},
			TagStatus{Items: []Item{at(b, one), a}}},
		{"no move leaves the failure", TagStatus{Items: []Item{a}, Failure: lost}, Event{Item: fresh(a)},
			TagStatus{Items: []Item{a}, Failure: lost}},
		{"until it is cleared", TagStatus{Items: []Item{a}, Failure: lost}, Event{Item: fresh(a), Clear: true},
			TagStatus{Items: []Item{a}}},
		{"a clock set back keeps the order", TagStatus{Items: []Item{at(a, one.Add(time.Hour))}}, Event{Item: &Item{one, b.Reference, b.Image}},
			TagStatus{Items: []Item{at(b, one.Add(time.Hour)), at(a, one.Add(time.Hour))}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.before.Items) > 0 {
				tt.before.Items = slices.Grow(tt.before.Items, 8) // room that must not be used
			}
			tt.before.Tag, tt.event.Tag, tt.want.Tag = "x", "x", "x"
			before := Status{Tags: []TagStatus{tt.before}}
			copied := clone(before)
			got := before.After([]Event{tt.event}, Options{Now: one.Add(time.Millisecond)})
			if diff := cmp.Diff(Status{Tags: []TagStatus{tt.want}}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(copied, before); diff != "" {
				t.Errorf("the record before was changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestAfterDropsWhatIsEmpty: a tag of which only a failure was on record goes with it.
func TestAfterDropsWhatIsEmpty(t *testing.T) {
	lost := &Failure{Reason: "NotFound", From: "x:1", Message: "gone", Since: noon}
	over := Event{Tag: "x", Clear: true}
	item := image("a", noon)
	for _, tt := range []struct {
		name   string
		before TagStatus
		events []Event
		kept   bool
	}{
		{"a failure that is over", TagStatus{Failure: lost}, []Event{over}, false},
		{"and over again", TagStatus{Failure: lost}, []Event{over, over}, false},
		{"beside items", TagStatus{Failure: lost, Items: []Item{item}}, []Event{over}, true},
		{"beside conditions of others", TagStatus{Failure: lost, Others: true}, []Event{over}, true},
		{"and another failure begins", TagStatus{Failure: lost}, []Event{over, {Tag: "x", Failure: lost}}, true},
		{"and an import succeeds", TagStatus{Failure: lost}, []Event{over, {Tag: "x", Item: &item}}, true},
		{"empty when it came, and no news", TagStatus{}, []Event{over}, true},
		{"of another tag", TagStatus{}, []Event{{Tag: "y", Failure: lost}, {Tag: "y", Clear: true}}, true},
	} {
		tt.before.Tag = "x"
		// Out of order, so that a tag that came back would go elsewhere.
		before := Status{Tags: []TagStatus{{Tag: "z"}, tt.before, {Tag: "a"}}}
		copied := clone(before)
		got := before.After(tt.events, Options{Now: one})
		if kept := got.Tag("x") != nil; kept != tt.kept || kept && (len(got.Tags) != 3 || got.Tags[1].Tag != "x") || got.Tag("y") != nil {
			t.Errorf("%s: got %+v, want x kept in its place: %t", tt.name, got.Tags, tt.kept)
		}
		if diff := cmp.Diff(copied, before); diff != "" {
			t.Errorf("%s: the record before was changed (-before +after):\n%s", tt.name, diff)
		}
	}
	only := Status{Tags: []TagStatus{{Tag: "x", Failure: lost}}}
	if diff := cmp.Diff(Status{}, only.After([]Event{over}, Options{Now: one})); diff != "" {
		t.Errorf("the only tag (-want +got):\n%s", diff)
	}
}

func clone(s Status) Status {
	out := Status{Repository: s.Repository}
	for _, t := range s.Tags {
		t.Items = append([]Item(nil), t.Items...)
		out.Tags = append(out.Tags, t)
	}
	return out
}

func TestAfterPlacesNewTags(t *testing.T) {
	names := func(s Status) (names []string) {
		for _, t := range s.Tags {
			names = append(names, t.Tag)
		}
		return names
	}
	item := image("a", noon)
	for _, tt := range []struct{ before, events, want []string }{
		{nil, []string{"b", "a", "c"}, []string{"a", "b", "c"}},
		{[]string{"a", "c"}, []string{"b"}, []string{"a", "b", "c"}},
		{[]string{"c", "a"}, []string{"b"}, []string{"c", "a", "b"}},
	} {
		var before Status
		for _, name := range tt.before {
			before.Tags = append(before.Tags, TagStatus{Tag: name, Items: []Item{item}})
		}
		var events []Event
		for _, name := range tt.events {
			events = append(events, Event{Tag: name, Item: &item})
		}
		if diff := cmp.Diff(tt.want, names(before.After(events, Options{Now: noon}))); diff != "" {
			t.Errorf("%v after %v (-want +got):\n%s", tt.before, tt.events, diff)
		}
	}
	if got := (Status{}).After([]Event{{Tag: "a", Clear: true}}, Options{Now: noon, Repository: "x/y"}); !cmp.Equal(got, Status{}) {
		t.Errorf("nothing new: got %v, want nothing", got)
	}
}

func TestAfterTrims(t *testing.T) {
	var s Status
	for i := range 12 {
		item := image(fmt.Sprintf("%x", i), noon.Add(time.Duration(i)*time.Minute))
		s = s.After([]Event{{Tag: "x", Item: &item}}, Options{Now: noon, Keep: func(image string) bool { return image == word("1") }})
	}
	var got string
	for _, i := range s.Tags[0].Items {
		got += i.Image[len("sha256:"):][:1]
	}
	if want := "ba98765431"; got != want {
		t.Errorf("got items %s, want %s: the newest ten, or fewer for the one that is kept", got, want)
	}
	all := Options{Now: noon, History: 3, Keep: func(string) bool { return true }}
	item := image("c", noon)
	if got := len(s.After([]Event{{Tag: "x", Item: &item}}, all).Tags[0].Items); got != 11 {
		t.Errorf("got %d items, want all 11: each is run by somebody", got)
	}
	old := Options{Now: noon, History: 1, Keep: func(image string) bool { return image != item.Image }}
	if got := s.After([]Event{{Tag: "x", Item: &item}}, old).Tags[0].Items[0]; got.Image != item.Image {
		t.Errorf("got %v as the current item, want the new one: it stays, whoever runs the others", got)
	}
	flaps := Status{}
	for i := range 30 {
		item := image("ab"[i%2:i%2+1], noon.Add(time.Duration(i)*time.Minute))
		flaps = flaps.After([]Event{{Tag: "x", Item: &item}}, Options{Now: noon, Keep: func(image string) bool { return image == word("a") }})
	}
	if got := len(flaps.Tags[0].Items); got != 10 {
		t.Errorf("got %d items of a tag that goes to and fro, want ten: one item of an image is enough for who runs it", got)
	}
	same := s.Tags[0].Items[0]
	if got := len(s.After([]Event{{Tag: "x", Item: &same}}, Options{Now: noon, History: 1}).Tags[0].Items); got != 10 {
		t.Errorf("got %d items, want 10: no news trims nothing", got)
	}
}
