package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/towpath/towpath/internal/headroom"
)

// What is measured by its memory or its processor time runs in a process of its own,
// a child, and so does its floor: neither pays for what the other left behind.

const childName = "child"

// A job is what a child is to do.
type job struct {
	Do      string // a task's name
	Repo    repo
	URL     string // of Repo
	Branch  string
	Cache   string        // a directory that is not there yet
	Host    string        // of the registry
	Window  time.Duration // to watch for
	Slow    int           // registries that are slow
	Rounds  int
	Size    int // of a list of tags
	Fleet   fleet
	Digest  string // that a tag moves to
	Token   string // of paths that hooks come to
	Secret  string // that signs them
	Profile string
}

// A result is what a child says of it.
type result struct {
	Seconds float64
	CPU     float64 // seconds, of the child and of what it started
	RSS     float64 // MB, at the end
	Landed  float64 // seconds until it was committed, too
	Streams int     // that were loaded
	Note    string
	Told    map[string]sample
}

// against is what a child did, and what the floor's did.
func against(ours, floor result) sample {
	return sample{Towpath: ours.Seconds, Floor: floor.Seconds, TowpathCPU: ours.CPU, FloorCPU: floor.CPU}
}

// A task is what a child can do.
type task func(j job, ctx context.Context) (result, error)

var tasks = map[string]task{
	"load":       job.load,
	"load-floor": job.loadFloor,

	"steady": job.steady, "steady-floor": job.steadyFloor,
	"cold": job.cold, "cold-floor": job.coldFloor,
	"list": job.list, "list-floor": job.listFloor,
	"slow": job.slow,

	"follow": job.follow, "sites": job.sites, "held": job.held, "by-hand": job.byHand,

	"pushed": job.pushed, "storm": job.storm, "storm-floor": job.stormFloor,
}

func (b *bed) child(ctx context.Context, j job) (result, error) {
	cache, err := os.MkdirTemp(b.Dir, "cache-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(cache)
	j.URL, j.Cache = b.url(j.Repo), filepath.Join(cache, "it")
	arg, err := json.Marshal(j)
	if err != nil {
		return result{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, self, childName, string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("the process that does %s: %w", j.Do, err)
	}
	var r result
	err = json.Unmarshal(out, &r)
	if err == nil && r.Streams != j.Repo.Size {
		err = fmt.Errorf("%d streams were loaded, not %d", r.Streams, j.Repo.Size)
	}
	for name, s := range r.Told {
		b.tell(name, s)
	}
	return r, err
}

// child is what runs in the child.
func child(ctx context.Context, args []string, out io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return err
	}
	headroom.Keep() // as cmd/towpath does
	res, err := tasks[j.Do](j, ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(res)
}

// memory is what this process holds, for what is alive until now.
func (j job) memory(alive any) (float64, error) {
	mb, err := statusMB("VmRSS")
	if err == nil && j.Profile != "" {
		err = heapProfile(suffixed(j.Profile, "-heap"))
	}
	runtime.KeepAlive(alive)
	return mb, err
}

// suffixed is another profile's name beside this one.
func suffixed(profile, suffix string) string {
	if profile == "" {
		return ""
	}
	return strings.TrimSuffix(profile, ".pprof") + suffix + ".pprof"
}

// heapProfile tells what memory is held for.
func heapProfile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}

// statusMB is what the system says of this process: the memory that it holds, VmRSS,
// or the most that it held, VmHWM.
func statusMB(field string) (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", field)
}

// cpu is what this process has used, and the children that it waited for.
func cpu() (seconds float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			seconds += time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
		}
	}
	return seconds
}
