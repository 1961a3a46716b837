package reconcile_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/forge"
	forgememory "github.com/towpath/towpath/forge/memory"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Whatever people and faults do to proposals: there is one open for each lane at most, no commit of a
// person is lost, nothing moves on the branch but what was merged, what was declined stays so, and
// in the end all that nobody declined is there.
func TestLawReviews(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			m := newMarina(t, seed)
			for range 40 {
				m.step()
				m.safe()
			}
			m.calm()
		})
	})
}

func eachSeed(t *testing.T, law func(t *testing.T, seed uint64)) {
	from, to := uint64(1), uint64(*seeds)
	if *seed != 0 {
		from, to = *seed, *seed
	}
	for s := from; s <= to; s++ {
		law(t, s)
		if t.Failed() {
			t.Fatalf("fails with -seed %d", s)
		}
	}
}

// A marina is a pier with several daemons, people and faults.
type marina struct {
	*pier
	rand     *rand.Rand
	config   string
	lines    []*reconcile.Reconciler
	words    []string
	faults   bool
	person   map[string]gitstore.Rev // by branch: the newest commit of a person on it
	declined map[string]bool         // site and image
	log      []string
	seed     uint64
}

func newMarina(t *testing.T, seed uint64) *marina {
	m := &marina{seed: seed, rand: rand.New(rand.NewPCG(seed, 17)), words: []string{"aaa", "bbb", "ccc"}, person: map[string]gitstore.Rev{}, declined: map[string]bool{}}
	group := []string{"tag", "stream", "all"}[m.rand.IntN(3)]
	m.config = fmt.Sprintf("version: 1\ndefaults: {status: %s, triggers: proposal, group: %s}\n", []string{"proposal", "commit"}[m.rand.IntN(2)], group)
	q := newQuay(t, map[string]string{".towpath.yaml": m.config, "a.yaml": follower("a", " "), "b.yaml": follower("b", " "), "c.yaml": follower("c", " ")})
	m.pier = &pier{q, forgememory.New()}
	m.store.Now, m.forge.Now = time.Now, time.Now
	m.forge.Heads = func(branch string) string { return string(m.store.Tip(branch)) }
	for range 1 + m.rand.IntN(2) {
		m.restart()
		m.lines = append(m.lines, m.line)
	}
	fault := func(op string) (bool, error) {
		roll := m.rand
		if op == memory.OpRead { // files are read side by side: all or none of a step fail
			roll = rand.New(rand.NewPCG(seed, uint64(len(m.log))))
		}
		if m.faults && roll.IntN(40) == 0 {
			return roll.IntN(2) == 0, fmt.Errorf("%s failed", op)
		}
		return true, nil
	}
	m.store.Hook = fault
	m.forge.Hook = func(op string) (bool, error) {
		apply, err := fault(op)
		if err != nil {
			err = &forge.Error{Kind: forge.Unreachable, Forge: "x", What: op + " failed"}
		}
		return apply, err
	}
	return m
}

func (m *marina) say(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

// without lets the test itself look without faults.
func (m *marina) without(do func()) {
	was := m.faults
	m.faults = false
	do()
	m.faults = was
}

func (m *marina) step() {
	time.Sleep(time.Duration(1+m.rand.IntN(20)) * time.Minute)
	m.faults = true
	defer func() { m.faults = false }()
	open := m.open()
	act := m.rand.IntN(12)
	if len(open) == 0 && act >= 6 {
		act %= 6
	}
	switch act {
	case 0, 1:
		word := m.words[m.rand.IntN(3)]
		m.say("registry %s", word)
		if err := m.registry.Set("quay.io/team1/web:1.4 " + word); err != nil {
			m.t.Fatal(err)
		}
	case 2:
		i := m.rand.IntN(len(m.lines))
		m.say("restart %d", i)
		m.restart()
		m.lines[i] = m.line
	case 3:
		m.say("base moves")
		m.without(func() {
			m.store.Write("main", "moves", map[string]string{[]string{"README.md", "a.yaml"}[m.rand.IntN(2)]: ""})
			m.store.Edit("main", "moves", func(tree memory.Tree) {
				delete(tree, "README.md")
				f := tree["a.yaml"]
				if f.Content == "" {
					f.Content = follower("a", " ")
				}
				tree["a.yaml"] = f
			})
		})
	case 6, 7:
		f := open[m.rand.IntN(len(open))]
		how := []string{"squash", "rebase"}[m.rand.IntN(2)]
		m.say("merge #%d %s", f.Number, how)
		m.without(func() { m.merge(f, how); m.store.Move(f.Branch, "") })
		delete(m.person, f.Branch)
	case 8:
		f := open[m.rand.IntN(len(open))]
		m.say("close #%d", f.Number)
		for _, move := range reconcile.Proposes(f.Body) {
			for _, w := range m.words {
				if move.Site != "" && move.Image == registrymemory.Digest(w) {
					m.declined[strings.TrimSuffix(move.Path, ".yaml")+w] = true
				}
			}
		}
		m.forge.CloseBy(f.Number)
		delete(m.person, f.Branch) // what it holds was closed with it
	case 9:
		f := open[m.rand.IntN(len(open))]
		m.say("commit on #%d", f.Number)
		m.person[f.Branch] = m.store.Write(f.Branch, "mine", map[string]string{"notes.txt": fmt.Sprint(m.rand.IntN(1000))})
	case 10:
		f := open[m.rand.IntN(len(open))]
		m.say("write #%d", f.Number)
		m.forge.Write(f.Number, "My title", f.Body+"\nMine.\n")
	}
	for range 1 + m.rand.IntN(3) {
		i := m.rand.IntN(len(m.lines))
		_, err := m.lines[i].Once(m.t.Context(), reconcile.Hint{Scheduled: m.rand.IntN(2) == 0})
		m.say("walk %d: %v", i, err)
		time.Sleep(time.Duration(m.rand.IntN(60)) * time.Second)
	}
}

func (m *marina) fail(format string, args ...any) {
	m.t.Errorf("-seed %d: %s\nconfig %s%s", m.seed, fmt.Sprintf(format, args...), m.config, strings.Join(m.log, "\n"))
	m.t.FailNow()
}

// safe holds after every step.
func (m *marina) safe() {
	seen := map[string]bool{}
	for _, f := range m.open() {
		if seen[f.Branch] {
			m.fail("two proposals of %s are open", f.Branch)
		}
		seen[f.Branch] = true
		tree := m.store.Tree(f.Branch)
		for _, n := range []string{"a", "b", "c"} {
			for _, w := range m.words {
				d := registrymemory.Digest(w)
				if m.declined[n+w] && m.person[f.Branch] == "" && strings.Contains(tree[n+".yaml"].Content, d) && !strings.Contains(m.text(n+".yaml"), d) {
					m.fail("#%d proposes %s for %s again", f.Number, w, n)
				}
			}
		}
	}
	for branch, rev := range m.person {
		tip := m.store.Tip(branch)
		if tip == "" {
			continue
		}
		if !slices.ContainsFunc(m.store.Log(branch), func(c memory.Logged) bool { return c.Rev == rev }) {
			m.fail("a person's commit on %s is lost", branch)
		}
	}
	if !strings.Contains(m.config, "status: commit") {
		for _, c := range m.store.Log("main") {
			if c.Author.Name == "towpath" {
				m.fail("towpath wrote to main by itself: %s", c.Message)
			}
		}
	}
	for _, c := range m.store.Log("main") { // record before follow
		for _, w := range m.words {
			d := registrymemory.Digest(w)
			for _, n := range []string{"a", "b", "c"} {
				if strings.Contains(c.Tree[n+".yaml"].Content, d) && !strings.Contains(c.Tree["streams/web.yaml"].Content, d) {
					m.fail("%s holds %s, which is not on record", n, w)
				}
			}
		}
	}
}

// calm ends faults and people's doings but merges, and wants all there that nobody declined, and then
// rest.
func (m *marina) calm() {
	m.say("calm")
	if err := m.registry.Set("quay.io/team1/web:1.4 ddd"); err != nil { // nobody declined that
		m.t.Fatal(err)
	}
	m.words = append(m.words, "ddd")
	rest := func() {
		for range 3 {
			for i, line := range m.lines {
				time.Sleep(20 * time.Minute)
				rep, err := line.Settle(m.t.Context(), reconcile.Hint{Scheduled: true})
				if err != nil {
					m.fail("walk %d: %v", i, err)
				}
				for _, p := range rep.Proposals {
					m.say("walk %d: #%d %s %s %s", i, p.Number, p.State, p.Did, p.Why)
				}
				for _, h := range rep.Held {
					m.say("  %s %s %s %s", h.Change.Site.Path, h.Why, h.About.Subject, h.URL)
				}
			}
			m.safe()
		}
	}
	for range 6 {
		rest()
		for _, f := range m.open() {
			m.say("merge #%d", f.Number)
			m.merge(f, "squash")
			m.store.Move(f.Branch, "")
			delete(m.person, f.Branch)
		}
	}
	rest()
	if open := m.open(); len(open) > 0 {
		m.fail("still open: %+v", open)
	}
	for _, n := range []string{"a", "b", "c"} {
		if !strings.Contains(m.text(n+".yaml"), registrymemory.Digest("ddd")) {
			m.fail("%s holds\n%s", n, m.text(n+".yaml"))
		}
	}
	before := len(m.store.Log("main"))
	all := maps.Clone(m.declined)
	rest()
	if len(m.store.Log("main")) != before || len(all) != len(m.declined) {
		m.fail("it does not come to rest")
	}
}
