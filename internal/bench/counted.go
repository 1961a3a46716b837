package main

import (
	"context"
	"sync"

	"github.com/towpath/towpath/gitstore"
)

// A counted Store counts what is read of it.
type counted struct {
	gitstore.Store

	mu      sync.Mutex // over all below
	blobs   map[gitstore.BlobID]int
	parents map[gitstore.Rev]int
}

// again counts from nothing.
func (c *counted) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blobs, c.parents = map[gitstore.BlobID]int{}, map[gitstore.Rev]int{}
}

// blobReads are how often blobs were read, against how many they are.
func (c *counted) blobReads() sample { return times(c.blobs) }

// commitReads are how often a commit's parent was, against how many of them.
func (c *counted) commitReads() sample { return times(c.parents) }

func times[K comparable](of map[K]int) (s sample) {
	for _, n := range of {
		s.Towpath += float64(n)
	}
	s.Floor = float64(len(of))
	return s
}

func (c *counted) Snapshot(ctx context.Context, branch string) (gitstore.Snapshot, error) {
	return c.snapshot(c.Store.Snapshot(ctx, branch))
}

func (c *counted) Push(ctx context.Context, branch string, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	return c.snapshot(c.Store.Push(ctx, branch, bareSnapshot(base), chain...))
}

func (c *counted) Replace(ctx context.Context, branch string, old gitstore.Rev, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	return c.snapshot(c.Store.Replace(ctx, branch, old, bareSnapshot(base), chain...))
}

func (c *counted) snapshot(s gitstore.Snapshot, err error) (gitstore.Snapshot, error) {
	if s == nil || err != nil {
		return nil, err
	}
	return &countedSnapshot{s, c}, nil
}

type countedSnapshot struct {
	gitstore.Snapshot
	by *counted
}

// bareSnapshot is one as its own store knows it.
func bareSnapshot(s gitstore.Snapshot) gitstore.Snapshot {
	if s, ok := s.(*countedSnapshot); ok {
		return s.Snapshot
	}
	return s
}

func (s *countedSnapshot) Changes(ctx context.Context, from gitstore.Snapshot) ([]gitstore.Change, error) {
	return s.Snapshot.Changes(ctx, bareSnapshot(from))
}

func (s *countedSnapshot) Read(ctx context.Context, id gitstore.BlobID) ([]byte, error) {
	s.by.mu.Lock()
	s.by.blobs[id]++
	s.by.mu.Unlock()
	return s.Snapshot.Read(ctx, id)
}

func (s *countedSnapshot) Parent(ctx context.Context) (gitstore.Snapshot, error) {
	s.by.mu.Lock()
	s.by.parents[s.Rev()]++
	s.by.mu.Unlock()
	return s.by.snapshot(s.Snapshot.Parent(ctx))
}
