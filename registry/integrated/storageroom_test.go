package integrated

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

// fault: E-02
//
// A disk that is full, or broken, in the middle of an upload: that push is refused, others go
// on, and the same push works when the disk does.
func TestFullOrBrokenMidUpload(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		step   string // of what file
		at     string
		status int
		blob   bool // it is a blob that is not taken, and not the manifest
	}{
		"full":               {syscall.ENOSPC, "write", "/data", 507, true},
		"over quota":         {syscall.EDQUOT, "write", "/data", 507, true},
		"broken":             {syscall.EIO, "write", "/data", 500, true},
		"full at the sync":   {syscall.ENOSPC, "sync", "/data", 507, true},
		"broken at the sync": {syscall.EIO, "sync", "/data", 500, true},
		"full at the start":  {syscall.ENOSPC, "mkdir", "/_uploads", 507, true},
		"full at the move":   {syscall.ENOSPC, "mkdir", "/blobs", 507, true},
		"broken at the move": {syscall.EIO, "rename", "/data", 500, true},
		"full at a mark":     {syscall.ENOSPC, "mkdir", marksDir, 507, false},
		"full at a tag":      {syscall.ENOSPC, "mkdir", "/tags", 507, false},
		"broken at a tag":    {syscall.EIO, "rename", "/current/link", 500, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			r := openOn(t, d, Options{})
			defer r.Close()
			failing := true
			d.hook = func(step, at string) error {
				if failing && step == test.step && strings.HasSuffix(at, test.at) && !strings.Contains(at, "team2") {
					return test.err
				}
				return nil
			}
			one := newPicture("one", 100)
			var w = do(r, "POST", "/v2/"+repository+"/blobs/uploads/", nil)
			location := w.Header().Get("Location")
			if w.Code == http.StatusAccepted {
				w = do(r, "PATCH", location, one.layer)
			}
			if w.Code == http.StatusAccepted {
				w = do(r, "PUT", w.Header().Get("Location")+"&digest="+sumOf(one.layer), nil)
			}
			if !test.blob {
				if _, err := uploadBlob(r, repository, one.config); err != nil {
					t.Fatal(err)
				}
				w = do(r, "PUT", "/v2/"+repository+"/manifests/1.0", one.manifest)
			}
			if w.Code != test.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, test.status)
			}
			var body struct {
				Errors []struct{ Code, Message string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body.Errors) != 1 || body.Errors[0].Message == "" {
				t.Errorf("the body is none of distribution's: %s, %v", w.Body, err)
			}
			if got := whole(t, r, repository); len(got) > 0 {
				t.Errorf("tags: %v", got)
			}
			if test.at == "/data" && test.step == "write" {
				failing = false
				resume(t, r, location, one.layer)
				failing = true
			}
			failing = false
			if err := newPicture("other", 100).push(r, "team2/web", "1.0"); err != nil {
				t.Errorf("another push: %v", err)
			}
			if err := one.push(r, repository, "1.0"); err != nil {
				t.Errorf("again: %v", err)
			}
			if got := whole(t, r, repository); got["1.0"] != one.digest() {
				t.Errorf("tags: %v", got)
			}
		})
	}
}

func (n *node) bytes() (sum int) {
	sum = len(n.data)
	for _, child := range n.names {
		sum += child.bytes()
	}
	return sum
}

// resume goes on with an upload where the registry says that it is.
func resume(t *testing.T, r *Registry, location string, blob []byte) {
	t.Helper()
	w := do(r, "GET", location, nil)
	if w.Code == http.StatusNotFound {
		return // gone
	}
	if got := w.Header().Get("Range"); w.Code != http.StatusNoContent || got != "0-0" {
		t.Fatalf("upload: got %d, Range %q", w.Code, got)
	}
	if w = do(r, "PATCH", w.Header().Get("Location"), blob); w.Code != http.StatusAccepted {
		t.Fatalf("PATCH: got %d %s", w.Code, w.Body)
	}
	if w = do(r, "PUT", w.Header().Get("Location")+"&digest="+sumOf(blob), nil); w.Code != http.StatusCreated {
		t.Fatalf("PUT: got %d %s", w.Code, w.Body)
	}
}

// fault: E-02
//
// A push that would leave less than is to be kept free is refused before it does, in the
// middle of a chunk, too; what is there can be pulled and deleted.
func TestKeepFree(t *testing.T) {
	const keep = 1 << 20
	d := newDisk()
	r := openOn(t, d, Options{KeepFree: keep})
	defer r.Close()
	one := newPicture("one", 100)
	if err := one.push(r, repository, "1.0"); err != nil {
		t.Fatal(err)
	}
	d.setRoom(keep + 600_000)
	large := newPicture("large", 1_000_000)
	_, err := uploadBlob(r, repository, large.layer)
	if err == nil || !strings.Contains(err.Error(), "PATCH: 507") {
		t.Errorf("an upload too large: got %v", err)
	}
	if free, _ := d.Free(""); free < keep {
		t.Errorf("%d bytes are free, of %d that are to be", free, keep)
	}
	if d.find("/var/towpath/docker").bytes() > 100_000 {
		t.Error("what found no room still takes some")
	}
	d.setRoom(keep)
	for method, target := range map[string]string{"POST": "/blobs/uploads/", "PUT": "/manifests/1.1"} {
		w := do(r, method, "/v2/"+repository+target, one.manifest)
		if w.Code != http.StatusInsufficientStorage || !strings.Contains(w.Body.String(), "towpath prune") {
			t.Errorf("%s %s: got %d %s", method, target, w.Code, w.Body)
		}
	}
	if got := whole(t, r, repository); got["1.0"] != one.digest() {
		t.Errorf("tags: %v", got)
	}
	if w := do(r, "DELETE", "/v2/"+repository+"/manifests/1.0", nil); w.Code != http.StatusAccepted {
		t.Errorf("a deletion: got %d %s", w.Code, w.Body)
	}
	d.setRoom(3 * keep)
	if err := large.push(r, repository, "2.0"); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func (d *disk) setRoom(room int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

// An upload that finds no room takes none at once, before its request ends: others may need it.
func TestNoRoomDropsTheUpload(t *testing.T) {
	memory := inmemory.New()
	d := roomy{memory, &room{keep: 10, free: func() (int64, error) { return 20, nil }}}
	w, err := d.Writer(t.Context(), "/a/data", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("five.")); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.Stat(t.Context(), "/a/data"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("more than ten")); !isFull(err) {
		t.Errorf("more than there is room for: %v", err)
	}
	if _, err := memory.Stat(t.Context(), "/a/data"); !isGone(err) {
		t.Errorf("what was written before is there still: %v", err)
	}
	if _, err := w.Write([]byte("five.")); !isFull(err) {
		t.Errorf("it goes on in the middle: %v", err)
	}
	if err := w.Commit(t.Context()); !isFull(err) {
		t.Errorf("half of it is committed: %v", err)
	}
}

// Writers share what is free: together they are granted no more than is there.
func TestRoom(t *testing.T) {
	free := int64(100)
	r := &room{keep: 10, free: func() (int64, error) { return free, nil }}
	var inner error
	outer := r.write(60, func() error {
		inner = r.write(31, func() error { return nil })
		return r.write(30, func() error { free = 10; return nil })
	})
	if outer != nil || inner == nil {
		t.Errorf("within what is free: %v; beyond it: %v", outer, inner)
	}
	if err := r.write(1, func() error { return nil }); err == nil {
		t.Error("nothing is free, and written")
	}
	if free = 11; r.write(1, func() error { return nil }) != nil {
		t.Error("there is room again, and not written")
	}
}

// fault: E-09
//
// A manifest that names a blob which is not there is not taken, by tag or by digest.
func TestManifestOfMissingBlobs(t *testing.T) {
	r := openOn(t, newDisk(), Options{})
	defer r.Close()
	one := newPicture("one", 100)
	if err := one.push(r, "team2/web", "1.0"); err != nil { // another repository has them
		t.Fatal(err)
	}
	if _, err := uploadBlob(r, repository, one.config); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"1.0", one.digest()} {
		w := do(r, "PUT", "/v2/"+repository+"/manifests/"+reference, one.manifest)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "MANIFEST_BLOB_UNKNOWN") {
			t.Errorf("%s: got %d %s", reference, w.Code, w.Body)
		}
	}
	if got := whole(t, r, repository); len(got) > 0 || len(waits(t, r)) > 1 {
		t.Errorf("tags: %v", got)
	}
}
