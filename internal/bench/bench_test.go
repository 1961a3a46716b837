package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test's own binary be the child that a measure starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == childName || os.Args[1] == upstreamName) {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestMeasures: every measure works on a repository of one directory. How long it takes is
// nobody's matter here; that nothing is read twice is.
func TestMeasures(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), []string{"-streams", "20", "-runs", "1", "-window", "1s", "-profile", t.TempDir()}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, m := range measures {
		line := regexp.MustCompile(`(?m)^bench ` + m.name + ` +[0-9.]+ goal [0-9.]+( MISSED)?\n +towpath [0-9.].*`).FindString(out.String())
		if line == "" {
			t.Errorf("no figure of %s in:\n%s", m.name, &out)
		}
		if m.unit == reads && strings.Contains(line, "MISSED") {
			t.Errorf("something is read more than once: %s", line)
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

// TestFake: what measures count on. It wants the token of the repository, lists every
// tag once, and has another digest for each tag and generation.
func TestFake(t *testing.T) {
	f := &fake{tags: manyTags(2*pageOfTags + 1)}
	server, err := f.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := newRaw(f.host, 1)
	defer c.close()
	if n, err := c.pages(t.Context(), web.Path); n != len(f.tags) || err != nil {
		t.Errorf("got %d tags, %v; want %d", n, err, len(f.tags))
	}
	if err := c.head(t.Context(), web.Path, "1.0", tokenOf("team1/other")); err == nil {
		t.Error("another repository's token opens this one")
	}
	if err := c.head(t.Context(), web.Path, "1.0", tokenOf(web.Path)); err != nil {
		t.Error(err)
	}
	got, err := countsAt(t.Context(), f.host)
	if want := (counts{Heads: 1, Tokens: 1, Rest: 4}); got != want || err != nil {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	seen := map[string]bool{}
	for _, tag := range []string{"1.0", "1.1"} {
		for generation := range int64(2) {
			_, digest := manifest(web.Path, tag, generation)
			seen[digest] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d digests, not 4", len(seen))
	}
	moved, still := f.move(web.Path, "1.0"), f.generationOf(web.Path, "1.1")
	if f.generationOf(web.Path, "1.0") != moved || moved == still || still != f.generation.Load() {
		t.Errorf("of two tags one moved, to %d; the other is of %d", moved, still)
	}
}

// TestStorm: what is sent is due at its time, whoever is slow, and every tag of it has moved.
func TestStorm(t *testing.T) {
	st := &storm{fake: &fake{}, window: 200 * time.Millisecond, token: "token", secret: "secret"}
	before := st.now()
	const slow = 20 * time.Millisecond
	var paths sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths.Store(r.URL.Path, true)
		time.Sleep(slow)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	said, err := st.blow(t.Context(), server.Listener.Addr().String())
	if err != nil || said.Sent != 200 || said.P50 < slow.Seconds() || said.Most < said.P99 {
		t.Errorf("got %+v, %v", said, err)
	}
	for _, kind := range []string{"distribution", "generic"} {
		if _, came := paths.Load("/hooks/" + kind + "/token" + kind); !came {
			t.Errorf("no hook of kind %s came", kind)
		}
	}
	for repository, tags := range st.now() {
		for tag, digest := range tags {
			if before[repository][tag] == digest {
				t.Errorf("%s:%s has not moved", repository, tag)
			}
		}
	}
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	if _, err := st.blow(t.Context(), refusing.Listener.Addr().String()); err == nil {
		t.Error("it is no error that hooks are refused")
	}
}

func TestP99(t *testing.T) {
	var of []float64
	for i := range 1000 {
		of = append(of, float64((i*7+3)%1000))
	}
	if got := p99(of); got != 989 {
		t.Errorf("got %v, want 989", got)
	}
}
