package integrated

import (
	"fmt"
	"io/fs"
	"math"
	"net/http/httptest"
	"syscall"
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// Where the volume is full a pull says so, be it of a manifest or of a layer.
func TestPullToAFullVolume(t *testing.T) {
	guide, origin := &guided{}, newFarAway()
	m, other := image("{}", "a layer"), image("{}", "another")
	origin.add(m, other, "{}", "a layer")
	guide.record("team1/web", "stable", sum(m))
	guide.record("team1/web", "next", sum(other))
	r, err := New(t.Context(), Options{Storage: t.TempDir(), KeepFree: 1, Guide: guide, Fetcher: origin})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		path   string
		free   int64
		status int
	}{{"manifests/stable", math.MaxInt64, 200}, {"manifests/next", 1, 507}, {"blobs/" + sum("a layer"), 1, 507}} {
		r.room.free = func() (int64, error) { return c.free, nil }
		w := httptest.NewRecorder()
		req := httptest.NewRequest("GET", "/v2/team1/web/"+c.path, nil)
		req.Header.Set("Accept", ociManifest)
		r.ServeHTTP(w, req)
		if w.Code != c.status {
			t.Errorf("%s with %d bytes free: %d %s", c.path, c.free, w.Code, w.Body)
		}
	}
}

// What distribution's drivers say of a full volume does not unwrap.
func TestIsFull(t *testing.T) {
	for _, err := range []error{
		syscall.ENOSPC, storagedriver.Error{DriverName: "filesystem", Detail: &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}},
		fmt.Errorf("writing: %w", storagedriver.Error{Detail: syscall.EDQUOT}),
	} {
		if !isFull(err) {
			t.Errorf("%v is no word of a full volume", err)
		}
	}
	if isFull(nil) || isFull(storagedriver.Error{Detail: syscall.EIO}) {
		t.Error("anything is")
	}
}
