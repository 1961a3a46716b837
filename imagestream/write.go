package imagestream

import (
	"fmt"
	"slices"

	"github.com/towpath/towpath/yamledit"
)

// An Update is a record to write: After in the place of Document's status.
type Update struct {
	Document Document // what Parse made of the file, uncut
	After    Status
	Options  Options
}

// Write is the text of Updated.
func Write(f *yamledit.File, updates []Update) ([]byte, error) {
	g, err := Updated(f, updates)
	if err != nil {
		return nil, err
	}
	return g.Src, nil
}

// Updated is f with the updates in it, f itself where nothing changes; Parse reads the new
// records from it without parsing the text once more. A file that grew over a limit could not
// be read any more: where it would fill more than four fifths of one, the streams of the
// updates lose their oldest items, whatever Options.History says. A tag's current item
// stays, and so does what Options.Keep keeps. The error is a *yamledit.Refused.
func Updated(f *yamledit.File, updates []Update) (*yamledit.File, error) {
	l := yamledit.DefaultLimits
	return write(f, updates, room{l.Bytes / 5 * 4, l.Nodes / 5 * 4, maxItems / 5 * 4})
}

// A room is what a file may hold: bytes, nodes, and items of one stream.
type room struct{ bytes, nodes, items int }

func write(f *yamledit.File, updates []Update, r room) (*yamledit.File, error) {
	t := &trimmer{updates: updates, dropped: map[place]bool{}}
	edits := t.edits(f)
	if len(edits) == 0 {
		return f, nil
	}
	if over := crowded(updates, r.items); over != nil {
		if u := t.thin(over); u >= 0 {
			return nil, t.refused(u, fmt.Sprintf("its status would hold more than %d items, even without the old ones", r.items))
		}
		edits = t.edits(f)
	}
	for {
		out, err := f.Edit(edits...)
		if err != nil {
			return nil, err
		}
		bytes, nodes := len(out.Src)-r.bytes, grown(f, edits)-r.nodes
		if bytes <= 0 && nodes <= 0 {
			return out, nil
		}
		if !t.drop(bytes, nodes) {
			return nil, t.refused(0, "the file would be larger than can be read again, even without old items")
		}
		edits = t.edits(f)
	}
}

// crowded is by how many items each record is over; nil where none is.
func crowded(updates []Update, most int) []int {
	over := make([]int, len(updates))
	for u, up := range updates {
		items := 0
		for _, tag := range up.After.Tags {
			items += len(tag.Items)
		}
		over[u] = max(items, len(up.After.Tags)) - most
	}
	if slices.Max(over) <= 0 {
		return nil
	}
	return over
}

// A place is where an item stands in the records to write.
type place struct{ update, tag, item int }

// A trimmer leaves items out of records to write.
type trimmer struct {
	updates  []Update
	surveyed bool
	spare    []place // what can be left out yet, oldest first; once surveyed
	dropped  map[place]bool
}

// survey finds what can be left out.
func (t *trimmer) survey() {
	if t.surveyed {
		return
	}
	t.surveyed = true
	for u, up := range t.updates {
		for i, tag := range up.After.Tags {
			for j := len(tag.Items) - 1; j > 0; j-- {
				if !up.Options.keeps(tag.Items, j) {
					t.spare = append(t.spare, place{u, i, j})
				}
			}
		}
	}
	slices.SortStableFunc(t.spare, func(a, b place) int { return t.at(a).Created.Compare(t.at(b).Created) })
}

func (t *trimmer) at(p place) Item { return t.updates[p.update].After.Tags[p.tag].Items[p.item] }

// thin leaves out what each record has too much of; it is the update of which that
// cannot be done, or -1.
func (t *trimmer) thin(over []int) int {
	t.survey()
	t.spare = slices.DeleteFunc(t.spare, func(p place) bool {
		over[p.update]--
		if over[p.update] < 0 {
			return false
		}
		t.dropped[p] = true
		return true
	})
	return slices.IndexFunc(over, func(n int) bool { return n > 0 })
}

// drop leaves out about as much as is too much; it reports whether there was anything.
func (t *trimmer) drop(bytes, nodes int) bool {
	t.survey()
	n := 0
	for ; n < len(t.spare) && (bytes > 0 || nodes > 0); n++ {
		t.dropped[t.spare[n]] = true
		item := itemValue(t.at(t.spare[n]))
		nodes -= size(item)
		for _, e := range item {
			bytes -= len(e.Key) + len(e.Value.(string)) + len(": \n")
		}
	}
	t.spare = t.spare[n:]
	return n > 0
}

func (t *trimmer) edits(f *yamledit.File) []yamledit.Change {
	var edits []yamledit.Change
	for u, up := range t.updates {
		edits = append(edits, Edits(f, up.Document, t.trimmed(u), up.Options)...)
	}
	return edits
}

// trimmed is a record without what is left out.
func (t *trimmer) trimmed(u int) Status {
	s := t.updates[u].After
	if len(t.dropped) == 0 {
		return s
	}
	s.Tags = slices.Clone(s.Tags)
	for i := range s.Tags {
		items := s.Tags[i].Items
		s.Tags[i].Items = nil
		for j, item := range items {
			if !t.dropped[place{u, i, j}] {
				s.Tags[i].Items = append(s.Tags[i].Items, item)
			}
		}
	}
	return s
}

func (t *trimmer) refused(u int, what string) error {
	d := t.updates[u].Document
	return &yamledit.Refused{
		Line: d.Line, Col: d.Col, What: "image stream " + d.Name.String() + ": " + what,
		Fix: "split the file, one image stream in each; split a stream of that size by its tags",
	}
}

// grown is how many nodes a file has after edits.
func grown(f *yamledit.File, edits []yamledit.Change) int {
	total := 0
	for _, d := range f.Docs {
		total += weight(d.Root)
	}
	for _, c := range edits {
		old := yamledit.Lookup(f.Docs[c.Doc].Root, c.At)
		switch {
		case c.Op == yamledit.Insert:
			total += size(c.Value)
		case c.Op == yamledit.Set && old == nil:
			total += size(c.Value) + 3 // its key, and a mapping around it with its own
		case c.Op == yamledit.Set:
			total += size(c.Value) - weight(old)
		case old != nil:
			total -= weight(old)
		}
	}
	return total
}

// weight is how many nodes there are at n, aliases not followed.
func weight(n *yamledit.Node) int {
	total := 1
	for _, c := range n.Content {
		total += weight(c)
	}
	return total
}

// size is how many nodes a value becomes.
func size(v yamledit.Value) int {
	total := 1
	switch v := v.(type) {
	case yamledit.Seq:
		for _, e := range v {
			total += size(e)
		}
	case yamledit.Map:
		for _, e := range v {
			total += 1 + size(e.Value)
		}
	}
	return total
}
