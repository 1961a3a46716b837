package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	"sigs.k8s.io/yaml"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

// A first load runs in a process of its own, as does its floor.

func (b *bed) firstLoad(ctx context.Context) (sample, error) {
	ours, err := b.child(ctx, job{Do: "load", Repo: b.repo, Profile: b.profileOf("first-load")})
	if err != nil {
		return sample{}, err
	}
	b.tell("rss", sample{Towpath: ours.RSS})
	floor, err := b.child(ctx, job{Do: "load-floor", Repo: b.repo})
	return against(ours, floor), err
}

// towpath loads as the daemon does, and walks on for a while.
func (j job) load(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	res.Seconds, err = timed(func() error { return pass(ctx, r) })
	stop()
	if err != nil {
		return res, err
	}
	res.CPU, res.Streams = cpu(), len(r.Catalog().Streams)
	for i := range passesAfterLoad {
		if i%2 == 0 {
			if err := j.Repo.commit(ctx, j.Repo.path(), "main", fmt.Sprint("beside ", time.Now().UnixNano()), []int{i}); err != nil {
				return res, err
			}
		}
		if err := pass(ctx, r); err != nil {
			return res, err
		}
	}
	res.RSS, err = j.memory(r)
	return res, err
}

const passesAfterLoad = 10

// open is a Reconciler as the daemon makes one; no registry may be asked.
func open(ctx context.Context, url, cache string) (*reconcile.Reconciler, error) {
	store, err := gogit.Open(ctx, gogit.Options{Repo: url, CacheDir: cache})
	if err != nil {
		return nil, err
	}
	return &reconcile.Reconciler{
		Store: store, Branch: "main", Reader: &door{nobody{}},
		Author: gitstore.Person{Name: "bench", Email: "bench@example.com"},
	}, nil
}

// pass walks the line once, and sees that there was nothing to ask or write.
func pass(ctx context.Context, r *reconcile.Reconciler) error {
	rep, err := r.Once(ctx)
	switch {
	case err != nil:
		return err
	case len(rep.Problems) > 0:
		return fmt.Errorf("a problem: %v", rep.Problems[0])
	case len(rep.Answers) > 0 || len(rep.Commits) > 0:
		return errors.New("something was due")
	}
	return nil
}

// nobody is a Reader of registries that must not be asked.
type nobody struct{}

var errAsked = &registry.Error{Kind: registry.InternalError, Message: "a registry was asked"}

func (nobody) Tags(context.Context, registry.On, registry.Repo) ([]string, error) {
	return nil, errAsked
}
func (nobody) Head(context.Context, registry.On, registry.Ref) (registry.Image, error) {
	return registry.Image{}, errAsked
}
func (nobody) Detail(context.Context, registry.On, registry.Ref) (registry.Image, error) {
	return registry.Image{}, errAsked
}

func (nobody) Config(context.Context, registry.On, registry.Repo, string) (registry.Config, error) {
	return registry.Config{}, errAsked
}

// floor clones by git, and decodes what git prints on every processor.
func (j job) loadFloor(ctx context.Context) (res result, err error) {
	res.Seconds, err = timed(func() error {
		if _, err := j.Repo.git(ctx, nil, "clone", "-q", "--bare", "--depth", "1", "--branch", "main", j.URL, j.Cache); err != nil {
			return err
		}
		res.Streams, err = j.Repo.decodeAll(ctx, j.Cache)
		return err
	})
	res.CPU = cpu()
	return res, err
}

// decodeAll decodes every blob of a repository, and counts them.
func (r repo) decodeAll(ctx context.Context, dir string) (int, error) {
	cmd := exec.CommandContext(ctx, "git", "-C", dir, "cat-file", "--batch", "--batch-all-objects", "--unordered")
	cmd.Env = r.env()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	blobs := make(chan []byte)
	failed := make([]error, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for i := range failed {
		workers.Go(func() { failed[i] = decode(blobs) })
	}
	n, err := eachBlob(bufio.NewReaderSize(out, 1<<20), blobs)
	close(blobs)
	workers.Wait()
	return n, errors.Join(err, errors.Join(failed...), cmd.Wait())
}

func decode(blobs <-chan []byte) error {
	var failed error
	for text := range blobs {
		var s imagev1.ImageStream
		if err := yaml.Unmarshal(text, &s); err != nil {
			failed = err
		} else if s.Kind != "ImageStream" {
			failed = errors.New("no image stream")
		}
	}
	return failed
}

// eachBlob reads what cat-file --batch prints.
func eachBlob(from *bufio.Reader, blobs chan<- []byte) (n int, err error) {
	for {
		head, err := from.ReadBytes('\n')
		if err == io.EOF {
			return n, nil
		}
		words := bytes.Fields(head)
		if err != nil || len(words) != 3 {
			return n, fmt.Errorf("git cat-file says %q: %w", head, err)
		}
		size, err := strconv.Atoi(string(words[2]))
		if err != nil {
			return n, err
		}
		text := make([]byte, size+1) // and a line feed
		if _, err := io.ReadFull(from, text); err != nil {
			return n, err
		}
		if string(words[1]) == "blob" {
			blobs <- text[:size]
			n++
		}
	}
}
