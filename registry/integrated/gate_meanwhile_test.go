package integrated

import (
	"context"
	"errors"
	"testing"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

// recordsMeanwhile is a guide whose walker records and takes right after Uses was read.
type recordsMeanwhile struct {
	*fakeGuide
	then func()
}

func (g recordsMeanwhile) Uses(ctx context.Context, r, d string) ([]Use, error) {
	uses, err := g.fakeGuide.Uses(ctx, r, d)
	if g.then != nil {
		g.then()
	}
	return uses, err
}

// The walker puts an image on record while it is judged whether it may go.
func TestDeleteOfWhatIsRecordedMeanwhile(t *testing.T) {
	fake := &fakeGuide{uses: map[string][]Use{}}
	guide := &recordsMeanwhile{fakeGuide: fake}
	d := doorTo(t, guide, func(r *Rules) { r.Delete = true })
	image := d.push(t, "alice", "team1/web", "1.0", "one")
	guide.then = func() { // the walker's pass: commit, shelve, take
		fake.mu.Lock()
		fake.uses[image] = []Use{{"team1", "streams/web.yaml:7"}}
		fake.tags = map[string]map[string]string{"team1/web": {"1.0": image}}
		fake.mu.Unlock()
		d.recorded(t)
	}
	got := d.as(t, "alice", "DELETE", "/v2/team1/web/manifests/"+image, "")
	pull := d.as(t, "alice", "GET", "/v2/team1/web/manifests/1.0", "", "Accept", imageType)
	if got.status != 409 || pull.status != 200 {
		t.Errorf("an image that went on record is deleted: DELETE %d, then pull of the tag on record %d %s", got.status, pull.status, pull.body)
	}
}

// flaky cannot read one file for a while.
type flaky struct {
	storagedriver.StorageDriver
	at  string
	bad bool
}

func (f *flaky) GetContent(ctx context.Context, p string) ([]byte, error) {
	if f.bad && p == f.at {
		return nil, errors.New("input/output error")
	}
	return f.StorageDriver.GetContent(ctx, p)
}

// A was pushed (201) and waits. B breaks off between mark and link. C is marked while the link
// cannot be read, and breaks off too. A still is what the tag is.
func TestArrivalsOfPushesThatBrokeOffUnread(t *testing.T) {
	name := tagName{"team1/web", "1"}
	f := &flaky{StorageDriver: inmemory.New(), at: name.link()}
	a, _, err := openArrivals(t.Context(), f, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := (marking{f, a}).PutContent(t.Context(), name.link(), []byte("sha256:a")); err != nil {
		t.Fatal(err)
	}
	if err := a.mark(t.Context(), name, "sha256:b", time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, err := a.waiting(t.Context(), time.Now()); len(got) != 1 || got[0].Digest != "sha256:a" || err != nil {
		t.Fatal(got, err)
	}
	a.doubt(name) // B's link was tried and failed
	f.bad = true
	if err := a.mark(t.Context(), name, "sha256:c", time.Now()); err != nil {
		t.Fatal(err)
	}
	f.bad = false
	if got, err := a.waiting(t.Context(), time.Now()); len(got) != 1 || err != nil {
		t.Errorf("A was answered 201, is what the tag is, and waits no more: %v %v", got, err)
	}
	if got, err := a.waiting(t.Context(), time.Now().Add(linkWait+time.Minute)); len(got) != 1 {
		_, there := a.get(name)
		t.Errorf("…and its mark goes (still there: %v): %v %v", there, got, err)
	}
}

// slowly is a guide that looks when it is let.
type slowly struct {
	*fakeGuide
	looking, look chan struct{}
}

func (g slowly) Refresh(context.Context) error {
	g.looking <- struct{}{}
	<-g.look
	return nil
}

// A push waits for no deletion that waits for Git.
func TestDeletionsHoldUpNoPush(t *testing.T) {
	guide := slowly{&fakeGuide{}, make(chan struct{}), make(chan struct{})}
	d := doorTo(t, guide, func(r *Rules) { r.Delete = true })
	image := d.push(t, "alice", "team1/web", "1.0", "one")
	d.recorded(t)
	deleted := make(chan int)
	go func() { deleted <- d.as(t, "alice", "DELETE", "/v2/team1/web/manifests/"+image, "").status }()
	<-guide.looking
	d.push(t, "alice", "team1/web", "2.0", "two")
	close(guide.look)
	if got := <-deleted; got != 202 {
		t.Errorf("got %d", got)
	}
}
