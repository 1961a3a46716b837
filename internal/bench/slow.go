package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

const (
	slowRegistries = 50
	slowLatency    = 5 * time.Second
	slowApart      = slowLatency / slowRegistries // from one slow registry to the next, so that an answer comes at any time
	slowRounds     = 12                           // of news from the fast one
)

// slow imports from one fast registry, time and again, with slow ones beside it and
// without.
func (b *bed) slow(ctx context.Context) (s sample, err error) {
	fast := b.repo
	fast.Size = b.scaled(100)
	j := job{Do: "slow", Repo: fast, Rounds: b.scaled(slowRounds), Slow: slowRegistries, Profile: b.profileOf("slow-50")}
	beside, err := b.child(ctx, j)
	if err != nil {
		return s, err
	}
	j.Slow, j.Profile = 0, ""
	alone, err := b.child(ctx, j)
	if err != nil {
		return s, err
	}
	note := fmt.Sprintf("p99 of %d", j.Rounds*fast.Size*tagsOfEach)
	b.tell("slow-landed", sample{Towpath: beside.Landed, Floor: alone.Landed, Note: note})
	return sample{Towpath: beside.Seconds, Floor: alone.Seconds, Note: note}, err
}

// A race is what a Reconciler does for the tags of the fast registry.
type race struct {
	fast    *fake
	streams int

	mu       sync.Mutex // over all below
	due      time.Time
	wanted   map[string]*tagged // by digest: those that did not land yet
	answered []float64          // seconds since they were due
	landed   []float64
	over     chan struct{} // closed when nothing is wanted any more
}

// tagged is a digest on its way.
type tagged struct {
	path     string // of its file
	answered bool
}

func (j job) slow(ctx context.Context) (res result, err error) {
	r := &race{fast: &fake{latency: upstreamLatency}, streams: j.Repo.Size}
	server, err := r.fast.listen()
	if err != nil {
		return res, err
	}
	defer server.Close()
	files, hosts := map[string]string{}, []string{r.fast.host}
	for i := range j.Repo.Size {
		files[pathOf(i)] = string(repo{Seed: seed{Host: r.fast.host}}.stream(i))
	}
	for i := range j.Slow {
		f := &fake{latency: slowLatency + time.Duration(i)*slowApart}
		server, err := f.listen()
		if err != nil {
			return res, err
		}
		defer server.Close()
		hosts = append(hosts, f.host)
		files[fmt.Sprintf("slow/%d.yaml", i)] = string(repo{Seed: seed{Host: f.host}}.stream(j.Repo.Size + i))
	}
	reader, err := readerOf(0, hosts...)
	if err != nil {
		return res, err
	}
	defer reader.Close()
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	defer stop()
	err = r.run(ctx, j.Rounds, &reconcile.Reconciler{
		Store: raced{memory.New(files), r}, Branch: "main", Reader: heard{reader, r}, Poll: 30 * time.Second, Yes: true,
		Author: gitstore.Person{Name: "bench", Email: "bench@example.com"},
	})
	return result{Seconds: p99(r.answered), Landed: p99(r.landed), Streams: j.Repo.Size}, err
}

func p99(of []float64) float64 {
	slices.Sort(of)
	return of[(len(of)-1)*99/100]
}

// run lets news come, again as soon as the last has landed.
func (r *race) run(ctx context.Context, rounds int, by *reconcile.Reconciler) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	for n := range rounds {
		over := r.news(int64(n))
		if n == 0 {
			go func() { ended <- by.Run(running) }()
		}
		for tag := range tagsOfEach {
			by.Hint(reconcile.Hint{Tag: tagName(tag)})
		}
		select {
		case <-over:
		case err := <-ended:
			return errors.Join(err, ctx.Err(), errors.New("it ended before its time"))
		case <-time.After(time.Minute):
			return fmt.Errorf("round %d has not landed after a minute", n)
		}
	}
	cancel()
	return <-ended
}

// news gives every tag of the fast registry another digest, and makes it due.
func (r *race) news(generation int64) (over <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted, r.over = map[string]*tagged{}, make(chan struct{})
	for i := range r.streams {
		for tag := range tagsOfEach {
			_, digest := manifest(repositoryOf(i), tagName(tag), generation)
			r.wanted[digest] = &tagged{path: pathOf(i)}
		}
	}
	r.fast.generation.Store(generation)
	r.due = time.Now()
	return r.over
}

// heard is a Reader whose answers are timed.
type heard struct {
	registry.Reader
	race *race
}

func (h heard) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	image, err := h.Reader.Head(ctx, on, ref)
	h.race.mu.Lock()
	defer h.race.mu.Unlock()
	if w := h.race.wanted[image.Digest]; w != nil && !w.answered {
		w.answered = true
		h.race.answered = append(h.race.answered, time.Since(h.race.due).Seconds())
	}
	return image, err
}

// raced is a Store whose pushes are timed.
type raced struct {
	gitstore.Store
	race *race
}

func (s raced) Push(ctx context.Context, branch string, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	tip, err := s.Store.Push(ctx, branch, base, chain...)
	if err == nil {
		s.race.pushed(chain)
	}
	return tip, err
}

func (r *race) pushed(chain []gitstore.Commit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	after, before := time.Since(r.due).Seconds(), len(r.wanted)
	texts := map[string][]byte{}
	for _, c := range chain {
		for _, e := range c.Edits {
			texts[e.Path] = e.Content
		}
	}
	for digest, w := range r.wanted {
		if bytes.Contains(texts[w.path], []byte(digest)) {
			delete(r.wanted, digest)
			r.landed = append(r.landed, after)
		}
	}
	if before > 0 && len(r.wanted) == 0 {
		close(r.over)
	}
}
