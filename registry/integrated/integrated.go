// Package integrated is a container registry in the process: an http.Handler over
// the CNCF distribution project's own handlers, with its blobs in a directory or
// in memory. It knows neither streams nor Git; whoever serves it decides on
// addresses, TLS and who may come in.
package integrated

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/distribution/distribution/v3/registry/handlers"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/sirupsen/logrus"

	"github.com/towpath/towpath/registry"
)

// Options of a Registry.
type Options struct {
	Storage     string        // directory of the blobs, made when it is missing; empty keeps them in memory
	Driver      *Driver       // in place of a directory: storage that is elsewhere
	KeepFree    int64         // bytes of a directory's volume that no push uses up
	UploadsKept time.Duration // how long an upload is kept that nobody goes on with; zero is 7 days
	Guide       Guide         // nil stands alone: no push waits for anybody
	Rules       *Rules        // who may do what; nil: everybody everything
	Fetcher     Fetcher       // what the guide has on record is read with it; nil fetches nothing
	Logger      *slog.Logger  // nil says nothing
}

// A Registry serves the OCI distribution API: push, pull, tags, deletion. What it answered
// stays so: of a directory it is on the disk by then, not only on its way there. Without
// Rules it asks nobody who they are. It answers with relative locations only (what a proxy's
// X-Forwarded headers claim is not used). It is the Arrivals of what is pushed to it.
type Registry struct {
	app      *handlers.App
	stored   http.Handler                // app, answering 507 where its storage is full
	arrivals *arrivals                   // nil without a Guide
	gate     *gate                       // nil: everything is let through
	driver   storagedriver.StorageDriver // what app stores with, for whoever looks at storage beside it
	hold     *pushHold                   // keeps what links something from what deletes
	pulls    *puller
	prunes   *pruner
	changes  locks // of a repository, while a manifest of it is pushed or something deleted
	room     *room // of the storage; nil is without end
	keep     int64 // bytes of it that stay free
	tell     *slog.Logger
	said     *seldom
	counts   counts
	stay     stay   // of requests
	unlock   func() // of the storage
	loop     string // what our own fetches call themselves; empty: nothing
	log      *logrus.Entry
	cleaning func() // ends what goes on in the background, and waits for it
}

// New opens a registry, which lives until Close; the context is for opening the
// storage. The error is about the storage, or a file that the rules name: these are looked at first, so
// that what does not open leaves no directory behind.
func New(ctx context.Context, o Options) (*Registry, error) {
	if o.Rules != nil {
		if _, err := newPeople(o.Rules.UsersFile, o.Rules.Tokens, time.Now(), slog.New(slog.DiscardHandler)); err != nil {
			return nil, fmt.Errorf("registry: %w", err)
		}
	}
	s, err := openStorage(ctx, o)
	if err != nil {
		return nil, err
	}
	unlock, err := lockStorage(o.Storage)
	if err != nil {
		return nil, err
	}
	r, err := open(ctx, o, s)
	if err != nil {
		unlock()
		return nil, err
	}
	r.unlock = unlock
	return r, nil
}

func open(ctx context.Context, o Options, s storage) (r *Registry, err error) {
	r = &Registry{
		log: newEntry(o.Logger), tell: o.Logger, said: newSeldom(), keep: o.KeepFree,
		hold: newPushHold(), changes: locks{held: map[string]*held{}}, unlock: func() {},
	}
	if r.tell == nil {
		r.tell = slog.New(slog.DiscardHandler)
	}
	s.StorageDriver = newHashes(r.roomy(o, s))
	r.warnOfRoom()
	if o.Guide != nil {
		a, unread, err := openArrivals(ctx, s.StorageDriver, s.alone)
		if err != nil {
			return nil, fmt.Errorf("registry storage: what waits to be recorded: %w", err)
		}
		if unread != nil {
			r.log.WithField("err.detail", unread).Error("pushes that wait cannot be read; push these tags again, and remove the files")
		}
		r.arrivals, s.StorageDriver = a, marking{s.StorageDriver, a}
	}
	s.StorageDriver = untagging{s.StorageDriver}
	// NewApp panics where its configuration does not serve.
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("registry storage %s: %v", o.Storage, p)
		}
	}()
	r.app = handlers.NewApp(logged{ctx, r.log}, configured(s.StorageDriver))
	r.driver, r.stored = s.StorageDriver, closing(r.roomed(r.app))
	if err := r.beside(logged{ctx, r.log}, o); err != nil {
		return nil, fmt.Errorf("registry storage: %w", err)
	}
	if o.Rules != nil {
		if r.gate, err = newGate(*o.Rules, o.Guide, r, r.driver, http.HandlerFunc(r.serve), o.Logger); err != nil {
			r.pulls.Close()
			return nil, errors.Join(err, r.app.Shutdown())
		}
		r.gate.keep, r.gate.bring = o.KeepFree, r.bring
		r.gate.remark()
		if r.arrivals != nil {
			r.gate.waiting, r.gate.awaits = r.Waiting, r.awaits
		}
		r.pulls.Quota, r.pulls.Stored = r.gate.quota, r.gate.catalog.note
	}
	r.cleaning = r.clean(s, time.Now().Add(-cmp.Or(o.UploadsKept, keepUploads)))
	return r, nil
}

// beside opens what reads and deletes beside distribution's handlers.
func (r *Registry) beside(ctx context.Context, o Options) (err error) {
	pulls := pullOptions{Next: r.stored, Guide: o.Guide, Fetcher: o.Fetcher, Hold: r.hold, Room: r.room, Log: o.Logger}
	if o.Rules != nil {
		pulls.MaxBlob = o.Rules.Limits.orDefault().BlobSize
	}
	if f, ok := o.Fetcher.(interface{ LoopID() string }); ok {
		r.loop = f.LoopID()
	}
	if o.Storage != "" {
		pulls.Spool = filepath.Join(o.Storage, scratch)
	}
	var waiting func(context.Context) ([]registry.Arrival, error)
	if r.arrivals != nil {
		waiting = r.Waiting
		pulls.Waiting = func(ctx context.Context, repository, tag string) bool {
			return r.arrivals.isOwn(ctx, tagName{repository, tag}, time.Now())
		}
	}
	if r.pulls, err = newPuller(ctx, r.driver, pulls); err != nil {
		return err
	}
	r.prunes, err = newPruner(ctx, r.driver, r.hold, waiting)
	return err
}

// roomy is the storage's driver, writing no more than leaves free what is to be.
func (r *Registry) roomy(o Options, s storage) storagedriver.StorageDriver {
	if o.KeepFree > 0 && s.free != nil {
		r.room = &room{keep: o.KeepFree, free: s.free}
	}
	return roomy{s.StorageDriver, r.room}
}

// clean removes in the background what other processes left; the result ends that.
func (r *Registry) clean(s storage, before time.Time) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.count(ctx)
		removed, err := s.clean(ctx, before)
		if err != nil && ctx.Err() == nil {
			r.log.WithField("err.detail", err).Error("what earlier uploads left cannot all be removed; the next start tries again")
		}
		if removed > 0 {
			r.log.WithField("err.detail", removed).Debug("removed what earlier uploads left")
		}
	}()
	return func() { cancel(); <-done }
}

// ServeHTTP answers one request of the distribution API.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !r.stay.enter() {
		refuse(http.StatusServiceUnavailable, "UNAVAILABLE", "the registry is ending; try again in a moment").write(w)
		return
	}
	defer r.stay.leave()
	r.counts.counted(w, req, r.enter)
}

// enter is where a request comes in.
func (r *Registry) enter(w http.ResponseWriter, req *http.Request) {
	if isLoop(req.Header, r.loop) {
		refuse(http.StatusLoopDetected, "UNAVAILABLE", "this registry asked itself, under another name; write registry: host: in .towpath.yaml as streams name it").write(w)
		return
	}
	if len(loopOf(req)) > maxLoop {
		refuse(http.StatusLoopDetected, "UNAVAILABLE", "too many registries fetch this from one another; ask the one that it was pushed to").write(w)
		return
	}
	if r.gate != nil {
		r.gate.ServeHTTP(w, req)
		return
	}
	r.serve(w, req.WithContext(withReach(registry.WithLoop(req.Context(), loopOf(req)), func(string) bool { return true })))
}

// serve answers what is let through.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	ctx := excusable(req.Context())
	r.answer(w, req.WithContext(logged{ctx, r.log.WithContext(ctx)}))
}

// Close ends the registry: no request is answered any more. It waits for none that is under way; while
// one is, other processes stay kept from the storage. Distribution leaves one goroutine behind, that
// of its notifications, which holds nothing; a process opens one registry.
func (r *Registry) Close() error {
	if !r.stay.enter() {
		return nil
	}
	defer r.stay.leave()
	r.stay.close(r.unlock)
	r.pulls.Close()
	r.prunes.close()
	r.cleaning()
	return r.app.Shutdown()
}
