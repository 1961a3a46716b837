package hooks

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/registry"
)

// Prefix is the path below which receivers are: /hooks/KIND/TOKEN.
const Prefix = "/hooks/"

const (
	maxBody   = 2 << 20
	maxBodies = 64   // that are read and judged at a time
	maxImages = 1000 // of one payload; the rest is left to polling
)

// Options are what a Handler is made of.
type Options struct {
	Receivers []Receiver
	// Look is told what a receiver was told of. It must not wait for anything, and reports
	// whether there was room; where there was none the sender is asked to try again.
	Look func(receiver Receiver, s Sighting) bool
	Log  *slog.Logger // nil: nothing is logged
	// Keys are those of the providers that Issuers names; the caller runs them. nil: none, and
	// deliveries that need them are told to come again.
	Keys *Keys
	// TrustedProxies may say by X-Forwarded-For whom they were called by.
	TrustedProxies []netip.Prefix
}

// A Handler answers all receivers. Its methods may be called from several goroutines.
type Handler struct {
	receivers []*receiver
	look      func(Receiver, Sighting) bool
	log       *slog.Logger
	trusted   []netip.Prefix
	keys      *Keys
	bodies    chan struct{}

	closed []error // by receivers whose files could not be read at the start

	mu     sync.Mutex
	counts map[Count]int64    // by kind and outcome; N is 0
	last   map[Last]time.Time // by hook and outcome; At is zero
	told   map[*receiver]map[string]time.Time
}

type receiver struct {
	Receiver
	vendor  vendor
	replays replays
}

// Kinds are all kinds that a receiver may be of.
func Kinds() []string {
	var kinds []string
	for _, v := range vendors() {
		kinds = append(kinds, v.kind)
	}
	slices.Sort(kinds)
	return kinds
}

// New makes the handler of the receivers, and refuses what is configured wrongly: an unknown
// kind, a path token that is weak or used twice, a kind that signs without a secret, and a secret
// for one that does not. The error is a *Fault. A receiver whose files cannot be read is closed until they can: that is no
// reason for the others not to hear.
func New(o Options) (*Handler, error) {
	h := &Handler{look: o.Look, log: o.Log, trusted: o.TrustedProxies, keys: o.Keys, bodies: make(chan struct{}, maxBodies), counts: map[Count]int64{}, last: map[Last]time.Time{}, told: map[*receiver]map[string]time.Time{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	kinds := map[string]vendor{}
	for _, v := range vendors() {
		kinds[v.kind] = v
	}
	tokens := map[string]string{}
	for _, r := range o.Receivers {
		v, ok := kinds[r.Kind]
		if !ok {
			return nil, unknownKind(r)
		}
		if r.Host != "" {
			host, err := registry.ParseHost(r.Host)
			if err != nil {
				return nil, &Fault{r.Name, "host", err.Error(), "write the host as streams name it"}
			}
			r.Host = host
		}
		rec := &receiver{Receiver: r, vendor: v}
		s, err := rec.secrets()
		if e := (*unreadable)(nil); errors.As(err, &e) {
			h.closed = append(h.closed, fmt.Errorf("hook %s: %w", r.Name, err))
			h.log.Warn("a receiver of webhooks is closed until its files can be read", "hook", r.Name, "kind", r.Kind, "why", err, "fix", "write one made by openssl rand -hex 32 to the file; no restart is needed")
			s.Keys = [][]byte{nil} // nobody knows whether there is one
		} else if err != nil {
			return nil, faultOf(r.Name, "path-token-file", err)
		} else if v.signed == nil && len(s.Keys) > 0 {
			return nil, &Fault{r.Name, "secret-files", v.title + " signs nothing, and this kind has no use for a secret", "remove secret-files"}
		}
		if v.signed != nil && v.vouched == nil && len(s.Keys) == 0 {
			return nil, &Fault{r.Name, "secret-files", v.title + " needs a secret, and its file is empty or not named", "write one made by `openssl rand -hex 32` to it"}
		}
		if v.vouched == nil && (r.Audience != "" || r.Issuer != "" || r.Email != "") {
			return nil, &Fault{r.Name, "audience", v.title + " shows no identity token", "take the lines audience:, issuer: and email: out"}
		}
		if v.needs != nil {
			if err := v.needs(r); err != nil {
				return nil, faultOf(r.Name, "", err)
			}
		}
		if other, ok := tokens[s.Token]; ok && s.Token != "" {
			return nil, &Fault{r.Name, "path-token-file", "it has the path token of hook " + other, "write one of its own, made by `openssl rand -hex 32`"}
		}
		tokens[s.Token] = r.Name
		h.receivers = append(h.receivers, rec)
	}
	return h, nil
}

// Closed says why receivers were closed at the start.
func (h *Handler) Closed() []error { return h.closed }

// An outcome is how a delivery ended. The names are labels of a metric: no other is ever
// made, whatever is posted.
type outcome struct {
	name string
	code int
	text string
}

var (
	// taken is also the answer to a payload about nothing that anybody follows, and to one
	// that came before: an answer must not tell what is here.
	taken       = outcome{"taken", http.StatusAccepted, "taken"}
	nothing     = outcome{"nothing", http.StatusAccepted, "taken"}
	replayed    = outcome{"replayed", http.StatusAccepted, "taken"}
	handshake   = outcome{"handshake", http.StatusOK, ""}
	method      = outcome{"method", http.StatusMethodNotAllowed, "post a payload here"}
	unknown     = outcome{"unknown", http.StatusNotFound, "there is no such receiver"}
	foreign     = outcome{"foreign", http.StatusForbidden, "not from this address"}
	closed      = outcome{"closed", http.StatusForbidden, "this receiver is closed"}
	unread      = outcome{"unread", http.StatusNotFound, "there is no such receiver"} // its secrets cannot be used
	badType     = outcome{"type", http.StatusUnsupportedMediaType, "send JSON, not compressed, with its Content-Type"}
	tooLarge    = outcome{"large", http.StatusRequestEntityTooLarge, "the payload is larger than 2 MiB"}
	tooSlow     = outcome{"slow", http.StatusRequestTimeout, "the payload did not come in time"}
	cutShort    = outcome{"short", http.StatusBadRequest, "the payload is cut short"}
	forged      = outcome{"refused", http.StatusUnauthorized, "the signature or secret is not right"}
	malformed   = outcome{"malformed", http.StatusBadRequest, "the payload is not understood"}
	unavailable = outcome{"unavailable", http.StatusServiceUnavailable, "try again in a minute"}
	defect      = outcome{"defect", http.StatusInternalServerError, "the payload cannot be read here"}
	busy        = outcome{"busy", http.StatusServiceUnavailable, "too much at once, try again"}
)

// Count is how many deliveries of a kind ended so. The kind of what went to no receiver is
// empty.
type Count struct {
	Kind, Outcome string
	N             int64
}

// Counts are all that are not zero, in order.
func (h *Handler) Counts() []Count {
	h.mu.Lock()
	defer h.mu.Unlock()
	var counts []Count
	for _, c := range slices.SortedFunc(maps.Keys(h.counts), func(a, b Count) int {
		return strings.Compare(a.Kind+" "+a.Outcome, b.Kind+" "+b.Outcome)
	}) {
		c.N = h.counts[Count{Kind: c.Kind, Outcome: c.Outcome}]
		counts = append(counts, c)
	}
	return counts
}

// A Last is when a receiver was last heard with such an outcome.
type Last struct {
	Hook, Outcome string
	At            time.Time
}

// Heard are all that were heard since the start, in order. There are no more of them than
// receivers and outcomes.
func (h *Handler) Heard() []Last {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Last
	for l, at := range h.last {
		all = append(all, Last{l.Hook, l.Outcome, at})
	}
	slices.SortFunc(all, func(a, b Last) int {
		return cmp.Or(strings.Compare(a.Hook, b.Hook), strings.Compare(a.Outcome, b.Outcome))
	})
	return all
}

// ServeHTTP takes one delivery.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	e := h.take(w, r, now)
	h.count(e, now)
	h.warn(e, now)
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	head.Set("Referrer-Policy", "no-referrer") // the address is a secret
	head.Set("Content-Type", "text/plain; charset=utf-8")
	switch e.outcome {
	case method:
		head.Set("Allow", http.MethodPost)
	case busy:
		head.Set("Retry-After", "5")
	case unavailable:
		head.Set("Retry-After", "60")
	case handshake:
		head.Set("Content-Type", "application/json")
		w.WriteHeader(e.code)
		w.Write(e.body)
		return
	}
	w.WriteHeader(e.code)
	io.WriteString(w, e.text+"\n") // the sender may have gone; nobody is left to tell
}

// An end is how one delivery ended, and what there is to say of it.
type end struct {
	outcome
	receiver *receiver // nil where there is none
	why      error     // for the log; of a payload it says what is wrong and quotes nothing
	body     []byte    // of a handshake
}

// take judges a delivery. The order is by what each step costs, and by who may make us pay
// it: nothing is read before the token of the path, nothing parsed before the signature.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, now time.Time) end {
	if r.Method != http.MethodPost {
		return end{outcome: method}
	}
	rec, secrets := h.receiver(r.URL.Path)
	if rec == nil {
		return end{outcome: unknown}
	}
	if addr, ok := Sender(r, h.trusted); len(rec.From) > 0 && (!ok || !within(rec.From, addr)) {
		return end{foreign, rec, fmt.Errorf("%s is in none of its networks", addr), nil}
	}
	if rec.vendor.signed != nil && rec.vendor.vouched == nil && len(secrets.Keys) == 0 {
		return end{closed, rec, errors.New("it has no secret; write one to its file"), nil}
	}
	isForm, ok := contentType(r.Header, rec.vendor.form)
	if !ok {
		return end{badType, rec, nil, nil}
	}
	select {
	case h.bodies <- struct{}{}:
		defer func() { <-h.bodies }()
	default:
		return end{busy, rec, nil, nil}
	}
	body, o := readBody(w, r)
	if o != (outcome{}) {
		return end{o, rec, nil, nil}
	}
	c := call{header: r.Header, query: r.URL.Query(), body: body, now: now, receiver: rec.Receiver, keys: h.keys}
	if e := rec.proven(r, c, secrets); e.outcome != (outcome{}) {
		return e
	}
	id := ""
	if rec.vendor.delivery != "" {
		id = only(c.header, rec.vendor.delivery)
	}
	if id != "" && rec.replays.known(id, now) {
		return end{replayed, rec, nil, nil}
	}
	if isForm {
		if c.body, ok = formPayload(body); !ok {
			return end{malformed, rec, errors.New("the form has no field payload, or two"), nil}
		}
	}
	e := h.read(rec, c)
	if id != "" && e.code < 300 {
		rec.replays.add(id, now)
	}
	return e
}

// receiver finds whose path it is. All tokens are compared, so that time tells nothing.
func (h *Handler) receiver(path string) (*receiver, Secrets) {
	kind, token, _ := strings.Cut(strings.TrimPrefix(path, Prefix), "/")
	if !strings.HasPrefix(path, Prefix) || len(token) > maxToken {
		return nil, Secrets{}
	}
	var found *receiver
	var secrets Secrets
	for _, rec := range h.receivers {
		if rec.Kind != kind {
			continue
		}
		s, err := rec.secrets()
		if err != nil {
			h.warn(end{outcome: unread, receiver: rec, why: err}, time.Now())
			continue
		}
		if same(token, s.Token) {
			found, secrets = rec, s
		}
	}
	return found, secrets
}

// contentType reports whether the body is JSON by its type, or a form where the vendor may
// send one. What is compressed is refused: no vendor does, and it grows.
func contentType(h http.Header, form bool) (isForm, ok bool) {
	if encoding := only(h, "Content-Encoding"); len(h.Values("Content-Encoding")) > 0 && encoding != "identity" {
		return false, false
	}
	kind, params, err := mime.ParseMediaType(only(h, "Content-Type"))
	if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return false, false
	}
	isForm = kind == "application/x-www-form-urlencoded"
	return isForm, isForm && form || kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, outcome) {
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case err == nil:
		return body, outcome{}
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, tooSlow
	}
	return nil, cutShort
}

func formPayload(body []byte) ([]byte, bool) {
	fields, err := url.ParseQuery(string(body))
	if err != nil || len(fields["payload"]) != 1 {
		return nil, false
	}
	return []byte(fields.Get("payload")), true
}

// proven is the zero end where the sender is who the receiver is for.
func (rec *receiver) proven(r *http.Request, c call, s Secrets) end {
	v := rec.vendor
	if v.signed != nil && (v.vouched == nil || len(s.Keys) > 0) {
		ok := false
		for _, key := range s.Keys {
			ok = v.signed(c, bytes.TrimSpace(key)) || ok
		}
		if !ok {
			return end{forged, rec, unproven(v, c, s.Keys), nil}
		}
	}
	if v.vouched != nil {
		switch err := v.vouched(r.Context(), c); {
		case errors.Is(err, errLater):
			return end{unavailable, rec, err, nil}
		case err != nil:
			return end{forged, rec, &reason{err.Error(), fixToken}, nil}
		}
	}
	return end{}
}

// read takes what a payload hints at to those who look.
func (h *Handler) read(rec *receiver, c call) (e end) {
	defer func() {
		if p := recover(); p != nil { // a defect of ours; whoever finds it must not find more
			e = end{defect, rec, fmt.Errorf("a defect of towpath, which its authors want to know of: %s", debug.Stack()), nil}
		}
	}()
	if rec.vendor.answer != nil {
		if body := rec.vendor.answer(c); len(body) > 0 {
			return end{handshake, rec, nil, body}
		}
	}
	s, err := rec.vendor.read(c, rec.Host)
	if err != nil {
		return end{malformed, rec, &reason{err.Error(), fixKind}, nil}
	}
	s.Images = news(s.Images)
	if !s.Branch && len(s.Images) == 0 {
		return end{nothing, rec, nil, nil}
	}
	if !h.look(rec.Receiver, s) {
		return end{busy, rec, nil, nil}
	}
	return end{taken, rec, nil, nil}
}

// news are the images to look at, each tag once and with the digest that was named last.
// One pushed by digest alone is none: no tag moved.
func news(images []Image) []Image {
	type tag struct {
		registry.Repo
		tag string
	}
	at := map[tag]int{}
	var ns []Image
	for _, i := range images {
		n, known := at[tag{i.Repo, i.Tag}]
		switch {
		case i.Tag == "" && i.Digest != "":
		case known:
			ns[n] = i
		case len(ns) < maxImages:
			at[tag{i.Repo, i.Tag}] = len(ns)
			ns = append(ns, i)
		}
	}
	return ns
}

func (h *Handler) count(e end, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := Count{Outcome: e.name}
	if e.receiver != nil {
		c.Kind = e.receiver.Kind
		h.last[Last{Hook: e.receiver.Name, Outcome: e.name}] = now
	}
	h.counts[c]++
}

// warn logs what a person may have to see to: each outcome of a receiver once a minute,
// since who posts decides how often there is one. The line has nothing of the path, and of
// the payload only what is wrong with it.
func (h *Handler) warn(e end, now time.Time) {
	if e.receiver == nil || e.code < 300 || !h.first(e, now) {
		return
	}
	why := e.text
	if e.why != nil {
		why = e.why.Error()
	}
	args := []any{"hook", e.receiver.Name, "kind", e.receiver.Kind, "outcome", e.name, "status", e.code, "why", why}
	if r := (*reason)(nil); errors.As(e.why, &r) {
		args = append(args, "fix", r.fix)
	}
	h.log.Warn("a webhook was not taken", args...)
}

// first reports whether a receiver had no such outcome within a minute.
func (h *Handler) first(e end, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	told := h.told[e.receiver]
	if told == nil {
		told = map[string]time.Time{}
		h.told[e.receiver] = told
	}
	if at, ok := told[e.name]; ok && now.Sub(at) < time.Minute {
		return false
	}
	told[e.name] = now
	return true
}
