package integrated

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// killPoints are where a process of the test below ends: at a change of what file, before
// it is made or after.
var killPoints = map[string]struct {
	step, at, in string
	after        bool
}{
	"upload.started":    {"rename", "/startedat", "", true},
	"blob.partial":      {"write", "/data", "/_uploads/", true}, // half of it, see below
	"blob.synced":       {"sync", "/data", "/_uploads/", true},
	"blob.renamed":      {"rename", "/data", "/blobs/", true},
	"blob.linked":       {"rename", "/link", "/_layers/", true},
	"manifest.stored":   {"rename", "/data", "/blobs/", true}, // the third blob, see below
	"manifest.linked":   {"rename", "/link", "/_manifests/revisions/", true},
	"arrival.unmarked":  {"rename", "", marksDir + "/", false},
	"arrival.marked":    {"rename", "", marksDir + "/", true},
	"tag.indexed":       {"rename", "/link", "/index/", true},
	"tag.unlinked":      {"rename", "/current/link", "", false},
	"tag.linked":        {"rename", "/current/link", "", true},
	"event.sent":        {}, // the client read 201
	"deletion.untagged": {"rename", "", scratch + "/", true},
}

// A killer is a system on which a process ends at a point.
type killer struct {
	system
	point string
	skip  int // so often it goes on
}

func (k *killer) here(step, name string, after bool) {
	p := killPoints[k.point]
	if p.step != step || p.after != after || !strings.HasSuffix(name, p.at) || !strings.Contains(name, p.in) {
		return
	}
	if k.skip--; k.skip < 0 {
		die()
	}
}

// die is kill -9: nothing is closed, flushed or said.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (k *killer) Rename(from, to string) error {
	k.here("rename", to, false)
	err := k.system.Rename(from, to)
	k.here("rename", to, true)
	return err
}

func (k *killer) Write(name string, appending bool) (file, error) {
	f, err := k.system.Write(name, appending)
	return &killing{f, k, name}, err
}

type killing struct {
	file
	k    *killer
	name string
}

func (f *killing) Write(p []byte) (int, error) {
	half, err := f.file.Write(p[:len(p)/2])
	if err != nil {
		return half, err
	}
	f.k.here("write", f.name, true)
	rest, err := f.file.Write(p[half:])
	return half + rest, err
}

func (f *killing) Sync() error {
	err := f.file.Sync()
	f.k.here("sync", f.name, true)
	return err
}

// TestMain serves a registry in place of running tests, where TestKill starts it so.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TOWPATH_TEST_STORAGE"); dir != "" {
		if err := serveUntilKilled(dir, os.Getenv("TOWPATH_TEST_KILL")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveUntilKilled serves a directory, says where, and ends when its input does.
func serveUntilKilled(dir, point string) error {
	k := &killer{point: point}
	if point == "manifest.stored" {
		k.skip = 2 // the layer and the configuration
	}
	s, err := openFiles(dir, k)
	if err != nil {
		return err
	}
	r, err := open(context.Background(), Options{Guide: noGuide{}}, s)
	if err != nil {
		return err
	}
	server := httptest.NewServer(r)
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Close()
	return r.Close()
}

// A served registry is another process.
type served struct {
	cmd  *exec.Cmd
	url  string
	stop io.Closer
}

func serveProcess(t *testing.T, dir, point string) served {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "TOWPATH_TEST_STORAGE="+dir, "TOWPATH_TEST_KILL="+point)
	cmd.Stderr = t.Output()
	stop, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the registry's process says nothing: %v", err)
	}
	return served{cmd, strings.TrimSpace(line), stop}
}

// ServeHTTP passes a request on. A process that ended answers 502.
func (s served) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	out, err := http.NewRequestWithContext(req.Context(), req.Method, s.url+req.URL.RequestURI(), req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	out.Header = req.Header
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for key, values := range resp.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// fault: E-01
//
// kill -9 at each point of a push: what was answered is there and waits to be recorded, no
// tag names what is not there, and what was not answered is simply pushed again.
func TestKill(t *testing.T) {
	one, two := newPicture("one", 100_000), newPicture("two", 100_000)
	for point := range killPoints {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "storage")
			first := serveProcess(t, dir, "")
			if err := one.push(first, repository, "1.0"); err != nil {
				t.Fatal(err)
			}
			first.stop.Close()
			if err := first.cmd.Wait(); err != nil {
				t.Fatal(err)
			}

			killed := serveProcess(t, dir, point)
			answered := two.push(killed, repository, "1.0") == nil
			switch point {
			case "event.sent":
				_ = killed.cmd.Process.Kill()
			case "deletion.untagged":
				if w := do(killed, "DELETE", "/v2/"+repository+"/manifests/"+two.digest(), nil); w.Code != http.StatusBadGateway {
					t.Errorf("the deletion was answered: %d", w.Code)
				}
			}
			err := killed.cmd.Wait()
			if err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("the process was to be killed: %v", err)
			}
			if want := point == "event.sent" || point == "deletion.untagged"; answered != want {
				t.Errorf("answered: %v", answered)
			}

			r, err := New(t.Context(), Options{Storage: dir, Guide: noGuide{}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			want := map[string]string{"1.0": one.digest()}
			switch point {
			case "event.sent", "tag.linked":
				want["1.0"] = two.digest()
			case "deletion.untagged":
				want = map[string]string{}
			}
			if diff := cmp.Diff(want, whole(t, r, repository)); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, waits(t, r)); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
			if err := two.push(r, repository, "1.0"); err != nil {
				t.Errorf("again: %v", err)
			}
			if diff := cmp.Diff(map[string]string{"1.0": two.digest()}, whole(t, r, repository)); diff != "" {
				t.Errorf("tags after that (-want +got):\n%s", diff)
			}
		})
	}
}
