package gogit_test

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// fault: G-01
func TestServerGone(t *testing.T) {
	s := newStage(t)
	s.server.Down()
	_, err := s.store.Snapshot(t.Context(), "main")
	s.wantError(err, gitstore.Unreachable)

	s.server.Up()
	base := s.snapshot()
	s.server.Down()
	_, err = s.store.Snapshot(t.Context(), "main")
	s.wantError(err, gitstore.Unreachable)
	_, err = s.push(base, 1)
	s.wantError(err, gitstore.Unreachable)
	s.wantLog("first")

	s.server.Up()
	if s.snapshot() != base {
		t.Errorf("another snapshot of the same tip")
	}
	s.mustPush(base, 1)
	s.wantLog("ours 1", "first")
}

// fault: G-01
func TestNobodyListens(t *testing.T) {
	s := newStage(t)
	s.server.Close()
	_, err := s.store.Snapshot(t.Context(), "main")
	s.wantError(err, gitstore.Unreachable)
}

// fault: G-03
func TestBadCertificate(t *testing.T) {
	good, host := time.Now().Add(time.Hour), "127.0.0.1"
	for _, c := range []struct {
		name    string
		config  *tls.Config
		trusted bool
	}{
		{"expired", &tls.Config{Certificates: []tls.Certificate{gittest.Certificate(t, time.Now().Add(-time.Hour), host)}}, true},
		{"signed by itself", &tls.Config{Certificates: []tls.Certificate{gittest.Certificate(t, good, host)}}, false},
		{"of another host", &tls.Config{Certificates: []tls.Certificate{gittest.Certificate(t, good, "example.com", "127.0.0.2")}}, true},
		{"TLS 1.0", &tls.Config{
			Certificates: []tls.Certificate{gittest.Certificate(t, good, host)},
			MinVersion:   tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			repo := gittest.NewRepo(t, map[string]string{"a": "1"})
			server := gittest.ServeTLS(t, c.config, repo)
			s := onStage(t, repo, server, func(o *gogit.Options) {
				if c.trusted {
					o.CAFile = server.CAFile()
				}
			})
			_, err := s.store.Snapshot(t.Context(), "main")
			s.wantError(err, gitstore.TLS)
			if log := server.Log(); len(log) > 0 {
				t.Errorf("something was sent after a handshake that should have failed: %+v", log)
			}
		})
	}
	t.Run("a good one", func(t *testing.T) {
		repo := gittest.NewRepo(t, map[string]string{"a": "1"})
		server := gittest.ServeTLS(t, nil, repo)
		onStage(t, repo, server, func(o *gogit.Options) { o.CAFile = server.CAFile() }).snapshot()
	})
}

// fault: G-04
func TestPasswordSwapped(t *testing.T) {
	mount := t.TempDir()
	swap := func(version, password string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(mount, version), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mount, version, "password"), []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		// As a mounted secret changes: a link is renamed over the link.
		if err := os.Symlink(version, filepath.Join(mount, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(mount, "..tmp"), filepath.Join(mount, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("..data/password", filepath.Join(mount, "password")); err != nil {
		t.Fatal(err)
	}

	repo := gittest.NewRepo(t, map[string]string{"a": "1"})
	server := gittest.Serve(t, repo)
	swap("v1", server.Password())
	s := onStage(t, repo, server, func(o *gogit.Options) { o.PasswordFile = filepath.Join(mount, "password") })
	base := s.snapshot()

	server.SetPassword("fake-" + strings.ToUpper(server.Password()))
	server.Log()
	_, err := s.store.Snapshot(t.Context(), "main")
	s.wantError(err, gitstore.Unauthorized)
	if n := tries(server.Log()); n != 1 {
		t.Errorf("a snapshot tried the old password %d times, want once", n)
	}
	_, err = s.push(base, 1)
	s.wantError(err, gitstore.Unauthorized)
	if n := tries(server.Log()); n != 1 {
		t.Errorf("a push tried the old password %d times, want once", n)
	}

	swap("v2", "\ufeff"+server.Password()+"\r\n")
	s.mustPush(s.snapshot(), 1)
}

// tries counts requests that carried a password.
func tries(log []gittest.Request) (n int) {
	for _, r := range log {
		if r.Authorization != "" {
			n++
		}
	}
	return n
}

// fault: G-05
func TestDenied(t *testing.T) {
	s := newStage(t)
	base := s.snapshot()
	s.server.Fail(1, gittest.PushRefs, gittest.Status(http.StatusForbidden))
	_, err := s.push(base, 1)
	s.wantError(err, gitstore.Denied)
	s.server.Fail(1, gittest.Push, gittest.Status(http.StatusForbidden))
	_, err = s.push(base, 1)
	if e := s.wantError(err, gitstore.Denied); !strings.Contains(e.Fix, "write_repository") || !strings.Contains(e.Fix, "Contents: read and write") {
		t.Errorf("the fix names no right to push: %s", e.Fix)
	}

	s.repo.Hook("pre-receive", "echo 'main is protected' >&2; exit 1")
	_, err = s.push(base, 1)
	e := s.wantError(err, gitstore.Denied)
	if text := e.Error() + e.Fix; !strings.Contains(text, "main is protected") {
		t.Errorf("the server's words are missing: %s", text)
	}
	s.wantLog("first")
	s.repo.Hook("pre-receive", "")
	s.mustPush(base, 1)
	s.wantLog("ours 1", "first")
}

// fault: G-06
func TestServerErrors(t *testing.T) {
	for _, op := range []gittest.Op{gittest.LsRefs, gittest.Fetch, gittest.PushRefs, gittest.Push} {
		t.Run(string(op), func(t *testing.T) {
			s := newStage(t)
			if op == gittest.PushRefs || op == gittest.Push {
				s.snapshot()
			}
			failures := 0
			for i := range 5 {
				// Whatever else is asked for meanwhile works.
				s.server.Heal()
				s.server.Fail(-1, op, gittest.Status([]int{500, 502, 503, 504, 500}[i]))
				if _, err := passOnce(s, 1); err != nil {
					s.wantError(err, gitstore.Unreachable)
					failures++
				}
			}
			s.wantLog("first")
			s.server.Heal()
			if _, err := passOnce(s, 1); err != nil {
				t.Fatalf("after the errors: %v", err)
			}
			if failures != 5 {
				t.Errorf("failures: got %d, want 5", failures)
			}
			s.wantLog("ours 1", "first")
		})
	}
}

// passOnce is a pass as the daemon makes it.
func passOnce(s *stage, n int) (gitstore.Snapshot, error) {
	base, err := s.store.Snapshot(s.Context(), "main")
	if err != nil {
		return nil, err
	}
	return s.push(base, n)
}

// fault: G-07
func TestRetryAfter(t *testing.T) {
	s := newStage(t)
	base := s.snapshot()
	for _, c := range []struct {
		code      int
		header    string
		low, high time.Duration
	}{
		{429, "7", 7 * time.Second, 7 * time.Second},
		{503, "7", 7 * time.Second, 7 * time.Second},
		{429, time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 30 * time.Second, time.Minute},
		{429, time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat), 0, time.Second},
		{429, "-1", 0, time.Second},
		{429, "1000000000000", time.Hour, time.Hour},
		{429, "99999999999999999999999999", 0, time.Hour},
		{429, "soon", 0, 0},
	} {
		for op, ask := range map[gittest.Op]func() error{
			gittest.LsRefs:   func() error { _, err := s.store.Snapshot(t.Context(), "main"); return err },
			gittest.PushRefs: func() error { _, err := s.push(base, 1); return err },
			gittest.Push:     func() error { _, err := s.push(base, 1); return err },
		} {
			s.server.Fail(1, op, gittest.Status(c.code, "Retry-After", c.header))
			e := s.wantError(ask(), gitstore.Unreachable)
			if e.RetryAfter < c.low || e.RetryAfter > c.high {
				t.Errorf("%s: %d, Retry-After %s: got %v, want %v to %v", op, c.code, c.header, e.RetryAfter, c.low, c.high)
			}
		}
	}
	s.wantLog("first")
}

// fault: G-08
func TestServerHangs(t *testing.T) {
	never := make(chan struct{})
	for _, c := range []struct {
		name  string
		op    gittest.Op
		fault gittest.Fault
	}{
		{"list of refs", gittest.LsRefs, gittest.Hang(never)},
		{"list of refs half way", gittest.LsRefs, gittest.HangAfter(20, never)},
		{"fetch", gittest.Fetch, gittest.Hang(never)},
		{"fetch mid pack", gittest.Fetch, gittest.HangAfter(200, never)},
		{"fetch byte by byte", gittest.Fetch, gittest.Drip(20 * time.Millisecond)},
		{"push after the list of refs", gittest.Push, gittest.Hang(never)},
		{"push before its answer", gittest.Push, gittest.HangAfter(0, never)},
		{"push mid answer", gittest.Push, gittest.HangAfter(10, never)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, impatient)
			s.repo.Commit(map[string]string{"noise": noise(8 << 10)}, "second") // a pack that takes its time
			if c.op == gittest.Push {
				s.insist(func() error { _, err := s.store.Snapshot(t.Context(), "main"); return err })
			}
			s.server.Fail(1, c.op, c.fault)
			start := time.Now()
			_, err := passOnce(s, 1)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("gave up after %v", took)
			}
			landed := s.repo.Log("%s")[0] == "ours 1"
			switch {
			case landed && err != nil:
				t.Errorf("the push landed, but: %v", err)
			case !landed && err == nil:
				t.Errorf("nothing landed, but there is no error")
			case err != nil:
				s.wantError(err, gitstore.Unreachable)
			}
			s.server.Heal()
			s.insist(func() error { _, err := passOnce(s, 1); return err })
			s.wantLog("ours 1", "second", "first")
		})
	}
}

// insist is for a store that may find the machine too slow.
func (s *stage) insist(f func() error) {
	s.Helper()
	var err error
	for range 20 {
		if err = f(); err == nil {
			return
		}
	}
	s.Fatal(err)
}

// noise does not compress.
func noise(n int) string {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(p)
	return string(p)
}

// fault: G-21
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, op := range []gittest.Op{gittest.FetchRefs, gittest.LsRefs, gittest.Fetch, gittest.PushRefs, gittest.Push} {
			t.Run(fmt.Sprintf("%s tls=%t", op, secure), func(t *testing.T) { testRedirects(t, secure, op) })
		}
	}
}

// testRedirects sends one kind of request away: to another port of the host,
// from https to http, from a name to its address, with a password in the URL.
func testRedirects(t *testing.T, secure bool, op gittest.Op) {
	repo := gittest.NewRepo(t, map[string]string{"app/stream.yaml": "status: 0\n", "app/deploy.yaml": "image: 0\n"})
	server := gittest.Serve
	if secure {
		server = func(t testing.TB, repos ...*gittest.Repo) *gittest.Server { return gittest.ServeTLS(t, nil, repos...) }
	}
	s := onStage(t, repo, server(t, repo))
	trap := gittest.NewTrap(t, s.server.User, s.server.Password())
	host := strings.TrimPrefix(trap.URL, "http://")
	n := 0
	for _, c := range []struct {
		code     int
		host     string // as the repository's URL names it; the trap is on 127.0.0.1
		userinfo string // in the new address
	}{
		{301, "127.0.0.1", ""},
		{302, "localhost", ""},
		{307, "127.0.0.1", ""},
		{308, "127.0.0.1", "evil:fake-evil@"},
	} {
		n++
		s.close()
		s.open(func(o *gogit.Options) {
			if secure {
				o.CAFile = s.server.CAFile()
			} else {
				o.Repo = strings.Replace(o.Repo, "127.0.0.1", c.host, 1)
			}
		})
		if op == gittest.PushRefs || op == gittest.Push {
			s.snapshot()
		}
		if op == gittest.FetchRefs { // asked for where a server does not answer as version 2
			s.server.Fail(-1, gittest.LsRefs, gittest.Status(http.StatusBadRequest))
		}
		s.server.Fail(-1, op, gittest.Redirect(c.code, "http://"+c.userinfo+host))
		_, err := passOnce(s, n)
		e := s.wantError(err, gitstore.Unsupported)
		if text := e.Error() + " " + e.Fix; !strings.Contains(text, host) || strings.Contains(text, "fake-evil") {
			t.Fatalf("%d: the error does not name the address that the server sent, without its password: %s", c.code, text)
		}
		s.server.Heal()
		if _, err := passOnce(s, n); err != nil {
			t.Errorf("%d: after the redirect: %v", c.code, err)
		}
	}
	if n := trap.Seen.Load(); n != 0 {
		t.Errorf("the other server was asked %d times", n)
	}
	if got := len(repo.Log("%s")); got != 1+n {
		t.Errorf("commits: got %d, want %d", got, 1+n)
	}
}
