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
// It may know every package, and decides nothing. It needs git, and Linux for the
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
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A sample is what one run measured: durations in seconds or, where there is no
// floor, megabytes. CPU seconds are given where they are known.
type sample struct{ towpath, floor, towpathCPU, floorCPU float64 }

// A measure is something to measure, and the most that its ratio may be; without
// a floor, the most that the figure itself may be.
type measure struct {
	name  string
	goal  float64
	floor string // what it is
	run   func(b *bed, ctx context.Context) (sample, error)
}

// measures come in an order in which each leaves the repository as the next one
// needs it.
var measures = []measure{
	{"first-load", 1.8, "git clone --bare --depth 1, every blob by git cat-file, one sigs.k8s.io/yaml decode each", (*bed).firstLoad},
	{"rss", 256, "", (*bed).resident},
	{"idle", 1.5, "one ls-refs request on a warm connection", (*bed).idle},
	{"one-file", 3, "go-git's fetch of the commit into a bare store of depth 1, and a walk of both trees", (*bed).oneFile},
	{"push-500", 1.1, "git fast-import into a bare clone of depth 1, and git push", (*bed).push},
	{"heads-1000", 1.15, "net/http with the token in its hand", (*bed).heads},
}

type options struct {
	streams, runs int
	only          *regexp.Regexp
	strict        bool
	profile       string // directory; empty: none
}

func parse(args []string) (options, error) {
	o := options{only: regexp.MustCompile("")}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.streams, "streams", 10_000, "image streams in the repository; a few hundred try it quickly, and tell little")
	f.IntVar(&o.runs, "runs", 5, "runs, of which the median counts")
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

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 1 && args[0] == childName {
		return child(ctx, args[1:], out)
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
	fmt.Fprintf(out, "bench %-10s %6.2f goal %.2f%s\n", m.name, figure, m.goal, missed)
	towpath := middle(func(s sample) float64 { return s.towpath })
	if m.floor == "" {
		_, err = fmt.Fprintf(out, "      towpath %.0f MB\n", towpath)
		return missed == "", err
	}
	floor := middle(func(s sample) float64 { return s.floor })
	fmt.Fprintf(out, "      towpath %s, floor %s: %s\n", seconds(towpath), seconds(floor), m.floor)
	if cpu := middle(func(s sample) float64 { return s.towpathCPU }); cpu > 0 {
		fmt.Fprintf(out, "      CPU %s, floor %s\n", seconds(cpu), seconds(middle(func(s sample) float64 { return s.floorCPU })))
	}
	return missed == "", nil
}

// figure is what the goal is about.
func (m measure) figure(s sample) float64 {
	if m.floor == "" {
		return s.towpath
	}
	return s.towpath / s.floor
}

func median(samples []sample, figure func(sample) float64) float64 {
	var figures []float64
	for _, s := range samples {
		figures = append(figures, figure(s))
	}
	slices.Sort(figures)
	return (figures[(len(figures)-1)/2] + figures[len(figures)/2]) / 2
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
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
