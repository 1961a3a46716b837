package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// passed is what the program gets of the script's environment.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "GOCOVERDIR", "GORACE", "GOMEMLIMIT",
	"TOWPATH_CONFIG", "TOWPATH_REPO", "TOWPATH_BRANCH", "TOWPATH_CACHE_DIR", "TOWPATH_LOG_FORMAT", "TOWPATH_LOG_LEVEL", "TOWPATH_LISTEN",
}

// program is the program as a process that has not started.
func (w *world) program(ctx context.Context, args []string) *exec.Cmd {
	exe, err := os.Executable()
	w.ts.Check(err)
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = append([]string{"towpath"}, args...)
	cmd.Dir = w.ts.MkAbs(".")
	for _, key := range passed {
		if v := w.ts.Getenv(key); v != "" {
			cmd.Env = append(cmd.Env, key+"="+v)
		}
	}
	return cmd
}

// run runs the program to its end, and compares its exit code.
func (w *world) run(code string, args []string) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := w.program(ctx, args)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		w.ts.Fatalf("towpath: %v", err)
	}
	w.checkSecrets("the output", stdout.String()+stderr.String())
	w.checkCommands(stdout.String() + stderr.String())
	w.print(stdout.String())
	fmt.Fprint(w.ts.Stderr(), w.plain(stderr.String()))
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != code {
		w.ts.Fatalf("towpath %s: exit code %s, want %s", strings.Join(args, " "), got, code)
	}
}

// A daemon is the program in the background.
type daemon struct {
	cmd   *exec.Cmd
	log   *record
	ended chan struct{} // closed when the process is gone
	read  int           // how much of the log has been matched
}

func (w *world) start(name string, args []string) {
	if d := w.daemons[name]; d != nil {
		select {
		case <-d.ended:
		default:
			w.ts.Fatalf("the daemon %s runs", name)
		}
	}
	d := &daemon{cmd: w.program(context.Background(), args), log: &record{more: make(chan struct{})}, ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	w.ts.Check(d.cmd.Start())
	w.daemons[name] = d
	go func() {
		defer close(d.ended)
		d.cmd.Wait()
	}()
	w.t.Cleanup(d.end)
}

func (w *world) daemon(name string) *daemon {
	d := w.daemons[name]
	if d == nil {
		w.ts.Fatalf("there is no daemon %s", name)
	}
	return d
}

// says waits until what the daemon logged after the last match matches.
func (w *world) says(name, pattern string) {
	d := w.daemon(name)
	re, err := regexp.Compile("(?m)" + pattern)
	w.ts.Check(err)
	enough := time.After(patience)
	for {
		text, more := d.log.from(d.read)
		if end := lineEnd(re, text, w.plain); end > 0 {
			d.read += end
			return
		}
		select {
		case <-more:
		case <-d.ended:
			if rest, _ := d.log.from(d.read); rest == text {
				w.ts.Fatalf("the daemon ended, and did not say %q%s", pattern, w.daemonLogs())
			}
		case <-enough:
			w.ts.Fatalf("after %s the daemon did not say %q%s", patience, pattern, w.daemonLogs())
		}
	}
}

// lineEnd is where the first line ends that matches; 0 if none does.
func lineEnd(re *regexp.Regexp, text string, plain func(string) string) int {
	end := 0
	for line := range strings.Lines(text) {
		end += len(line)
		if strings.HasSuffix(line, "\n") && re.MatchString(plain(line)) {
			return end
		}
	}
	return 0
}

// sigterm ends a daemon as a cluster does: NAME [CODE].
func (w *world) sigterm(args []string) {
	d, want := w.daemon(args[0]), "0"
	if len(args) > 1 {
		want = args[1]
	}
	w.ts.Check(d.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-d.ended:
	case <-time.After(10 * time.Second):
		w.ts.Fatalf("the daemon did not end within 10 s of SIGTERM%s", w.daemonLogs())
	}
	log, _ := d.log.from(0)
	w.checkSecrets("the log", log)
	fmt.Fprint(w.ts.Stderr(), w.plain(log))
	if code := strconv.Itoa(d.cmd.ProcessState.ExitCode()); code != want {
		w.ts.Fatalf("the daemon's exit code is %s, want %s", code, want)
	}
}

func (w *world) kill9(name string) {
	d := w.daemon(name)
	d.kill()
	<-d.ended
}

func (d *daemon) kill() { d.cmd.Process.Kill() }

// end makes sure that the process is gone.
func (d *daemon) end() {
	d.kill()
	<-d.ended
}

var listening = regexp.MustCompile(`(?:msg=serving address=|"msg":"serving","address":")([0-9.:]+)`)

// get asks the address that a daemon serves.
func (w *world) get(name, path string) {
	log, _ := w.daemon(name).log.from(0)
	m := listening.FindStringSubmatch(log)
	if m == nil {
		w.ts.Fatalf("the daemon %s serves nothing%s", name, w.daemonLogs())
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m[1]+path, nil)
	w.ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	w.ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.ts.Check(err)
	w.checkSecrets(path, string(body))
	w.print(fmt.Sprintf("%s\n%s", resp.Status, body))
}

// daemonLogs is what all daemons said, for a script that fails.
func (w *world) daemonLogs() string {
	var b strings.Builder
	for name, d := range w.daemons {
		log, _ := d.log.from(0)
		fmt.Fprintf(&b, "\n[%s]\n%s", name, w.plain(log))
	}
	return b.String()
}

// A record is what a process wrote. It may be read and written at the same
// time.
type record struct {
	mu   sync.Mutex
	text []byte
	more chan struct{} // closed when there is more
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p...)
	close(r.more)
	r.more = make(chan struct{})
	return len(p), nil
}

// from is what follows after so many bytes, and what tells of more.
func (r *record) from(n int) (string, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.text[n:]), r.more
}
