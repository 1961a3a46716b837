package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/towpath/towpath/reconcile"
)

// cold imports everything into a repository that has nothing on record.
func (b *bed) cold(ctx context.Context) (sample, error) {
	u, err := b.asked(ctx)
	if err != nil {
		return sample{}, err
	}
	r, err := b.sow(ctx, "cold.git", seed{Host: u.host})
	if err != nil {
		return sample{}, err
	}
	j := job{Repo: r, Host: u.host, Branch: fmt.Sprint("by-towpath-", len(b.told["cold-peak"]))}
	if err := r.branch(ctx, j.Branch); err != nil {
		return sample{}, err
	}
	j.Do, j.Profile = "cold", b.profileOf("cold")
	ours, err := b.child(ctx, j)
	if err != nil {
		return sample{}, err
	}
	j.Do, j.Branch, j.Profile = "cold-floor", fmt.Sprint("by-git-", len(b.told["cold-peak"])), ""
	if err := r.branch(ctx, j.Branch); err != nil {
		return sample{}, err
	}
	floor, err := b.child(ctx, j)
	return against(ours, floor), err
}

// branch makes one that is as main.
func (r repo) branch(ctx context.Context, name string) error {
	_, err := r.git(ctx, nil, "-C", r.path(), "branch", "-f", name, "main")
	return err
}

func (j job) cold(ctx context.Context) (res result, err error) {
	reader, err := readerOf(steadyAtOnce, j.Host)
	if err != nil {
		return res, err
	}
	defer reader.Close()
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	var r *reconcile.Reconciler
	res.Seconds, err = timed(func() error {
		if r, err = open(ctx, j.URL, j.Cache); err != nil {
			return err
		}
		r.Branch, r.Reader, r.Yes = j.Branch, reader, true
		_, err := r.Settle(ctx, reconcile.Hint{Scheduled: true})
		return err
	})
	stop()
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	res.CPU = cpu()
	if res.Streams, err = imported(r); err != nil {
		return res, err
	}
	peak, err := statusMB("VmHWM")
	res.Told = map[string]sample{"cold-peak": {Towpath: peak}}
	return res, err
}

// imported counts the streams, each with every tag on record.
func imported(r *reconcile.Reconciler) (int, error) {
	for i, s := range r.Catalog().Streams {
		for tag := range tagsOfEach {
			_, digest := manifest(repositoryOf(i), tagName(tag), 0)
			if st := s.Status.Tag(tagName(tag)); st == nil || len(st.Items) == 0 || st.Items[0].Image != digest {
				return 0, fmt.Errorf("%s: tag %s is not on record", s.Path, tagName(tag))
			}
		}
	}
	return len(r.Catalog().Streams), nil
}

// filesOfEach are how many files a commit of the floor has: as many as a status
// commit.
const filesOfEach = 500

func (j job) coldFloor(ctx context.Context) (res result, err error) {
	c := newRaw(j.Host, steadyAtOnce)
	defer c.close()
	done := j.Repo
	done.Seed.History = 1
	res.Seconds, err = timed(func() error {
		if err := c.round(ctx, make([]string, j.Repo.Size)); err != nil {
			return err
		}
		if _, err := done.git(ctx, nil, "clone", "-q", "--bare", "--depth", "1", "--branch", j.Branch, j.URL, j.Cache); err != nil {
			return err
		}
		commits := slices.Collect(slices.Chunk(done.numbers(), filesOfEach))
		if err := done.commit(ctx, j.Cache, j.Branch, "by git", commits...); err != nil {
			return err
		}
		_, err := done.git(ctx, nil, "-C", j.Cache, "push", "-q", "origin", j.Branch)
		return err
	})
	res.CPU, res.Streams = cpu(), j.Repo.Size
	return res, err
}
