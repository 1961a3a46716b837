package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/hooks"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/counter"
)

// A storm is webhooks at a rate that does not wait for answers, each of a tag that has just moved
// in its registry. It blows from this process, where the registry is too; the daemon is a child.

const (
	stormRate    = 1000 // a second
	stormConns   = 48   // kept alive; the daemon reads 64 bodies at a time, and refuses more
	stormStreams = 10   // that tags move of, ten of each
	stormRepo    = 200  // streams
)

// hooks has two children hear the same storm.
func (b *bed) hooks(ctx context.Context) (s sample, err error) {
	st := &storm{fake: &fake{latency: upstreamLatency}, window: b.window, token: rand.Text(), secret: rand.Text()}
	server, err := st.listen()
	if err != nil {
		return s, err
	}
	defer server.Close()
	r := repo{Dir: b.Dir, Name: "storm.git", Size: max(stormStreams, b.scaled(stormRepo)), Seed: seed{Host: st.host, History: history}}
	if err := r.make(ctx); err != nil {
		return s, err
	}
	j := job{Do: "storm-floor", Repo: r, Host: st.host, Token: st.token, Secret: st.secret, Window: b.window}
	floor, err := b.child(ctx, j)
	if err != nil {
		return s, err
	}
	st.calm()
	j.Do, j.Profile = "storm", b.profileOf("hooks-1000")
	ours, err := b.child(ctx, j)
	s = against(ours, floor)
	s.Note = ours.Note + "\n      an empty handler: " + floor.Note
	b.tell("hooks-1000", s)
	return s, err
}

// A storm's registry is a fake whose tags move one by one.
type storm struct {
	*fake
	window        time.Duration
	token, secret string // of both receivers
}

func (s *storm) listen() (*http.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.host = l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/", s.fake)
	mux.HandleFunc("/now", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(s.now()) })
	mux.HandleFunc("/storm", func(w http.ResponseWriter, r *http.Request) {
		said, err := s.blow(r.Context(), r.URL.Query().Get("at"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(said)
	})
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	return server, nil
}

// now is what every tag is that moves, by stream.
func (s *storm) now() map[string]map[string]string {
	streams := map[string]map[string]string{}
	for i := range stormStreams {
		tags := map[string]string{}
		for tag := range tagsOfEach {
			_, tags[tagName(tag)] = manifest(repositoryOf(i), tagName(tag), s.generationOf(repositoryOf(i), tagName(tag)))
		}
		streams[repositoryOf(i)] = tags
	}
	return streams
}

// calm lets every tag be what it was at first.
func (s *storm) calm() { s.moves.Clear() }

// A storm's end: how it was answered.
type blown struct {
	P50, P99, Most float64 // seconds, from when each was due
	Late           float64 // of the sender itself, the p99: what is not the receiver's
	Sent           int
}

// blow sends to an address for a while.
func (s *storm) blow(ctx context.Context, to string) (said blown, err error) {
	n := int(s.window.Seconds() * stormRate)
	took, late := make([]float64, n), make([]float64, n)
	due := make(chan int, n)
	start := time.Now().Add(10 * time.Millisecond)
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second / stormRate) }
	errs := make([]error, stormConns)
	var senders sync.WaitGroup
	for c := range errs {
		senders.Go(func() { errs[c] = s.send(ctx, to, due, func(i int) { took[i] = time.Since(at(i)).Seconds() }) })
	}
	for i := range n {
		time.Sleep(time.Until(at(i)))
		late[i] = time.Since(at(i)).Seconds()
		due <- i
	}
	close(due)
	senders.Wait()
	if err := errors.Join(errs...); err != nil {
		return said, err
	}
	said = blown{Sent: n, Late: p99(late), P99: p99(took)} // and sorted
	said.P50, said.Most = took[n/2], took[n-1]
	return said, nil
}

// send is one connection.
func (s *storm) send(ctx context.Context, to string, due <-chan int, answered func(int)) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i := range due {
		if _, err := conn.Write(s.hook(i)); err != nil {
			return err
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err == nil && res.StatusCode != http.StatusAccepted {
			err = fmt.Errorf("hook %d was answered with %s", i, res.Status)
		}
		if err != nil {
			return err
		}
		answered(i)
	}
	return nil
}

// hook is a request that tells of a tag that moves as it is made: distribution's notification, or
// our own payload, signed.
func (s *storm) hook(i int) []byte {
	repository, tag := repositoryOf(i%stormStreams), tagName(i/stormStreams%tagsOfEach)
	_, digest := manifest(repository, tag, s.move(repository, tag))
	kind, proof := "distribution", "Authorization: Bearer "+s.secret
	body := fmt.Appendf(nil, `{"events":[{"id":"%d","timestamp":"2026-01-01T00:00:00Z","action":"push","target":{"mediaType":%q,"size":400,"length":400,"digest":%q,"repository":%q,"tag":%q,"url":"http://%[6]s/v2/%[4]s/manifests/%[3]s"},`+
		`"request":{"id":"r%[1]d","addr":"192.0.2.7:60012","host":%[6]q,"method":"PUT","useragent":"docker/28.0"},"actor":{"name":"ci"},"source":{"addr":"registry:5000","instanceID":"i1"}}]}`, i, pictureType, digest, repository, tag, s.host)
	if i%2 == 1 {
		kind = "generic"
		body = fmt.Appendf(nil, `{"image":"%s/%s","tag":%q,"digest":%q}`, s.host, repository, tag, digest)
		sum := hmac.New(sha256.New, []byte(s.secret))
		sum.Write(body)
		proof = fmt.Sprintf("Webhook-Id: %s-%d\r\nX-Signature: sha256=%x", s.host, i, sum.Sum(nil))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: daemon\r\nContent-Type: application/json\r\n%s\r\nContent-Length: %d\r\n\r\n%s", hooks.Prefix+kind+"/"+s.token+kind, proof, len(body), body)
	return b.Bytes()
}

// stormFloor is an empty handler behind the same server.
func (j job) stormFloor(ctx context.Context) (res result, err error) {
	said, err := j.weather(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	return result{Seconds: said.P99, CPU: cpu(), Streams: j.Repo.Size, Note: said.text()}, err
}

func (s blown) text() string {
	return fmt.Sprintf("p50 %s, the slowest %s, the sender itself late by %s", seconds.text(s.P50), seconds.text(s.Most), seconds.text(s.Late))
}

// weather serves a handler where hooks are taken, until the storm is over.
func (j job) weather(ctx context.Context, h http.Handler) (said blown, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return said, err
	}
	serving, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- hooks.Serve(serving, l, h) }()
	err = j.tell(ctx, "/storm?at="+l.Addr().String(), &said)
	cancel()
	return said, errors.Join(err, <-ended)
}

// tell is what the process says that the storm comes from.
func (j job) tell(ctx context.Context, path string, to any) error {
	_, body, err := newRaw(j.Host, 1).ask(ctx, http.MethodGet, path, "")
	if err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	return json.Unmarshal(body, to)
}

// storm is the daemon: it runs, hears, asks and records.
func (j job) storm(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	r.Poll = 30 * time.Second
	if err := pass(ctx, r); err != nil {
		return res, err
	}
	reader, err := readerOf(steadyAtOnce, j.Host)
	if err != nil {
		return res, err
	}
	defer reader.Close()
	r.Reader.(*door).Reader = reader
	handler, err := j.receivers(r)
	if err != nil {
		return res, err
	}
	passes, commits := 0, 0
	var failed error
	r.Passed = func(rep reconcile.Report) {
		passes, commits = passes+1, commits+len(rep.Commits)
		if rep.Planned, rep.Commits = nil, nil; failed == nil {
			failed = quiet(rep, rep.Err)
		}
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	used := cpu()
	held := &held{of: [5]float64{rss()}}
	held.watch(j.Window)
	said, err := j.weather(ctx, handler)
	used = cpu() - used
	stop()
	if err == nil {
		held.of[4], err = j.memory(r)
	}
	if err != nil {
		return res, err
	}
	settled, err := timed(func() error { return j.settles(ctx, r) })
	cancel()
	if err := errors.Join(err, <-ended, failed); err != nil {
		return res, err
	}
	return result{
		Seconds: said.P99, CPU: used, Streams: j.Repo.Size,
		Note: fmt.Sprintf("%d hooks, %s; %d passes, %d commits; %s after the last one all %d tags were on record as they are",
			said.Sent, said.text(), passes, commits, seconds.text(settled), stormStreams*tagsOfEach),
		Told: map[string]sample{"hooks-rss": held.growth()},
	}, nil
}

// held is the memory of a process at the quarters of a storm, in MB.
type held struct {
	mu sync.Mutex
	of [5]float64
}

func rss() float64 {
	mb, _ := statusMB("VmRSS")
	return mb
}

func (h *held) watch(window time.Duration) {
	for i := range 3 {
		time.AfterFunc(window*time.Duration(i+1)/4, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.of[i+1] = rss()
		})
	}
}

// growth is of the second half: in the first the store's cache fills, and the ids that receivers know.
func (h *held) growth() sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sample{
		Towpath: max(0, h.of[4]-h.of[2]),
		Note:    fmt.Sprintf("%.0f MB before the storm, then at its quarters %.0f, %.0f, %.0f and %.0f MB", h.of[0], h.of[1], h.of[2], h.of[3], h.of[4]),
	}
}

// receivers are those of both kinds, as an operator configures them.
func (j job) receivers(r *reconcile.Reconciler) (*hooks.Handler, error) {
	var all []hooks.Receiver
	for _, kind := range []string{"distribution", "generic"} {
		secrets := hooks.Secrets{Token: j.Token + kind, Keys: [][]byte{[]byte(j.Secret)}}
		all = append(all, hooks.Receiver{Name: kind, Kind: kind, Host: j.Host, Secrets: func() (hooks.Secrets, error) { return secrets, nil }})
	}
	return hooks.New(hooks.Options{Receivers: all, Look: func(_ hooks.Receiver, s hooks.Sighting) bool {
		room := true
		for _, i := range s.Images {
			room = r.Hint(reconcile.Hint{Repo: i.Repo, Upstream: i.Tag, Expect: i.Digest}) && room
		}
		return room
	}})
}

// settles waits until the branch says of every tag what the registry does.
func (j job) settles(ctx context.Context, r *reconcile.Reconciler) error {
	now := map[string]map[string]string{}
	if err := j.tell(ctx, "/now", &now); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		lost := missing(now, r)
		if lost == "" {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("a minute after the storm %s is not on record as it is", lost)
		}
	}
	for i := range stormStreams {
		text, err := j.Repo.git(ctx, nil, "-C", j.Repo.path(), "show", "main:"+pathOf(i))
		if err != nil {
			return err
		}
		for tag, digest := range now[repositoryOf(i)] {
			if !strings.Contains(text, digest) {
				return fmt.Errorf("%s:%s is not in the file as it is", repositoryOf(i), tag)
			}
		}
	}
	return nil
}

// missing is a tag whose record is not what the registry says.
func missing(now map[string]map[string]string, r *reconcile.Reconciler) string {
	for repository, tags := range now {
		recorded := r.Shelf().Tags(counter.StreamOf(repository))
		for tag, digest := range tags {
			if recorded[tag] != digest {
				return repository + ":" + tag
			}
		}
	}
	return ""
}
