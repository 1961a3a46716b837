package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/go-git/go-git/v5"
	gitconfig "github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/towpath/towpath/reconcile"
)

// passes are of a daemon that has loaded everything, beside a bare clone that
// go-git keeps.
type passes struct {
	towpath *reconcile.Reconciler
	bare    *git.Repository
	tree    plumbing.Hash // that the clone read last
	client  http.Client
	changes int
}

// loaded sets the passes up, once.
func (b *bed) loaded(ctx context.Context) (*passes, error) {
	if b.passes != nil {
		return b.passes, nil
	}
	r, err := open(ctx, b.url(b.repo), filepath.Join(b.Dir, "cache-passes"))
	if err != nil {
		return nil, err
	}
	p := &passes{towpath: r}
	b.passes = p
	if err := pass(ctx, r); err != nil {
		return nil, err
	}
	if p.bare, err = git.PlainInit(filepath.Join(b.Dir, "bare.git"), true); err != nil {
		return nil, err
	}
	if _, err = p.bare.CreateRemote(&gitconfig.RemoteConfig{Name: "origin", URLs: []string{b.url(b.repo)}}); err != nil {
		return nil, err
	}
	_, err = p.fetch(ctx, 1)
	return p, err
}

func (p *passes) close() {
	if p != nil {
		p.towpath.Store.Close()
		p.client.CloseIdleConnections()
	}
}

// idlePasses are how many make one run: one is too short to be measured well.
const idlePasses = 20

func (b *bed) idle(ctx context.Context) (sum sample, err error) {
	p, err := b.loaded(ctx)
	if err != nil {
		return sum, err
	}
	stop, err := profile(b.profileOf("idle"))
	if err != nil {
		return sum, err
	}
	defer stop()
	return p.idle(ctx, b.url(b.repo))
}

func (p *passes) idle(ctx context.Context, url string) (sum sample, err error) {
	for range idlePasses {
		ours, err := timed(func() error { return pass(ctx, p.towpath) })
		if err != nil {
			return sum, err
		}
		floor, err := timed(func() error { return p.lsRefs(ctx, url) })
		if err != nil {
			return sum, err
		}
		sum.Towpath += ours / idlePasses
		sum.Floor += floor / idlePasses
	}
	return sum, nil
}

// lsRefs asks for one branch, by protocol version 2.
func (p *passes) lsRefs(ctx context.Context, url string) error {
	const body = "0014command=ls-refs\n" + "0001" + "001fref-prefix refs/heads/main\n" + "0000"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/git-upload-pack", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	req.Header.Set("Git-Protocol", "version=2")
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && !bytes.Contains(answer, []byte("refs/heads/main")) {
		err = fmt.Errorf("ls-refs was answered with %s and %.80q", res.Status, answer)
	}
	return err
}

// changesOfEach are how many files are changed in one run, one after another.
const changesOfEach = 5

// oneFile is a pass after a person changed one file.
func (b *bed) oneFile(ctx context.Context) (sum sample, err error) {
	p, err := b.loaded(ctx)
	if err != nil {
		return sum, err
	}
	stop, err := profile(b.profileOf("one-file"))
	if err != nil {
		return sum, err
	}
	defer stop()
	for range changesOfEach {
		p.changes++
		changed := p.changes * 7 % b.Size
		if err := b.commit(ctx, b.path(), "main", fmt.Sprint("change ", p.changes), []int{changed}); err != nil {
			return sum, err
		}
		ours, err := timed(func() error { return pass(ctx, p.towpath) })
		if err != nil {
			return sum, err
		}
		n := 0
		floor, err := timed(func() (err error) {
			n, err = p.fetch(ctx, 0) // another depth would bring every file again
			return err
		})
		if err == nil && n != 1 {
			err = fmt.Errorf("%d files changed, not one", n)
		}
		if err != nil {
			return sum, err
		}
		sum.Towpath += ours / changesOfEach
		sum.Floor += floor / changesOfEach
	}
	return sum, nil
}

// fetch brings the tip into the bare clone, and counts the files that changed.
func (p *passes) fetch(ctx context.Context, depth int) (changed int, err error) {
	err = p.bare.FetchContext(ctx, &git.FetchOptions{
		Depth: depth, Tags: git.NoTags,
		RefSpecs: []gitconfig.RefSpec{"+refs/heads/main:refs/heads/main"},
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return 0, err
	}
	ref, err := p.bare.Reference("refs/heads/main", true)
	if err != nil {
		return 0, err
	}
	commit, err := p.bare.CommitObject(ref.Hash())
	if err != nil {
		return 0, err
	}
	was := p.tree
	p.tree = commit.TreeHash
	return p.differ(was, p.tree)
}

// differ counts the files in which two trees differ.
func (p *passes) differ(was, is plumbing.Hash) (n int, err error) {
	entries := map[string]object.TreeEntry{}
	if !was.IsZero() {
		tree, err := p.bare.TreeObject(was)
		if err != nil {
			return 0, err
		}
		for _, e := range tree.Entries {
			entries[e.Name] = e
		}
	}
	tree, err := p.bare.TreeObject(is)
	if err != nil {
		return 0, err
	}
	for _, e := range tree.Entries {
		old := entries[e.Name]
		switch {
		case old.Hash == e.Hash:
		case e.Mode.IsFile():
			n++
		default:
			below, err := p.differ(old.Hash, e.Hash)
			if err != nil {
				return 0, err
			}
			n += below
		}
	}
	return n, nil
}

// profileOf is where the profile of a measure goes; empty: nowhere.
func (b *bed) profileOf(measure string) string {
	if b.profile == "" {
		return ""
	}
	return filepath.Join(b.profile, measure+".pprof")
}

// profile writes a CPU profile until it is stopped; the last one of a name stays.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}
