package reconcile

import (
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// A Hint says "look now". It changes when a tag is asked, never what is
// recorded. It is one of four:
//
//	a person's or a schedule's     Stream, Tag, Scheduled, Force: those tags are asked at once
//	a registry's word              Repo and what stands below it: what polling would ask of that repository
//	                               some day is asked soon, see look
//	our own registry's word        Arrived: what was pushed is put on record now, and no registry is asked
//	the Git server's word          Git: the branch is looked at now, and nothing else follows from it
type Hint struct {
	Stream    imagestream.Name // zero: every stream
	Tag       string           // empty: every tag of the stream
	Scheduled bool             // only scheduled tags
	Force     bool             // a person asks: adopted tags are taken over, and success is said at once

	Repo     registry.Repo // canonical; zero: no registry's word
	Upstream string        // tag of Repo that may have moved; empty: any
	Expect   string        // digest that it is said to be now; empty: nobody says. It is only waited for
	Scope    *Scope        // whose streams may be asked for it; nil: all

	Git bool // the watched repository may have moved

	Arrived bool // something was pushed
}

// A Scope is what the sender of hints may wake. Empty lists do not limit.
type Scope struct {
	Namespaces []config.Glob
	Paths      []config.Glob // of the files of streams
}

// holds reports whether a stream may be asked for.
func (sc *Scope) holds(s *Stream) bool {
	within := func(globs []config.Glob, text string) bool {
		return len(globs) == 0 || slices.ContainsFunc(globs, func(g config.Glob) bool { return g.Match(text) })
	}
	return sc == nil || within(sc.Namespaces, s.Name.Namespace) && within(sc.Paths, s.Path)
}

func (h Hint) ofRegistry() bool { return h.Repo != (registry.Repo{}) }

// names reports whether a person's or a schedule's hint is about a tag.
func (h Hint) names(s *Stream, tag string, scheduled bool) bool {
	return !h.Git && !h.Arrived && !h.ofRegistry() &&
		(h.Stream == (imagestream.Name{}) || h.Stream == s.Name) && (!h.Scheduled || scheduled) &&
		(h.Tag == "" || h.Tag == tag || tag == "" && s.specTag(h.Tag) == nil)
}

// Hint asks the walker to look now. It may be called from any goroutine and never
// blocks. Hints that say the same are one; what is said of repositories that no stream
// names is nothing. It reports whether there was room for what is to be done.
func (r *Reconciler) Hint(h Hint) bool { return r.inbox.put(h, time.Now()) }

// Awaits reports whether something that a person's hint names is asked, or was answered and
// not dealt with: written, or found to be nothing to write. It is called where Passed is.
func (r *Reconciler) Awaits(h Hint) bool {
	if r.cat == nil || r.mem == nil {
		return false
	}
	return slices.ContainsFunc(r.cat.Streams, func(s *Stream) bool {
		if h.Stream != (imagestream.Name{}) && h.Stream != s.Name {
			return false
		}
		return slices.ContainsFunc(s.wants, func(w want) bool {
			target := w.target(s)
			_, owed := r.mem.owed[target]
			st := r.mem.state(target)
			return h.names(s, target.Tag, w.scheduled) && (owed || st != nil && (st.asking != "" || st.again))
		})
	})
}

const (
	// maxHints is how many different hints wait at most, beside those of registries
	// about what streams name.
	maxHints = 1024
	// lull is the shortest time between two wakings by hints: those that come together
	// are dealt with together.
	lull = 100 * time.Millisecond
	// lookAgain is the shortest time between two looks at Git that hints ask for, and
	// between two questions for one tag.
	lookAgain = time.Second
)

// An inbox holds hints until the walker takes them. The zero one is empty. It is
// bounded by what streams name and not by what is said: the walker tells it which
// repositories those are.
type inbox struct {
	mu     sync.Mutex
	hints  map[Hint]string // without what each expects, which is the value: the last word counts
	others int             // of hints, those that names does not bound
	named  *upstreams      // nil: nobody knows yet
	wanted bool            // somebody spoke of a repository

	rung   chan struct{} // capacity 1: hints are to be taken
	ripe   bool          // they were rung for
	timed  bool          // they will be
	opened time.Time     // when hints were taken last
}

// bell is sent to when hints are to be taken.
func (in *inbox) bell() <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.init()
}

func (in *inbox) init() chan struct{} {
	if in.rung == nil {
		in.rung, in.hints = make(chan struct{}, 1), map[Hint]string{}
	}
	return in.rung
}

// put keeps a hint, and reports whether there was room.
func (in *inbox) put(h Hint, now time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.init()
	bounded := false
	if h.ofRegistry() {
		in.wanted = true
		if in.named != nil {
			if h.Upstream, bounded = in.named.upstream(h); !bounded {
				return true
			}
		}
	}
	expect := h.Expect
	h.Expect = ""
	if _, there := in.hints[h]; !there && !bounded {
		if in.others >= maxHints {
			return false
		}
		in.others++
	}
	in.hints[h] = expect
	switch wait := in.opened.Add(lull).Sub(now); {
	case in.ripe || in.timed:
	case wait > 0:
		in.timed = true
		time.AfterFunc(wait, in.ring)
	default:
		in.ripen()
	}
	return true
}

func (in *inbox) ring() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.timed = false; len(in.hints) > 0 {
		in.ripen()
	}
}

func (in *inbox) ripen() {
	in.ripe = true
	select {
	case in.rung <- struct{}{}:
	default:
	}
}

// take empties the inbox, if that was rung for.
func (in *inbox) take(now time.Time) []Hint {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.ripe {
		return nil
	}
	hints := make([]Hint, 0, len(in.hints))
	for h, expect := range in.hints {
		h.Expect = expect
		hints = append(hints, h)
	}
	in.hints, in.others, in.ripe, in.opened = map[Hint]string{}, 0, false, now
	select {
	case <-in.rung:
	default:
	}
	return hints
}

// know takes in what streams name, where that is new and somebody wants to know. From
// then on nothing else gets in.
func (in *inbox) know(c *Catalog) {
	in.mu.Lock()
	old := !in.wanted || in.named != nil && in.named.of == c
	in.mu.Unlock()
	if old {
		return
	}
	n := c.upstreams()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.named = n
}

// upstreams are the repositories that streams ask, by tag.
type upstreams struct {
	of   *Catalog // only compared
	tags map[registry.Repo]map[string]bool
}

// anyTag stands among the tags of a repository that a policy chooses from, or that is
// listed, and in hints for all tags that no stream names by itself.
const anyTag = "*"

func (c *Catalog) upstreams() *upstreams {
	n := &upstreams{c, map[registry.Repo]map[string]bool{}}
	for _, s := range c.Streams {
		for i := range s.wants {
			repo, tag := s.wants[i].asks.Value().Repo, s.wants[i].upstream()
			if n.tags[repo] == nil {
				n.tags[repo] = map[string]bool{}
			}
			n.tags[repo][tag] = true
		}
	}
	return n
}

// upstream is the tag that a hint stands for; not ok where no stream asks for it.
func (n *upstreams) upstream(h Hint) (tag string, ok bool) {
	tags := n.tags[h.Repo]
	switch {
	case h.Upstream == "", tags[h.Upstream]:
		return h.Upstream, len(tags) > 0
	case tags[anyTag]:
		return anyTag, true
	}
	return "", false
}
