package integrated

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// Behind a proxy that is trusted, one stranger does not use up what everybody may ask. Who is
// local still goes by the connection.
func TestClientBehindProxy(t *testing.T) {
	t.Parallel()
	said := func(r *http.Request) (netip.Addr, bool) {
		addr, err := netip.ParseAddr(r.Header.Get("X-Forwarded-For"))
		return addr, err == nil
	}
	d := doorTo(t, nil, func(r *Rules) { r.Limits, r.Client = Limits{RequestsPerSecond: 5}, said })
	ask := func(r *Registry, who, from string) int {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/v2/", nil)
		req.Host, req.RemoteAddr = "localhost", "10.0.0.1:1" // the proxy
		req.Header.Set("X-Forwarded-For", from)
		if who != "" {
			req.SetBasicAuth(who, d.secrets[who])
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Code
	}
	for range 50 {
		ask(d.r, "", "203.0.113.7")
	}
	if got := ask(d.r, "", "203.0.113.7"); got != 429 {
		t.Errorf("after 50 requests: got %d, want 429", got)
	}
	for range 50 {
		ask(d.r, "", "what is no address")
	}
	if got := ask(d.r, "", "neither"); got != 429 {
		t.Errorf("of the proxy itself, after 50 requests: got %d, want 429", got)
	}
	if got := ask(d.r, "alice", "198.51.100.1"); got != 200 {
		t.Errorf("beside a stranger behind the same proxy: got %d, want 200", got)
	}
	alone, err := New(t.Context(), Options{Rules: &Rules{Client: said}})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if got := ask(alone, "", "127.0.0.1"); got != 403 {
		t.Errorf("a proxy's word that somebody is local: got %d, want 403", got)
	}
}
