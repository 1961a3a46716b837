package integrated

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

// A stream that names this registry by another name does not have it wait for itself.
func TestPullFromOurselves(t *testing.T) {
	var r *Registry
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.ServeHTTP(w, req) }))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	reader, err := remote.New(remote.Options{Hosts: map[string]remote.Host{host: {Insecure: true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	guide, m := &guided{}, image("{}")
	guide.record("team1/web", "stable", sum(m))
	guide.on["team1/web@"+sum(m)] = registry.Origin{On: registry.On{Namespace: "team1", Insecure: true}, Repo: registry.Repo{Host: host, Path: "team1/web"}}
	if r, err = New(t.Context(), Options{Guide: guide, Fetcher: reader}); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, "GET", "/v2/team1/web/manifests/stable", nil)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if w.Code != http.StatusLoopDetected || !strings.Contains(w.Body.String(), "registry: host:") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// Two registries that fetch from each other find that out, and wait for nobody.
func TestPullFromEachOther(t *testing.T) {
	var registries [2]*Registry
	var hosts [2]string
	for i := range registries {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { registries[i].ServeHTTP(w, req) }))
		defer s.Close()
		hosts[i] = strings.TrimPrefix(s.URL, "http://")
	}
	m := image("{}")
	for i := range registries {
		other := hosts[1-i]
		reader, err := remote.New(remote.Options{Hosts: map[string]remote.Host{other: {Insecure: true}}})
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		guide := &guided{}
		guide.record("team1/web", "stable", sum(m))
		guide.on["team1/web@"+sum(m)] = registry.Origin{On: registry.On{Namespace: "team1", Insecure: true}, Repo: registry.Repo{Host: other, Path: "team1/web"}}
		if registries[i], err = New(t.Context(), Options{Guide: guide, Fetcher: reader}); err != nil {
			t.Fatal(err)
		}
		defer registries[i].Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // else they would wait for each other
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, "GET", "/v2/team1/web/manifests/stable", nil)
	w := httptest.NewRecorder()
	registries[0].ServeHTTP(w, req)
	if w.Code != http.StatusLoopDetected {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	req = httptest.NewRequestWithContext(ctx, "GET", "/v2/", nil)
	req.Header.Set(registry.LoopHeader, strings.Repeat("other, ", maxLoop/7+1))
	w = httptest.NewRecorder()
	if registries[0].ServeHTTP(w, req); w.Code != http.StatusLoopDetected {
		t.Errorf("of very many: got %d %s", w.Code, w.Body)
	}
}

func TestIsLoop(t *testing.T) {
	mine := rand.Text()
	for line, want := range map[string]bool{
		mine: true, "other, " + mine + "; abc=1": true, "other": false, mine + "x": false, "": false, "," + mine: true,
	} {
		h := http.Header{}
		h.Add("CDN-Loop", "first")
		h.Add("CDN-Loop", line)
		if isLoop(h, mine) != want || isLoop(h, "") {
			t.Errorf("%q: want %v", line, want)
		}
	}
}
