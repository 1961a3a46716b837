package main

import (
	"context"
	"errors"

	"github.com/towpath/towpath/gitstore"
)

// only is a Store whose branches, whatever their names, are all at one snapshot, and stay
// there.
type only struct{ at gitstore.Snapshot }

var errReadOnly = errors.New("a check writes nothing")

func (o only) Snapshot(context.Context, string) (gitstore.Snapshot, error) { return o.at, nil }

func (o only) Push(context.Context, string, gitstore.Snapshot, ...gitstore.Commit) (gitstore.Snapshot, error) {
	return nil, errReadOnly
}

// Branches are none: no proposal of towpath's own counts.
func (o only) Branches(context.Context, string) (map[string]gitstore.Rev, error) {
	return map[string]gitstore.Rev{}, nil
}

func (o only) Replace(context.Context, string, gitstore.Rev, gitstore.Snapshot, ...gitstore.Commit) (gitstore.Snapshot, error) {
	return nil, errReadOnly
}

func (o only) Delete(context.Context, string, gitstore.Rev) error { return errReadOnly }
func (o only) Changed() <-chan struct{}                           { return nil }
func (o only) Close() error                                       { return nil }

// merge is a merged tree as the one commit that a forge makes of a pull request, on top of
// what it is merged into: a site which it takes back is seen as taken back by it. Of a merge
// commit it could not be told what it did by itself.
type merge struct{ gitstore.Snapshot }

func (m merge) About() gitstore.About {
	about := m.Snapshot.About()
	about.Merge = false
	return about
}
