package integrated

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/towpath/towpath/registry"
)

// storages are those that a registry has here. Each call of the result opens the same one again.
func storages(t *testing.T) map[string]func() storage {
	memory, dir := inmemory.New(), t.TempDir()
	return map[string]func() storage{
		"memory": func() storage { return storage{StorageDriver: memory, alone: true} },
		"shared": func() storage { return storage{StorageDriver: memory} },
		"directory": func() storage {
			s, err := openFiles(dir, system{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
}

func opens(t *testing.T, s storage) *Registry {
	t.Helper()
	r, err := open(t.Context(), Options{Guide: noGuide{}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestArrivals(t *testing.T) {
	for name, again := range storages(t) {
		t.Run(name, func(t *testing.T) {
			r := opens(t, again())
			ns := "team-" + name
			one, two := newPicture("one", 10), newPicture("two", 10)
			before := time.Now()
			for _, push := range []struct {
				picture
				repository, tag string
			}{{one, ns + "/web", "2"}, {one, ns + "/web", "1"}, {one, ns + "/api", "1"}, {two, ns + "/web", "1"}} {
				if err := push.push(r, push.repository, push.tag); err != nil {
					t.Fatal(err)
				}
			}
			want := []registry.Arrival{
				{Namespace: ns, Name: "api", Tag: "1", Digest: one.digest()},
				{Namespace: ns, Name: "web", Tag: "1", Digest: two.digest()},
				{Namespace: ns, Name: "web", Tag: "2", Digest: one.digest()},
			}
			ignoreTime := cmpopts.IgnoreFields(registry.Arrival{}, "At")
			got := arrived(t, r, ns)
			if diff := cmp.Diff(want, got, ignoreTime); diff != "" {
				t.Fatalf("waiting (-want +got):\n%s", diff)
			}
			for _, a := range got {
				if a.At.Before(before) || a.At.After(time.Now()) {
					t.Errorf("%s:%s arrived at %s", a.Name, a.Tag, a.At)
				}
			}

			// A process that starts sees them the same.
			r.Close()
			r = opens(t, again())
			defer r.Close()
			if diff := cmp.Diff(got, arrived(t, r, ns)); diff != "" {
				t.Errorf("waiting after opening again (-want +got):\n%s", diff)
			}

			// What is taken waits no longer, but for what was pushed again.
			if err := two.push(r, ns+"/web", "2"); err != nil {
				t.Fatal(err)
			}
			if err := one.push(r, ns+"/api", "1"); err != nil { // the same once more
				t.Fatal(err)
			}
			if err := r.mark(t.Context(), ns+"/api", "1", one.digest()); err != nil { // as the gate says it
				t.Fatal(err)
			}
			if err := r.Take(t.Context(), got...); err != nil {
				t.Error(err)
			}
			again := arrived(t, r, ns)
			want = []registry.Arrival{
				{Namespace: ns, Name: "api", Tag: "1", Digest: one.digest()},
				{Namespace: ns, Name: "web", Tag: "2", Digest: two.digest()},
			}
			if diff := cmp.Diff(want, again, ignoreTime); diff != "" {
				t.Errorf("waiting after some were taken (-want +got):\n%s", diff)
			}

			// A tag that is deleted did not arrive.
			if err := r.driver.Delete(t.Context(), repositories+"/"+ns+"/web/_manifests/tags/2"); err != nil {
				t.Fatal(err)
			}
			if err := r.Take(t.Context(), again[0]); err != nil {
				t.Error(err)
			}
			if err := r.Take(t.Context(), again[0], registry.Arrival{Namespace: "no", Name: "body", Tag: "s"}); err != nil {
				t.Error(err)
			}
			if left := arrived(t, r, ns); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func arrived(t *testing.T, r *Registry, namespace string) (found []registry.Arrival) {
	t.Helper()
	waiting, err := r.Waiting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range waiting {
		if a.Namespace == namespace {
			found = append(found, a)
		}
	}
	return found
}

// A push that broke off between its mark and its link is no arrival; the push before it is.
func TestArrivalsOfPushesThatBrokeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := inmemory.New()
		a, _, err := openArrivals(t.Context(), d, true)
		if err != nil {
			t.Fatal(err)
		}
		links := marking{d, a}
		name, other := tagName{"team1/web", "1"}, tagName{"team1/web", "2"}
		pushed := time.Now()
		if err := links.PutContent(t.Context(), name.link(), []byte("sha256:1")); err != nil {
			t.Fatal(err)
		}
		for _, n := range []tagName{name, other} {
			if err := a.mark(t.Context(), n, "sha256:2", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		waiting := func() []registry.Arrival {
			got, err := a.waiting(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		take := func(got []registry.Arrival) {
			for _, g := range got {
				if err := a.take(t.Context(), tagName{g.Namespace + "/" + g.Name, g.Tag}, g.Digest, g.At); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Second)
		again, _, err := openArrivals(t.Context(), d, true) // as a process finds them that starts now
		if err != nil {
			t.Fatal(err)
		}
		for name, of := range map[string]*arrivals{"beside it": a, "after it": again} {
			got, err := of.waiting(t.Context(), time.Now())
			if err != nil || len(got) != 1 || got[0].Digest != "sha256:1" || !got[0].At.Equal(pushed) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		take(waiting())
		if got := waiting(); len(got) > 0 || len(a.marks) != 2 {
			t.Errorf("%v wait, and were taken; %v are marked, of two that are under way", got, a.marks)
		}
		if again, _, err = openArrivals(t.Context(), d, true); err != nil {
			t.Fatal(err)
		}
		if got, err := again.waiting(t.Context(), time.Now()); len(got) > 0 || err != nil {
			t.Errorf("what was taken waits again: %v, %v", got, err)
		}
		time.Sleep(linkWait + time.Second)
		if got := waiting(); len(got) > 0 || len(a.marks) > 0 {
			t.Errorf("after a while: %v wait, %v are marked", got, a.marks)
		}
		if files, err := d.List(t.Context(), marksDir); len(files) > 0 {
			t.Errorf("left: %v, %v", files, err)
		}
	})
}

// 200 clients push 10 tags each, several of them the same, while what arrived is taken. What
// was answered last of each tag was seen to wait after it was answered.
func TestArrivalsConcurrently(t *testing.T) {
	s, err := openFiles(t.TempDir(), fastDisk{})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := openArrivals(t.Context(), s.StorageDriver, true)
	if err != nil {
		t.Fatal(err)
	}
	links := marking{s.StorageDriver, a}
	var count atomic.Int64
	var clients, taker sync.WaitGroup
	stop := make(chan struct{})
	seen := map[tagName]map[string]bool{}
	take := func() {
		got, err := a.waiting(t.Context(), time.Now())
		if err != nil {
			t.Error(err)
		}
		for _, g := range got {
			name := tagName{g.Namespace + "/" + g.Name, g.Tag}
			if seen[name] == nil {
				seen[name] = map[string]bool{}
			}
			seen[name][g.Digest] = true
			if err := a.take(t.Context(), name, g.Digest, g.At); err != nil {
				t.Error(err)
			}
		}
	}
	taker.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				take()
			}
		}
	})
	for client := range 200 {
		clients.Go(func() {
			for tag := range 10 {
				name := tagName{fmt.Sprintf("team1/web%d", client/4), fmt.Sprint(tag)} // of four clients
				digest := fmt.Sprintf("sha256:%d", count.Add(1))
				if err := a.mark(t.Context(), name, digest, time.Now()); err != nil {
					t.Error(err)
				}
				if rand.IntN(10) == 0 {
					continue // it breaks off
				}
				if err := links.PutContent(t.Context(), name.link(), []byte(digest)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	taker.Wait()
	take()
	for client := range 50 {
		for tag := range 10 {
			name := tagName{fmt.Sprintf("team1/web%d", client), fmt.Sprint(tag)}
			link, err := links.GetContent(t.Context(), name.link())
			if unlessGone(err) != nil {
				t.Fatal(err)
			}
			if err == nil && !seen[name][string(link)] {
				t.Errorf("%v is %s, which never waited: %v", name, link, seen[name])
			}
		}
	}
}

// fastDisk is a system that never loses its power.
type fastDisk struct{ system }

func (fastDisk) SyncDir(string) error { return nil }
func (fastDisk) SyncAll(string) error { return nil }

// A tag that is pushed again with what it is, between what the daemon saw and what it takes, waits on.
func TestTakeKeepsWhatCameMeanwhile(t *testing.T) {
	a, _, err := openArrivals(t.Context(), inmemory.New(), true)
	if err != nil {
		t.Fatal(err)
	}
	name, now := tagName{"team1/web", "1"}, time.Now()
	for range 2 { // with a clock that stands still
		if err := a.mark(t.Context(), name, "sha256:1", now); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.take(t.Context(), name, "sha256:1", now.Round(0).UTC()); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.get(name); !ok {
		t.Error("the second push was taken with the first")
	}
}

// What was taken waits again when somebody asks for it by name, as what its tag is by now.
func TestArrivalsAskedForAgain(t *testing.T) {
	for storage, again := range storages(t) {
		t.Run(storage, func(t *testing.T) {
			r := opens(t, again())
			ns := "again-" + storage
			one, two := newPicture("one", 10), newPicture("two", 10)
			for _, p := range []picture{one, two} {
				if err := p.push(r, ns+"/web", "1"); err != nil {
					t.Fatal(err)
				}
			}
			was := arrived(t, r, ns)
			if err := r.Take(t.Context(), was...); err != nil {
				t.Fatal(err)
			}
			for _, name := range []struct{ stream, tag string }{{"web", "2"}, {"api", "1"}, {"..", "../x"}, {"web", ""}, {"", "1"}, {"web", "1/../2"}} {
				if there, err := r.Again(t.Context(), ns, name.stream, name.tag); there || err != nil {
					t.Errorf("%+v: %v, %v", name, there, err)
				}
			}
			if got := arrived(t, r, ns); len(got) > 0 {
				t.Errorf("waiting are %v", got)
			}
			if there, err := r.Again(t.Context(), ns, "web", "1"); !there || err != nil {
				t.Errorf("%v, %v", there, err)
			}
			r.Close()
			r = opens(t, again()) // it is as durable as a push
			defer r.Close()
			want := []registry.Arrival{{Namespace: ns, Name: "web", Tag: "1", Digest: two.digest()}}
			got := arrived(t, r, ns)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(registry.Arrival{}, "At")); diff != "" {
				t.Fatalf("waiting (-want +got):\n%s", diff)
			}
			if !got[0].At.After(was[0].At) {
				t.Errorf("it came at %s, and before that at %s", got[0].At, was[0].At)
			}
			if err := r.Take(t.Context(), got...); err != nil || len(arrived(t, r, ns)) > 0 {
				t.Errorf("it cannot be taken: %v", err)
			}
		})
	}
}

// Where several processes share a storage, what others make of a tag is seen after a while, and
// what this one does at once.
func TestArrivalsOfSharedStorage(t *testing.T) {
	d, now := inmemory.New(), time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	a, _, err := openArrivals(t.Context(), d, false)
	if err != nil {
		t.Fatal(err)
	}
	name := tagName{"team1/web", "1"}
	is := func(after time.Duration, want string) {
		t.Helper()
		got, err := a.waiting(t.Context(), now.Add(after))
		if err != nil || len(got) != 1 || got[0].Digest != want {
			t.Errorf("after %s: %v, %v; want %s", after, got, err, want)
		}
	}
	put := func(d interface {
		PutContent(context.Context, string, []byte) error
	}, digest string) {
		t.Helper()
		if err := d.PutContent(t.Context(), name.link(), []byte(digest)); err != nil {
			t.Fatal(err)
		}
	}
	put(marking{d, a}, "sha256:1")
	is(0, "sha256:1")
	b, _, err := openArrivals(t.Context(), d, false) // another process
	if err != nil {
		t.Fatal(err)
	}
	put(marking{d, b}, "sha256:2")
	is(linkHolds-1, "sha256:1")
	is(linkHolds, "sha256:2")
	put(marking{d, a}, "sha256:3")
	is(linkHolds, "sha256:3")
	took := a.marks[name].push
	put(marking{d, b}, "sha256:4")
	if err := a.take(t.Context(), name, took.digest, took.at); err != nil {
		t.Fatal(err)
	}
	is(2*linkHolds, "sha256:4") // what the other took in meanwhile was not taken with it
	got, err := a.waiting(t.Context(), now.Add(2*linkHolds))
	if err != nil || !got[0].At.Equal(b.marks[name].at) {
		t.Errorf("it was pushed at %s, and not %v, %v", b.marks[name].at, got, err)
	}
	if err := b.take(t.Context(), name, "sha256:4", got[0].At); err != nil {
		t.Fatal(err)
	}
	put(d, "sha256:5") // whoever does that without a mark
	if got, err := a.waiting(t.Context(), now.Add(3*linkHolds)); len(got) > 0 || err != nil || len(a.marks) > 0 {
		t.Errorf("the other took it: %v, %v, %v", got, err, a.marks)
	}
}

// hangsUp is a client that goes away when its push is marked.
type hangsUp struct {
	marker
	gone context.CancelFunc
}

func (h hangsUp) mark(ctx context.Context, repository, tag, digest string) error {
	defer h.gone()
	return h.marker.mark(ctx, repository, tag, digest)
}

// A was pushed and taken. A push of B breaks off between its mark and its link: nobody pushed A
// again, and a person may have put back what was before A.
func TestArrivalsAfterAPushThatNeverCame(t *testing.T) {
	d := doorTo(t, noGuide{})
	d.r.gate.marks = d.r
	d.push(t, "alice", "team1/web", "1", "A")
	if err := d.r.Take(t.Context(), arrived(t, d.r, "team1")...); err != nil {
		t.Fatal(err)
	}
	b := d.image(t, "alice", "team1/web", "B")
	ctx, cancel := context.WithCancel(t.Context())
	d.r.gate.marks = hangsUp{d.r, cancel}
	req := httptest.NewRequestWithContext(ctx, "PUT", "/v2/team1/web/manifests/1", strings.NewReader(b))
	req.Header.Set("Content-Type", imageType)
	req.Header.Set("Authorization", "Bearer "+d.secrets["robot1"])
	w := httptest.NewRecorder()
	d.r.ServeHTTP(w, req)
	if got := arrived(t, d.r, "team1"); w.Code == 201 || len(got) > 0 {
		t.Errorf("after a push that was answered %d: %v", w.Code, got)
	}
	name := tagName{"team1/web", "1"}
	if _, marked := d.r.arrivals.get(name); !marked || d.r.arrivals.isOwn(t.Context(), name, time.Now()) {
		t.Errorf("the push of B is marked: %v; and pulls are answered as if it had come", marked)
	}
	d.r.gate.marks = d.r
	d.push(t, "alice", "team1/web", "1", "B")
	if got := arrived(t, d.r, "team1"); len(got) != 1 || !d.r.arrivals.isOwn(t.Context(), name, time.Now()) {
		t.Errorf("after B was pushed: %v", got)
	}
}

// A mark of which nothing comes any more goes, unless its push is linked after all just then.
func TestDropKeepsWhatCameMeanwhile(t *testing.T) {
	a, _, err := openArrivals(t.Context(), inmemory.New(), true)
	if err != nil {
		t.Fatal(err)
	}
	name, now := tagName{"team1/web", "1"}, time.Now()
	if err := a.mark(t.Context(), name, "sha256:1", now); err != nil {
		t.Fatal(err)
	}
	seen, _ := a.get(name)
	if err := (marking{a.driver, a}).PutContent(t.Context(), name.link(), []byte("sha256:1")); err != nil {
		t.Fatal(err)
	}
	if err := a.drop(t.Context(), name, seen); err != nil {
		t.Fatal(err)
	}
	if got, err := a.waiting(t.Context(), now.Add(linkWait+1)); len(got) != 1 || err != nil {
		t.Errorf("waiting: %v, %v", got, err)
	}
}

// meanwhile is a driver during each read of which something happens, once.
type meanwhile struct {
	storagedriver.StorageDriver
	do func(path string)
}

func (d *meanwhile) GetContent(ctx context.Context, p string) ([]byte, error) {
	content, err := d.StorageDriver.GetContent(ctx, p)
	if do := d.do; do != nil {
		d.do = nil
		do(p)
	}
	return content, err
}

// A tag that is linked while its link is read is not taken for what it was before.
func TestArrivalsLinkedWhileTheyAreRead(t *testing.T) {
	d := &meanwhile{StorageDriver: inmemory.New()}
	a, _, err := openArrivals(t.Context(), d, true)
	if err != nil {
		t.Fatal(err)
	}
	name, now := tagName{"team1/web", "1"}, time.Now()
	if err := a.mark(t.Context(), name, "sha256:1", now); err != nil {
		t.Fatal(err)
	}
	d.do = func(p string) {
		if p != name.link() {
			t.Errorf("%s was read", p)
		}
		if err := (marking{d, a}).PutContent(t.Context(), name.link(), []byte("sha256:1")); err != nil {
			t.Error(err)
		}
	}
	if got, err := a.waiting(t.Context(), now); len(got) > 0 || err != nil {
		t.Errorf("by a link that was read before: %v, %v", got, err)
	}
	if got, err := a.waiting(t.Context(), now); len(got) != 1 || err != nil {
		t.Errorf("its link was read before it was there, and is not read again: %v, %v", got, err)
	}
}

// A mark that cannot be read keeps nobody from opening.
func TestArrivalsThatCannotBeRead(t *testing.T) {
	d := inmemory.New()
	name := tagName{"team1/web", "1"}
	for p, content := range map[string]string{
		name.path():                        `{"repository": "team1/web", "tag": "1", "digest": "sha256:1", "at": "2026-05-01T10:00:00Z"}`,
		marksDir + "/broken":               `{`,
		marksDir + "/other":                `{"repository": "team1/web", "tag": "2", "digest": "sha256:1", "at": "2026-05-01T10:00:00Z"}`,
		tagName{"team1/web", "3"}.path():   `{"repository": "team1/web", "tag": "3", "at": "2026-05-01T10:00:00Z"}`,
		tagName{"team1/..", "../x"}.path(): `{"repository": "team1/..", "tag": "../x", "digest": "sha256:1", "at": "2026-05-01T10:00:00Z"}`,
	} {
		if err := d.PutContent(t.Context(), p, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	a, unread, err := openArrivals(t.Context(), d, true)
	if err != nil || len(a.marks) != 1 {
		t.Errorf("got %v, %v", a.marks, err)
	}
	if unread == nil || strings.Count(unread.Error(), "\n") != 3 {
		t.Errorf("unread: %v", unread)
	}
}

// broken is a driver of which one file cannot be read.
type broken struct {
	storagedriver.StorageDriver
	at string
}

func (d broken) GetContent(ctx context.Context, p string) ([]byte, error) {
	if p == d.at {
		return nil, errors.New("input/output error")
	}
	return d.StorageDriver.GetContent(ctx, p)
}

// One tag that cannot be read keeps nobody else's push from going on record, is told, and is put
// right by a push.
func TestArrivalsOfATagThatCannotBeRead(t *testing.T) {
	bad, good := tagName{"team1/bad", "1"}, tagName{"team2/good", "1"}
	memory := inmemory.New()
	for what, d := range map[string]storagedriver.StorageDriver{"an error": broken{memory, bad.link()}, "no digest": memory} {
		a, _, err := openArrivals(t.Context(), d, true)
		if err != nil {
			t.Fatal(err)
		}
		for name, digest := range map[tagName]string{bad: "sha256:1", good: "sha256:2"} {
			if err := (marking{d, a}).PutContent(t.Context(), name.link(), []byte(digest)); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.mark(t.Context(), bad, "sha256:3", time.Now()); err != nil {
			t.Fatal(err)
		}
		if what == "no digest" {
			if err := memory.PutContent(t.Context(), bad.link(), []byte("<html>")); err != nil {
				t.Fatal(err)
			}
			a.doubt(bad)
		}
		got, err := a.waiting(t.Context(), time.Now())
		if len(got) != 1 || got[0].Namespace != "team2" {
			t.Errorf("%s: waiting are %v", what, got)
		}
		var unread registry.Unread
		if !errors.As(err, &unread) || !strings.Contains(err.Error(), "team1/bad:1: ") || !strings.Contains(err.Error(), "push these tags again") {
			t.Fatalf("%s: %v", what, err)
		}
		for digest, want := range map[string]bool{"sha256:1": true, "sha256:3": true, "sha256:2": false} {
			if _, may := unread.May("team1/bad", digest); may != want {
				t.Errorf("%s: %s may wait: %v", what, digest, may)
			}
		}
		if err := (marking{memory, a}).PutContent(t.Context(), bad.link(), []byte("sha256:3")); err != nil {
			t.Fatal(err)
		}
		a.driver = memory
		if got, err := a.waiting(t.Context(), time.Now()); len(got) != 2 || err != nil {
			t.Errorf("%s: after another push: %v, %v", what, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, _, err := openArrivals(t.Context(), memory, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.waiting(ctx, time.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("of a caller that has gone: %v", err)
	}
}

func FuzzReadMark(f *testing.F) {
	f.Add([]byte(`{"repository": "team1/web", "tag": "1", "digest": "sha256:1", "at": "2026-05-01T10:00:00Z"}`))
	f.Add([]byte(`{"repository": "team1/..", "tag": "../x", "digest": "sha256:1", "at": "2026-05-01T10:00:00Z"}`))
	f.Add([]byte(`{"repository":"","tag":"","digest":"x","at":"2026-05-01T10:00:00+01:00"}`))
	f.Add([]byte(`{"repository":"team1/web","tag":"1","digest":"sha256:2","at":"2026-05-01T10:00:01Z","before":[{"digest":"sha256:1","at":"2026-05-01T10:00:00Z"}]}`))
	f.Add([]byte(`{"repository":"team1/web","tag":"1","digest":"sha256:2","at":"2026-05-01T10:00:01Z","before":[{}]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, src []byte) {
		name, m, err := readMark(src)
		if err != nil {
			return
		}
		if got, ok := tagOf(name.link()); !ok || got != name {
			t.Errorf("the link of %+v is at %s, which is of %+v", name, name.link(), got)
		}
		if m.digest == "" || m.at.IsZero() {
			t.Errorf("a mark of nothing: %+v", m)
		}
		if again, err := m.written(name); err == nil { // a year of five digits cannot be written
			if name2, m2, err := readMark(again); err != nil || name2 != name || m2.digest != m.digest || !slices.EqualFunc(m2.before, m.before, func(a, b push) bool { return a.digest == b.digest && a.at.Equal(b.at) }) {
				t.Errorf("%+v, written, is read as %+v, %v", m, m2, err)
			}
		}
	})
}
