package wire_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// api serves a handler on this machine.
func api(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func token(text string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, nil }
}

func client(t *testing.T, o wire.Options) *http.Client {
	t.Helper()
	c, err := wire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// fails checks of what kind a failure is, and what it says.
func fails(t *testing.T, err error, want forge.Kind, says string) *forge.Error {
	t.Helper()
	var e *forge.Error
	if !errors.As(wire.AsError("https://asked.test", err), &e) {
		t.Fatalf("got %v, want a *forge.Error", err)
	}
	if e.Kind != want || !strings.Contains(e.Error(), says) {
		t.Errorf("got %s %q, want %s %q", e.Kind, e, want, says)
	}
	if e.Fix == "" {
		t.Errorf("%q says nothing about whose move it is", e)
	}
	if strings.ContainsAny(e.Error(), "\n\x1b") {
		t.Errorf("%q is more than a line", e.Error())
	}
	return e
}

func say(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, body)
	}
}

func TestCredentialIsReadForEveryRequest(t *testing.T) {
	var got []string
	s := api(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization")+" "+r.Header.Get("User-Agent"))
		io.WriteString(w, `[]`)
	})
	now := rand.Text()
	first := now
	c := client(t, wire.Options{API: s.URL, UserAgent: "towpath/1", Token: func(context.Context) (string, error) { return now, nil }})
	resp, _ := get(t, c, s.URL)
	if resp.Request.Header.Get("Authorization") != "" {
		t.Error("the answer's request, which libraries print, holds the token")
	}
	now = rand.Text()
	get(t, c, s.URL)
	if got[0] != "Bearer "+first+" towpath/1" || got[1] != "Bearer "+now+" towpath/1" {
		t.Errorf("got %q", got)
	}
}

func TestAuthorize(t *testing.T) {
	s := api(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode([]string{r.Header.Get("Private-Token"), r.Header.Get("Authorization")})
	})
	mine := func(h http.Header, token string) { h.Set("Private-Token", "x"+token) }
	_, body := get(t, client(t, wire.Options{API: s.URL, Token: token("t"), Authorize: mine}), s.URL)
	if body != `["xt",""]`+"\n" {
		t.Errorf("got %s", body)
	}
	if _, body = get(t, client(t, wire.Options{API: s.URL, Token: token("")}), s.URL); body != `["",""]`+"\n" {
		t.Errorf("without a token: got %s", body)
	}
}

func TestNoToken(t *testing.T) {
	s := api(t, func(http.ResponseWriter, *http.Request) { t.Error("asked without the token") })
	c := client(t, wire.Options{API: s.URL, Token: func(context.Context) (string, error) { return "", errors.New("the token file is empty") }})
	_, err := c.Get(s.URL)
	fails(t, err, forge.Unauthorized, "the token file is empty")
	own := &forge.Error{Kind: forge.Unreachable, What: "the App's token could not be renewed", Fix: "wait"}
	c = client(t, wire.Options{API: s.URL, Token: func(context.Context) (string, error) { return "", own }})
	_, err = c.Get(s.URL)
	if e := fails(t, err, forge.Unreachable, "could not be renewed"); e.Forge != "https://asked.test" {
		t.Errorf("got %q", e.Forge)
	}
	_, err = client(t, wire.Options{API: s.URL, Token: token("a\nb")}).Get(s.URL)
	fails(t, err, forge.Unauthorized, "characters")
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		o    wire.Options
		want string // part of the error; empty: none
	}{
		{wire.Options{API: "https://api.github.com/", Token: token("t")}, ""},
		{wire.Options{API: "http://127.0.0.1:3000/api/v1", Token: token("t")}, ""},
		{wire.Options{API: "http://[::1]:3000/api/v1", Token: token("t")}, ""},
		{wire.Options{API: "http://localhost:3000/api/v1", Token: token("t")}, ""},
		{wire.Options{API: "http://git.example/api/v1"}, ""},
		{wire.Options{API: "http://git.example/api/v1", Token: token("t"), Insecure: true}, ""},
		{wire.Options{API: "http://git.example/api/v1", Token: token("t")}, "plain http"},
		{wire.Options{API: "http://127.0.0.1.git.example/", Token: token("t")}, "plain http"},
		{wire.Options{API: "git.example/api/v1"}, "is none"},
		{wire.Options{API: "ftp://git.example/"}, "is none"},
		{wire.Options{API: "https://"}, "is none"},
		{wire.Options{API: "https://alice:" + rand.Text() + "@git.example/"}, "is none"},
		{wire.Options{API: "https://git.example", CAFile: "/does/not/exist"}, "ca-file"},
	} {
		_, err := wire.New(tt.o)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.o.API, err, tt.want)
		}
	}
}

// fault: G-21
func TestRedirects(t *testing.T) {
	secret := rand.Text()
	trap := api(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the trap was asked %s %s, with %v", r.Method, r.URL, r.Header)
	})
	var s *httptest.Server
	s = api(t, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{
			"/renamed": "/here", "/post": "/here", "/old/1": "/new/1", "/loop": "/loop", "/us": "http://user:pw@" + s.Listener.Addr().String() + "/here",
			"/port": trap.URL + "/x", "/host": strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/here",
			"/scheme": "https://" + s.Listener.Addr().String() + "/here", "/slashes": "//" + trap.Listener.Addr().String() + "/x",
			"/user": "http://user:pw@" + trap.Listener.Addr().String(), "/file": "file:///etc/passwd",
		}[r.URL.Path]
		switch {
		case to == "":
			json.NewEncoder(w).Encode([]string{r.Method, r.Header.Get("Authorization")})
		case r.URL.Path == "/post", r.URL.Path == "/old/1":
			http.Redirect(w, r, to, http.StatusFound)
		default:
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	})
	c := client(t, wire.Options{API: s.URL, Token: token(secret)})
	if _, body := get(t, c, s.URL+"/renamed"); body != `["GET","Bearer [secret]"]`+"\n" {
		t.Errorf("within the origin: got %s", body)
	}
	resp, err := c.Post(s.URL+"/renamed", "application/json", strings.NewReader(`{}`))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("a 307 of a POST within the origin: %v", err)
	}
	_, err = c.Post(s.URL+"/post", "application/json", strings.NewReader(`{}`))
	if e := fails(t, err, forge.Invalid, "redirected a POST to a GET of /here"); strings.Contains(e.Fix, "renamed") {
		t.Errorf("fix: %s", e.Fix)
	}
	_, err = c.Post(s.URL+"/old/1", "application/json", strings.NewReader(`{}`))
	if e := fails(t, err, forge.Invalid, "redirected a POST to a GET of /new/1"); e.Fix != wire.FixMoved {
		t.Errorf("fix: %s, want that it was renamed", e.Fix)
	}
	_, err = c.Get(s.URL + "/loop")
	fails(t, err, forge.Invalid, "more than 5 times")
	for _, path := range []string{"/port", "/host", "/scheme", "/slashes", "/user", "/file"} {
		_, err := c.Get(s.URL + path)
		fails(t, err, forge.Invalid, "another origin")
		if shown := wire.AsError(s.URL, err).Error(); strings.Contains(shown, "pw") {
			t.Errorf("%s: %s", path, shown)
		}
	}
	_, err = c.Get(s.URL + "/us")
	fails(t, err, forge.Invalid, "a URL with a user")
	_, err = c.Get(trap.URL)
	fails(t, err, forge.Invalid, "nothing was sent there")
}

// fault: F-11
func TestAnswers(t *testing.T) {
	big := `"` + strings.Repeat("x", 20<<20) + `"`
	const html, js = "text/html; charset=utf-8", "application/json"
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   forge.Kind // empty: an answer
		says   string
	}{
		{"a list", 200, js, `[]`, "", ""},
		{"a vendor's type", 200, "application/vnd.github+json", `{"number": 1}`, "", ""},
		{"nothing", 204, "", "", "", ""},
		{"an object with a message beside", 200, js, `{"sha": "1", "merged": true, "message": "merged"}`, "", ""},
		{"says no", 422, js, `{"message": "Validation Failed"}`, "", ""},
		{"not found", 404, js, `{"message": "Not Found"}`, "", ""},
		{"a page", 200, html, "<!DOCTYPE html><title>Login</title>", forge.Invalid, "answered with a web page"},
		{"a page instead of an object", 200, html, `{"number": 1}`, forge.Invalid, "answered with a web page"},
		{"a page that is a refusal", 403, html, "<html>", forge.Invalid, "web page (403)"},
		{"a page where nothing is", 404, html, "<html>", forge.NotFound, "web page (404)"},
		{"a page for strangers", 401, html, "<html>", forge.Unauthorized, "web page (401)"},
		{"GitHub's unicorn", 502, html, "<html><body>Unicorn!", forge.Unreachable, "answered 502: Bad Gateway"},
		{"broken", 500, js, `{"message": "boom\u001b[31m\nred"}`, forge.Unreachable, "answered 500: boom"},
		{"an error that is none", 200, js, `{"message": "Bad credentials", "documentation_url": "https://x"}`, forge.Invalid, "answered 200, and that it is an error: Bad credentials"},
		{"another", 200, js, `{"error": "invalid_token"}`, forge.Invalid, "invalid_token"},
		{"GitLab's", 201, js, `{"message": {"base": ["taken"]}}`, forge.Invalid, `{"base": ["taken"]}`},
		{"half", 200, js, `[{"number": 1}, {"num`, forge.Invalid, "something else than JSON"},
		{"text", 200, "text/plain", `OK`, forge.Invalid, "something else than JSON"},
		{"20 MiB", 200, js, big, forge.Invalid, "larger than 8 MiB"},
		{"20 MiB of a refusal", 422, js, big, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := api(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			resp, err := client(t, wire.Options{API: s.URL}).Get(s.URL)
			if tt.want != "" {
				if e := fails(t, err, tt.want, tt.says); e.Forge != s.URL {
					t.Errorf("got forge %q, want %q", e.Forge, s.URL)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if want := tt.body[:min(len(tt.body), 64<<10)]; err != nil || resp.StatusCode != tt.status || string(body) != want {
				t.Errorf("got %d %.80q %v", resp.StatusCode, body, err)
			}
		})
	}
}

func TestBomb(t *testing.T) {
	s := api(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(zeros(16 << 20))
	})
	_, err := client(t, wire.Options{API: s.URL}).Get(s.URL)
	if e := fails(t, err, forge.Invalid, "larger than 8 MiB"); !errors.Is(e, wire.ErrTooLarge) {
		t.Errorf("%v does not say that less may be asked for", e)
	}
}

// A token that the server repeats, in whatever form, is in no answer and no error.
// fault: G-25
func TestTokenIsNeverRepeated(t *testing.T) {
	secret := rand.Text() + "&<+/"
	pair := base64.StdEncoding.EncodeToString([]byte("towpath:" + secret))
	escaped, _ := json.Marshal(secret)
	forms := []string{
		secret, pair, strings.Trim(string(escaped), `"`), url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
	}
	for i, form := range forms {
		for _, status := range []int{200, 401, 422, 429, 500, 302} {
			s := api(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Echo", form)
				w.Header().Set("Link", `</x?private_token=`+form+`>; rel="next"`)
				if status == 302 {
					w.Header().Set("Location", "ht!tp://[%zz"+form)
				}
				w.WriteHeader(status)
				json.NewEncoder(w).Encode(map[string]string{"message": "no such token: " + form})
			})
			basic := func(h http.Header, token string) { h.Set("Authorization", "Basic "+pair) }
			c := client(t, wire.Options{API: s.URL, Token: token(secret), Authorize: basic})
			resp, err := c.Get(s.URL)
			shown := ""
			if err != nil {
				e := wire.AsError(s.URL, err)
				shown = err.Error() + e.Error()
				for ; err != nil; err = errors.Unwrap(err) {
					shown += err.Error()
				}
			} else {
				body, _ := io.ReadAll(resp.Body)
				shown = string(body) + resp.Header.Get("X-Echo") + resp.Header.Get("Link") + wire.Refusal(resp, string(body)).Error()
			}
			if !strings.Contains(shown, "[secret]") {
				t.Errorf("form %d, status %d: the echo is not there: %s", i, status, shown)
			}
			for _, f := range forms {
				if strings.Contains(shown, f) {
					t.Errorf("form %d, status %d: the token is shown in %s", i, status, shown)
				}
			}
		}
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(say("application/json", `[]`))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	asked := false
	_, err := client(t, wire.Options{API: s.URL, Token: func(context.Context) (string, error) { asked = true; return "t", nil }}).Get(s.URL)
	if e := fails(t, err, forge.Unreachable, "certificate cannot be verified"); !strings.Contains(e.Fix, "ca-file") || !asked {
		t.Errorf("got fix %q", e.Fix)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	get(t, client(t, wire.Options{API: s.URL, CAFile: file}), s.URL)
	if err := os.WriteFile(file, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.New(wire.Options{API: s.URL, CAFile: file}); err == nil || !strings.Contains(err.Error(), "no certificate in it") {
		t.Errorf("got %v", err)
	}
	plain := api(t, say("application/json", `[]`))
	u := strings.Replace(plain.URL, "http:", "https:", 1)
	_, err = client(t, wire.Options{API: u}).Get(u)
	fails(t, err, forge.Unreachable, "plain HTTP instead of HTTPS")
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := client(t, wire.Options{API: s.URL}).Get(s.URL)
	e := fails(t, err, forge.Unreachable, "connection refused")
	if !e.Kind.Passing() {
		t.Errorf("%s does not pass", e.Kind)
	}
	_, err = client(t, wire.Options{API: "https://forge.invalid"}).Get("https://forge.invalid")
	fails(t, err, forge.Unreachable, "")
	cut := api(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `[`)
	})
	_, err = client(t, wire.Options{API: cut.URL}).Get(cut.URL)
	fails(t, err, forge.Unreachable, "the connection broke")
}

func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := api(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = client(t, wire.Options{API: s.URL}).Do(req); wire.AsError(s.URL, err) != context.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestRefusal(t *testing.T) {
	where, _ := url.Parse("https://Git.example:443/api/v4/projects/1?x=1")
	for status, want := range map[int]forge.Kind{
		302: forge.Invalid, 400: forge.Refused, 401: forge.Unauthorized, 403: forge.Forbidden, 404: forge.NotFound, 405: forge.Refused,
		408: forge.Unreachable, 409: forge.Refused, 410: forge.NotFound, 422: forge.Refused, 429: forge.RateLimited, 500: forge.Unreachable, 504: forge.Unreachable,
	} {
		e := wire.Refusal(&http.Response{StatusCode: status, Request: &http.Request{URL: where}}, "because\nof this")
		fails(t, e, want, "because of this")
		if e.Forge != "https://git.example" {
			t.Errorf("got %q", e.Forge)
		}
	}
}

func TestAsError(t *testing.T) {
	if err := wire.AsError("https://x", nil); err != nil {
		t.Errorf("got %v", err)
	}
	if err := wire.AsError("https://x", &url.Error{Err: forge.ErrMoved}); err != forge.ErrMoved {
		t.Errorf("got %v", err)
	}
	var into struct{ Number int }
	err := json.Unmarshal([]byte(`{"number": "one"}`), &into)
	fails(t, err, forge.Invalid, "not understood")
}

// TestTheRefusedTokenIsTold has who keeps tokens learn which one was answered with 401, and nobody who
// prints the context.
func TestTheRefusedTokenIsTold(t *testing.T) {
	good, old := rand.Text(), rand.Text()
	s := api(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+good {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	var told []string
	c := client(t, wire.Options{API: s.URL, Token: func(ctx context.Context) (string, error) {
		told = append(told, wire.Refused(ctx))
		if text := fmt.Sprintf("%v %+v", ctx, ctx); strings.Contains(text, old) {
			t.Errorf("the context shows the token: %s", text)
		}
		if len(told) > 2 {
			return good, nil
		}
		return old, nil
	}})
	for range 4 {
		get(t, c, s.URL)
	}
	if diff := cmp.Diff([]string{"", old, old, old}, told); diff != "" {
		t.Errorf("it was told (-want +got):\n%s", diff)
	}
}
