package integrated

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// untilClosed is a blob that does not come.
type untilClosed chan struct{}

func (u untilClosed) Read([]byte) (int, error) { <-u; return 0, io.ErrUnexpectedEOF }

// While a push waits for a layer from a registry that is slow, other pushes to the repository get on; and
// what its client gives up it leaves.
func TestPushBesideASlowUpstream(t *testing.T) {
	guide, origin, slow, asked := &guided{}, newFarAway(), make(untilClosed), make(chan struct{})
	upstream, own := image("config", "layer"), image("x", "y")
	origin.add(upstream, "config", "layer")
	origin.slow = map[string]func() io.Reader{sum("layer"): func() io.Reader { close(asked); return slow }}
	guide.record("team1/web", "live", sum(upstream))
	secret := "a-fake-secret-of-a-test-1"
	r, err := New(t.Context(), Options{Guide: guide, Fetcher: origin, Rules: &Rules{
		Tokens: []Token{{"robot", write(t, t.TempDir(), "robot", secret)}},
		Access: Access{Grants: []Grant{{[]string{"robot"}, []Pattern{glob("team1")}, []Right{Pull, Push}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer close(slow)
	ask := func(ctx context.Context, method, path, body string) int {
		req := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
		for key, value := range map[string]string{"Authorization": "Bearer " + secret, "Content-Type": ociManifest, "Accept": ociManifest} {
			req.Header.Set(key, value)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Code
	}
	if code := ask(t.Context(), http.MethodGet, "/v2/team1/web/manifests/live", ""); code != 200 {
		t.Fatal(code)
	}
	ctx, goAway := context.WithCancel(t.Context())
	answered := make(chan int)
	go func() { answered <- ask(ctx, http.MethodPut, "/v2/team1/web/manifests/dev", upstream) }()
	<-asked
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Second) // else it would hang
	defer cancel()
	if code := ask(soon, http.MethodPut, "/v2/team1/web/manifests/other", own); code != 400 { // its blobs are not there, and distribution said so
		t.Errorf("a push that needs nothing from elsewhere: %d", code)
	}
	goAway()
	if code := <-answered; code != 503 {
		t.Errorf("the push whose client has gone: %d", code)
	}
	r.gate.memory.mu.Lock()
	defer r.gate.memory.mu.Unlock()
	if r.gate.memory.all != 0 {
		t.Errorf("%d bytes of memory are held by nobody", r.gate.memory.all)
	}
}

// Who waits for a turn waits no longer than anybody waits for them, and leaves nothing.
func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := locks{held: map[string]*held{}}
		first, err := l.lock(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, goAway := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := l.lock(ctx, "a")
			gone <- err
		}()
		second := make(chan func(), 1)
		go func() {
			unlock, _ := l.lock(t.Context(), "a")
			second <- unlock
		}()
		other, err := l.lock(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		other()
		synctest.Wait()
		goAway()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who went got %v", err)
		}
		if len(second) > 0 {
			t.Error("two have it at once")
		}
		first()
		(<-second)()
		if len(l.held) > 0 {
			t.Errorf("left: %v", l.held)
		}
	})
}
