package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

const (
	steadyAtOnce = 32
	steadyRounds = 2 // within the life of a token
)

// steady asks for every tag of every stream, and nothing is new.
func (b *bed) steady(ctx context.Context) (sample, error) {
	window := b.window
	if !b.only.MatchString("steady-cpu") && !b.only.MatchString("steady-rss") {
		window = 0
	}
	j, err := b.scheduled(ctx)
	if err != nil {
		return sample{}, err
	}
	j.Do, j.Rounds, j.Window, j.Profile = "steady", steadyRounds, window, b.profileOf("steady")
	ours, err := b.child(ctx, j)
	if err != nil {
		return sample{}, err
	}
	j.Do, j.Profile = "steady-floor", ""
	floor, err := b.child(ctx, j)
	return against(ours, floor), err
}

// watched does only the first half of steady.
func (b *bed) watched(ctx context.Context) (sample, error) {
	j, err := b.scheduled(ctx)
	if err != nil {
		return sample{}, err
	}
	j.Do, j.Window, j.Profile = "steady", b.window, b.profileOf("steady")
	_, err = b.child(ctx, j)
	return sample{}, err
}

// scheduled is a job with a repository whose tags are all scheduled and on record.
func (b *bed) scheduled(ctx context.Context) (job, error) {
	u, err := b.asked(ctx)
	if err != nil {
		return job{}, err
	}
	r, err := b.sow(ctx, "scheduled.git", seed{Host: u.host, History: history})
	return job{Repo: r, Branch: "main", Host: u.host}, err
}

func (j job) steady(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	r.Poll = 30 * time.Second
	if err := pass(ctx, r); err != nil {
		return res, err
	}
	res.Streams, res.Told = len(r.Catalog().Streams), map[string]sample{}
	if j.Window > 0 {
		if err := j.watch(ctx, r, res.Told); err != nil {
			return res, err
		}
	}
	if j.Rounds == 0 {
		return res, nil
	}
	before, err := countsAt(ctx, j.Host)
	if err != nil {
		return res, err
	}
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	used := cpu()
	answers := 0
	res.Seconds, err = timed(func() error {
		answers, err = j.rounds(ctx, r)
		return err
	})
	stop()
	if err != nil {
		return res, err
	}
	res.CPU = cpu() - used
	res.Told["steady-asks"], err = j.asks(ctx, before, answers)
	return res, err
}

// rounds ask for everything, again and again, by a Reader that starts with nothing.
func (j job) rounds(ctx context.Context, r *reconcile.Reconciler) (answers int, err error) {
	reader, err := readerOf(steadyAtOnce, j.Host)
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	r.Reader.(*door).Reader, r.Wait = reader, true
	for range j.Rounds {
		hints := []reconcile.Hint{{Scheduled: true}}
		for underWay := 1; underWay > 0; { // answers come in batches
			rep, err := r.Once(ctx, hints...)
			if err := quiet(rep, err); err != nil {
				return answers, err
			}
			hints, underWay = nil, rep.Outstanding
			answers += len(rep.Answers)
		}
	}
	if tags := j.Rounds * j.Repo.Size * tagsOfEach; answers < tags*99/100 { // those under way when the watch ended are not asked again
		return answers, fmt.Errorf("%d answers, not %d", answers, tags)
	}
	return answers, nil
}

// asks are the requests that came, against those that had to.
func (j job) asks(ctx context.Context, before counts, answers int) (sample, error) {
	after, err := countsAt(ctx, j.Host)
	if err != nil {
		return sample{}, err
	}
	came := after.minus(before)
	return sample{
		Towpath: float64(came.Heads + came.Tokens + came.Rest),
		Floor:   float64(answers + j.Repo.Size),
		Note:    fmt.Sprintf("%d HEAD, %d for a token, %d others", came.Heads, came.Tokens, came.Rest),
	}, nil
}

// quiet is the error of a pass that should have found nothing new.
func quiet(rep reconcile.Report, err error) error {
	switch {
	case err != nil:
		return err
	case len(rep.Problems) > 0:
		return fmt.Errorf("a problem: %v", rep.Problems[0])
	case len(rep.Failing) > 0:
		return fmt.Errorf("%d tags fail, the first with: %w", len(rep.Failing), rep.Failing[0].Err)
	case len(rep.Planned) > 0 || len(rep.Commits) > 0:
		return errors.New("a commit without news")
	}
	return nil
}

// Of ten tags, those that are asked before the watch begins. The others come in the
// first round after a start, which is spread over 5 minutes: four tenths in a third of
// the interval is a fifth more than the usual.
const askedBefore = 6

// watch is the daemon at rest: Run, for a while.
func (j job) watch(ctx context.Context, r *reconcile.Reconciler, told map[string]sample) error {
	reader, err := readerOf(steadyAtOnce, j.Host)
	if err != nil {
		return err
	}
	defer reader.Close()
	r.Reader.(*door).Reader = reader
	var hints []reconcile.Hint
	for tag := range askedBefore {
		hints = append(hints, reconcile.Hint{Tag: tagName(tag)})
	}
	for open := true; open; hints = nil {
		rep, err := r.Once(ctx, hints...)
		if err := quiet(rep, err); err != nil {
			return err
		}
		open = rep.Outstanding > 0
	}
	passes, answers := 0, 0
	var failed error
	r.Passed = func(rep reconcile.Report) {
		if passes++; failed == nil {
			failed = quiet(rep, rep.Err)
		}
		answers += len(rep.Answers)
	}
	stop, err := profile(suffixed(j.Profile, "-cpu"))
	if err != nil {
		return err
	}
	watching, cancel := context.WithTimeout(ctx, j.Window)
	defer cancel()
	used := cpu()
	err = r.Run(watching)
	used = cpu() - used
	stop()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	told["steady-cpu"] = sample{
		Towpath: 100 * used / j.Window.Seconds(),
		Note:    fmt.Sprintf("%d tags asked in %v, %d passes, no commit", answers, j.Window, passes),
	}
	mb, err := j.memory(r)
	told["steady-rss"] = sample{Towpath: mb}
	return err
}

// A door leads to another Reader when the first one was used up.
type door struct{ registry.Reader }

func (j job) steadyFloor(ctx context.Context) (res result, err error) {
	c := newRaw(j.Host, steadyAtOnce)
	defer c.close()
	tokens := make([]string, j.Repo.Size)
	res.Seconds, err = timed(func() error {
		for range j.Rounds {
			if err := c.round(ctx, tokens); err != nil {
				return err
			}
		}
		return nil
	})
	res.CPU, res.Streams = cpu(), j.Repo.Size
	return res, err
}

// round asks for every tag of as many streams as there are tokens, and first for those
// tokens that are missing.
func (c raw) round(ctx context.Context, tokens []string) error {
	return atOnce(len(tokens), steadyAtOnce, func(i int) (err error) {
		if tokens[i] == "" {
			if tokens[i], err = c.token(ctx, repositoryOf(i)); err != nil {
				return err
			}
		}
		for tag := range tagsOfEach {
			if err := c.head(ctx, repositoryOf(i), tagName(tag), tokens[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c raw) token(ctx context.Context, repository string) (string, error) {
	_, body, err := c.ask(ctx, http.MethodGet, "/token?service=bench&scope=repository:"+repository+":pull", "")
	if err != nil {
		return "", err
	}
	var said struct{ Token string }
	err = json.Unmarshal(body, &said)
	return said.Token, err
}
