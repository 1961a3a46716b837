package remote_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

// filled is a text of about n bytes, its middle a part again and again.
func filled(n int, head, part, tail string) []byte {
	body := []byte(head)
	for len(body)+len(part)+len(tail) <= n {
		body = append(body, part...)
	}
	return append(bytes.TrimSuffix(body, []byte(",")), tail...)
}

// names is an object of about n bytes and as many names as go into it.
func names(n int, head, tail string) []byte {
	body := []byte(head)
	for i := 0; len(body)+20+len(tail) < n; i++ {
		body = fmt.Appendf(body, `"%x":1,`, i)
	}
	return append(bytes.TrimSuffix(body, []byte(",")), tail...)
}

// sends is a registry over plain HTTP on loopback that answers everything with one
// body, and a Reader of it.
func sends(t *testing.T, contentType string, body []byte) (*remote.Reader, registry.Ref) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if strings.Count(r.URL.Path, "/") > 2 {
			w.Write(body)
		}
	}))
	t.Cleanup(server.Close)
	host := server.Listener.Addr().String()
	r := open(t, remote.Options{Hosts: map[string]remote.Host{host: {Insecure: true, Concurrency: 256}}})
	return r, registry.Ref{Repo: registry.Repo{Host: host, Path: "a/b"}, Tag: "v1", Digest: digestOf(string(body))}
}

// peak is by how much the heap grew while f ran, in MiB.
func peak(f func()) (most uint64) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before := heap()
	ctx, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() {
		for ctx.Err() == nil {
			if now := heap(); now > before {
				most = max(most, now-before)
			}
			select {
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	f()
	stop()
	watch.Wait()
	return most >> 20
}

// fault: H-12
//
// What is as large as it may be, and made so that reading it takes much more, takes
// little, also many at once.
func TestHostileAnswersTakeLittleMemory(t *testing.T) {
	on := registry.On{Insecure: true}
	config := func(r *remote.Reader, ref registry.Ref) { r.Config(t.Context(), on, ref.Repo, ref.Digest) }
	detail := func(r *remote.Reader, ref registry.Ref) {
		ref.Digest = ""
		r.Detail(t.Context(), on, ref)
	}
	tags := func(r *remote.Reader, ref registry.Ref) { r.Tags(t.Context(), on, ref.Repo) }
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		ask         func(*remote.Reader, registry.Ref)
	}{
		"config: a label of objects": {"application/octet-stream", filled(4<<20, `{"config":{"Labels":{"a":[`, "{},", `]}}}`), config},
		"config: many names":         {"application/octet-stream", names(4<<20, `{`, `}`), config},
		"config: many labels":        {"application/octet-stream", names(4<<20, `{"config":{"Labels":{`, `}}}`), config},
		"manifest: many children":    {ociIndex, filled(4<<20, `{"manifests":[`, "{},", `]}`), detail},
		"manifest: many annotations": {ociIndex, names(4<<20, `{"manifests":[{"digest":"`+digestOf("")+`","annotations":{`, `}}]}`), detail},
		"tags: many names":           {"application/json", names(16<<20, `{"tags":[],`, `}`), tags},
		"tags: many empty ones":      {"application/json", filled(16<<20, `{"tags":[`, `"",`, `]}`), tags},
		"tags: one long one":         {"application/json", filled(16<<20, `{"tags":["`, `a`, `"]}`), tags},
	} {
		t.Run(name, func(t *testing.T) {
			r, ref := sends(t, c.contentType, c.body)
			most := peak(func() {
				var all sync.WaitGroup
				for range 8 {
					all.Go(func() { c.ask(r, ref) })
				}
				all.Wait()
			})
			if t.Logf("%d MiB", most); most > 256 {
				t.Errorf("%d MiB", most)
			}
		})
	}
}

// Who waits for room waits no longer than a request may take, and small answers need
// none.
func TestRoom(t *testing.T) {
	body := filled(1<<20, `{"manifests":[`, "{},", `]}`)
	r, ref := sends(t, ociIndex, body)
	leave := remote.Crowd(r)
	on, short := registry.On{Insecure: true}, 100*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	_, err := r.Detail(ctx, on, ref)
	failed(t, err, registry.Unreachable, "no answer in time")
	small, other := sends(t, ociImage, []byte(webImage))
	remote.Crowd(small)
	if _, err := small.Detail(t.Context(), on, other); err != nil {
		t.Errorf("a small answer: %v", err)
	}
	leave()
	for range 30 { // more than have room at once: each leaves it
		_, err = r.Detail(t.Context(), on, ref)
		failed(t, err, registry.Invalid, "manifests[0]")
	}
}

// fault: H-16
//
// An object has a thousand names, and a list a thousand manifests, not more.
func TestThousandNames(t *testing.T) {
	many := func(n int) (object, list string) {
		var names, children []string
		for i := range n {
			names = append(names, fmt.Sprintf(`"n%d":1`, i))
			children = append(children, `{"digest":"`+digestOf("")+`"}`)
		}
		return "{" + strings.Join(names, ",") + "}", `{"manifests":[` + strings.Join(children, ",") + "]}"
	}
	for n, says := range map[int]string{1000: "", 1001: "more than 1000"} {
		object, list := many(n)
		_, config := configOf(t, object)
		s, r := one(t)
		s.On("GET "+manifestV1, manifest(ociIndex, list))
		_, index := r.Detail(t.Context(), team1, web("registry.test"))
		for what, err := range map[string]error{"config": config, "list": index} {
			if says != "" {
				failed(t, err, registry.Invalid, says)
			} else if err != nil {
				t.Errorf("%s of %d: %v", what, n, err)
			}
		}
	}
}
