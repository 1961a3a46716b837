package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	"sigs.k8s.io/yaml"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

// A first load runs in a process of its own, as does its floor: neither pays for
// what the other left in memory.

const childName = "child"

// A job is what a child is to do.
type job struct {
	Floor   bool
	URL     string
	Dir     string // of the bed
	Streams int
	Cache   string // a directory that is not there yet
	Profile string
}

// A result is what a child says of it.
type result struct {
	Load    float64 // seconds
	CPU     float64 // seconds, of the child and of what it started
	RSS     float64 // MB
	Streams int
}

func (b *bed) firstLoad(ctx context.Context) (sample, error) {
	ours, err := b.child(ctx, job{Profile: b.profileOf("first-load")})
	if err != nil {
		return sample{}, err
	}
	b.rss = append(b.rss, ours.RSS)
	floor, err := b.child(ctx, job{Floor: true})
	return sample{ours.Load, floor.Load, ours.CPU, floor.CPU}, err
}

// resident takes what the children of first-load told, where there were any.
func (b *bed) resident(ctx context.Context) (sample, error) {
	if len(b.rss) == 0 {
		r, err := b.child(ctx, job{Profile: b.profileOf("rss")})
		return sample{towpath: r.RSS}, err
	}
	rss := b.rss[0]
	b.rss = b.rss[1:]
	return sample{towpath: rss}, nil
}

func (b *bed) child(ctx context.Context, j job) (result, error) {
	cache, err := os.MkdirTemp(b.dir, "cache-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(cache)
	j.URL, j.Dir, j.Streams, j.Cache = b.url, b.dir, b.streams, filepath.Join(cache, "it")
	arg, err := json.Marshal(j)
	if err != nil {
		return result{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, self, childName, string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("the process that loads: %w", err)
	}
	var r result
	err = json.Unmarshal(out, &r)
	if err == nil && r.Streams != b.streams {
		err = fmt.Errorf("%d streams were loaded, not %d", r.Streams, b.streams)
	}
	return r, err
}

// child is what runs in the child.
func child(ctx context.Context, args []string, out io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return err
	}
	do := j.towpath
	if j.Floor {
		do = j.floor
	}
	res, err := do(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(res)
}

// towpath loads as the daemon does, and walks on for a while.
func (j job) towpath(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	res.Load, err = timed(func() error { return pass(ctx, r) })
	stop()
	if err != nil {
		return res, err
	}
	res.CPU, res.Streams = cpu(), len(r.Catalog().Streams)
	repo := repo{j.Dir, j.Streams}
	for i := range passesAfterLoad {
		if i%2 == 0 {
			if err := repo.commit(ctx, repo.path(), "main", []int{i}, fmt.Sprint("beside ", time.Now().UnixNano())); err != nil {
				return res, err
			}
		}
		if err := pass(ctx, r); err != nil {
			return res, err
		}
	}
	if res.RSS, err = residentMB(); err == nil && j.Profile != "" {
		err = heapProfile(strings.TrimSuffix(j.Profile, ".pprof") + "-heap.pprof")
	}
	runtime.KeepAlive(r)
	return res, err
}

// heapProfile tells what memory is held for.
func heapProfile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}

const passesAfterLoad = 10

// open is a Reconciler as the daemon makes one; no registry may be asked.
func open(ctx context.Context, url, cache string) (*reconcile.Reconciler, error) {
	store, err := gogit.Open(ctx, gogit.Options{Repo: url, CacheDir: cache})
	if err != nil {
		return nil, err
	}
	return &reconcile.Reconciler{
		Store: store, Branch: "main", Reader: nobody{},
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

// residentMB is the memory that this process holds now.
func residentMB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmRSS")
}

// cpu is what this process has used, and the children that it waited for.
func cpu() (seconds float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			seconds += time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
		}
	}
	return seconds
}

// floor clones by git, and decodes what git prints on every processor.
func (j job) floor(ctx context.Context) (res result, err error) {
	repo := repo{j.Dir, j.Streams}
	res.Load, err = timed(func() error {
		if _, err := repo.git(ctx, nil, "clone", "-q", "--bare", "--depth", "1", "--branch", "main", j.URL, j.Cache); err != nil {
			return err
		}
		res.Streams, err = repo.decodeAll(ctx, j.Cache)
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
