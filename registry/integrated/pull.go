package integrated

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/distribution/distribution/v3"
	blobs "github.com/distribution/distribution/v3/registry/storage"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/singleflight"

	"github.com/towpath/towpath/registry"
)

// A puller answers what is read: manifests, blobs and lists of tags. What storage lacks
// and the guide has on record it fetches, keeps, and serves while it comes. Who may read a
// repository was decided before it is asked; it looks into another repository only where the
// record says that an image is from there, and who asks may pull there, too.
type puller struct {
	pullOptions
	store    distribution.Namespace
	flights  pullFlights
	names    pullNames
	manifest singleflight.Group // of manifests that are fetched
}

// pullOptions of a puller.
type pullOptions struct {
	Next    http.Handler // distribution's app, over the same storage
	Guide   Guide        // nil: storage alone answers
	Fetcher Fetcher      // nil: nothing is fetched
	// Waiting says whether a push of a tag waits among the arrivals; nil: none does.
	Waiting func(ctx context.Context, repository, tag string) bool
	Hold    *pushHold               // is taken, shared, to store what was fetched
	Room    *room                   // of the volume that blobs are on their way on; nil is without end
	Quota   *quota                  // what is kept counts for it; nil: any
	Stored  func(repository string) // hears where a manifest was stored; nil: nobody does
	MaxBlob int64                   // bytes of a blob that is fetched; 0: any size
	Spool   string                  // directory for blobs that are on their way; empty: that of the system
	Log     *slog.Logger
}

// newPuller makes a puller over a storage.
func newPuller(ctx context.Context, driver storagedriver.StorageDriver, o pullOptions) (*puller, error) {
	store, err := blobs.NewRegistry(ctx, driver)
	if err != nil {
		return nil, err
	}
	if o.Waiting == nil {
		o.Waiting = func(context.Context, string, string) bool { return false }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Hold == nil {
		o.Hold = newPushHold()
	}
	if o.Stored == nil {
		o.Stored = func(string) {}
	}
	if o.Quota == nil {
		o.Quota = newQuota(0)
	}
	return &puller{pullOptions: o, store: store, flights: pullFlights{wait: flightWait, grace: flightGrace}}, nil
}

// Close ends what is being fetched.
func (p *puller) Close() { p.flights.close() }

// serveManifest answers GET and HEAD of a manifest, by tag or digest.
func (p *puller) serveManifest(w http.ResponseWriter, req *http.Request, repository, ref string) {
	ctx := req.Context()
	if _, err := digest.Parse(ref); err != nil {
		recorded, err := p.recorded(ctx, repository, ref)
		if err != nil {
			p.refuse(w, pullOf{repository, ref, ""}, err)
			return
		}
		if recorded == "" {
			p.pass(w, req, repository, "manifests/"+ref)
			return
		}
		ref = recorded
	}
	if p.Guide != nil {
		at, err := p.findManifest(ctx, repository, digest.Digest(ref))
		if err != nil {
			p.refuse(w, pullOf{repository, ref, "MANIFEST_UNKNOWN"}, err)
			return
		}
		repository = at
	}
	p.pass(w, req, repository, "manifests/"+ref)
}

// recorded is what a tag is on record; empty where storage's own link says it: where nobody
// records, where the tag is on no record, and where a push of it waits to be recorded. Between the
// mark of a push and its link, that is the one before, if it still waits: nobody heard 201 of the new
// one yet.
func (p *puller) recorded(ctx context.Context, repository, tag string) (string, error) {
	if p.Guide == nil || p.Waiting(ctx, repository, tag) {
		return "", nil
	}
	tags, err := p.Guide.Tags(ctx, repository)
	return tags[tag], err
}

// pass lets distribution answer, from storage.
func (p *puller) pass(w http.ResponseWriter, req *http.Request, repository, what string) {
	to := req.Clone(req.Context())
	to.URL.Path, to.URL.RawPath = "/v2/"+repository+"/"+what, ""
	to.RequestURI = to.URL.RequestURI()
	p.Next.ServeHTTP(w, to)
}

// bringManifest sees to it that a manifest on record is in storage. What is on no record is
// left to storage.
func (p *puller) bringManifest(ctx context.Context, repository string, dgst digest.Digest) error {
	manifests, err := p.manifests(ctx, repository)
	if err != nil {
		return err
	}
	held, err := manifests.Exists(ctx, dgst)
	if err != nil {
		return err
	}
	if held {
		return p.learnHeld(ctx, repository, dgst)
	}
	if p.Fetcher == nil {
		return nil
	}
	done := p.manifest.DoChan(repository+"@"+string(dgst), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		return nil, p.fetchManifest(ctx, repository, dgst)
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// learnHeld makes the names of a manifest known that another process may have stored.
func (p *puller) learnHeld(ctx context.Context, repository string, dgst digest.Digest) error {
	if p.Fetcher == nil || p.names.has(repository, dgst) {
		return nil
	}
	manifests, err := p.manifests(ctx, repository)
	if err != nil {
		return err
	}
	m, err := manifests.Get(ctx, dgst)
	if err != nil {
		return nil //nolint:nilerr // distribution says what is wrong with it
	}
	return p.names.add(ctx, p, repository, dgst, m)
}

func (p *puller) fetchManifest(ctx context.Context, repository string, dgst digest.Digest) error {
	origins, err := p.origins(ctx, repository, dgst)
	if err != nil || len(origins) == 0 {
		return err
	}
	if dgst.Algorithm() != digest.SHA256 {
		return answered{refuse(http.StatusNotFound, "MANIFEST_UNKNOWN", repository+"@"+string(dgst)+" is on record by sha512, and this registry keeps images by sha256 only: pull it from where its status says it is from, with referencePolicy Source")}
	}
	var failed error
	for _, from := range origins {
		m, err := p.askManifest(ctx, from, dgst)
		if err == nil {
			return p.keepManifest(ctx, repository, dgst, m)
		}
		p.Log.WarnContext(ctx, "a manifest was not fetched", "repository", repository, "digest", dgst, "err", err)
		failed = worse(failed, err)
	}
	return failed
}

// askManifest is a manifest as its origin has it. Its bytes are looked at again: nothing
// else than what is on record gets into storage, whoever fetched it.
func (p *puller) askManifest(ctx context.Context, from registry.Origin, dgst digest.Digest) (distribution.Manifest, error) {
	mediaType, content, err := p.Fetcher.Manifest(ctx, from, string(dgst))
	if err != nil {
		return nil, err
	}
	if digest.FromBytes(content) != dgst {
		return nil, &registry.Error{Kind: registry.Invalid, Ref: from.String(), Message: "the manifest is not the one that was asked for"}
	}
	m, _, err := distribution.UnmarshalManifest(mediaType, content)
	if err != nil {
		return nil, &registry.Error{Kind: registry.Invalid, Ref: from.String(), Message: "the manifest is not well formed", Err: err}
	}
	return m, nil
}

// keepManifest stores a manifest as one that was pushed by its digest. Its layers come
// when somebody asks for them.
func (p *puller) keepManifest(ctx context.Context, repository string, dgst digest.Digest, m distribution.Manifest) error {
	if err := p.Hold.share(ctx); err != nil {
		return err
	}
	defer p.Hold.leave()
	if err := p.names.add(ctx, p, repository, dgst, m); err != nil {
		return err
	}
	manifests, err := p.manifests(ctx, repository, blobs.SkipLayerVerification())
	if err != nil {
		return err
	}
	if _, err = manifests.Put(ctx, m); err != nil {
		return err
	}
	p.Stored(repository)
	_, content, err := m.Payload()
	p.Quota.note(change{repository: repository, digest: string(dgst), size: int64(len(content))})
	return err
}

// origins are where an image can be fetched: of the image itself, or of one on record that
// names it, as a list names its children.
func (p *puller) origins(ctx context.Context, repository string, dgst digest.Digest) ([]registry.Origin, error) {
	origins, err := p.Guide.Origins(ctx, repository, string(dgst))
	if err != nil || len(origins) > 0 {
		return origins, err
	}
	named, err := p.names.of(ctx, p, repository, dgst)
	if err != nil {
		return nil, err
	}
	var all []registry.Origin
	for from, err := range p.sources(ctx, repository, named) {
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, from.Origin) {
			all = append(all, from.Origin)
		}
	}
	return all, nil
}

// maxNested is how deep a list on record is looked into: lists of lists of images. maxSources is how
// many places are asked for one thing, and maxNamers how many manifests that name it are looked up.
const (
	maxNested  = 3
	maxSources = 8
	maxNamers  = 200
)

// A pullSource is where a thing can be fetched, and what the manifest from there says of it.
type pullSource struct {
	registry.Origin
	pullName
}

// sources are those of the images that name a thing, in order. A manifest speaks for its own
// origins alone. They are looked up as they are wanted: the first mostly has it.
func (p *puller) sources(ctx context.Context, repository string, named []pullName) iter.Seq2[pullSource, error] {
	return func(yield func(pullSource, error) bool) {
		var told []pullSource
		looked := 0
		var walk func(named []pullName, below *pullName, deep int) bool
		walk = func(named []pullName, below *pullName, deep int) bool {
			for _, name := range named {
				if looked++; looked > maxNamers {
					return false
				}
				says := name
				if below != nil {
					says = *below
				}
				origins, err := p.Guide.Origins(ctx, repository, string(name.by))
				if err != nil {
					yield(pullSource{}, err)
					return false
				}
				for _, from := range origins {
					s := pullSource{from, says}
					same := func(t pullSource) bool { return t.Origin == s.Origin && t.size == s.size }
					if slices.ContainsFunc(told, same) {
						continue
					}
					if told = append(told, s); len(told) > maxSources || !yield(s, nil) {
						return false
					}
				}
				if len(origins) > 0 || deep == 0 {
					continue
				}
				above, err := p.names.of(ctx, p, repository, name.by)
				if err != nil {
					yield(pullSource{}, err)
					return false
				}
				if !walk(above, &says, deep-1) {
					return false
				}
			}
			return true
		}
		walk(named, nil, maxNested)
	}
}

func (p *puller) repository(ctx context.Context, name string) (distribution.Repository, error) {
	named, err := reference.WithName(name)
	if err != nil {
		return nil, err
	}
	return p.store.Repository(ctx, named)
}

func (p *puller) manifests(ctx context.Context, repository string, o ...distribution.ManifestServiceOption) (distribution.ManifestService, error) {
	r, err := p.repository(ctx, repository)
	if err != nil {
		return nil, err
	}
	return r.Manifests(ctx, o...)
}

// worse is the error to tell of two: of several origins the first one's, unless another
// may pass by itself.
func worse(first, then error) error {
	var a, b *registry.Error
	if first == nil || errors.As(first, &a) && errors.As(then, &b) && !a.Kind.Passing() && b.Kind.Passing() {
		return then
	}
	return first
}

// pullOf is what was asked for, to speak of it.
type pullOf struct {
	repository, ref string
	unknown         string // the code where it is not there
}

// refuse answers with an error. Clients hear what went wrong and whose move it is; where the
// image was fetched from, and what was said there, is in the log alone.
func (p *puller) refuse(w http.ResponseWriter, of pullOf, err error) {
	if why := (*Refusal)(nil); errors.As(err, &why) && why.Starting { // nothing is wrong: nothing was read yet
		admitted(why).write(w)
		return
	}
	p.Log.Warn("a pull was not answered", "repository", of.repository, "ref", of.ref, "err", err)
	var e *registry.Error
	var busy *pushesHeld
	var said answered
	switch {
	case errors.As(err, &said):
		said.write(w)
	case errors.As(err, &e):
		a := pullAnswerTo(e, of)
		if a.status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Round(time.Second)/time.Second))))
		}
		writePullError(w, a.status, a.code, a.message)
	case errors.As(err, &busy):
		busy.answer(w)
	case isFull(err):
		writePullError(w, http.StatusInsufficientStorage, "UNAVAILABLE", "the registry's storage is full, so what it does not have yet cannot be pulled through it: its operator can make room, by towpath prune or a larger volume")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		w.Header().Set("Retry-After", "5")
		writePullError(w, http.StatusServiceUnavailable, "UNAVAILABLE", "it was not fetched in time: pull again")
	default:
		writePullError(w, http.StatusInternalServerError, "UNKNOWN", "the registry's storage failed: its operator finds why in the log")
	}
}

type pullAnswer struct {
	status        int
	code, message string
}

// pullAnswerTo says what an error of the place where an image is on record means to who pulls it.
//
//	kind                          status
//	NotFound                      404
//	Unauthorized, Forbidden       403
//	RateLimited                   429, with Retry-After
//	the others                    502
func pullAnswerTo(e *registry.Error, of pullOf) pullAnswer {
	what := of.repository + "@" + of.ref + " is on record, and "
	if errors.Is(e, registry.ErrLoop) {
		return pullAnswer{http.StatusLoopDetected, "UNAVAILABLE", what + "it is said to be from this registry itself, by another name than its own: write registry: host: in .towpath.yaml as streams name it, and push the image"}
	}
	switch e.Kind {
	case registry.NotFound:
		return pullAnswer{http.StatusNotFound, of.unknown, what + "the registry that it is from has it no more: import the tag again, or push the image there"}
	case registry.Unauthorized, registry.Forbidden:
		return pullAnswer{http.StatusForbidden, "DENIED", what + "the registry that it is from does not give it: the operator of towpath names a credential for the namespace under credentials, and the log says which was used"}
	case registry.RateLimited:
		return pullAnswer{http.StatusTooManyRequests, "TOOMANYREQUESTS", what + "the registry that it is from was asked too much: pull again later"}
	case registry.Invalid:
		return pullAnswer{http.StatusBadGateway, "UNAVAILABLE", what + "the registry that it is from sent something else: nothing of it was kept; its operator must look"}
	case registry.TLS:
		return pullAnswer{http.StatusBadGateway, "UNAVAILABLE", what + "the registry that it is from shows no certificate that can be verified: the log of towpath says which authority to name"}
	}
	return pullAnswer{http.StatusBadGateway, "UNAVAILABLE", what + "the registry that it is from cannot be reached: pull again later; the log of towpath says more"}
}

// writePullError answers as distribution does.
func writePullError(w http.ResponseWriter, status int, code, message string) {
	type pullError struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string][]pullError{"errors": {{code, message}}}) //nolint:errchkjson // strings; and a client that is gone hears nothing
}
