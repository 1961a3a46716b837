// Package window says when something may happen: from the times of a cron line on, for
// a while, in a time zone. It knows neither what may happen nor the time of day.
package window

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
	_ "time/tzdata" // the program's image holds no zone files

	"github.com/robfig/cron/v3"
)

// A Window opens at each time of a cron line, and stays open for a while. A time that the
// clock jumps over is when it jumps; one that comes twice opens twice. Windows are made by
// Parse: others never open.
type Window struct {
	Cron string        // five fields, as in crontab(5), or one of @hourly, @daily, @weekly, @monthly, @yearly
	For  time.Duration // how long it stays open
	Zone string        // IANA name; empty is UTC

	times *times // what Cron and Zone say
}

// Bounds of how long a window stays open.
const (
	Shortest = time.Minute
	Longest  = 31 * 24 * time.Hour
)

// Parse makes a window. The error says what is wrong and what to write instead, for people.
func Parse(line string, open time.Duration, zone string) (Window, error) {
	if open < Shortest || open > Longest {
		return Window{}, fmt.Errorf("a window is open for %v; write 1m to 744h (31 days)", open)
	}
	loc, err := location(zone)
	if err != nil {
		return Window{}, err
	}
	t, err := parse(line)
	if err != nil {
		return Window{}, err
	}
	t.zone = loc
	return Window{Cron: line, For: open, Zone: zone, times: t}, nil
}

// Equal reports whether two windows say the same in the same words.
func (w Window) Equal(o Window) bool {
	return w.Cron == o.Cron && w.For == o.For && w.Zone == o.Zone
}

// ahead is how many openings in a row are followed to where the last one closes.
const ahead = 100

// Open reports whether one of the windows is open at a time, and when that changes next:
// when all are closed, or the first one opens. It is zero where that never is, or not
// within a hundred openings that follow on one another. Without windows it is always open.
func Open(windows []Window, now time.Time) (open bool, changes time.Time) {
	if len(windows) == 0 {
		return true, time.Time{}
	}
	closes := now
	for range ahead {
		latest := closes
		for _, w := range windows {
			if end := w.closes(closes); end.After(latest) {
				latest = end
			}
		}
		switch {
		case latest.After(closes):
			closes = latest
		case closes.After(now):
			return true, closes
		default:
			return false, opens(windows, now)
		}
	}
	return true, time.Time{}
}

// closes is the end of the last opening until a time, zero where there was none of late.
func (w Window) closes(until time.Time) time.Time {
	if w.times == nil {
		return time.Time{}
	}
	start := w.times.last(until, w.For)
	if start.IsZero() {
		return start
	}
	return start.Add(w.For)
}

// opens is when the first of the windows opens after a time.
func opens(windows []Window, after time.Time) (first time.Time) {
	for _, w := range windows {
		if w.times == nil {
			continue
		}
		if next := w.times.next(after); !next.IsZero() && (first.IsZero() || next.Before(first)) {
			first = next
		}
	}
	return first
}

func location(zone string) (*time.Location, error) {
	if zone == "Local" { // the machine's must not decide what is written
		return nil, fmt.Errorf("%q is another time zone on every machine; write a name such as Europe/Berlin", zone)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %.50q; write a name such as Europe/Berlin or UTC", zone)
	}
	return loc, nil
}

// fields of a cron line. Their grammar is the library's; the times are read from the
// bits of what it returns, as its own search passes over times that the clock jumps over.
var fields = []struct {
	name, numbers string
	option        cron.ParseOption
}{
	{"minute", "0 to 59", cron.Minute},
	{"hour", "0 to 23", cron.Hour},
	{"day", "1 to 31", cron.Dom},
	{"month", "1 to 12, or jan to dec", cron.Month},
	{"weekday", "0 to 6, or sun to sat", cron.Dow},
}

const longestLine = 200 // bytes

func parse(line string) (*times, error) {
	words := strings.Fields(line)
	named := len(words) == 1 && strings.HasPrefix(words[0], "@")
	switch {
	case len(line) > longestLine:
		return nil, fmt.Errorf("a cron line of %d bytes; write at most %d", len(line), longestLine)
	case strings.Contains(line, "="):
		return nil, fmt.Errorf("the cron line %q sets a variable; the time zone has a key of its own", line)
	case !named && len(words) != len(fields):
		return nil, fmt.Errorf("the cron line %q has %d fields; write minute, hour, day, month and weekday, such as %q", line, len(words), "0 9 * * mon-fri")
	}
	spec, ok := schedule(words)
	if !ok && named {
		return nil, fmt.Errorf("%q is no name of times; write @hourly, @daily, @weekly, @monthly, @yearly, or five fields such as %q", line, "0 9 * * mon-fri")
	}
	for i, f := range fields {
		if !named && !right(words[i], f.option) {
			return nil, fmt.Errorf("the cron line %q is wrong in the field of the %s, %q; write %s, a list of those such as 1,3, a range such as 1-5, or *", line, f.name, words[i], f.numbers)
		}
	}
	t := &times{minutes: spec.Minute, hours: spec.Hour, days: spec.Dom, months: spec.Month, weekdays: spec.Dow}
	t.bothDays = named || strings.HasPrefix(words[2], "*") || strings.HasPrefix(words[4], "*")
	if t.nextCivil(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("the cron line %q names a day that never comes; write one that its months have", line)
	}
	return t, nil
}

func schedule(words []string) (*cron.SpecSchedule, bool) {
	all := cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor
	s, err := cron.NewParser(all).Parse(strings.Join(words, " "))
	spec, ok := s.(*cron.SpecSchedule) // @every is none: it counts from when it is asked
	return spec, ok && err == nil
}

// right reports whether a field is well formed. The library lets pass what is in no crontab.
func right(word string, option cron.ParseOption) bool {
	if strings.ContainsAny(word, "?+") || strings.Contains(word, "*-") || strings.Contains(","+word+",", ",,") {
		return false
	}
	_, err := cron.NewParser(option).Parse(word)
	return err == nil
}

// times are the times of a cron line in a zone. A set has the bits of its numbers.
type times struct {
	minutes, hours, days, months, weekdays uint64
	bothDays                               bool // day and weekday must fit, in place of one of them
	zone                                   *time.Location
}

// years is how far a time may be away: 29 February can be eight years, 1 February on
// a Monday twelve.
const years = 13

// next is the first of the times after a time. Between two changes of the clock the
// clock runs as in UTC, which is where days are looked through: the clock's face there is
// called civil.
func (t *times) next(after time.Time) time.Time {
	limit := after.AddDate(years, 0, 0)
	for from := after; !from.After(limit); {
		face := civil(from, t.zone)
		w := t.nextCivil(face)
		if w.IsZero() {
			break
		}
		at := from.Add(w.Sub(face))
		_, end := from.In(t.zone).ZoneBounds()
		switch {
		case end.IsZero() || at.Before(end):
			return at.In(after.Location())
		case w.Before(civil(end, t.zone)): // jumped over
			return end.In(after.Location())
		}
		// The clock was changed before that: the new face may show a time at once.
		if t.fits(civil(end, t.zone)) {
			return end.In(after.Location())
		}
		from = end
	}
	return time.Time{}
}

// last is the last of the times until a time, zero where that is longer ago than
// a while.
func (t *times) last(until time.Time, while time.Duration) time.Time {
	for from := until; until.Sub(from) < while; {
		face := civil(from, t.zone)
		start, _ := from.In(t.zone).ZoneBounds()
		w := t.lastCivil(face, while)
		at := from.Add(w.Sub(face))
		switch {
		case w.IsZero() && start.IsZero():
			return w
		case !w.IsZero() && (start.IsZero() || !at.Before(start)):
			return within(at, until, while)
		}
		before := start.Add(-time.Nanosecond)
		if jumped := civil(before, t.zone); !w.IsZero() && w.After(jumped) {
			return within(start, until, while)
		}
		from = before
	}
	return time.Time{}
}

func within(at, until time.Time, while time.Duration) time.Time {
	if until.Sub(at) >= while {
		return time.Time{}
	}
	return at
}

// civil is what the clock of a zone shows, as a time of UTC.
func civil(at time.Time, zone *time.Location) time.Time {
	_, offset := at.In(zone).Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// nextCivil is the first of the times after a face of the clock, zero where there is none
// for years.
func (t *times) nextCivil(after time.Time) time.Time {
	from := after.Truncate(time.Minute).Add(time.Minute)
	hour, minute := from.Hour(), from.Minute()
	day := from.Truncate(24 * time.Hour)
	for limit := day.AddDate(years, 0, 0); day.Before(limit); day = t.dayAfter(day) {
		if t.day(day) {
			if m := atLeast(t.minutes, minute); has(t.hours, hour) && m < 60 {
				return at(day, hour, m)
			}
			if h := atLeast(t.hours, hour+1); h < 24 {
				return at(day, h, atLeast(t.minutes, 0))
			}
		}
		hour, minute = -1, 60
	}
	return time.Time{}
}

// lastCivil is the last of the times until a face of the clock, zero where there is none
// in a while.
func (t *times) lastCivil(until time.Time, while time.Duration) time.Time {
	hour, minute := until.Hour(), until.Minute()
	day := until.Truncate(24 * time.Hour)
	for limit := day.Add(-while - 48*time.Hour); !day.Before(limit); day = day.AddDate(0, 0, -1) {
		if t.day(day) {
			if m := atMost(t.minutes, minute); has(t.hours, hour) && m >= 0 {
				return at(day, hour, m)
			}
			if h := atMost(t.hours, hour-1); h >= 0 {
				return at(day, h, atMost(t.minutes, 59))
			}
		}
		hour, minute = 24, -1
	}
	return time.Time{}
}

func (t *times) fits(face time.Time) bool {
	return face.Second() == 0 && t.day(face) && has(t.hours, face.Hour()) && has(t.minutes, face.Minute())
}

// day reports whether the times of a cron line are on a day: where both are
// limited, the day of the month and that of the week are each enough, as in crontab(5).
func (t *times) day(d time.Time) bool {
	day, weekday := has(t.days, d.Day()), has(t.weekdays, int(d.Weekday()))
	return has(t.months, int(d.Month())) && (day && weekday || !t.bothDays && (day || weekday))
}

// dayAfter is the next day that may have times.
func (t *times) dayAfter(d time.Time) time.Time {
	if !has(t.months, int(d.Month())) {
		return time.Date(d.Year(), d.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return d.AddDate(0, 0, 1)
}

func at(day time.Time, hour, minute int) time.Time {
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// numbers of a set: the bit that the library sets for a star is none.
const numbers = 1<<60 - 1

func has(set uint64, n int) bool { return n >= 0 && set&numbers>>n&1 == 1 }

// atLeast is the least number of a set that is not below n, 64 where there is none.
func atLeast(set uint64, n int) int { return bits.TrailingZeros64(set & numbers &^ (1<<n - 1)) }

// atMost is the greatest number of a set that is not above n, -1 where there is none.
func atMost(set uint64, n int) int { return bits.Len64(set&numbers&(1<<(n+1)-1)) - 1 }
