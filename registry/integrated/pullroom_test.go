package integrated

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// What is pulled through takes no more of a volume than pushes may, and no larger blobs.
func TestPullThroughRoom(t *testing.T) {
	w := newPullWorld(t)
	web := image("config", "a layer of twenty b.")
	w.origin.add(web, "config", "a layer of twenty b.")
	w.guide.record("team1/web", "stable", sum(web))
	w.answers(t, 200, web, "GET", "team1/web/manifests/stable")
	w.puller.Room = &room{keep: 100, free: func() (int64, error) { return 110, nil }}
	w.answers(t, 507, "storage is full", "GET", "team1/web/blobs/"+sum("a layer of twenty b."))
	w.answers(t, 200, "config", "GET", "team1/web/blobs/"+sum("config"))

	r, err := New(t.Context(), Options{Storage: t.TempDir(), KeepFree: 1, Rules: &Rules{Limits: Limits{BlobSize: 10}}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.pulls.MaxBlob != 10 || r.pulls.Room == nil || r.pulls.Room != r.room {
		t.Errorf("the puller has %d bytes and %v", r.pulls.MaxBlob, r.pulls.Room)
	}
}

// A registry that cannot be opened leaves nothing behind, so that it can be opened then.
func TestNewRefused(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	dir := t.TempDir()
	if _, err := New(t.Context(), Options{Storage: dir, Rules: &Rules{UsersFile: filepath.Join(dir, "none")}}); err == nil {
		t.Fatal("it was opened without its users")
	}
	goleak.VerifyNone(t, ignore, goleak.IgnoreTopFunction("github.com/docker/go-events.(*Broadcaster).run"))
	r, err := New(t.Context(), Options{Storage: dir})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}
