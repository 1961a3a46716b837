package gittest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"
)

// A Fault stands between a request and git. It answers in git's place, or lets
// git answer and spoils that.
type Fault func(w http.ResponseWriter, r *http.Request, git http.Handler)

// A plan is a fault that waits for requests.
type plan struct {
	left  int
	op    Op
	fault Fault
}

// Fail makes the next n requests of a kind meet the fault; a negative n means
// all of them until Heal. Where several faults wait for one request, the one
// that was planned first takes it.
func (s *Server) Fail(n int, op Op, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &plan{left: n, op: op, fault: f})
}

// Heal forgets every fault that still waits.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) nextFault(op Op) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(p *plan) bool { return p.left != 0 && (p.op == Any || p.op == op) })
	if i < 0 {
		return nil
	}
	s.faults[i].left--
	return s.faults[i].fault
}

// Status answers with a status; headers come as name, value, name, value.
func Status(code int, headers ...string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		http.Error(w, http.StatusText(code), code)
	}
}

// Redirect sends the client to the same path below another base URL.
func Redirect(code int, base string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Location", strings.TrimSuffix(base, "/")+r.URL.RequestURI())
		w.WriteHeader(code)
	}
}

// Hang says nothing until released or until the client leaves, then hangs up.
// Git never sees the request.
func Hang(released <-chan struct{}) Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		wait(r, released)
		panic(http.ErrAbortHandler)
	}
}

// HangAfter sends git's first n bytes and then hangs.
func HangAfter(n int, released <-chan struct{}) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		body := answer(w, r, git)
		send(w, body[:min(n, len(body))])
		wait(r, released)
		panic(http.ErrAbortHandler)
	}
}

// Drip sends git's answer one byte at a time.
func Drip(every time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for _, b := range answer(w, r, git) {
			send(w, []byte{b})
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
			}
		}
	}
}

// Cut sends the first num/den of git's answer and closes the connection.
func Cut(num, den int) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		body := answer(w, r, git)
		send(w, body[:len(body)*num/den])
		panic(http.ErrAbortHandler)
	}
}

// Spoil sends what f makes of git's answer, as if all were well.
func Spoil(f func(body []byte) []byte) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		w.Write(f(answer(w, r, git)))
	}
}

// Flip turns over the lowest bit of the byte at num/den of git's answer.
func Flip(num, den int) Fault {
	return Spoil(func(body []byte) []byte {
		body[min(len(body)*num/den, len(body)-1)] ^= 1
		return body
	})
}

// LoseAnswer lets git finish its work and closes the connection in place of
// the answer.
func LoseAnswer() Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		git.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

// Before calls f and lets git answer: somebody else was first.
func Before(f func()) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		f()
		git.ServeHTTP(w, r)
	}
}

// After lets git answer and calls f before the client hears of it.
func After(f func()) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		body := answer(w, r, git)
		f()
		w.Write(body)
	}
}

// answer lets git answer in full, passes status and headers on but for the
// length, and returns the body.
func answer(w http.ResponseWriter, r *http.Request, git http.Handler) []byte {
	rec := httptest.NewRecorder()
	git.ServeHTTP(rec, r)
	for k, v := range rec.Header() {
		if k != "Content-Length" {
			w.Header()[k] = v
		}
	}
	w.WriteHeader(rec.Code)
	return rec.Body.Bytes()
}

// send writes and makes sure that it leaves.
func send(w http.ResponseWriter, p []byte) {
	w.Write(p)
	http.NewResponseController(w).Flush()
}

func wait(r *http.Request, released <-chan struct{}) {
	select {
	case <-released:
	case <-r.Context().Done():
	}
}
