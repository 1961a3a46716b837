package integrated

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/towpath/towpath/registry"
)

// serveBlob answers GET and HEAD of a blob. A HEAD fetches nothing: it says what the manifest
// says that names the blob.
func (p *puller) serveBlob(w http.ResponseWriter, req *http.Request, repository, ref string) {
	from, err := p.lenderOfBlob(req.Context(), repository, digest.Digest(ref))
	if err != nil {
		p.refuse(w, pullOf{repository, ref, "BLOB_UNKNOWN"}, err)
		return
	}
	p.blobOf(w, req, cmp.Or(from, repository), ref)
}

// blobOf is serveBlob of the repository that has it.
func (p *puller) blobOf(w http.ResponseWriter, req *http.Request, repository, ref string) {
	ctx, of := req.Context(), pullOf{repository, ref, "BLOB_UNKNOWN"}
	dgst := digest.Digest(ref)
	first, err := p.wanted(ctx, repository, dgst)
	switch {
	case err != nil:
		p.refuse(w, of, err)
	case first == nil:
		p.passBlob(w, req, of)
	case req.Method == http.MethodHead:
		blobHeader(w, dgst, first.size)
		w.WriteHeader(http.StatusOK)
	default:
		p.stream(w, req, of, dgst, *first)
	}
}

// passBlob lets distribution answer. Who asks by HEAD is about to push: what it is told of stays
// for a while, and it is told nothing while garbage is being collected. What is not there is not kept
// in mind: it would push out what is.
func (p *puller) passBlob(w http.ResponseWriter, req *http.Request, of pullOf) {
	if req.Method == http.MethodHead {
		if err := p.Hold.share(req.Context()); err != nil {
			p.refuse(w, of, err)
			return
		}
		defer p.Hold.leave()
		told := &notedWriter{ResponseWriter: w}
		defer func() {
			if told.status < http.StatusBadRequest {
				p.Hold.seen(digest.Digest(of.ref)) // before the hold is left
			}
		}()
		w = told
	}
	p.pass(w, req, of.repository, "blobs/"+of.ref)
}

// wanted is where a blob is to be fetched first that is on record, and not in storage; nil
// where it is either there or none of ours. That another repository has it makes no
// difference: a manifest can name any digest, so naming one gives no right to it.
func (p *puller) wanted(ctx context.Context, repository string, dgst digest.Digest) (*pullSource, error) {
	if p.Guide == nil || p.Fetcher == nil || dgst.Validate() != nil || dgst.Algorithm() != digest.SHA256 {
		return nil, nil
	}
	r, err := p.repository(ctx, repository)
	if err != nil {
		return nil, err
	}
	if held, err := holdsBlob(ctx, r, dgst); held || err != nil {
		return nil, err
	}
	named, err := p.names.of(ctx, p, repository, dgst)
	if err != nil {
		return nil, err
	}
	for from, err := range p.sources(ctx, repository, named) {
		return &from, err
	}
	return nil, nil
}

func holdsBlob(ctx context.Context, r distribution.Repository, dgst digest.Digest) (bool, error) {
	_, err := r.Blobs(ctx).Stat(ctx, dgst)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return false, nil
	}
	return err == nil, err
}

func blobHeader(w http.ResponseWriter, dgst digest.Digest, size int64) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Docker-Content-Digest", string(dgst))
	h.Set("Etag", `"`+string(dgst)+`"`)
	h.Set("Cache-Control", "max-age=31536000")
}

// stream serves a blob while it is being stored.
func (p *puller) stream(w http.ResponseWriter, req *http.Request, of pullOf, dgst digest.Digest, first pullSource) {
	ctx := req.Context()
	flight, err := p.fly(ctx, of.repository, dgst, first)
	if errors.Is(err, errTooManyPulls) || errors.Is(err, errPullsClosed) {
		w.Header().Set("Retry-After", "5")
		writePullError(w, http.StatusServiceUnavailable, "UNAVAILABLE", err.Error()+": pull again in a moment")
		return
	}
	if err != nil {
		p.refuse(w, of, err)
		return
	}
	defer flight.leave()
	started, err := flight.copyTo(ctx, w, func(size int64) {
		blobHeader(w, dgst, size)
		w.WriteHeader(http.StatusOK)
	})
	switch {
	case err == nil:
	case started:
		panic(http.ErrAbortHandler) // the client must see that it is not whole
	default:
		p.refuse(w, of, err)
	}
}

// fly joins the flight of a blob.
func (p *puller) fly(ctx context.Context, repository string, dgst digest.Digest, first pullSource) (*pullFlight, error) {
	namespace, _, _ := strings.Cut(repository, "/")
	key := flightKey{repository + "@" + string(dgst), first.Repo.Host, namespace}
	return p.flights.join(ctx, key, p.Spool, func(ctx context.Context, f *pullFlight) error {
		err := p.fetchBlob(ctx, repository, dgst, f)
		if err != nil {
			p.Log.WarnContext(ctx, "a blob was not fetched", "repository", repository, "digest", dgst, "err", err)
		}
		return err
	})
}

// spared writes where there is room.
type spared struct {
	io.Writer
	room *room
}

func (s spared) Write(b []byte) (n int, err error) {
	err = s.room.write(int64(len(b)), func() (err error) {
		n, err = s.Writer.Write(b)
		return err
	})
	return n, err
}

// fetchBlob stores a blob, and writes it into a flight meanwhile. It asks one source after another
// until one has it; what breaks off has broken off.
func (p *puller) fetchBlob(ctx context.Context, repository string, dgst digest.Digest, f *pullFlight) error {
	named, err := p.names.of(ctx, p, repository, dgst)
	if err != nil {
		return err
	}
	var failed error
	for from, err := range p.sources(ctx, repository, named) {
		if err != nil {
			return err
		}
		content, err := p.openBlob(ctx, repository, dgst, from)
		if err == nil {
			defer content.Close()
			f.begin(from.size)
			d := v1.Descriptor{Digest: dgst, Size: from.size, MediaType: from.mediaType}
			err := p.keepBlob(ctx, repository, d, io.LimitReader(content, d.Size+1), spared{f, p.Room})
			return p.believe(err, repository, dgst, from)
		}
		failed = worse(failed, p.believe(err, repository, dgst, from))
	}
	if failed == nil { // its record went just now
		failed = &registry.Error{Kind: registry.NotFound, Ref: repository, Message: "the blob is on no record any more"}
	}
	return failed
}

// believe puts a source last whose blob is not what it says.
func (p *puller) believe(err error, repository string, dgst digest.Digest, from pullSource) error {
	if e := (*registry.Error)(nil); errors.As(err, &e) && e.Kind == registry.Invalid {
		p.names.doubt(repository, dgst, from.pullName)
	}
	return err
}

// openBlob asks one source.
func (p *puller) openBlob(ctx context.Context, repository string, dgst digest.Digest, from pullSource) (io.ReadCloser, error) {
	if from.size < 0 || p.MaxBlob > 0 && from.size > p.MaxBlob {
		return nil, &registry.Error{Kind: registry.Forbidden, Ref: repository, Message: "the blob is larger than limits.blob-size allows"}
	}
	content, size, err := p.Fetcher.Blob(ctx, from.Origin, string(dgst))
	if err != nil {
		return nil, err
	}
	if size >= 0 && size != from.size {
		content.Close()
		return nil, &registry.Error{Kind: registry.Invalid, Ref: from.String(), Message: "the blob is not of the size that its manifest says"}
	}
	return content, nil
}

// keepBlob stores what is read as a blob of a repository, or nothing at all. Where the namespace
// has no room, what is on record can still be pulled: it is passed on, and not kept.
func (p *puller) keepBlob(ctx context.Context, repository string, d v1.Descriptor, content io.Reader, w io.Writer) (err error) {
	namespace, _, _ := strings.Cut(repository, "/")
	if !p.Quota.take(namespace, d.Size) {
		p.Log.WarnContext(ctx, "a blob is not kept, as its namespace is full", "repository", repository, "digest", d.Digest)
		return copyBlob(repository, d, content, w)
	}
	defer p.Quota.giveBack(namespace, d.Size)
	r, err := p.repository(ctx, repository)
	if err != nil {
		return err
	}
	upload, err := r.Blobs(ctx).Create(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			upload.Cancel(context.WithoutCancel(ctx))
		}
	}()
	if err := copyBlob(repository, d, content, io.MultiWriter(upload, w)); err != nil {
		return err
	}
	if err := p.Hold.share(ctx); err != nil {
		return err
	}
	defer p.Hold.leave()
	if _, err = upload.Commit(ctx, d); err == nil {
		p.Quota.note(change{repository: repository, digest: string(d.Digest), size: d.Size})
	}
	return err
}

// copyBlob copies what is of the size and the digest. Distribution checks both, too, but leaves
// behind what it refused.
func copyBlob(repository string, d v1.Descriptor, content io.Reader, w io.Writer) error {
	sum := d.Digest.Verifier()
	n, err := io.Copy(io.MultiWriter(sum, w), content)
	switch {
	case err != nil:
		return err
	case n != d.Size:
		return &registry.Error{Kind: registry.Invalid, Ref: repository, Message: "the blob is not of the size that its manifest says"}
	case !sum.Verified():
		return &registry.Error{Kind: registry.Invalid, Ref: repository, Message: "the blob is not the one that was asked for"}
	}
	return nil
}
