package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/notify"
)

// A receiver notes what it takes, and when. say, if set, decides about the nth try.
type receiver struct {
	mu   sync.Mutex
	say  func(ctx context.Context, try int, e notify.Event) error
	try  int
	got  []string
	when []time.Duration // of tries, since the start
	from time.Time
}

func (r *receiver) Send(ctx context.Context, e notify.Event) error {
	r.mu.Lock()
	r.try++
	try := r.try
	r.when = append(r.when, time.Since(r.from))
	r.mu.Unlock()
	if r.say != nil {
		if err := r.say(ctx, try, e); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, e.Subject)
	return nil
}

// start runs a queue until the function that it returns is called, which says how long the end took.
func start(r *receiver, log *bytes.Buffer) (*notify.Queue, func() time.Duration) {
	r.from = time.Now()
	q := notify.NewQueue("a receiver", r, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { q.Run(ctx); close(done) }()
	return q, func() time.Duration {
		told := time.Now()
		cancel()
		<-done
		return time.Since(told)
	}
}

func image(n int) notify.Event {
	return notify.New(time.Now(), notify.ImageRecorded{Stream: "team1/web", Tag: fmt.Sprintf("team1/web:%d", n), Commit: "c"}, "team1")
}

func failing(n int) notify.Event {
	return notify.New(time.Now(), notify.ImportFailing{Tag: fmt.Sprintf("team1/bad:%d", n), Reason: "NotFound", Commit: "c"}, "team1")
}

func away(context.Context, int, notify.Event) error { return &notify.Error{What: "answered 503"} }

func counts(t *testing.T, q *notify.Queue, want map[notify.Outcome]int) {
	t.Helper()
	if diff := cmp.Diff(want, q.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// What comes behind an event that is not taken waits for it, however long that takes.
func TestOrderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := &receiver{say: func(_ context.Context, try int, _ notify.Event) error {
			if try <= 12 {
				return errors.New("connection refused")
			}
			return nil
		}}
		q, end := start(r, &log)
		q.Put(image(1), image(2))
		q.Put(failing(3))
		time.Sleep(2 * time.Hour)
		end()
		if diff := cmp.Diff([]string{"team1/web:1", "team1/web:2", "team1/bad:3"}, r.got); diff != "" {
			t.Errorf("taken (-want +got):\n%s", diff)
		}
		for i := 1; i < 12; i++ {
			pause, least := r.when[i]-r.when[i-1], min(time.Second<<(i-1), 5*time.Minute)
			if pause < least || pause > least+least/4+time.Millisecond {
				t.Errorf("pause %d is %v, want %v and a quarter at most", i, pause, least)
			}
		}
		counts(t, q, map[notify.Outcome]int{notify.Sent: 3})
		if got := strings.Count(log.String(), "\n"); got != 2 {
			t.Errorf("%d lines, want one when it fails and one when it works again:\n%s", got, &log)
		}
	})
}

func TestRetryAfterIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{say: func(_ context.Context, try int, _ notify.Event) error {
			if try == 1 {
				return &notify.Error{What: "answered 429", RetryAfter: 30 * time.Minute}
			}
			return nil
		}}
		q, end := start(r, &bytes.Buffer{})
		q.Put(image(1))
		time.Sleep(time.Hour)
		end()
		if len(r.when) != 2 || r.when[1] < 30*time.Minute {
			t.Errorf("tried after %v", r.when)
		}
	})
}

// What is refused is given up with one line, and keeps nothing back.
func TestRefusedIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := &receiver{say: func(_ context.Context, try int, _ notify.Event) error {
			if try == 1 {
				return &notify.Error{What: "answered 401", Fix: "check its token", Final: true}
			}
			return nil
		}}
		q, end := start(r, &log)
		q.Put(image(1), image(2))
		synctest.Wait()
		end()
		counts(t, q, map[notify.Outcome]int{notify.Refused: 1, notify.Sent: 1})
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "answered 401") || !strings.Contains(got, "check its token") {
			t.Errorf("the log says:\n%s", got)
		}
	})
}

func TestTriedForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{say: away}
		q, end := start(r, &bytes.Buffer{})
		q.Put(image(1))
		time.Sleep(23 * time.Hour)
		counts(t, q, map[notify.Outcome]int{})
		time.Sleep(2 * time.Hour)
		counts(t, q, map[notify.Outcome]int{notify.Expired: 1})
		if n := len(r.when); n > 300 {
			t.Errorf("%d tries within a day", n)
		}
		end()
	})
}

// Put never waits. Of too many the oldest of the same kind goes, and one line says so.
func TestTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := &receiver{say: func(_ context.Context, try int, _ notify.Event) error {
			if try <= 3 {
				return &notify.Error{What: "answered 503", RetryAfter: time.Minute}
			}
			return nil
		}}
		q, end := start(r, &log)
		q.Put(failing(0))
		synctest.Wait() // it rests
		for n := 1; n <= 1500; n++ {
			q.Put(image(n))
		}
		counts(t, q, map[notify.Outcome]int{notify.Dropped: 501})
		time.Sleep(time.Hour)
		end()
		if len(r.got) != 1000 || r.got[0] != "team1/bad:0" || r.got[1] != "team1/web:502" || r.got[999] != "team1/web:1500" {
			t.Errorf("%d are taken, from %v", len(r.got), r.got[:2])
		}
		if got := strings.Count(log.String(), "are dropped"); got != 1 {
			t.Errorf("%d lines say that some are dropped, want one", got)
		}
		counts(t, q, map[notify.Outcome]int{notify.Dropped: 501, notify.Sent: 1000})
	})
}

// What is pushed out while it rests is not tried again.
func TestPushedOutWhileItRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{say: func(_ context.Context, try int, _ notify.Event) error {
			if try == 1 {
				return &notify.Error{What: "answered 503", RetryAfter: time.Hour}
			}
			return nil
		}}
		q, end := start(r, &bytes.Buffer{})
		q.Put(image(0))
		synctest.Wait()
		for n := 1; n <= 1000; n++ {
			q.Put(image(n))
		}
		synctest.Wait()
		if len(r.got) != 1000 || r.got[0] != "team1/web:1" {
			t.Errorf("%d are taken", len(r.got))
		}
		end()
	})
}

// What is on its way is not pushed out: it may be there already.
func TestNotPushedOutOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{say: func(_ context.Context, try int, _ notify.Event) error {
			if try == 1 {
				time.Sleep(time.Second)
				return &notify.Error{What: "answered 503"}
			}
			return nil
		}}
		q, end := start(r, &bytes.Buffer{})
		q.Put(image(0))
		synctest.Wait()
		for n := 1; n <= 1000; n++ {
			q.Put(image(n))
		}
		time.Sleep(time.Minute)
		end()
		if len(r.got) != 1000 || r.got[0] != "team1/web:0" || r.got[1] != "team1/web:2" {
			t.Errorf("%d are taken, from %v", len(r.got), r.got[:2])
		}
	})
}

// The end takes four seconds at most, also where the receiver hangs.
func TestTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		say  func(ctx context.Context, try int, e notify.Event) error
		most time.Duration
		want map[notify.Outcome]int
		says string // the last line of the log
	}{
		"all are taken": {nil, 0, map[notify.Outcome]int{notify.Sent: 3}, ""},
		"it rests, and is back": {func(_ context.Context, try int, _ notify.Event) error {
			if try == 1 {
				return &notify.Error{What: "answered 503", RetryAfter: time.Hour}
			}
			return nil
		}, 0, map[notify.Outcome]int{notify.Sent: 3}, "they are sent again"},
		"none is taken": {away, 0, map[notify.Outcome]int{notify.Unsent: 3}, `msg="3 notifications were not sent before the end" receiver="a receiver" err="answered 503"`},
		"the last is not": {func(_ context.Context, _ int, e notify.Event) error {
			if e.Subject == image(3).Subject {
				return &notify.Error{What: "answered 503"}
			}
			return nil
		}, 0, map[notify.Outcome]int{notify.Sent: 2, notify.Unsent: 1}, `msg="a notification was not sent before the end"`},
		"it hangs": {func(ctx context.Context, _ int, _ notify.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}, 4 * time.Second, map[notify.Outcome]int{notify.Unsent: 3}, `err="it did not answer in the 4s that there are at the end" fix="see why the receiver takes none; whoever misses them finds what they told of in Git`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{say: tt.say}
				var log bytes.Buffer
				q, end := start(r, &log)
				q.Put(image(1), image(2), image(3))
				synctest.Wait()
				if took := end(); took > tt.most {
					t.Errorf("the end took %v", took)
				}
				counts(t, q, tt.want)
				lines := strings.Split(strings.TrimSpace(log.String()), "\n")
				if said := lines[len(lines)-1]; !strings.Contains(said, tt.says) || tt.says == "" && said != "" {
					t.Errorf("said is\n%s", log.String())
				}
				if name == "it hangs" && (len(lines) > 1 || strings.Contains(log.String(), "canceled")) {
					t.Errorf("the end is taken for the receiver's fault:\n%s", log.String())
				}
			})
		})
	}
}

// Of what the head is worth only the newest is told, and only to those who ask for it.
func TestNewestHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{say: func(_ context.Context, try int, _ notify.Event) error {
			if try == 1 {
				return &notify.Error{What: "answered 503", RetryAfter: time.Minute}
			}
			return nil
		}}
		q, end := start(r, &bytes.Buffer{})
		head := func(rev string) notify.Event {
			return notify.New(time.Now(), notify.HeadWorth{Commit: rev, State: "success"})
		}
		q.Put(head("nobody asked"))
		q.Wants = func(e notify.Event) bool { return e.Kind == notify.Heads }
		q.Put(head("1"), image(1))
		synctest.Wait()
		q.Put(head("2"))
		q.Put(head("3"))
		time.Sleep(time.Hour)
		end()
		if diff := cmp.Diff([]string{"3"}, r.got); diff != "" {
			t.Errorf("taken (-want +got):\n%s", diff)
		}
	})
}

func TestSameEventSameID(t *testing.T) {
	a, b := image(1), image(2)
	again := notify.New(time.Now().Add(time.Hour), a.Data, "team1")
	moved := a.Data.(notify.ImageRecorded)
	moved.Commit = "d"
	if a.ID != again.ID || a.ID == b.ID || a.ID == notify.New(a.Time, moved).ID || len(a.ID) != 32 {
		t.Errorf("ids are %s, %s, %s", a.ID, again.ID, b.ID)
	}
	for _, d := range []notify.Data{
		notify.ImportFailing{Tag: "a/b", Reason: "NotFound", Commit: "c"}, notify.ImportRecovered{Tag: "a/b", Commit: "c"}, notify.SiteHeld{Path: "a"}, notify.ProposalNews{State: "opened", Branch: "b"},
	} {
		if notify.New(a.Time, d).ID == notify.New(a.Time.Add(time.Minute), d).ID {
			t.Errorf("%#v happens twice, under one id", d)
		}
	}
	p := notify.ProposalNews{State: "merged", Branch: "b", Number: 7}
	if notify.New(a.Time, p).ID != notify.New(a.Time.Add(time.Minute), p).ID {
		t.Error("a proposal's merge, seen by two, has two ids")
	}
}
