package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

// followers is the fleet of which a twentieth of the sites follow the tag that moves.
func (b *bed) followers() fleet { return b.fleet("sites.git", 500) }

// newDigest is one that no other run of this bed had.
func (b *bed) newDigest() string {
	b.digests++
	return digestOf(-b.digests, 0)
}

// follow is a pass in which one tag moves, from the question about it until what follows
// it has landed.
func (b *bed) follow(ctx context.Context) (s sample, err error) {
	f := b.followers()
	if err := b.grown(ctx, f); err != nil {
		return s, err
	}
	tree, err := b.workTree(ctx, f)
	if err != nil {
		return s, err
	}
	digest := b.newDigest()
	ours, err := b.child(ctx, job{Do: "follow", Repo: f.repo, Fleet: f, Digest: digest, Profile: b.profileOf("follow-500")})
	if err != nil {
		return s, err
	}
	edits := f.edits(digest)
	floor, err := timed(func() error { return b.edit(ctx, tree, edits) })
	return sample{
		Towpath: ours.Seconds, Floor: floor,
		Note: fmt.Sprintf("%d sites in %d files; towpath's own CPU %s", 2*f.Movers, f.Movers, seconds.text(ours.CPU)),
	}, err
}

func (j job) follow(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	r.Reader = answering{digest: j.Digest}
	if err := pass(ctx, r); err != nil {
		return res, err
	}
	res.Streams = len(r.Catalog().Streams)
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	used := cpu()
	var rep reconcile.Report
	res.Seconds, err = timed(func() error {
		rep, err = r.Once(ctx, theTag())
		return err
	})
	stop()
	res.CPU = cpu() - used
	if err == nil {
		err = j.Fleet.landed(rep)
	}
	return res, err
}

// theTag names the one that moves.
func theTag() reconcile.Hint {
	namespace, name, _ := strings.Cut(repositoryOf(0), "/")
	return reconcile.Hint{Stream: imagestream.Name{Namespace: namespace, Name: name}, Tag: tagName(0)}
}

// landed is the error of a pass that should have given all sites of the tag its image.
func (f fleet) landed(rep reconcile.Report) error {
	switch n := len(rep.Commits); {
	case len(rep.Bad()) > 0:
		return fmt.Errorf("a problem: %v", rep.Bad()[0])
	case len(rep.Held) > 0:
		return fmt.Errorf("%d sites are held, the first: %s", len(rep.Held), rep.Held[0].Why)
	case n == 0 || rep.Commits[n-1].Kind != reconcile.TriggerCommit:
		return errors.New("nothing followed")
	case rep.Commits[n-1].Files != f.Movers || len(rep.Planned[n-1].Sites) != 2*f.Movers:
		return fmt.Errorf("%d sites in %d files followed, not %d in %d", len(rep.Planned[n-1].Sites), rep.Commits[n-1].Files, 2*f.Movers, f.Movers)
	}
	return nil
}

// answering is a Reader of registries in which every tag is one image, and no other may be
// asked for.
type answering struct {
	nobody
	digest string
}

func (a answering) Head(context.Context, registry.On, registry.Ref) (registry.Image, error) {
	return registry.Image{Digest: a.digest, MediaType: "application/vnd.oci.image.manifest.v1+json"}, nil
}

// edits are what git commits for the same move.
func (f fleet) edits(digest string) (edits []gitstore.Edit) {
	add := func(path string, text []byte) bool {
		edits = append(edits, gitstore.Edit{Path: path, Content: text})
		return true
	}
	f.recorded(add, digest)
	f.followed(add, digest)
	return edits
}

// workTree is a clone of git's own branch with its files.
func (b *bed) workTree(ctx context.Context, f fleet) (dir string, err error) {
	dir = filepath.Join(b.Dir, f.Name+"-tree")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if _, err := b.git(ctx, nil, "clone", "-q", "--branch", "native", b.url(f.repo), dir); err != nil {
		return dir, err
	}
	for _, set := range []string{"gc.auto=0", "maintenance.auto=false", "user.name=bench", "user.email=bench@example.com"} {
		key, value, _ := strings.Cut(set, "=")
		if _, err := b.git(ctx, nil, "-C", dir, "config", key, value); err != nil {
			return dir, err
		}
	}
	return dir, nil
}

// edit writes texts that are ready into a work tree, commits and pushes them.
func (b *bed) edit(ctx context.Context, tree string, edits []gitstore.Edit) error {
	for _, e := range edits {
		if err := os.WriteFile(filepath.Join(tree, e.Path), e.Content, 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"add", "-u"}, {"commit", "-q", "-m", "bench"}, {"push", "-q", "origin", "native"}} {
		if _, err := b.git(ctx, nil, append([]string{"-C", tree}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// sites is the first load of files with sites, against that of files where there are
// none to be found.
func (b *bed) sites(ctx context.Context) (s sample, err error) {
	f := b.followers()
	ours, err := b.loadSites(ctx, f, "sites-load")
	if err != nil {
		return s, err
	}
	b.tell("sites-rss", sample{Towpath: ours.RSS})
	f.Name, f.Spells = "unmentioned.git", unmentioned
	floor, err := b.loadSites(ctx, f, "")
	if err != nil {
		return s, err
	}
	f.Name, f.Spells = "mentioned.git", mentioned
	parsed, err := b.loadSites(ctx, f, "")
	s = against(ours, floor)
	s.Note = fmt.Sprintf("%.2f times one of files without sites that are parsed as well, %s", ours.Seconds/parsed.Seconds, seconds.text(parsed.Seconds))
	return s, err
}

func (b *bed) loadSites(ctx context.Context, f fleet, profile string) (result, error) {
	if err := b.grown(ctx, f); err != nil {
		return result{}, err
	}
	j := job{Do: "sites", Repo: f.repo, Fleet: f}
	if profile != "" {
		j.Profile = b.profileOf(profile)
	}
	return b.child(ctx, j)
}

func (j job) sites(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	store := &counted{Store: r.Store}
	store.again()
	r.Store = store
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	res.Seconds, err = timed(func() error { return pass(ctx, r) })
	stop()
	if err != nil {
		return res, err
	}
	res.CPU, res.Streams = cpu(), len(r.Catalog().Streams)
	if j.Fleet.Spells == "" {
		once := store.blobReads()
		if files := float64(j.Fleet.Size + j.Fleet.Files); once.Floor != files {
			return res, fmt.Errorf("%v blobs were read of %v files", once.Floor, files)
		}
		res.Told = map[string]sample{"sites-reads": once}
	}
	if got, want := len(r.Catalog().Sites), j.Fleet.sites(); got != want {
		return res, fmt.Errorf("%d sites were found, not %d", got, want)
	}
	if err := j.restless(ctx, r); err != nil {
		return res, err
	}
	res.RSS, err = j.memory(r)
	return res, err
}

// sites are how many are to be found.
func (f fleet) sites() int {
	if f.Spells != "" {
		return 0
	}
	return 2 * f.Files
}

// restless walks on for a while, in which people change a stream that nothing moves with.
func (j job) restless(ctx context.Context, r *reconcile.Reconciler) error {
	for i := range passesAfterLoad {
		if i%2 == 0 {
			if err := j.Fleet.unrelated(ctx); err != nil {
				return err
			}
		}
		if err := pass(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
