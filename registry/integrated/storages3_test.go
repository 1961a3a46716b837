//go:build s3

package integrated

import (
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestS3 keeps a registry in a real S3 server: push, pull, list, delete, what waits, and all
// that again for the process after this one.
func TestS3(t *testing.T) {
	program := os.Getenv("TOWPATH_S3SERVER") // that make test-s3 builds
	driver := startS3(t, program)
	opens := func() *Registry {
		r, err := New(t.Context(), Options{Driver: &driver, Guide: noGuide{}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := opens()
	one, two := newPicture("one", 100), newPicture("two", 20<<20) // more than one part
	if err := one.push(r, repository, "1.0"); err != nil {
		t.Fatal(err)
	}
	if err := two.push(r, repository, "1.1"); err != nil {
		t.Fatal(err)
	}
	if err := one.push(r, "team1/api", "1.0"); err != nil {
		t.Fatal(err)
	}
	if w := do(r, "PUT", "/v2/"+repository+"/manifests/1.2", newPicture("nobody", 10).manifest); w.Code != http.StatusBadRequest {
		t.Errorf("a manifest of blobs that are not there: got %d %s", w.Code, w.Body)
	}
	started := do(r, "POST", "/v2/"+repository+"/blobs/uploads/", nil)
	do(r, "PATCH", started.Header().Get("Location"), []byte("half"))

	want := map[string]string{"1.0": one.digest(), "1.1": two.digest()}
	for range 2 {
		if diff := cmp.Diff(want, whole(t, r, repository)); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		waiting, err := r.Waiting(t.Context())
		if err != nil || len(waiting) != 3 || waiting[2].Digest != two.digest() {
			t.Errorf("waiting: %v, %v", waiting, err)
		}
		r.Close()
		r = opens()
	}
	defer func() { r.Close() }()

	waiting, err := r.Waiting(t.Context())
	if err == nil {
		err = r.Take(t.Context(), waiting[:2]...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if w := do(r, "DELETE", "/v2/"+repository+"/manifests/"+two.digest(), nil); w.Code != http.StatusAccepted {
		t.Errorf("delete: got %d %s", w.Code, w.Body)
	}
	r.Close()
	r = opens()
	if diff := cmp.Diff(map[string]string{"1.0": one.digest()}, whole(t, r, repository)); diff != "" {
		t.Errorf("tags after deletion (-want +got):\n%s", diff)
	}
	if got := waits(t, r); len(got) > 0 {
		t.Errorf("what was taken or deleted waits: %v", got)
	}
	if removed, err := cleanUploads(t.Context(), r.driver, repositories, time.Now().Add(time.Hour)); removed != 1 || err != nil {
		t.Errorf("uploads that broke off: %d removed, %v", removed, err)
	}
}

// startS3 runs a server for the length of the test, and says how to reach its bucket. It is
// told a socket, for it does not say which port it was given.
func startS3(t *testing.T, program string) Driver {
	t.Helper()
	dir, err := os.MkdirTemp("", "s3") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, sub := range []string{"store/bucket", "meta"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	socket, secret := filepath.Join(dir, "socket"), "not-a-secret-"+rand.Text()
	cmd := exec.CommandContext(t.Context(), program, "--quiet", "--port", socket, "posix", "--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "store"))
	cmd.Env = []string{"ROOT_ACCESS_KEY_ID=tester", "ROOT_SECRET_ACCESS_KEY=" + secret}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go forward(listener, socket)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	return Driver{Name: "s3", Parameters: map[string]any{
		"regionendpoint": "http://" + listener.Addr().String(), "region": "us-east-1", "bucket": "bucket", "forcepathstyle": true,
		"accesskey": "tester", "secretkey": secret, "secure": false, "chunksize": 5 << 20,
	}}
}

// forward passes connections on until the listener is closed.
func forward(listener net.Listener, socket string) {
	for {
		in, err := listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("unix", socket)
		if err != nil {
			in.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() {
				_, _ = io.Copy(way[1], way[0])
				in.Close()
				out.Close()
			}()
		}
	}
}
