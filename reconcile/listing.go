package reconcile

import (
	"context"
	"regexp"
	"slices"
	"sync"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// notImages are tags that hold signatures, attestations and the like: those of
// cosign, and the fallback of OCI referrers.
var notImages = regexp.MustCompile(`^sha(256|512)-[0-9a-f]{32,128}(\.[a-z]+)?$|\.(sig|att|sbom)$`)

// list asks for the tags of a repository, and for each up to the cap. Those that spec
// names are asked for by questions of their own.
func (a *asker) list(ctx context.Context, answer *Answer) {
	defer unpanic(answer.Ref.Repo.String(), &answer.Err)
	tags, err := a.tags(ctx, answer.Question)
	if err != nil {
		answer.Err = asError(err, answer.Ref.Repo.String())
		return
	}
	answer.Listed = true
	tags = slices.DeleteFunc(imagestream.PrioritizeTags(tags), func(tag string) bool { return answer.Except[tag] || notImages.MatchString(tag) })
	if answer.Cap > 0 && len(tags) > answer.Cap {
		answer.LeftOut = len(tags) - answer.Cap
		tags = tags[:answer.Cap]
	}
	answer.Results = make([]Result, len(tags))
	each(tags, func(i int, tag string) {
		answer.Results[i] = a.resolve(ctx, answer.Question, tag, registry.Ref{Repo: answer.Ref.Repo, Tag: tag})
	})
	answer.Results = slices.DeleteFunc(answer.Results, func(r Result) bool {
		artifact := r.Err == nil && r.Image == ""
		if artifact {
			answer.Artifacts = append(answer.Artifacts, r)
		}
		return artifact
	})
}

// each calls do for everything of one repository that is to be asked for, some at a
// time.
func each[T any](all []T, do func(i int, one T)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, perListing)
	for i, one := range all {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			do(i, one)
		})
	}
	wg.Wait()
}

// A listing is what questions of one round share: on whose behalf which repository is
// listed. Those of a later round are asked because something may be new, and share
// a listing of their own.
type listing struct {
	round int
	on    registry.On
	repo  registry.Repo
}

// listings are those that questions under way want; no listing outlives them.
type listings struct {
	mu     sync.Mutex
	wanted map[listing]*wanted
}

type wanted struct {
	by   int
	list func() ([]string, error) // nil until the first asks
}

func (q Question) listing() listing { return listing{q.round, q.On, q.Ref.Repo} }

// lists reports whether a question lists its repository.
func (q Question) lists() bool { return q.Target.Tag == "" || q.Policy != nil }

// want says that a question will be asked.
func (l *listings) want(q Question) {
	if !q.lists() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted == nil {
		l.wanted = map[listing]*wanted{}
	}
	if l.wanted[q.listing()] == nil {
		l.wanted[q.listing()] = &wanted{}
	}
	l.wanted[q.listing()].by++
}

// release says that a question was answered.
func (l *listings) release(q Question) {
	if !q.lists() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.wanted[q.listing()]; w.by > 1 {
		w.by--
	} else {
		delete(l.wanted, q.listing())
	}
}

// tags lists a question's repository; the first that asks does it for all. They are shared,
// and never written.
func (a *asker) tags(ctx context.Context, q Question) ([]string, error) {
	a.lists.mu.Lock()
	w := a.lists.wanted[q.listing()]
	if w.list == nil {
		w.list = sync.OnceValues(func() ([]string, error) { return a.Reader.Tags(ctx, q.On, q.Ref.Repo) })
	}
	a.lists.mu.Unlock()
	return w.list()
}
