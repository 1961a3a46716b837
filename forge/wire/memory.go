package wire

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	maxKept      = 64       // answers
	maxKeptBytes = 16 << 20 // of their bodies
)

// A memory holds answers that can be asked for again by whether they changed. An
// answer is for who asked with the same token alone.
type memory struct {
	mu    sync.Mutex // over all below
	known map[question]*answer
	order []question // longest unused first: what did not change is kept anew
	bytes int
}

// A question is what an answer was for.
type question struct {
	url, accept string
	account     fingerprint
}

func newMemory() *memory { return &memory{known: map[question]*answer{}} }

// prepare makes a request ask whether what is known of it changed; nil where nothing
// is, or where who asks has conditions already.
func (m *memory) prepare(req *http.Request, by secrets) *answer {
	h := req.Header
	if req.Method != http.MethodGet || h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	q := questionOf(req, by)
	was := m.known[q]
	if was == nil {
		return nil
	}
	if tag := was.header.Get("Etag"); tag != "" {
		h.Set("If-None-Match", tag)
	} else {
		h.Set("If-Modified-Since", was.header.Get("Last-Modified"))
	}
	return was
}

// keep remembers an answer, if it can be asked for by its ETag or date.
func (m *memory) keep(req *http.Request, by secrets, a answer) {
	if req.Method != http.MethodGet || a.status != http.StatusOK {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	q := questionOf(req, by)
	m.forget(q)
	named := a.header.Get("Etag") != "" || a.header.Get("Last-Modified") != ""
	if !named || strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		return
	}
	m.known[q] = &a
	m.order = append(m.order, q)
	m.bytes += len(a.body)
	for len(m.order) > maxKept || m.bytes > maxKeptBytes {
		m.forget(m.order[0])
	}
}

// forget drops an answer. The caller holds the lock.
func (m *memory) forget(q question) {
	if was := m.known[q]; was != nil {
		m.bytes -= len(was.body)
		delete(m.known, q)
		m.order = slices.DeleteFunc(m.order, func(o question) bool { return o == q })
	}
}

func questionOf(req *http.Request, by secrets) question {
	return question{req.URL.String(), req.Header.Get("Accept"), by.account}
}

// again is the answer as it was, with what the forge says of today: its limits, its clock, and where
// the list goes on. A page is known by its body: one that is full is the same whether or not another follows.
func (a *answer) again(today http.Header) answer {
	h := a.header.Clone()
	paged := isPaged(today)
	for name := range h {
		if isDaily(name) || isTotal(name) || paged && isPaging(name) {
			delete(h, name)
		}
	}
	for name, values := range today {
		if isDaily(name) || isTotal(name) || paged && isPaging(name) {
			h[name] = values
		}
	}
	return answer{a.status, h, a.body}
}

func isDaily(name string) bool {
	return name == "Date" || name == "Retry-After" || strings.HasPrefix(name, "X-Ratelimit-") || strings.HasPrefix(name, "Ratelimit")
}

// isTotal reports whether a header counts what is on other pages, which is not what it was because
// one page is.
func isTotal(name string) bool { return strings.HasPrefix(name, "X-Total") }

func isPaging(name string) bool {
	switch name {
	case "Link", "X-Next-Page", "X-Prev-Page", "X-Page", "X-Per-Page":
		return true
	}
	return false
}

// isPaged reports whether an answer says where its list goes on, or that it does not. Links are
// for other things, too.
func isPaged(h http.Header) bool {
	return len(h.Values("X-Next-Page")) > 0 || slices.ContainsFunc(h.Values("Link"), func(link string) bool {
		return strings.Contains(link, "page=")
	})
}
