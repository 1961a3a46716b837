package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
)

// pushing is a store and a clone that git keeps, both with everything fetched.
type pushing struct {
	store *gogit.Store
	clone string
	n     int
}

func (p *pushing) close() {
	if p != nil {
		p.store.Close()
	}
}

// pushedFiles are how many files a push edits: as many as a status commit holds.
const pushedFiles = 500

func (b *bed) cloned(ctx context.Context) (*pushing, error) {
	if b.pushing != nil {
		return b.pushing, nil
	}
	store, err := gogit.Open(ctx, gogit.Options{Repo: b.url(b.repo), CacheDir: filepath.Join(b.Dir, "cache-push")})
	if err != nil {
		return nil, err
	}
	b.pushing = &pushing{store: store, clone: filepath.Join(b.Dir, "push.git")}
	_, err = b.git(ctx, nil, "clone", "-q", "--bare", "--depth", "1", "--branch", "native", b.url(b.repo), b.pushing.clone)
	return b.pushing, err
}

// push commits and pushes texts that are ready: towpath to main, git to native.
func (b *bed) push(ctx context.Context) (s sample, err error) {
	p, err := b.cloned(ctx)
	if err != nil {
		return s, err
	}
	p.n++
	base, err := p.store.Snapshot(ctx, "main")
	if err != nil {
		return s, err
	}
	numbers, commit := b.edits(fmt.Sprint("by towpath ", p.n))
	stop, err := profile(b.profileOf("push-500"))
	if err != nil {
		return s, err
	}
	s.Towpath, err = timed(func() error {
		_, err := p.store.Push(ctx, "main", base, commit)
		return err
	})
	stop()
	if err != nil {
		return s, err
	}
	s.Floor, err = timed(func() error {
		if err := b.commit(ctx, p.clone, "native", fmt.Sprint("by git ", p.n), numbers); err != nil {
			return err
		}
		_, err := b.git(ctx, nil, "-C", p.clone, "push", "-q", "origin", "native")
		return err
	})
	return s, err
}

// edits are spread over as many directories as there are.
func (b *bed) edits(mark string) (numbers []int, c gitstore.Commit) {
	n := min(pushedFiles, b.streams)
	c = gitstore.Commit{Message: "bench", Author: gitstore.Person{Name: "bench", Email: "bench@example.com"}, When: time.Now()}
	for i := range n {
		number := i * (b.streams / n)
		numbers = append(numbers, number)
		c.Edits = append(c.Edits, gitstore.Edit{Path: pathOf(number), Content: marked(b.stream(number), mark)})
	}
	return numbers, c
}
