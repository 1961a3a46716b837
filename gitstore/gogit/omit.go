package gogit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Omissions are the files that were left out of what was fetched, because they are too
// large to be read. Without the list they could not be told from files that were lost. The
// file of a cache holds a line for each, with the limit that it is over; where the list is
// lost, all is fetched again.
type omissions struct {
	path  string // empty: in memory
	limit int64
	ids   map[plumbing.Hash]bool
}

const omittedName = "omitted"

// openOmissions reads the list of a generation. What was left out under another limit is
// not known any more.
func openOmissions(dir string, limit int64) omissions {
	o := omissions{path: filepath.Join(dir, omittedName), limit: limit, ids: map[plumbing.Hash]bool{}}
	raw, err := os.ReadFile(o.path)
	if err != nil {
		return o
	}
	for line := range strings.Lines(string(raw)) {
		if id, over, ok := strings.Cut(line, " "); ok && plumbing.IsHash(id) && over == fmt.Sprintln(limit) {
			o.ids[plumbing.NewHash(id)] = true
		}
	}
	return o
}

func (o *omissions) add(ids map[plumbing.Hash]bool) error {
	if o.ids == nil {
		o.ids = map[plumbing.Hash]bool{}
	}
	var lines strings.Builder
	for id := range ids {
		o.ids[id] = true
		fmt.Fprintln(&lines, id, o.limit)
	}
	if o.path == "" || len(ids) == 0 {
		return nil
	}
	f, err := os.OpenFile(o.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(lines.String())
	return errors.Join(err, f.Close())
}

// omit remembers the files that new trees name and that are not here. A tree that cannot be
// read is told of by whoever needs it.
func (o *objects) omit(came arrival) error {
	missing := map[plumbing.Hash]bool{}
	for _, id := range came.trees {
		raw, err := o.load(plumbing.TreeObject, id)
		if err != nil {
			continue
		}
		entries, err := parseTree(raw)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if regular(e.mode) && !came.holds(e.id) && !o.omitted.ids[e.id] && o.shelf.HasEncodedObject(e.id) != nil {
				missing[e.id] = true
			}
		}
	}
	return o.omitted.add(missing)
}
