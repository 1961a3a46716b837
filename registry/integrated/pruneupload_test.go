package integrated

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// upload sends the end of an upload whose bytes come from a pipe.
func (d *door) upload(ctx context.Context, at, content string, body io.Reader) <-chan int {
	answered := make(chan int, 1)
	req := httptest.NewRequestWithContext(ctx, http.MethodPut, at+"&digest="+digestOf(content), body)
	req.SetBasicAuth("alice", d.secrets["alice"])
	go func() {
		w := httptest.NewRecorder()
		d.r.ServeHTTP(w, req)
		answered <- w.Code
	}()
	return answered
}

// fault: E-11
// A slow upload keeps nobody from pruning: its bytes come before it links anything.
func TestPruneBesideASlowUpload(t *testing.T) {
	d := doorTo(t, nil)
	from, to := io.Pipe()
	answered := d.upload(t.Context(), d.begin(t, "alice", "team1/web"), "a layer", from)
	io.WriteString(to, "a ") // it is read
	prompt, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := d.r.Prune(prompt, nil, DefaultPruneRules, true); err != nil {
		t.Errorf("prune: %v", err)
	}
	io.WriteString(to, "layer")
	to.Close()
	if got := <-answered; got != http.StatusCreated {
		t.Errorf("the upload: %d", got)
	}
	d.want(t, 200, "alice", "HEAD", "/v2/team1/web/blobs/"+digestOf("a layer"), "")
}

// fault: E-11
// While garbage is collected no upload is committed, also one that began before.
func TestNoUploadLandsInAPrune(t *testing.T) {
	d := doorTo(t, nil)
	from, to := io.Pipe()
	at := d.begin(t, "alice", "team1/web")
	ctx, cancel := context.WithCancel(t.Context())
	answered := d.upload(ctx, at, "a layer", from)
	io.WriteString(to, "a layer")
	held := errors.New("held")
	err := d.r.hold.alone(t.Context(), func() error {
		to.Close()
		time.AfterFunc(300*time.Millisecond, cancel) // who does not wait has answered by then
		if got := <-answered; got == http.StatusCreated {
			t.Errorf("the upload was committed: %d", got)
		}
		return held
	})
	if err != held {
		t.Fatal(err)
	}
	d.want(t, 404, "alice", "HEAD", "/v2/team1/web/blobs/"+digestOf("a layer"), "")
}

// fault: E-11
// While garbage is collected nothing else is linked either, and nothing deleted: not a manifest, by
// tag or by digest, and not a blob of another repository.
func TestNothingIsLinkedInAPrune(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Delete = true })
	pushed := d.push(t, "alice", "team1/web", "1.0", "one")
	m := d.image(t, "alice", "team1/web", "two")
	ask := func(ctx context.Context, method, target, body string) int {
		req := httptest.NewRequestWithContext(ctx, method, "/v2/team1/"+target, strings.NewReader(body))
		req.SetBasicAuth("alice", d.secrets["alice"])
		req.Header.Set("Content-Type", imageType)
		w := httptest.NewRecorder()
		d.r.ServeHTTP(w, req)
		return w.Code
	}
	held := errors.New("held")
	for what, c := range map[string][3]string{
		"a tag":      {"PUT", "web/manifests/2.0", m},
		"a manifest": {"PUT", "web/manifests/" + digestOf(m), m},
		"a mount":    {"POST", "api/blobs/uploads/?mount=" + digestOf("one") + "&from=team1/web", ""},
		"a deletion": {"DELETE", "web/manifests/" + pushed, ""},
	} {
		err := d.r.hold.alone(t.Context(), func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(300*time.Millisecond, cancel) // who does not wait has answered by then
			if got := ask(ctx, c[0], c[1], c[2]); got < 400 {
				t.Errorf("%s: %d", what, got)
			}
			return held
		})
		if err != held {
			t.Fatal(err)
		}
	}
	d.want(t, 404, "alice", "HEAD", "/v2/team1/web/manifests/2.0", "")
	d.want(t, 404, "alice", "HEAD", "/v2/team1/api/blobs/"+digestOf("one"), "")
	d.want(t, 200, "alice", "GET", "/v2/team1/web/manifests/1.0", "", "Accept", imageType)
	if got := ask(t.Context(), "PUT", "web/manifests/2.0", m); got != http.StatusCreated {
		t.Errorf("afterwards: %d", got)
	}
}
