package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/counter"
)

// A push to the registry, until the one site that follows its tag has the image: what the daemon
// does between, against the bare steps.

const (
	pushedTo     = "pushed/web" // of the registry: a namespace and a stream
	pushedTag    = "live"
	pushedStream = "pushed/web.yaml"
	pushedSite   = "pushed/app.yaml"

	pushedRepo   = 1000 // files
	pushesOfEach = 40
	// betweenPushes is more than the daemon waits after it was woken, to be woken again: each
	// push wakes it at once, and nothing has to be subtracted.
	betweenPushes = 150 * time.Millisecond
)

const pushedFile = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  namespace: pushed
  annotations:
    image.openshift.io/triggers: |-
      [{"from":{"kind":"ImageStreamTag","name":"web:live"},"fieldPath":"spec.template.spec.containers[?(@.name==\"main\")].image"}]
spec:
  selector:
    matchLabels: {app: app}
  template:
    metadata:
      labels: {app: app}
    spec:
      containers:
        - name: main
          image: registry.example.com/pushed/web
`

// pushedFleet is a repository of 1,000 files in which nothing but one site follows what is pushed.
func (b *bed) pushedFleet(ctx context.Context) (fleet, error) {
	r := repo{Dir: b.Dir, Name: "pushed.git", Size: max(2, b.scaled(pushedRepo/5)), Seed: seed{History: history, Tags: fleetTags}}
	f := fleet{repo: r, Files: max(1, b.scaled(pushedRepo)-r.Size-3), Movers: 1}
	return f, b.grown(ctx, f, func(yield func(string, []byte) bool) {
		_ = yield(".towpath.yaml", []byte("version: 1\nregistry:\n  host: registry.example.com\n")) &&
			yield(pushedStream, []byte("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: web\n  namespace: pushed\n")) &&
			yield(pushedSite, []byte(pushedFile))
	})
}

func (b *bed) pushed(ctx context.Context) (sample, error) {
	f, err := b.pushedFleet(ctx)
	if err != nil {
		return sample{}, err
	}
	_, err = b.child(ctx, job{Do: "pushed", Repo: f.repo, Rounds: max(2, b.scaled(pushesOfEach)), Profile: b.profileOf("pushed")})
	return sample{}, err
}

func (j job) pushed(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	if err := pass(ctx, r); err != nil {
		return res, err
	}
	if got := len(r.Catalog().Streams); got != j.Repo.Size+1 {
		return res, fmt.Errorf("%d streams were loaded, not %d", got, j.Repo.Size+1)
	}
	beside := filepath.Dir(j.Cache)
	d, err := dockOf(ctx, filepath.Join(beside, "registry"), counter.Guide{Reconciler: r})
	if err != nil {
		return res, err
	}
	defer d.close()
	p := &pushes{job: j, dock: d, clone: filepath.Join(beside, "native.git"), landed: make(chan time.Time, 1), passed: make(chan reconcile.Report, 1)}
	if _, err := j.Repo.git(ctx, nil, "clone", "-q", "--bare", "--depth", "1", "--branch", "native", j.URL, p.clone); err != nil {
		return res, err
	}
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	defer stop()
	s, err := p.run(ctx, r)
	return result{Streams: j.Repo.Size, Told: map[string]sample{"pushed": s}}, err
}

// pushes are what is pushed one after another, to a daemon that runs.
type pushes struct {
	job
	dock   *dock
	clone  string                // git's own
	landed chan time.Time        // when a commit with the site was on the branch
	passed chan reconcile.Report // of those that committed something, or failed
}

func (p *pushes) run(ctx context.Context, r *reconcile.Reconciler) (sample, error) {
	r.Poll = 30 * time.Second
	r.Store = landing{r.Store, p.landed}
	r.Passed = func(rep reconcile.Report) {
		if rep.Err != nil || len(rep.Bad()) > 0 || len(rep.Commits) > 0 {
			p.passed <- rep
		}
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	var ours, floors []float64
	var failed error
	for n := range p.Rounds {
		one, floor, err := p.one(ctx, n)
		if failed = err; failed != nil {
			break
		}
		ours, floors = append(ours, one), append(floors, floor)
	}
	cancel()
	if err := errors.Join(failed, <-ended); err != nil {
		return sample{}, err
	}
	last, lastFloor := p99(ours), p99(floors) // and sorted
	middle := (len(ours) - 1) / 2
	return sample{
		Towpath: ours[middle], Floor: floors[middle],
		Note: fmt.Sprintf("%d pushes: p50 %s, p99 %s; the bare steps' p99 %s", len(ours), seconds.text(ours[middle]), seconds.text(last), seconds.text(lastFloor)),
	}, nil
}

// one pushes an image, and does the bare steps that come to the same.
func (p *pushes) one(ctx context.Context, n int) (ours, floor float64, err error) {
	image := pictureOf(fmt.Append(nil, "layer ", n, " of ", p.Cache))
	if err := p.dock.blobs(ctx, pushedTo, image); err != nil {
		return 0, 0, err
	}
	if err := p.dock.link(ctx, pushedTo, pushedTag, image); err != nil {
		return 0, 0, err
	}
	taken := time.Now()
	if ours, err = p.follows(ctx, taken); err != nil {
		return 0, 0, err
	}
	record, err := p.Repo.git(ctx, nil, "-C", p.Repo.path(), "show", "main:"+pushedStream)
	if err != nil {
		return 0, 0, err
	}
	site, err := p.Repo.git(ctx, nil, "-C", p.Repo.path(), "show", "main:"+pushedSite)
	if err != nil {
		return 0, 0, err
	}
	floor, err = timed(func() error { return p.bare(ctx, record, site) })
	time.Sleep(time.Until(taken.Add(betweenPushes)))
	return ours, floor, err
}

// follows waits until a push has moved its site, and for the end of that pass.
func (p *pushes) follows(ctx context.Context, taken time.Time) (after float64, err error) {
	select {
	case rep := <-p.passed:
		err = cmp.Or(rep.Err, errors.New("nothing followed"))
		select {
		case at := <-p.landed: // before it
			return at.Sub(taken).Seconds(), ended(rep)
		default:
		}
		if len(rep.Bad()) > 0 {
			err = fmt.Errorf("a problem: %v", rep.Bad()[0])
		}
	case <-time.After(time.Minute):
		err = errors.New("a push has moved nothing after a minute")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return 0, err
}

// ended is the error of a pass that should have ended with a move.
func ended(rep reconcile.Report) error {
	n := len(rep.Commits)
	if rep.Err == nil && (n == 0 || rep.Commits[n-1].Kind != reconcile.TriggerCommit) {
		return errors.New("nothing followed")
	}
	return rep.Err
}

// bare is what has to be done at least.
func (p *pushes) bare(ctx context.Context, record, site string) error {
	head := exec.CommandContext(ctx, "curl", "-sfI", "-o", "/dev/null", "-H", "Authorization: Bearer "+p.dock.token, "-H", "Accept: "+pictureType,
		p.dock.url+"/v2/"+pushedTo+"/manifests/"+pushedTag)
	if err := head.Run(); err != nil {
		return fmt.Errorf("curl: %w", err)
	}
	of := func(path, text string) revision {
		return func(yield func(string, []byte) bool) { yield(path, []byte(text)) }
	}
	if err := p.Repo.write(ctx, p.clone, "native", true, of(pushedStream, record), of(pushedSite, site)); err != nil {
		return err
	}
	_, err := p.Repo.git(ctx, nil, "-C", p.clone, "push", "-q", "origin", "native")
	return err
}

// landing is a Store that tells when the site was pushed.
type landing struct {
	gitstore.Store
	landed chan<- time.Time
}

func (s landing) Push(ctx context.Context, branch string, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	tip, err := s.Store.Push(ctx, branch, base, chain...)
	moves := func(c gitstore.Commit) bool {
		return slices.ContainsFunc(c.Edits, func(e gitstore.Edit) bool { return e.Path == pushedSite })
	}
	if err == nil && slices.ContainsFunc(chain, moves) {
		s.landed <- time.Now()
	}
	return tip, err
}
