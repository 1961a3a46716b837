package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestMain lets the test's own binary be the child that a measure starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == childName || os.Args[1] == upstreamName) {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestRun: every measure works on a repository of one directory. What it takes is
// nobody's matter here.
func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), []string{"-streams", "20", "-runs", "1", "-window", "1s", "-profile", t.TempDir()}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, m := range measures {
		line := regexp.MustCompile(`(?m)^bench ` + m.name + ` +[0-9.]+ goal [0-9.]+( MISSED)?\n +towpath [0-9.]`)
		if !line.MatchString(out.String()) {
			t.Errorf("no figure of %s in:\n%s", m.name, &out)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: it leaves something behind", left, err)
	}
}

// TestStrict: a goal that is missed fails only where that was asked for.
func TestStrict(t *testing.T) {
	goals := measures
	t.Cleanup(func() { measures = goals })
	measures = []measure{{name: "rss", goal: 1, unit: megabytes, run: told("rss", (*bed).firstLoad)}}
	for _, strict := range []bool{false, true} {
		var out strings.Builder
		args := []string{"-streams", "20", "-runs", "1"}
		if strict {
			args = append(args, "-strict")
		}
		err := run(t.Context(), args, nil, &out)
		if strict != (err == errMissed) {
			t.Errorf("strict %t: got error %v", strict, err)
		}
		if !strings.Contains(out.String(), " MISSED\n") {
			t.Errorf("MISSED is not said:\n%s", &out)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-streams", "3"}, {"-runs", "0"}, {"more"}, {"-only", "("}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, figures := range map[float64][]float64{2: {3, 1, 2}, 2.5: {4, 1, 2, 3}, 7: {7}} {
		var samples []sample
		for _, f := range figures {
			samples = append(samples, sample{Towpath: f})
		}
		if got := median(samples, func(s sample) float64 { return s.Towpath }); got != want {
			t.Errorf("median of %v: got %v, want %v", figures, got, want)
		}
	}
}
