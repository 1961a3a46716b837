package window_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/window"
)

func parse(t testing.TB, line string, open time.Duration, zone string) window.Window {
	t.Helper()
	w, err := window.Parse(line, open, zone)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOpen(t *testing.T) {
	const berlin = "Europe/Berlin"
	for name, tt := range map[string]struct {
		line    string
		open    time.Duration
		zone    string
		now     string
		is      bool
		changes string // empty: never
	}{
		"before":                  {"0 9 * * mon-fri", 8 * time.Hour, "", "2026-05-01T08:59:59Z", false, "2026-05-01T09:00:00Z"},
		"when it opens":           {"0 9 * * mon-fri", 8 * time.Hour, "", "2026-05-01T09:00:00Z", true, "2026-05-01T17:00:00Z"},
		"while":                   {"0 9 * * mon-fri", 8 * time.Hour, "", "2026-05-01T16:59:59.999Z", true, "2026-05-01T17:00:00Z"},
		"when it closes":          {"0 9 * * mon-fri", 8 * time.Hour, "", "2026-05-01T17:00:00Z", false, "2026-05-04T09:00:00Z"},
		"opened yesterday":        {"0 22 * * *", 8 * time.Hour, "", "2026-05-02T03:00:00Z", true, "2026-05-02T06:00:00Z"},
		"opened last month":       {"0 0 1 12 *", 31 * 24 * time.Hour, "", "2026-12-31T23:59:00Z", true, "2027-01-01T00:00:00Z"},
		"day or weekday":          {"0 9 13 * fri", time.Hour, "", "2026-05-02T00:00:00Z", false, "2026-05-08T09:00:00Z"},
		"day and weekday":         {"0 9 */2 * fri", time.Hour, "", "2026-05-02T00:00:00Z", false, "2026-05-15T09:00:00Z"},
		"a name":                  {"@weekly", time.Hour, "", "2026-05-02T00:00:00Z", false, "2026-05-03T00:00:00Z"},
		"openings that meet":      {"0 */6 * * 2", 6 * time.Hour, "", "2026-05-05T01:00:00Z", true, "2026-05-06T00:00:00Z"},
		"always":                  {"* * * * *", time.Hour, "", "2026-05-05T01:00:00Z", true, ""},
		"29 February":             {"0 9 29 2 *", time.Hour, "", "2096-03-01T00:00:00Z", false, "2104-02-29T09:00:00Z"},
		"jumped over":             {"30 2 * * *", time.Hour, berlin, "2026-03-29T00:59:00Z", false, "2026-03-29T01:00:00Z"},
		"jumped over, open":       {"30 2 * * *", time.Hour, berlin, "2026-03-29T01:59:00Z", true, "2026-03-29T02:00:00Z"},
		"jumped over, closed":     {"30 2 * * *", time.Hour, berlin, "2026-03-29T02:00:00Z", false, "2026-03-30T00:30:00Z"},
		"midnight jumped over":    {"0 0 * * *", time.Hour, "America/Sao_Paulo", "2018-11-04T02:59:00Z", false, "2018-11-04T03:00:00Z"},
		"half an hour jumped":     {"15 2 * * *", time.Hour, "Australia/Lord_Howe", "2026-10-03T15:00:00Z", false, "2026-10-03T15:30:00Z"},
		"a day jumped over":       {"0 9 30 12 *", time.Hour, "Pacific/Apia", "2011-12-01T00:00:00Z", false, "2011-12-30T10:00:00Z"},
		"twice, first":            {"30 2 * * *", 15 * time.Minute, berlin, "2026-10-25T00:30:00Z", true, "2026-10-25T00:45:00Z"},
		"twice, between":          {"30 2 * * *", 15 * time.Minute, berlin, "2026-10-25T00:45:00Z", false, "2026-10-25T01:30:00Z"},
		"twice, second":           {"30 2 * * *", 15 * time.Minute, berlin, "2026-10-25T01:30:00Z", true, "2026-10-25T01:45:00Z"},
		"a night of summer time":  {"0 22 * * *", 8 * time.Hour, berlin, "2026-03-28T22:00:00Z", true, "2026-03-29T05:00:00Z"},
		"a long day, end of time": {"0 0 * * *", 24 * time.Hour, berlin, "2026-10-24T22:00:00Z", true, "2026-10-25T22:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			w := parse(t, tt.line, tt.open, tt.zone)
			is, changes := window.Open([]window.Window{w}, moment(t, tt.now))
			got := ""
			if !changes.IsZero() {
				got = changes.UTC().Format(time.RFC3339)
			}
			if is != tt.is || got != tt.changes {
				t.Errorf("got %v, changes %q, want %v, %q", is, got, tt.is, tt.changes)
			}
		})
	}
}

func TestNoWindows(t *testing.T) {
	if open, changes := window.Open(nil, time.Now()); !open || !changes.IsZero() {
		t.Errorf("got %v, changes %v, want open for ever", open, changes)
	}
	if open, changes := window.Open([]window.Window{{}}, time.Now()); open || !changes.IsZero() {
		t.Errorf("a window that nobody made: got %v, changes %v, want closed for ever", open, changes)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		line string
		open time.Duration
		zone string
		want string
	}{
		{"0 9 * *", time.Hour, "", "has 4 fields"},
		{"0 0 9 * * *", time.Hour, "", "has 6 fields"},
		{"", time.Hour, "", "has 0 fields"},
		{"0 9 * * 7", time.Hour, "", `field of the weekday, "7"`},
		{"0 9 * * MONDAY", time.Hour, "", `field of the weekday, "MONDAY"`},
		{"0 25 * * *", time.Hour, "", `field of the hour, "25"`},
		{"0 22-2 * * *", time.Hour, "", `field of the hour, "22-2"`},
		{", * * * *", time.Hour, "", `field of the minute, ","`},
		{"*/0 * * * *", time.Hour, "", `field of the minute, "*/0"`},
		{"*-5 * * * *", time.Hour, "", `field of the minute, "*-5"`},
		{"+5 * * * *", time.Hour, "", `field of the minute, "+5"`},
		{"0 9 ? * 1", time.Hour, "", `field of the day, "?"`},
		{"0 9 30 2 *", time.Hour, "", "a day that never comes"},
		{"0 9 31 4,6,9,11 *", time.Hour, "", "a day that never comes"},
		{"TZ=UTC 0 9 * * *", time.Hour, "", "sets a variable"},
		{"CRON_TZ=UTC", time.Hour, "", "sets a variable"},
		{"@every 1h", time.Hour, "", "has 2 fields"},
		{"@reboot", time.Hour, "", "no name of times"},
		{strings.Repeat("1,", 1000) + "1 * * * *", time.Hour, "", "2009 bytes"},
		{"0 9 * * *", 59 * time.Second, "", "open for 59s"},
		{"0 9 * * *", 745 * time.Hour, "", "open for 745h"},
		{"0 9 * * *", time.Hour, "Europe/Atlantis", "no time zone"},
		{"0 9 * * *", time.Hour, "Local", "on every machine"},
		{"0 9 * * *", time.Hour, "../../etc/passwd", "no time zone"},
	} {
		_, err := window.Parse(tt.line, tt.open, tt.zone)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%q for %v in %q: got %v, want %q and what to write", tt.line, tt.open, tt.zone, err, tt.want)
		}
	}
}

func TestEqual(t *testing.T) {
	a, b := parse(t, "@daily", time.Hour, "UTC"), parse(t, "@daily", time.Hour, "UTC")
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("the same window: %s", d)
	}
	if cmp.Equal(a, parse(t, "@daily", time.Hour, "")) {
		t.Error("windows of other words are equal")
	}
}

// A line is a cron line beside what it means.
type line struct {
	text string
	sets [5]map[int]bool
	both bool
}

// lineOf makes up a cron line.
func lineOf(r *rand.Rand) line {
	var l line
	var words []string
	for i, bound := range [][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}} {
		word := "*"
		step := 1
		from, to := bound[0], bound[1]
		switch r.IntN(5) {
		case 0, 1:
			from += r.IntN(to - from + 1)
			to = from
			word = fmt.Sprint(from)
		case 2:
			from += r.IntN(to - from + 1)
			to = from + r.IntN(to-from+1)
			word = fmt.Sprintf("%d-%d", from, to)
		case 3:
			step = 2 + r.IntN(20)
			word = fmt.Sprintf("*/%d", step)
		}
		if i > 1 && r.IntN(3) > 0 {
			word, from, to, step = "*", bound[0], bound[1], 1
		}
		l.both = l.both || (i == 2 || i == 4) && word[0] == '*'
		l.sets[i] = map[int]bool{}
		for n := from; n <= to; n += step {
			l.sets[i][n] = true
		}
		words = append(words, word)
	}
	l.text = strings.Join(words, " ")
	return l
}

// shows reports whether the line names what a clock shows.
func (l line) shows(c time.Time) bool {
	day, weekday := l.sets[2][c.Day()], l.sets[4][int(c.Weekday())]
	return l.sets[0][c.Minute()] && l.sets[1][c.Hour()] && l.sets[3][int(c.Month())] &&
		(day && weekday || !l.both && (day || weekday))
}

// starts reports whether a window of the line opens in a minute: its clock shows one of
// the times, or it jumped over one just now.
func (l line) starts(minute time.Time, zone *time.Location) bool {
	face := func(at time.Time) time.Time {
		_, offset := at.In(zone).Zone()
		return at.UTC().Add(time.Duration(offset) * time.Second)
	}
	now := face(minute)
	for c := now; c.After(face(minute.Add(-time.Minute))); c = c.Add(-time.Minute) {
		if l.shows(c) {
			return true
		}
	}
	// Of a clock that was put back no time was jumped over.
	return l.shows(now)
}

// Law: at every minute of random weeks, Open agrees with a walk through the minutes.
func TestOpenAgreesWithMinutes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	zones := []string{"", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/New_York"}
	weeks := []time.Time{
		time.Date(2026, 3, 26, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 22, 0, 0, 0, 0, time.UTC),
		time.Date(2018, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 2, 14, 0, 0, 0, 0, time.UTC),
		time.Date(2011, 12, 27, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 25, 0, 0, 0, 0, time.UTC),
	}
	const before, week = 31 * 24 * 60, 7 * 24 * 60 // minutes
	for range 6 {
		monday := weeks[r.IntN(len(weeks))].Add(time.Duration(r.IntN(3*24*60)) * time.Minute)
		var ws []window.Window
		open := make([]bool, before+2*week)
		for range 1 + r.IntN(3) {
			zone := zones[r.IntN(len(zones))]
			loc, _ := time.LoadLocation(zone)
			l := lineOf(r)
			minutes := 1 + r.IntN(100)
			if r.IntN(4) == 0 {
				minutes = 1 + r.IntN(31*24*60)
			}
			w, err := window.Parse(l.text, time.Duration(minutes)*time.Minute, zone)
			if err != nil && strings.Contains(err.Error(), "never comes") {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			ws = append(ws, w)
			until := 0
			for i := range open {
				if l.starts(monday.Add(time.Duration(i-before)*time.Minute), loc) {
					until = i + minutes
				}
				open[i] = open[i] || i < until
			}
		}
		if len(ws) == 0 {
			continue
		}
		for i := before; i < before+week; i++ {
			now := monday.Add(time.Duration(i-before) * time.Minute)
			is, changes := window.Open(ws, now)
			if is != open[i] {
				t.Fatalf("%v at %v: got %v, want %v", ws, now, is, open[i])
			}
			next := slices.Index(open[i:], !is)
			if next < 0 {
				if !changes.IsZero() && changes.Before(monday.Add(2*week*time.Minute)) {
					t.Fatalf("%v at %v: got a change at %v, want none for a week", ws, now, changes)
				}
				continue
			}
			if want := now.Add(time.Duration(next) * time.Minute); !changes.Equal(want) && !(changes.IsZero() && next > 60) {
				t.Fatalf("%v at %v (%v): got a change at %v, want %v", ws, now, is, changes, want)
			}
		}
	}
}

// Work is bounded, whatever the windows and the time.
func TestOpenIsBounded(t *testing.T) {
	ws := []window.Window{
		parse(t, "* * * * *", time.Minute, "Europe/Berlin"),
		parse(t, "0 9 29 2 *", window.Longest, "Pacific/Apia"),
		parse(t, "0 9 * * *", 24*time.Hour, "Europe/Berlin"),
	}
	for _, now := range []time.Time{{}, time.Unix(1<<33, 0), time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC)} {
		for i := range ws {
			window.Open(ws[i:], now)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, line := range []string{"0 9 * * mon-fri", "0 9 29 2 *", "*/5 * * * *", "* * * * *"} {
		b.Run(line, func(b *testing.B) {
			w := []window.Window{parse(b, line, 5*time.Minute, "Europe/Berlin")}
			now := time.Date(2026, 5, 1, 11, 0, 0, 0, time.UTC)
			for b.Loop() {
				window.Open(w, now)
			}
		})
	}
}
