package gogit

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A cache holds generations of what was fetched. There is one in use; the one
// before it is kept for the snapshots that still read it. Everything in the
// directory may be lost at any time.
type cache struct {
	dir    string // empty: in memory
	limits Limits
	log    *slog.Logger
	lock   *os.File
	newest int
	old    *generation
	first  *generation // what an earlier process left
}

// A generation is an object database and the tips that it is known to hold.
type generation struct {
	dir     string // empty: in memory
	objects *objects
	tips    map[string]plumbing.Hash // of the home, by ref
	passed  []plumbing.Hash          // some that were seen beside it, the newest last
}

const (
	lockName    = "lock"
	clonePrefix = "clone-"
	tipsName    = "tips"
)

func openCache(dir string, limits Limits, log *slog.Logger) (*cache, error) {
	c := &cache{dir: dir, limits: limits, log: log}
	if dir == "" {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, cacheError(dir, err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, cacheError(dir, err)
	}
	if err := flock(lock); err != nil {
		lock.Close()
		return nil, &gitstore.Error{Kind: gitstore.Locked, What: "the cache directory " + dir + " is in use by another process",
			Fix: "stop that process, or give each one a cache directory of its own with --cache-dir", Err: err}
	}
	c.lock = lock
	c.adopt()
	return c, nil
}

func cacheError(dir string, err error) error {
	return &gitstore.Error{Kind: gitstore.Unsupported, What: "the cache directory " + dir + " cannot be used",
		Fix: "name a directory that towpath may write, or none to keep objects in memory", Err: err}
}

// adopt takes over the newest complete generation and sweeps away the rest.
func (c *cache) adopt() {
	dirs, _ := filepath.Glob(filepath.Join(c.dir, clonePrefix+"*"))
	number := func(dir string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), clonePrefix))
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return number(b) - number(a) })
	for _, dir := range dirs {
		c.newest = max(c.newest, number(dir))
		tips := readTips(dir)
		if c.first != nil || len(tips) == 0 {
			os.RemoveAll(dir)
			continue
		}
		sweep(dir)
		c.first = c.generation(dir, tips)
	}
}

// sweep removes what an interrupted write left behind.
func sweep(dir string) {
	for _, pattern := range []string{"objects/pack/tmp_*", "objects/??/tmp_obj_*", tipsName + "?*"} {
		left, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range left {
			os.Remove(path)
		}
	}
}

func (c *cache) found() *generation { return c.first }

func (c *cache) generation(dir string, tips map[string]plumbing.Hash) *generation {
	g := &generation{dir: dir, tips: tips, objects: &objects{maxBlob: c.limits.Blob, maxObject: c.limits.Object}}
	if dir == "" {
		g.objects.shelf = newMemoryShelf(c.limits)
	} else {
		g.objects.shelf = openDiskShelf(dir, false, c.limits)
		g.objects.omitted = openOmissions(dir, c.limits.Blob)
	}
	return g
}

func (c *cache) fresh() (*generation, error) {
	if c.dir == "" {
		return c.generation("", map[string]plumbing.Hash{}), nil
	}
	c.newest++
	dir := filepath.Join(c.dir, clonePrefix+strconv.Itoa(c.newest))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, cacheError(c.dir, err)
	}
	return c.generation(dir, map[string]plumbing.Hash{}), nil
}

// retire takes a generation out of use; a broken one is of use to nobody.
func (c *cache) retire(g *generation) {
	if g == nil {
		return
	}
	if c.old != nil {
		c.old.remove()
		c.old = nil
	}
	if g.objects.broken.Load() {
		c.log.Warn("what was kept of the repository was damaged and has been deleted", "dir", g.dir)
		g.remove()
		return
	}
	c.old = g
}

func (c *cache) close() error {
	if c.old != nil {
		c.old.remove()
	}
	if c.lock == nil {
		return nil
	}
	return c.lock.Close() // gives up the lock
}

// remove deletes a generation. Whoever still holds a snapshot of it finds it broken.
func (g *generation) remove() {
	g.objects.broken.Store(true)
	g.objects.close()
	if g.dir != "" {
		os.RemoveAll(g.dir)
	}
}

// maxHaves is how many commits or trees the server is told of.
const maxHaves = 16

// haves are a few commits for the server to build on: the ref's own, those of the rest of
// the home, and what a merge may have brought into it.
func (g *generation) haves(ref string) []plumbing.Hash {
	have := make([]plumbing.Hash, 0, maxHaves)
	add := func(id plumbing.Hash) {
		if len(have) < maxHaves && !id.IsZero() && !slices.Contains(have, id) && g.objects.has(id) {
			have = append(have, id)
		}
	}
	add(g.tips[ref])
	if len(have) == 0 {
		return nil // what the others have says nothing of this one's history
	}
	for _, ref := range slices.Sorted(maps.Keys(g.tips)) {
		add(g.tips[ref])
	}
	for _, id := range slices.Backward(g.passed) {
		add(id)
	}
	return have
}

// trees are those of a few commits, the home's first.
func (g *generation) trees() []plumbing.Hash {
	var trees []plumbing.Hash
	add := func(id plumbing.Hash) {
		if c, err := g.objects.commit(id); err == nil && len(trees) < maxHaves && !slices.Contains(trees, c.tree) {
			trees = append(trees, c.tree)
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(g.tips)) {
		add(g.tips[ref])
	}
	for _, id := range slices.Backward(g.passed) {
		add(id)
	}
	return trees
}

// pass remembers, for a while, a tip that was seen beside the home.
func (g *generation) pass(tip plumbing.Hash) {
	if i := slices.Index(g.passed, tip); i >= 0 {
		g.passed = slices.Delete(g.passed, i, i+1)
	}
	g.passed = append(g.passed, tip)
	g.passed = g.passed[max(0, len(g.passed)-maxHaves):]
}

// note remembers a tip. The file is what makes a generation usable after a
// restart.
func (g *generation) note(ref string, tip plumbing.Hash) error {
	if g.tips[ref] == tip {
		return nil
	}
	g.tips[ref] = tip
	if g.dir == "" {
		return nil
	}
	var buf bytes.Buffer
	for _, ref := range slices.Sorted(maps.Keys(g.tips)) {
		fmt.Fprintf(&buf, "%s %s\n", g.tips[ref], ref)
	}
	path := filepath.Join(g.dir, tipsName)
	temp := path + ".new"
	if err := os.WriteFile(temp, buf.Bytes(), 0o600); err != nil {
		return cacheError(g.dir, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return cacheError(g.dir, err)
	}
	return nil
}

// readTips returns nothing for a file that it cannot read: then everything is
// fetched again.
func readTips(dir string) map[string]plumbing.Hash {
	raw, err := os.ReadFile(filepath.Join(dir, tipsName))
	if err != nil {
		return nil
	}
	tips := map[string]plumbing.Hash{}
	for line := range strings.Lines(string(raw)) {
		id, branch, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || !plumbing.IsHash(id) {
			return nil
		}
		tips[refOf(branch)] = plumbing.NewHash(id)
	}
	return tips
}
