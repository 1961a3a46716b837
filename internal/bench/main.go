// Command bench measures towpath against floors: the least that the same work
// costs when it is done by native git, by go-git alone, or by plain net/http, in
// the same run and by turns. It prints a line for each figure, and one below it with
// the absolute ones:
//
//	bench idle         1.02 goal 1.50
//	      towpath 6.1ms, floor 6.0ms: one ls-refs request on a warm connection
//
// A ratio is the median of the runs' own ratios. A goal that is not met ends its
// line with MISSED; only with -strict is that a failure: a bench is no test, and
// whatever else the machine does shows in it.
//
// It may know every package, and decides nothing. It needs git and curl, and Linux for the
// memory of a process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A sample is what one run measured, in the unit of its measure. CPU seconds are
// given where they are known.
type sample struct {
	Towpath, Floor       float64
	TowpathCPU, FloorCPU float64
	Note                 string // what else there is to know of it
}

// A measure is something to measure, and the most that its ratio may be; without
// a floor, the most that the figure itself may be.
type measure struct {
	name  string
	goal  float64
	unit  unit
	floor string // what it is
	most  int    // runs, where one takes long; 0: as many as are wanted
	run   func(b *bed, ctx context.Context) (sample, error)
}

// measures come in an order in which each leaves the repository as the next one
// needs it.
var measures = []measure{
	{name: "first-load", goal: 1.8, floor: "git clone --bare --depth 1, every blob by git cat-file, one sigs.k8s.io/yaml decode each", run: (*bed).firstLoad},
	{name: "rss", goal: 256, unit: megabytes, run: told("rss", (*bed).firstLoad)},
	{name: "idle", goal: 1.5, floor: "one ls-refs request on a warm connection", run: (*bed).idle},
	{name: "one-file", goal: 3, floor: "go-git's fetch of the commit into a bare store of depth 1, and a walk of both trees", run: (*bed).oneFile},
	{name: "push-500", goal: 1.1, floor: "git fast-import into a bare clone of depth 1, and git push", run: (*bed).push},
	{name: "heads-1000", goal: 1.15, floor: "net/http with the token in its hand", run: (*bed).heads},
	{name: "steady", goal: 1.15, most: 1, floor: "net/http, a token for each repository and a request for each tag, twice over", run: (*bed).steady},
	{name: "steady-asks", goal: 1, most: 1, unit: requests, floor: "one for each due tag, and a token for each repository", run: told("steady-asks", (*bed).steady)},
	{name: "steady-cpu", goal: 5, most: 1, unit: percent, run: told("steady-cpu", (*bed).watched)},
	{name: "steady-rss", goal: 256, most: 1, unit: megabytes, run: told("steady-rss", (*bed).watched)},
	{name: "cold", goal: 1.3, most: 2, floor: "net/http, git clone --bare --depth 1, git fast-import of the same result, and git push", run: (*bed).cold},
	{name: "cold-peak", goal: 512, most: 2, unit: megabytes, run: told("cold-peak", (*bed).cold)},
	{name: "list-100k", goal: 1.5, most: 3, floor: "net/http, page after page, decoded", run: (*bed).list},
	{name: "list-peak", goal: 256, most: 3, unit: megabytes, run: told("list-peak", (*bed).list)},
	{name: "slow-50", goal: 2, most: 2, floor: "without the slow ones, from due to answered", run: (*bed).slow},
	{name: "slow-landed", goal: 2, most: 2, floor: "without the slow ones, from due to committed", run: told("slow-landed", (*bed).slow)},
	{name: "tags-2000", goal: 3, floor: "one sigs.k8s.io/yaml decode of the file", run: (*bed).manyTags},
	{name: "follow-500", goal: 1.2, floor: "a clone's files written, git add -u, git commit, git push", run: (*bed).follow},
	{name: "sites-load", goal: 1.5, most: 3, floor: "the same files with all sites misspelt: none needs to be parsed", run: (*bed).sites},
	{name: "sites-reads", goal: 1, most: 3, unit: reads, floor: "each blob once", run: told("sites-reads", (*bed).sites)},
	{name: "sites-rss", goal: 100, most: 3, unit: megabytes, run: told("sites-rss", (*bed).sites)},
	{name: "held-1000", goal: 8, most: 3, floor: "git fetch --unshallow, git log --first-parent --raw", run: (*bed).heldWalk},
	{name: "held-reads", goal: 1, most: 3, unit: reads, floor: "each commit once", run: told("held-reads", (*bed).heldWalk)},
	{name: "held-idle", goal: 1.5, floor: "one ls-refs request on a warm connection", run: (*bed).heldIdle},
	{name: "held-news", goal: 1.2, floor: "ten such passes in a repository that holds nothing", run: (*bed).heldNews},
	{name: "pushed", goal: 1.2, most: 3, floor: "curl -I of the manifest, git fast-import of two commits into a bare clone, and git push", run: told("pushed", (*bed).pushed)},
	{name: "push-200mb", goal: 1 / 0.9, floor: "distribution's own handlers and filesystem driver, without a token", run: (*bed).pushLayer},
	{name: "hooks-1000", goal: 3, most: 1, floor: "an empty handler", run: told("hooks-1000", (*bed).hooks)},
	{name: "hooks-rss", goal: 16, most: 1, unit: megabytes, run: told("hooks-rss", (*bed).hooks)},
	{name: "walk-500", goal: 1, unit: reads, floor: "each commit once", run: (*bed).byHand},
}

// told is a measure that another one finds out on its way.
func told(name string, run func(*bed, context.Context) (sample, error)) func(*bed, context.Context) (sample, error) {
	return func(b *bed, ctx context.Context) (s sample, err error) {
		if len(b.told[name]) == 0 {
			if _, err := run(b, ctx); err != nil {
				return s, err
			}
		}
		s, b.told[name] = b.told[name][0], b.told[name][1:]
		return s, nil
	}
}

type options struct {
	streams, runs int
	window        time.Duration
	only          *regexp.Regexp
	strict        bool
	profile       string // directory; empty: none
}

func parse(args []string) (options, error) {
	o := options{only: regexp.MustCompile("")}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.streams, "streams", fullSize, "image streams in the repository; a few hundred try it quickly, and tell little")
	f.IntVar(&o.runs, "runs", 5, "runs, of which the median counts")
	f.DurationVar(&o.window, "window", time.Minute, "how long steady-cpu watches, and how long the hooks of hooks-1000 come")
	f.BoolVar(&o.strict, "strict", false, "fail if a goal is missed")
	f.StringVar(&o.profile, "profile", "", "write CPU profiles of towpath's side into this `directory`")
	f.Func("only", "measure what this regular `expression` matches", func(s string) (err error) {
		o.only, err = regexp.Compile(s)
		return err
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.streams < perDir || o.runs < 1 {
		return o, fmt.Errorf("it takes no arguments, at least %d streams and at least one run", perDir)
	}
	return o, nil
}

var errMissed = errors.New("a goal was missed")

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) > 1 && args[0] == childName:
		return child(ctx, args[1:], out)
	case len(args) > 1 && args[0] == upstreamName:
		return serveUpstream(args[1:], in, out)
	}
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := newBed(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	allMet := true
	for _, m := range measures {
		if !o.only.MatchString(m.name) {
			continue
		}
		met, err := m.print(ctx, b, out)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		allMet = allMet && met
	}
	if o.strict && !allMet {
		return errMissed
	}
	return nil
}

// print measures, and reports whether the goal is met.
func (m measure) print(ctx context.Context, b *bed, out io.Writer) (met bool, err error) {
	samples := make([]sample, b.runs)
	if m.most > 0 {
		samples = samples[:min(b.runs, m.most)]
	}
	for i := range samples {
		if samples[i], err = m.run(b, ctx); err != nil {
			return false, err
		}
	}
	middle := func(figure func(sample) float64) float64 { return median(samples, figure) }
	figure, missed := middle(m.figure), ""
	if figure > m.goal {
		missed = " MISSED"
	}
	fmt.Fprintf(out, "bench %-11s %6.2f goal %.2f%s\n", m.name, figure, m.goal, missed)
	fmt.Fprintf(out, "      towpath %s", m.unit.text(middle(func(s sample) float64 { return s.Towpath })))
	if m.floor != "" {
		fmt.Fprintf(out, ", floor %s: %s", m.unit.text(middle(func(s sample) float64 { return s.Floor })), m.floor)
	}
	if note := samples[len(samples)-1].Note; note != "" {
		fmt.Fprintf(out, "\n      %s", note)
	}
	if cpu := middle(func(s sample) float64 { return s.TowpathCPU }); cpu > 0 {
		fmt.Fprintf(out, "\n      CPU %s, floor %s", seconds.text(cpu), seconds.text(middle(func(s sample) float64 { return s.FloorCPU })))
	}
	_, err = fmt.Fprintln(out)
	return missed == "", err
}

// figure is what the goal is about.
func (m measure) figure(s sample) float64 {
	if m.floor == "" {
		return s.Towpath
	}
	return s.Towpath / s.Floor
}

func median(samples []sample, figure func(sample) float64) float64 {
	var figures []float64
	for _, s := range samples {
		figures = append(figures, figure(s))
	}
	slices.Sort(figures)
	return (figures[(len(figures)-1)/2] + figures[len(figures)/2]) / 2
}

// A unit is what a sample is counted in.
type unit int

const (
	seconds unit = iota
	megabytes
	requests
	percent // of one processor
	reads
)

func (u unit) text(v float64) string {
	switch u {
	case megabytes:
		return fmt.Sprintf("%.0f MB", v)
	case requests:
		return fmt.Sprintf("%.0f requests", v)
	case reads:
		return fmt.Sprintf("%.0f reads", v)
	case percent:
		return fmt.Sprintf("%.1f %% of a processor", v)
	}
	d := time.Duration(v * float64(time.Second))
	if d > 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// timed is how long f takes, in seconds.
func timed(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return time.Since(start).Seconds(), err
}
