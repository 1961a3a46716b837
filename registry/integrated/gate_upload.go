package integrated

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	sessionKept  = time.Hour // an upload of which nothing is heard
	mostSessions = 10_000    // of all together
)

// sessions are the uploads under way. They end with the process, as the states do that
// distribution signs for its clients.
type sessions struct {
	most   int // of one principal
	mu     sync.Mutex
	open   map[string]*session // by distribution's id
	counts map[string]int      // by principal, with those that begin just now
	swept  time.Time
}

// A session is one upload. It belongs to who began it.
type session struct {
	id, owner, repository, namespace string
	size                             int64 // bytes that came
	used                             time.Time
	busy                             bool // a request is under way
}

func newSessions(most int) *sessions {
	return &sessions{most: most, open: map[string]*session{}, counts: map[string]int{}}
}

// reserve makes place for a session, and returns those that ended because nothing was heard.
func (s *sessions) reserve(owner string, now time.Time) (ended []*session, bad *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.swept) >= time.Minute {
		s.swept = now
		for _, one := range s.open {
			if !one.busy && now.Sub(one.used) >= sessionKept {
				s.drop(one)
				ended = append(ended, one)
			}
		}
	}
	if s.counts[owner] >= s.most || len(s.open) >= mostSessions {
		return ended, later(http.StatusTooManyRequests, fmt.Sprintf("%d uploads are open, and more may not be; finish or cancel some, or wait: one of which nothing is heard for an hour ends by itself (uploads-open in the operator's file)", s.counts[owner]), time.Minute)
	}
	s.counts[owner]++
	return ended, nil
}

// begun puts a session into the place that was reserved; without one the place is free again.
func (s *sessions) begun(owner string, one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one == nil {
		s.lessOf(owner)
		return
	}
	s.open[one.id] = one
}

// use is the session for a request of its owner, who alone sees it.
func (s *sessions) use(a ask, alone bool, now time.Time) (*session, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.open[a.session]
	switch {
	case one == nil || one.owner != a.from.key() || one.repository != a.repository:
		return nil, noSession()
	case alone && one.busy:
		return nil, refuse(http.StatusConflict, "BLOB_UPLOAD_INVALID", "another request to this upload is under way; wait for its answer")
	}
	one.used = now
	if alone {
		one.busy = true
	}
	return one, nil
}

// done ends a request.
func (s *sessions) done(one *session, ended bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.busy, one.used = false, now
	if ended {
		s.drop(one)
	}
}

func (s *sessions) drop(one *session) {
	if s.open[one.id] == one {
		delete(s.open, one.id)
		s.lessOf(one.owner)
	}
}

func (s *sessions) lessOf(owner string) {
	if s.counts[owner]--; s.counts[owner] <= 0 {
		delete(s.counts, owner)
	}
}

// serveBegin begins an upload, or links a blob of another repository.
func (g *gate) serveBegin(w http.ResponseWriter, r *http.Request, a ask) {
	// While nothing was read yet layers may come: the manifest, which comes last, is asked about again.
	if bad := g.admits(r.Context(), a); bad != nil && bad.status != http.StatusServiceUnavailable {
		g.refusePush(w, a, bad)
		return
	}
	mounted := g.mountable(a)
	a.query = mounted
	if !g.quota.take(a.namespace, 1) {
		g.refusePush(w, a, g.quota.full(a.namespace))
		return
	}
	g.quota.giveBack(a.namespace, 1)
	size := g.mounts(r.Context(), a)
	if !g.quota.take(a.namespace, size) {
		g.refusePush(w, a, g.quota.full(a.namespace))
		return
	}
	defer g.quota.giveBack(a.namespace, size)
	ended, bad := g.open.reserve(a.from.key(), g.now())
	for _, one := range ended {
		g.cancel(r.Context(), one)
	}
	if bad != nil {
		g.refusePush(w, a, bad)
		return
	}
	answer := g.ask(a.request(r, nil))
	var one *session
	if id := answer.header.Get("Docker-Upload-Uuid"); answer.status == http.StatusAccepted && isSession(id) {
		one = &session{id: id, owner: a.from.key(), repository: a.repository, namespace: a.namespace, used: g.now()}
	}
	g.open.begun(a.from.key(), one)
	if answer.status == http.StatusCreated {
		g.linked(r.Context(), a, answer.header.Get("Docker-Content-Digest"))
	}
	answer.send(w)
}

// mountable is the query of a mount, where somebody may pull from its source. Else it is as
// if the blob were not there: an upload begins.
func (g *gate) mountable(a ask) url.Values {
	digest, from := a.query.Get("mount"), a.query.Get("from")
	namespace, _, _ := strings.Cut(from, "/")
	if !isDigest(digest) || checkRepository(from, g.guide != nil) != nil || !g.rules.Access.may(a.from, Pull, namespace) {
		return nil
	}
	return a.query
}

// mounts is what a mount would add to its namespace; 0 where it has the blob already, or nothing
// is mounted.
func (g *gate) mounts(ctx context.Context, a ask) int64 {
	digest, from := a.query.Get("mount"), a.query.Get("from")
	if g.quota.most == 0 || digest == "" || g.quota.has(a.namespace, digest) {
		return 0
	}
	at := route{kind: toBlob, repository: from, digest: digest}
	answer := g.look(ctx, http.MethodHead, at, nil)
	size, err := strconv.ParseInt(answer.header.Get("Content-Length"), 10, 64)
	if err != nil || answer.status != http.StatusOK {
		return 0 // it is not there, and an upload begins
	}
	return size
}

// linked notes what a mounted blob takes.
func (g *gate) linked(ctx context.Context, a ask, digest string) {
	if g.quota.most == 0 {
		return
	}
	at := route{kind: toBlob, repository: a.repository, digest: digest}
	size, err := strconv.ParseInt(g.look(ctx, http.MethodHead, at, nil).header.Get("Content-Length"), 10, 64)
	if err == nil {
		g.quota.note(change{repository: a.repository, digest: digest, size: size})
	}
}

// serveUpload goes on with an upload.
func (g *gate) serveUpload(w http.ResponseWriter, r *http.Request, a ask) {
	reads := a.method == http.MethodGet || a.method == http.MethodHead
	one, bad := g.open.use(a, !reads, g.now())
	if bad != nil {
		bad.write(w)
		return
	}
	if reads {
		g.next.ServeHTTP(w, a.request(r, nil))
		return
	}
	if bad := g.checkChunk(r, a, one); bad != nil {
		g.open.done(one, false, g.now())
		g.refusePush(w, a, bad)
		return
	}
	r = r.WithContext(excusable(r.Context()))
	m := &measured{ReadCloser: r.Body, ctx: r.Context(), one: one, quota: g.quota, most: g.rules.Limits.BlobSize}
	out := a.request(r, m)
	if a.method == http.MethodDelete {
		out = a.request(r, nil)
	} else {
		out.Header.Set("Content-Type", "application/octet-stream")
	}
	answer := g.ask(out)
	if m.over != nil {
		g.cancel(r.Context(), one)
		g.open.done(one, true, g.now())
		g.refusePush(w, a, m.over)
		return
	}
	g.after(a, one, answer)
	answer.send(w)
}

// after notes what an answer means for a session. Whatever it ended with, its bytes are counted as
// a blob or not at all.
func (g *gate) after(a ask, one *session, answer *kept) {
	size, ended := one.size, false
	switch {
	case a.method == http.MethodPut && answer.status == http.StatusCreated:
		ended = true
		g.quota.note(change{repository: a.repository, digest: answer.header.Get("Docker-Content-Digest"), size: size})
	case a.method == http.MethodPut && answer.status == http.StatusBadRequest:
		ended = true // distribution has removed it
	case a.method == http.MethodDelete && answer.status == http.StatusNoContent:
		ended = true
	}
	if ended {
		g.quota.giveBack(one.namespace, size)
	}
	g.open.done(one, ended, g.now())
}

// checkChunk says what is wrong with a chunk before its bytes come.
func (g *gate) checkChunk(r *http.Request, a ask, one *session) *refusal {
	if a.method == http.MethodDelete {
		return nil
	}
	if a.method == http.MethodPut && !isDigest(a.query.Get("digest")) {
		return refuse(http.StatusBadRequest, "DIGEST_INVALID", "the end of an upload needs digest=sha256: and 64 digits of 0-9 and a-f")
	}
	if a.method == http.MethodPatch {
		if kind := r.Header.Get("Content-Type"); kind != "" && kind != "application/octet-stream" {
			return refuse(http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "the Content-Type of a chunk is application/octet-stream")
		}
	}
	if bad := checkRange(r.Header.Values("Content-Range"), r.ContentLength); bad != nil {
		return bad
	}
	if r.ContentLength > g.rules.Limits.BlobSize-one.size {
		return g.tooLarge()
	}
	return nil
}

// checkRange compares a range with the length of its chunk. Where it begins distribution compares
// with what came so far, but only where the length is known.
func checkRange(values []string, length int64) *refusal {
	if len(values) == 0 {
		return nil
	}
	wrong := refuse(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "the Content-Range is not FIRST-LAST of the bytes that the chunk has, with its Content-Length")
	first, last, ok := strings.Cut(values[0], "-")
	from, err := strconv.ParseUint(first, 10, 62)
	to, err2 := strconv.ParseUint(last, 10, 62)
	if !ok || err != nil || err2 != nil || len(values) > 1 || to < from || length < 0 || to-from+1 != uint64(length) {
		return wrong
	}
	return nil
}

func (g *gate) tooLarge() *refusal { return overSize(g.rules.Limits.BlobSize) }

func overSize(most int64) *refusal {
	return refuse(http.StatusRequestEntityTooLarge, "SIZE_INVALID", fmt.Sprintf("a blob has at most %d bytes here; split the layer, or its operator raises blob-size below registry: limits:%s", most, Restarts))
}

// cancel removes an upload from storage. Its state is asked for first: distribution takes none
// that is older.
func (g *gate) cancel(ctx context.Context, one *session) {
	g.quota.giveBack(one.namespace, one.size)
	ctx = context.WithoutCancel(ctx)
	at := route{kind: toUpload, repository: one.repository, session: one.id}
	location, err := url.Parse(g.look(ctx, http.MethodGet, at, nil).header.Get("Location"))
	if err == nil {
		g.look(ctx, http.MethodDelete, at, url.Values{"_state": {location.Query().Get("_state")}})
	}
}

// A measured body stops where a blob gets too large, or its namespace.
type measured struct {
	io.ReadCloser
	ctx   context.Context // of the request
	one   *session
	quota *quota
	most  int64
	over  *refusal
}

var errOver = errors.New("larger than it may be")

func (m *measured) Read(b []byte) (int, error) {
	if m.over != nil {
		return 0, errOver
	}
	n, err := m.ReadCloser.Read(b)
	switch {
	case m.one.size+int64(n) > m.most:
		m.over = overSize(m.most)
	case !m.quota.take(m.one.namespace, int64(n)):
		m.over = m.quota.full(m.one.namespace)
	default:
		m.one.size += int64(n)
		return n, err
	}
	excuse(m.ctx)
	return 0, errOver
}
