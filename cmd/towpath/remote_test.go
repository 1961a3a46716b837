package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/towpath/towpath/gitstore/gittest"
)

// serve puts the repository behind git's http-backend, which asks for a
// password.
func (w *world) serve([]string) {
	w.server = gittest.Serve(w.t, w.git())
	w.server.User = "towpath" // before anybody asks
	w.secrets = append(w.secrets, w.server.Password())
	w.ts.Setenv("url", w.server.Repo(w.repo))
	w.ts.Setenv("TOWPATH_REPO", w.server.Repo(w.repo))
	w.mount(nil)
}

func (w *world) changePassword([]string) {
	w.server.SetPassword("fake-" + rand.Text())
	w.secrets = append(w.secrets, w.server.Password())
}

// mount writes the password as a cluster mounts a secret: the file is a link
// through ..data, which is swapped for a new directory in one step.
func (w *world) mount([]string) {
	w.mounts++
	dir, version := filepath.Join(w.dir, "secrets"), fmt.Sprintf("..v%d", w.mounts)
	w.ts.Check(os.MkdirAll(filepath.Join(dir, version), 0o700))
	w.ts.Check(os.WriteFile(filepath.Join(dir, version, "password"), []byte(w.server.Password()+"\n"), 0o600))
	w.ts.Check(os.Symlink(version, filepath.Join(dir, "..data_tmp")))
	w.ts.Check(os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	if w.mounts == 1 {
		w.ts.Check(os.Symlink("..data/password", filepath.Join(dir, "password")))
	}
}

// fault plans a fault of the Git server: N OP FAULT [DAEMON].
func (w *world) fault(args []string) {
	n, err := strconv.Atoi(args[0])
	w.ts.Check(err)
	op, known := map[string]gittest.Op{"any": gittest.Any, "ls-refs": gittest.LsRefs, "fetch": gittest.Fetch, "push": gittest.Push}[args[1]]
	if !known {
		w.ts.Fatalf("a fault of %s?", args[1])
	}
	var f gittest.Fault
	switch args[2] {
	case "lose-answer": // it is done, and the connection ends instead of the answer
		f = gittest.LoseAnswer()
	case "hang": // nothing is said until the client leaves
		f = gittest.Hang(w.t.Context().Done())
	case "unavailable":
		f = gittest.Status(http.StatusServiceUnavailable)
	case "kill9": // it is done, and the daemon dies before it hears of it
		d := w.daemon(args[3])
		f = gittest.After(d.kill)
	default:
		w.ts.Fatalf("there is no fault %s", args[2])
	}
	met := make(chan struct{})
	tell := sync.OnceFunc(func() { close(met) })
	w.met = met
	w.server.Fail(n, op, func(rw http.ResponseWriter, r *http.Request, git http.Handler) {
		tell()
		f(rw, r, git)
	})
}

// faulted waits until a request met the fault that was planned last.
func (w *world) faulted([]string) {
	select {
	case <-w.met:
	case <-time.After(patience):
		w.ts.Fatalf("no request met the fault%s", w.daemonLogs())
	}
}
