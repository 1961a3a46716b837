package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/registry"
)

// list chooses one of a repository's 100,000 tags.
func (b *bed) list(ctx context.Context) (sample, error) {
	u, err := b.asked(ctx)
	if err != nil {
		return sample{}, err
	}
	j := job{Do: "list", Repo: b.repo, Host: u.host, Size: b.scaled(100) * pageOfTags, Profile: b.profileOf("list")}
	ours, err := b.child(ctx, j)
	if err != nil {
		return sample{}, err
	}
	j.Do = "list-floor"
	floor, err := b.child(ctx, j)
	return against(ours, floor), err
}

func (j job) list(ctx context.Context) (res result, err error) {
	reader, err := readerOf(steadyAtOnce, j.Host)
	if err != nil {
		return res, err
	}
	defer reader.Close()
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	var chosen policy.Choice
	res.Seconds, err = timed(func() error {
		chosen, err = choose(ctx, reader, registry.Repo{Host: j.Host, Path: web.Path})
		return err
	})
	stop()
	if want := newest(j.Size); err == nil && chosen.Tag != want {
		err = fmt.Errorf("%q was chosen, not %s: %s", chosen.Tag, want, chosen.Why)
	}
	if err != nil {
		return res, err
	}
	res.CPU, res.Streams = cpu(), j.Repo.Size
	peak, err := statusMB("VmHWM")
	res.Told = map[string]sample{"list-peak": {Towpath: peak}}
	return res, err
}

func choose(ctx context.Context, reader registry.Reader, repo registry.Repo) (policy.Choice, error) {
	on := registry.On{Insecure: true}
	p, invalid := policy.Parse(map[string]string{"policy": "semver:>=0.1 <9"})
	if invalid != nil {
		return policy.Choice{}, invalid
	}
	tags, err := reader.Tags(ctx, on, repo)
	if err != nil {
		return policy.Choice{}, err
	}
	short, facts := p.Shortlist(tags), map[string]policy.Facts{}
	for {
		choice, need := short.Pick(policy.Current{}, facts, time.Now())
		if len(need) == 0 {
			return choice, nil
		}
		for _, tag := range need {
			if _, err := reader.Head(ctx, on, registry.Ref{Repo: repo, Tag: tag}); err != nil {
				return choice, err
			}
			facts[tag] = policy.Facts{Platforms: []string{"linux/amd64"}}
		}
	}
}

// newest is the highest version below 9 of n tags that manyTags made.
func newest(n int) string {
	i := min(n, 90_000) - 1
	for i%10 == 3 || i%10 == 7 {
		i--
	}
	return fmt.Sprintf("%d.%d.%d", i/10_000, i/100%100, i%100)
}

func (j job) listFloor(ctx context.Context) (res result, err error) {
	c := newRaw(j.Host, 1)
	defer c.close()
	n := 0
	res.Seconds, err = timed(func() error {
		n, err = c.pages(ctx, web.Path)
		return err
	})
	if err == nil && n != j.Size {
		err = fmt.Errorf("%d tags, not %d", n, j.Size)
	}
	res.CPU, res.Streams = cpu(), j.Repo.Size
	return res, err
}

// pages counts the tags of a repository.
func (c raw) pages(ctx context.Context, repository string) (n int, err error) {
	token, err := c.token(ctx, repository)
	if err != nil {
		return 0, err
	}
	for next := fmt.Sprintf("/v2/%s/tags/list?n=%d", repository, pageOfTags); next != ""; {
		header, body, err := c.ask(ctx, http.MethodGet, next, token)
		if err != nil {
			return n, err
		}
		var page struct{ Tags []string }
		if err := json.Unmarshal(body, &page); err != nil {
			return n, err
		}
		n += len(page.Tags)
		next, _, _ = strings.Cut(strings.TrimPrefix(header.Get("Link"), "<"), ">")
	}
	return n, nil
}
