package reconcile

import (
	"context"
	"fmt"
	"reflect"

	"github.com/towpath/towpath/gitstore"
)

// Remembered is how many tags a reconciler remembers anything of.
func Remembered(r *Reconciler) int { return len(r.mem.states) }

// Reread compares what a reconciler knows of each file with what its text says; it
// returns how many files there are.
func Reread(r *Reconciler) (files int, err error) {
	for path, f := range r.cat.files {
		if !f.included || r.cat.parsed[f.reading()] == nil {
			continue
		}
		known := r.cat.parsed[f.reading()]
		files++
		src, err := r.cat.snap.Read(context.Background(), f.Blob)
		if err != nil {
			return files, err
		}
		if read := parse(src, f.lens); !reflect.DeepEqual(read, known) {
			return files, fmt.Errorf("%s is known as %+v, and reads as %+v", path, known, read)
		}
	}
	return files, nil
}

// Proposes are the moves that a body's marker names.
func Proposes(body string) []Move { return readLetter(body).marker.Moves }

// CraftBody is a body of towpath's that names another head.
func CraftBody(body, head string) string {
	l := readLetter(body)
	l.marker.Head = gitstore.Rev(head)
	return l.String()
}

// Hinted is how many hints wait to be taken.
func Hinted(r *Reconciler) int {
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	return len(r.inbox.hints)
}

// Looking is of how many tags registries spoke lately, as far as it is remembered.
func Looking(r *Reconciler) int { return len(r.mem.looks) }
