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
	tags, err := a.Reader.Tags(ctx, answer.On, answer.Ref.Repo)
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
