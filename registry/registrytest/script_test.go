package registrytest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry/registrytest"
)

// get is the status and the body, or the error.
func get(t *testing.T, client *http.Client, url string) (int, string, error) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestScript(t *testing.T) {
	s := registrytest.NewScript(t)
	s.Tags("a/b", "1", "2")
	digest := s.Manifest("a/b", "1", "application/vnd.oci.image.manifest.v1+json", []byte(`{"schemaVersion":2}`))
	s.On("GET /v2/a/*", registrytest.Status(418))
	s.Fault("GET /v2/a/b/tags/list", registrytest.Status(429, "Retry-After: 2"), registrytest.Hangup)

	type answer struct {
		Status int
		Body   string
		Failed bool
	}
	// With a connection for each request nothing is asked twice after a hang-up.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var got []answer
	for _, path := range []string{"/v2/", "/v2/a/b/tags/list", "/v2/a/b/tags/list", "/v2/a/b/tags/list", "/v2/a/b/manifests/1", "/v2/a/b/manifests/" + digest, "/v2/a/else", "/v2/c"} {
		status, body, err := get(t, client, s.URL+path)
		got = append(got, answer{status, strings.TrimSpace(body), err != nil})
	}
	want := []answer{
		{200, "{}", false},
		{429, "", false},
		{0, "", true},
		{200, `{"name":"a/b","tags":["1","2"]}`, false},
		{200, `{"schemaVersion":2}`, false},
		{200, `{"schemaVersion":2}`, false},
		{418, "", false},
		{404, `{"errors":[{"code":"NOT_FOUND","message":"the script says nothing of this"}]}`, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if got := s.Paths()[0]; got != "GET /v2/" {
		t.Errorf("log starts with %q", got)
	}
}

func TestScriptFaults(t *testing.T) {
	s := registrytest.NewScript(t)
	s.On("/short", registrytest.Truncated("text/plain", []byte("all of it"), 3))
	if _, body, err := get(t, http.DefaultClient, s.URL+"/short"); err == nil || body != "all" {
		t.Errorf("truncated: got %q, %v", body, err)
	}

	s.On("/moved", registrytest.Redirect(307, "//evil.test/../x"))
	resp, err := http.DefaultTransport.RoundTrip(request(t.Context(), t, s.URL+"/moved"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Location"); got != "//evil.test/../x" {
		t.Errorf("Location: got %q, want it as it stands", got)
	}

	s.On("/endless", s.Endless("text/plain", []byte("again ")))
	resp, err = http.DefaultClient.Do(request(t.Context(), t, s.URL+"/endless"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Errorf("endless: %v", err)
	}
	resp.Body.Close()

	ctx, leave := context.WithCancel(t.Context())
	s.On("/stall", func(w http.ResponseWriter, r *http.Request) {
		leave()
		s.Stall(w, r)
	})
	if _, err := http.DefaultClient.Do(request(ctx, t, s.URL+"/stall")); !errors.Is(err, context.Canceled) {
		t.Errorf("stall: got %v, want the client to leave", err)
	}
}

// One server is whatever host the client dials it as.
func TestTLSScript(t *testing.T) {
	ca := registrytest.NewCA(t)
	s := registrytest.NewTLSScript(t, ca)
	for _, host := range []string{s.Host, "quay.io", "evil.test:444"} {
		if status, _, err := get(t, clientOf(t, ca, s.Host), "https://"+host+"/v2/"); status != 200 {
			t.Errorf("%s: got %d, %v", host, status, err)
		}
	}
	if _, _, err := get(t, http.DefaultClient, s.URL+"/v2/"); err == nil {
		t.Error("a client that does not know the CA was served")
	}
}

// clientOf trusts the CA and finds every host at one address.
func clientOf(t *testing.T, ca *registrytest.CA, addr string) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.Pool()},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func request(ctx context.Context, t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
