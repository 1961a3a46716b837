package registrytest

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Every way in which a secret may come must spring the trap, or the tests that
// rely on it prove nothing.
func TestTrap(t *testing.T) {
	const canary = "canary+s3cret/of=team1"
	ca := NewCA(t)
	header := func(name, value string) func(string) (*http.Request, error) {
		return func(to string) (*http.Request, error) {
			req, err := http.NewRequest(http.MethodGet, to, nil)
			req.Header.Set(name, value)
			return req, err
		}
	}
	basic := func(user string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+canary))
	}
	for _, tt := range []struct {
		name    string
		request func(to string) (*http.Request, error)
		want    bool
	}{
		{"nothing", header("Authorization", "Bearer other"), false},
		{"raw", header("X-Token", canary), true},
		{"bearer", header("Authorization", "Bearer "+canary), true},
		{"basic 0", header("Authorization", basic("us")), true},
		{"basic 1", header("Authorization", basic("use")), true},
		{"basic 2", header("Authorization", basic("user")), true},
		{"base64url", header("Cookie", base64.URLEncoding.EncodeToString([]byte(canary+"…"))), true},
		{"hex", header("Cookie", fmt.Sprintf("%x", canary)), true},
		{"query", func(to string) (*http.Request, error) {
			return http.NewRequest(http.MethodGet, to+"/token?password="+url.QueryEscape(canary), nil)
		}, true},
		{"form", func(to string) (*http.Request, error) {
			return http.NewRequest(http.MethodPost, to, strings.NewReader(url.Values{"password": {canary}}.Encode()))
		}, true},
	} {
		for scheme, config := range map[string]*tls.Config{"http": nil, "https": ca.serverConfig(t)} {
			t.Run(tt.name+" "+scheme, func(t *testing.T) {
				trap := newTrap(t, config, []string{canary})
				defer trap.close()
				req, err := tt.request(trap.URL)
				if err != nil {
					t.Fatal(err)
				}
				transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, DisableKeepAlives: true}
				resp, err := (&http.Client{Transport: transport}).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := len(trap.Caught()) > 0; got != tt.want {
					t.Errorf("caught: got %v %q, want %v", got, trap.Caught(), tt.want)
				}
				if got := len(trap.Requests()); got != 1 {
					t.Errorf("got %d requests in the log, want 1", got)
				}
			})
		}
	}
}

func TestTrapTakesAnything(t *testing.T) {
	trap := newTrap(t, nil, []string{"canary-s3cret"})
	conn, err := net.Dial("tcp", trap.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "\x16\x03\x01 no HTTP: canary-s3cret\r\n\r\n")
	conn.Read(make([]byte, 1)) // the server says 400: it has read
	trap.close()
	if got := trap.Caught(); len(got) != 1 {
		t.Errorf("caught %q, want the canary", got)
	}
}
