package integrated

import (
	"net/http"
	"testing"
)

// fault: E-05
// Without users only this machine is served: by the connection's address, where no proxy and no
// page of elsewhere has a part in it.
func TestIsLocal(t *testing.T) {
	t.Parallel()
	here := "127.0.0.1:4711"
	for _, host := range []string{"localhost", "localhost:5000", "LocalHost:5000", "127.0.0.1", "127.9.9.9:5000", "[::1]", "[::1]:5000"} {
		if !isLocal(here, host, http.Header{}) || !isLocal("[::1]:1", host, http.Header{}) || !isLocal("[::ffff:127.0.0.1]:1", host, http.Header{}) {
			t.Errorf("%s: not taken for this machine", host)
		}
		if isLocal("192.0.2.1:1", host, http.Header{}) || isLocal("@", host, http.Header{}) {
			t.Errorf("%s from elsewhere: taken for this machine", host)
		}
	}
	// A page's name becomes 127.0.0.1 while a browser shows it.
	for _, host := range []string{"", "evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example:5000", "192.0.2.1:5000", "localhost:5000:5000"} {
		if isLocal(here, host, http.Header{}) {
			t.Errorf("host %q: taken for this machine", host)
		}
	}
	// A client's own empty header comes before the one that a proxy adds.
	for _, key := range forwarding {
		for _, values := range [][]string{{""}, {"", "203.0.113.7"}, {"203.0.113.7"}} {
			if isLocal(here, "localhost", http.Header{key: values}) {
				t.Errorf("%s: %q: taken for this machine", key, values)
			}
		}
	}
}

// fault: E-05
// The gate asks that of every request.
func TestOnlyLocalWithoutUsers(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil, func(r *Rules) { r.UsersFile, r.Tokens, r.Access.Anonymous = "", nil, nil })
	for want, change := range map[int]func(*http.Request){
		200: func(*http.Request) {},
		403: func(r *http.Request) { r.Host = "evil.example:5000" },
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", d.URL+"/v2/_catalog", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(req)
		resp, err := d.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %q: got %d, want %d", req.Host, resp.StatusCode, want)
		}
	}
}
