package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

const scheduledStream = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec:
  tags:
    - name: stable
      from: {kind: DockerImage, name: "HOST/team1/web:1.4"}
      importPolicy: {insecure: true, scheduled: true}
    - name: gone
      from: {kind: DockerImage, name: "HOST/team1/web:nosuch"}
      importPolicy: {insecure: true}
`

// status asks the daemon that the operator's config says listens on this machine, or
// that --server names: when tags are asked next, and what it knows besides.
func TestStatusAsksTheDaemon(t *testing.T) {
	images := newImages(t)
	images.push(t, "team1/web:1.4", "one")
	repo := gittest.NewRepo(t, map[string]string{"web.yaml": strings.ReplaceAll(scheduledStream, "HOST", images.host)})
	page := web.New(web.Options{})
	server := httptest.NewServer(page)
	defer server.Close()
	config := filepath.Join(t.TempDir(), "operator.yaml")
	text := fmt.Sprintf("repo: %s\nlisten: %q\nregistries: [{host: %q, insecure: true}]\n", repo.Dir, server.Listener.Addr(), images.host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if got := Main(t.Context(), append([]string{"status", "--config", config}, args...), &out, &out, func(string) string { return "" }); got != want {
			t.Errorf("status %v: exit code %d, want %d\n%s", args, got, want, out.String())
		}
		return out.String()
	}

	if out := run(0); strings.Contains(out, "daemon") {
		t.Errorf("before its first pass:\n%s", out)
	}
	walk(t, config, page)
	var got statusJSON
	if err := json.Unmarshal([]byte(run(3, "-o", "json", "web:stable", "web:gone")), &got); err != nil {
		t.Fatal(err)
	}
	if d := got.Daemon; d == nil || !d.Current || d.Revision != got.Revision || time.Since(d.At) > time.Minute {
		t.Fatalf("daemon: %+v", d)
	}
	gone, stable := got.Tags[0], got.Tags[1]
	if in := time.Until(stable.Due.At); in < 14*time.Minute || in > 17*time.Minute || time.Since(stable.Due.Asked) > time.Minute || stable.Due.Rule != "interval" {
		t.Errorf("stable is due in %s: %+v", in, stable.Due)
	}
	if in := time.Until(gone.Due.At); in < 59*time.Minute || gone.Failure == nil || gone.Failure.Reason != "NotFound" || gone.Unrecorded != nil {
		t.Errorf("gone is due in %s: %+v", in, gone)
	}
	if out := run(3, "--tags"); !strings.Contains(out, " in 15 minutes ") && !strings.Contains(out, " in 14 minutes ") {
		t.Errorf("in a table:\n%s", out)
	}

	// A failure that may pass is known to the daemon alone. It is asked for, of this
	// stream only.
	images.mood(t, "down")
	walk(t, config, page, reconcile.Hint{})
	if out := run(3, "web:stable"); !strings.Contains(out, "Unreachable: ") || !strings.Contains(out, "(says the daemon, which tries again in ") {
		t.Errorf("while the registry is away:\n%s", out)
	}

	// Another commit than the daemon's: what it says of tags is left out.
	repo.Commit(map[string]string{"README": "hello"}, "a person's")
	if out := run(0, "--server", server.URL, "web:stable"); !strings.Contains(out, "another commit than this") || strings.Contains(out, "says the daemon,") {
		t.Errorf("at another commit:\n%s", out)
	}

	// One that was named and does not answer fails the command, after all that Git says.
	server.Close()
	if out := run(1, "--server", server.URL); !strings.Contains(out, "team1/web") || !strings.Contains(out, "\ntowpath: the daemon at "+server.URL+" was not heard: ") || !strings.Contains(out, "\nfix: ") {
		t.Errorf("one that is gone:\n%s", out)
	}
	if out := run(3); strings.Contains(out, "daemon") {
		t.Errorf("one that merely is not there:\n%s", out)
	}
	for _, bad := range []string{"127.0.0.1:8080", "ftp://127.0.0.1", "http://me:fake@127.0.0.1", "http://"} {
		if out := run(2, "--server", bad); strings.Contains(out, "fake") || !strings.Contains(out, "fix: write http://HOST:PORT, as towpath run --listen HOST:PORT") {
			t.Errorf("--server %s:\n%s", bad, out)
		}
	}
}

// walk makes a daemon's passes, until one has nothing to write.
func walk(t *testing.T, config string, page *web.Handler, hints ...reconcile.Hint) {
	t.Helper()
	r, _, err := (&app{configFile: config, stderr: t.Output(), logLevel: "error", getenv: func(string) string { return "" }}).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Store.Close()
	rep, err := r.Settle(t.Context(), hints...)
	if err != nil {
		t.Fatal(err)
	}
	page.Set((&teller{r: r}).pass(rep))
}

// Only addresses of this machine are asked without being named.
func TestLoopback(t *testing.T) {
	for listen, want := range map[string]string{
		":8080": "http://127.0.0.1:8080", "0.0.0.0:8080": "http://127.0.0.1:8080", "[::]:8080": "http://127.0.0.1:8080",
		"127.0.0.1:80": "http://127.0.0.1:80", "[::1]:80": "http://[::1]:80", "localhost:80": "http://localhost:80",
		"": "", "127.0.0.1:0": "", "10.0.0.1:8080": "", "towpath.example:8080": "", net.JoinHostPort("169.254.1.1", "80"): "",
	} {
		if got := loopback(listen); got != want {
			t.Errorf("%q: got %q, want %q", listen, got, want)
		}
	}
}
