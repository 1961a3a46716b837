package remote

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/registry"
)

// Manifest reads a manifest by its digest, on behalf of who has it on record. The bytes
// have the digest.
func (r *Reader) Manifest(ctx context.Context, from registry.Origin, digest string) (mediaType string, content []byte, err error) {
	type manifest struct {
		mediaType string
		content   []byte
	}
	ref := registry.Ref{Repo: from.Repo, Digest: digest}
	m, _, err := through(ctx, r, from.On, ref, ref.String, func(q *question, there registry.Ref) (m manifest, err error) {
		q.fetches = true
		m.mediaType, m.content, err = q.manifest(ctx, there)
		return m, err
	})
	return m.mediaType, m.content, err
}

func (q *question) manifest(ctx context.Context, ref registry.Ref) (mediaType string, content []byte, err error) {
	puller, repo, err := q.puller()
	if err != nil {
		return "", nil, err
	}
	desc, err := puller.Get(ctx, reference(repo, ref))
	if err != nil {
		return "", nil, getError(err, ref)
	}
	image, err := readManifest(desc.Manifest, string(desc.MediaType))
	if err != nil {
		return "", nil, invalid("the manifest is not well formed: "+err.Error(), nil)
	}
	return image.MediaType, desc.Manifest, nil
}

// Blob opens a blob, of the size, -1 where the registry says none. Its bytes come as they
// are read; who reads them to the end has read the blob, or an error. It is to be closed.
// The context is that of reading, too. What breaks off is not taken up again.
func (r *Reader) Blob(ctx context.Context, from registry.Origin, digest string) (content io.ReadCloser, size int64, err error) {
	ref := registry.Ref{Repo: from.Repo, Digest: digest}
	b, _, err := through(ctx, r, from.On, ref, ref.String, func(q *question, there registry.Ref) (*blob, error) {
		q.fetches = true
		return q.blob(ctx, there.Digest, ref.String())
	})
	if err != nil {
		return nil, 0, err
	}
	return b, b.size, nil
}

// blob asks for a blob. Of a registry's connections the blobs under way take a part only,
// so that questions find one.
func (q *question) blob(ctx context.Context, digest, name string) (*blob, error) {
	select {
	case q.gate.flows <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	leave := sync.OnceFunc(func() { <-q.gate.flows })
	b, err := q.open(ctx, digest)
	if err != nil {
		leave()
		return nil, err
	}
	b.leave, b.failed = leave, func(err error) error { return q.failed(err, name) }
	return b, nil
}

func (q *question) open(ctx context.Context, digest string) (*blob, error) {
	u := url.URL{Scheme: "https", Host: q.repo.Host, Path: "/v2/" + q.repo.Path + "/blobs/" + digest}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	q.flows = true
	resp, err := q.RoundTrip(req)
	if err != nil {
		var f *failure
		if errors.As(err, &f) && f.message == "not found" {
			f.message = "no such blob"
		}
		return nil, err
	}
	return &blob{body: resp.Body, size: resp.ContentLength, digest: digest, hash: hashLike(digest)}, nil
}

// hashLike is the algorithm of a digest.
func hashLike(digest string) hash.Hash {
	if strings.HasPrefix(digest, "sha512:") {
		return sha512.New()
	}
	return sha256.New()
}

// A blob is checked as it is read. It belongs to one goroutine.
type blob struct {
	body   io.ReadCloser
	size   int64
	digest string
	hash   hash.Hash
	leave  func()
	failed func(error) error // makes the Reader's error
	err    error             // how it ended
}

func (b *blob) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.body.Read(p)
	b.hash.Write(p[:n])
	switch {
	case err == io.EOF:
		b.err = b.ended()
	case err != nil:
		b.err = b.failed(err)
	}
	return n, b.err
}

// ended is the end of a blob whose bytes are all there.
func (b *blob) ended() error {
	algorithm, _, _ := strings.Cut(b.digest, ":")
	if sent := fmt.Sprintf("%s:%x", algorithm, b.hash.Sum(nil)); sent != b.digest {
		return b.failed(invalid("the blob is not the one that was asked for", fmt.Errorf("%s was sent for %s", sent, b.digest)))
	}
	return io.EOF
}

func (b *blob) Close() error {
	err := b.body.Close()
	b.leave()
	if b.err == nil {
		b.err = errors.New("the blob was closed")
	}
	return err
}

// flow makes one exchange whose answer, where it is a success, is read by whoever asked,
// for as long as bytes come.
func (w wire) flow(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(requestDeadline, func() { cancel(errDeadline) }) // for the head
	defer timer.Stop()

	resp, err := w.lane.transport(originOf(req.URL), w.insecure).RoundTrip(req.WithContext(ctx))
	if err != nil {
		defer cancel(nil)
		return nil, causeOf(ctx, schemeMismatch(err))
	}
	if resp.StatusCode == http.StatusOK {
		resp.Body = flowing(ctx, cancel, resp.Body)
		resp.Request = req
		return resp, nil
	}
	defer cancel(nil)
	defer resp.Body.Close()
	if err := w.keep(ctx, cancel, resp); err != nil {
		return nil, causeOf(ctx, err)
	}
	resp.Request = req
	return resp, nil
}

// A stream is a body that must keep coming while somebody waits for it: who reads slowly,
// or rests between two reads, is no fault of the registry's. It belongs to one goroutine.
type stream struct {
	body   io.ReadCloser
	cut    context.CancelCauseFunc // ends the exchange
	cause  func(error) error       // why it was cut, or the error
	silent *time.Timer

	waited time.Duration // in this window
	came   int           // bytes, in this window
}

func flowing(ctx context.Context, cut context.CancelCauseFunc, body io.ReadCloser) *stream {
	s := &stream{body: body, cut: cut, cause: func(err error) error { return causeOf(ctx, err) }}
	s.silent = time.AfterFunc(rateWindow, func() { cut(errDrip) })
	s.silent.Stop()
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	start := time.Now()
	s.silent.Reset(rateWindow)
	n, err := s.body.Read(p)
	s.silent.Stop()
	if s.waited, s.came = s.waited+time.Since(start), s.came+n; s.waited >= rateWindow {
		if s.came < minWindow && err == nil {
			s.cut(errDrip)
			return n, errDrip
		}
		s.waited, s.came = 0, 0
	}
	if err != nil && err != io.EOF {
		err = s.cause(err)
	}
	return n, err
}

func (s *stream) Close() error {
	s.silent.Stop()
	s.cut(nil)
	return s.body.Close()
}
