package web

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/towpath/towpath/internal/serving"
)

// Options are what a Handler needs to know from the beginning.
type Options struct {
	Version string        // shown on the page and as towpath_build_info
	Poll    time.Duration // between two looks at the repository
	// Hooks, if set, are the webhooks that came so far. Kinds and outcomes are from fixed sets.
	Hooks func() []HookCount
	// Heard, if set, is when each receiver of webhooks was last heard. The operator names them.
	Heard func() []HookTime
	// Registry, if set, are the requests to towpath's own registry so far, likewise.
	Registry func() []RegistryCount
}

// A HookCount is how many webhooks of a kind ended so.
type HookCount struct {
	Kind, Outcome string
	N             int64
}

// A HookTime is when a receiver of webhooks was last heard, and how that ended.
type HookTime struct {
	Hook, Outcome string
	At            time.Time
}

// A RegistryCount is how many requests for something ended so.
type RegistryCount struct {
	What, Outcome string
	N             int64
}

// A Handler serves /healthz, /readyz, /metrics, /status.json and the page /. Its
// methods may be called from several goroutines.
type Handler struct {
	version string
	mux     *http.ServeMux
	places  chan struct{} // one for each report that is being written

	mu    sync.Mutex
	pulse pulse // with the last Status
	ready bool
	total totals
}

// New returns a Handler that is healthy and not ready.
func New(o Options) *Handler {
	h := &Handler{version: o.Version, mux: http.NewServeMux(), places: make(chan struct{}, reports)}
	h.pulse = pulse{started: time.Now(), poll: o.Poll}
	r := prometheus.NewRegistry()
	r.MustRegister(
		newCollector(h.snapshot),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: buildInfo, Help: "1; its label is the version that runs.",
			ConstLabels: prometheus.Labels{"version": o.Version},
		}, func() float64 { return 1 }),
	)
	r.MustRegister(o.tallies()...)
	h.mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	h.mux.HandleFunc("GET /healthz", h.healthz)
	h.mux.HandleFunc("GET /readyz", h.readyz)
	h.mux.HandleFunc("GET /status.json", h.status)
	h.mux.HandleFunc("GET /{$}", h.page)
	return h
}

// Set hands over how the daemon stands. It is called once after each pass; where
// Schedule is nil, that of the pass before holds.
func (h *Handler) Set(s Status) {
	s.Report, s.Settling = slices.Clone(s.Report), slices.Clone(s.Settling)
	s.HeldSites, s.DeferredSites, s.HeldBy = slices.Clone(s.HeldSites), slices.Clone(s.DeferredSites), maps.Clone(s.HeldBy)
	s.Proposals, s.Arrivals = slices.Clone(s.Proposals), slices.Clone(s.Arrivals)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.total = h.total.add(s)
	h.ready = h.ready || s.Ready
	s.Commits, s.Imports = nil, nil // the caller's
	if s.Schedule == nil {
		s.Schedule = h.pulse.last.Schedule
	}
	h.pulse.last = s
}

// Beat says that the loop is at work, within a pass that takes long.
func (h *Handler) Beat() {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pulse.beat = now
}

func (h *Handler) snapshot() snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return snapshot{h.pulse.last, h.pulse.started, h.ready, h.total}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "default-src 'none'")
	head.Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

// healthz fails when the loop is stuck, so that a restart is worth it. A remote
// that is away is no reason.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	p := h.pulse
	h.mu.Unlock()
	if late := p.overdue(time.Now()); late > 0 {
		answer(w, http.StatusServiceUnavailable, fmt.Sprintf("stuck: a sign of life is overdue for %s\n", late.Round(time.Second)))
		return
	}
	answer(w, http.StatusOK, "ok\n")
}

// readyz fails until the first pass has finished.
func (h *Handler) readyz(w http.ResponseWriter, _ *http.Request) {
	if !h.snapshot().ready {
		answer(w, http.StatusServiceUnavailable, "starting: the first pass has not finished\n")
		return
	}
	answer(w, http.StatusOK, "ok\n")
}

func (h *Handler) page(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, h.snapshot().text(h.version, time.Now()))
}

// answer writes plain text.
func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	io.WriteString(w, text) // the reader may have gone; nobody is left to tell
}

// text is the page.
func (s snapshot) text(version string, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "towpath %s, up %s\n\n", version, now.Sub(s.started).Round(time.Second))
	if s.LastPass.IsZero() {
		b.WriteString("starting: the first pass has not finished\n")
		return b.String()
	}
	fmt.Fprintf(&b, "last pass  %s ago, at %s\n", now.Sub(s.LastPass).Round(time.Second), plain(s.Rev))
	if s.Failed {
		b.WriteString("           it failed\n")
	}
	fmt.Fprintf(&b, "streams    %d with %d tags, %d failing\n", s.Streams, s.Tags, s.Failing)
	fmt.Fprintf(&b, "sites      %d, %d held, %d deferred\n", s.Sites, s.Held, s.Deferred)
	fmt.Fprintf(&b, "problems   %d\n", s.Problems)
	if n := byState(s.Proposals); len(n) > 0 {
		fmt.Fprintf(&b, "proposals  %d open, %d waiting, %d frozen, %d refused\n", n["open"]+n["pushed"], n["waiting"], n["frozen"], n["refused"])
	}
	if n := len(s.Arrivals); n > 0 {
		fmt.Fprintf(&b, "pushes     %d not on record\n", n)
	}
	if s.BadConfig {
		b.WriteString("paused     .towpath.yaml is invalid; nothing is written\n")
	}
	if len(s.Report) > 0 {
		b.WriteByte('\n')
	}
	for _, line := range s.Report {
		b.WriteString(plain(line) + "\n")
	}
	return b.String()
}

// plain makes text of unknown origin one line without control or direction
// characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Limits of the server. Nothing here reads a body.
const (
	headerTime   = 5 * time.Second
	requestTime  = 10 * time.Second
	answerTime   = 30 * time.Second
	idleTime     = time.Minute
	shutdownTime = 5 * time.Second
	headerBytes  = 16 << 10
)

// Serve answers requests on a listener until ctx ends; then it lets those in
// flight finish, at most 5 s. It closes the listener. The error is nil when ctx
// ended it.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
	}
	return serving.Until(ctx, server, l, shutdownTime)
}
