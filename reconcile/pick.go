package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/registry"
)

// pick lists a repository, lets the policy choose a tag, and asks what that is.
func (a *asker) pick(ctx context.Context, answer *Answer) {
	q := answer.Question
	r := Result{Tag: q.Target.Tag}
	defer func() { answer.Results = []Result{r} }()
	defer unpanic(q.Ref.Repo.String(), &r.Err)
	answer.Facts = maps.Clone(q.Facts)
	tags, err := a.tags(ctx, q)
	if err != nil {
		r.Err = asError(err, q.Ref.Repo.String())
		return
	}
	answer.Listed = true
	c := &chooser{
		asker: a, Answer: answer, shortlist: q.Policy.Shortlist(tags),
		current: policy.Current{Tag: q.Current, Recorded: q.Recorded}, known: q.believed(time.Now()),
	}
	r = c.choose(ctx)
}

// A chooser finds the answer to one question with a policy. What it learns of images
// goes into its Answer.
type chooser struct {
	*asker
	*Answer
	shortlist *policy.Shortlist
	current   policy.Current
	known     map[string]policy.Facts // by tag: what the policy is told
}

// mostTries is how many tags are chosen before it is given up: one may turn out to be no
// image, or be given another while it is looked at.
const mostTries = 64

// choose picks a tag, resolves it, and judges what it is; what cannot be taken is
// passed over in the next round.
func (c *chooser) choose(ctx context.Context) Result {
	for range mostTries {
		choice, err := c.choice(ctx)
		if err != nil {
			return Result{Tag: c.Target.Tag, Err: err}
		}
		if r := c.find(ctx, choice); c.judge(ctx, &r) {
			return r
		}
	}
	return Result{Tag: c.Target.Tag, Err: &registry.Error{Kind: registry.InternalError, Ref: c.Ref.Repo.String(),
		Message: fmt.Sprintf("none of the %d tags that were chosen one after another can be taken; look at what is pushed there", mostTries)}}
}

// choice lets the policy choose, and tells it of images what it asks for.
func (c *chooser) choice(ctx context.Context) (policy.Choice, *registry.Error) {
	for {
		choice, need := c.shortlist.Pick(c.current, c.known, time.Now())
		if len(need) > 0 {
			if err := c.inform(ctx, need); err != nil {
				return policy.Choice{}, err
			}
			continue
		}
		if c.current.Tag != "" || !c.recognise() {
			return choice, nil
		}
	}
}

// recognise finds the tag of a record that does not say it, a dump of OpenShift's, say,
// among the images that were looked at.
func (c *chooser) recognise() bool {
	recorded := c.Bases[c.Target.Tag].Image
	for tag, f := range c.Facts {
		if recorded != "" && (f.image == recorded || f.head == recorded) && (c.current.Tag == "" || tag < c.current.Tag) {
			c.current.Tag = tag
		}
	}
	return c.current.Tag != ""
}

// find asks what the tag of a choice is.
func (c *chooser) find(ctx context.Context, choice policy.Choice) (r Result) {
	if r.Tag = c.Target.Tag; choice.Tag == "" {
		r.Err = &registry.Error{Kind: registry.NotFound, Ref: c.Ref.Repo.String(), Message: choice.Why}
	} else {
		r = c.resolve(ctx, c.Question, r.Tag, registry.Ref{Repo: c.Ref.Repo, Tag: choice.Tag})
	}
	r.Upstream, r.Why, r.Passed, r.PassedOver = choice.Tag, choice.Why, choice.Passed, choice.PassedOver
	return r
}

// judge reports whether what was found is the answer.
//
//	found                        chosen as the tag on record          chosen as a better one
//	no such image, or no image   a failure that says why it stays     passed over
//	any other failure            that failure                         that failure
//	what the policy was told of  the answer                           the answer
//	another image than that      the answer, or refused by the policy the policy is told, and chooses again
func (c *chooser) judge(ctx context.Context, r *Result) bool {
	stays := r.Upstream == c.current.Tag
	switch {
	case r.Upstream == "":
		return true
	case r.Err != nil && stays:
		if _, ok := unfit(r.Err); ok {
			named := *r.Err
			named.Message = fmt.Sprintf("%s: %s (policy: %s)", r.Upstream, named.Message, r.Why)
			r.Err = &named
		}
		return true
	case r.Err != nil:
		facts, ok := unfit(r.Err)
		if ok {
			c.known[r.Upstream] = facts
		}
		return !ok
	}
	told := c.Facts[r.Upstream]
	stale := told.head != "" && told.head != r.Head
	moved := stays && r.Image != c.Bases[r.Tag].Image
	if !stale && !(moved && c.Policy.Asks()) {
		return true
	}
	facts, err := c.learn(ctx, r)
	if err != nil {
		r.Err = err
		return true
	}
	if why := c.Policy.Refuses(facts, time.Now()); moved && why != "" {
		r.Err = &registry.Error{Kind: registry.Forbidden, Ref: registry.Ref{Repo: c.Ref.Repo, Tag: r.Upstream, Digest: r.Head}.String(),
			Message: fmt.Sprintf("%s was given another image, %s, that the policy refuses: %s", r.Upstream, short(r.Head), why)}
	}
	return stays
}

// learn puts facts about the image that was found in the place of those about another
// one.
func (c *chooser) learn(ctx context.Context, r *Result) (policy.Facts, *registry.Error) {
	told := c.Facts[r.Upstream]
	if told.head != r.Head {
		var err *registry.Error
		if told, err = c.facts(ctx, registry.Ref{Repo: c.Ref.Repo, Digest: r.Head}); err != nil {
			return policy.Facts{}, err
		}
		c.keep(r.Upstream, told)
	}
	return told.Facts, nil
}

func (c *chooser) keep(tag string, f dated) {
	if c.Facts == nil {
		c.Facts = map[string]dated{}
	}
	c.Facts[tag], c.known[tag] = f, f.Facts
}

// inform adds the facts that a policy asked for. What one tag fails with is no reason to
// forget what was learned of the others; where the registry wants to be left alone, or
// is not there, no more is asked.
func (c *chooser) inform(ctx context.Context, need []string) *registry.Error {
	facts, errs := make([]dated, len(need)), make([]*registry.Error, len(need))
	var enough atomic.Bool
	each(need, func(i int, tag string) {
		if enough.Load() {
			return
		}
		defer unpanic(c.Ref.Repo.String()+":"+tag, &errs[i])
		facts[i], errs[i] = c.facts(ctx, registry.Ref{Repo: c.Ref.Repo, Tag: tag})
		if err := errs[i]; err != nil && (err.Kind == registry.RateLimited || err.Kind == registry.Unreachable) {
			enough.Store(true)
		}
	})
	var first *registry.Error
	for i, tag := range need {
		if first = cmp.Or(first, errs[i]); !facts[i].at.IsZero() {
			c.keep(tag, facts[i])
		}
	}
	return first
}

// facts are what an image says of itself; of a list, the entry that would be recorded.
// Where a tag still names the image that something is known about, that is it.
func (c *chooser) facts(ctx context.Context, ref registry.Ref) (dated, *registry.Error) {
	known := c.Facts[ref.Tag]
	same, err := false, error(nil)
	if known.head != "" {
		var now registry.Image
		now, err = c.Reader.Head(ctx, c.On, ref)
		same = err == nil && now.Digest == known.head
	}
	if err == nil && !same {
		known, err = c.read(ctx, ref)
	}
	if err != nil {
		e := asError(err, ref.String())
		facts, ok := unfit(e)
		if !ok {
			return dated{}, e
		}
		known = dated{Facts: facts}
	}
	known.at = time.Now()
	return known, nil
}

// read asks an image what it says of itself.
func (c *chooser) read(ctx context.Context, ref registry.Ref) (dated, error) {
	about, err := c.about(ctx, c.Question, ref)
	f := dated{Facts: policy.Facts{Created: about.Created, Platforms: about.platforms}, head: about.head, image: about.head}
	if c.Mode == imagestream.Legacy {
		f.image = about.image
	}
	return f, err
}

// unfit is what a failure says of an image; false where it says nothing of it.
func unfit(err *registry.Error) (policy.Facts, bool) {
	switch err.Kind {
	case registry.NotFound:
		return policy.Facts{Gone: true}, true
	case registry.Invalid:
		return policy.Facts{Unfit: err.Message}, true
	}
	return policy.Facts{}, false
}

// about is the configuration of an image, with the platforms that are offered.
type about struct {
	registry.Config
	platforms   []string
	head, image string // digests of what was asked for, and of the image itself
}

// about reads an image's configuration; of a list, that of the entry that would be
// recorded.
func (a *asker) about(ctx context.Context, q Question, ref registry.Ref) (about, error) {
	img, err := a.Reader.Detail(ctx, q.On, ref)
	if err != nil {
		return about{}, err
	}
	head := img.Digest
	var platforms []string
	if img.IsIndex() {
		child, ok := choose(img.Children, q.Platform, q.Fallback)
		if !ok {
			return about{}, noImage(ref)
		}
		for _, c := range images(img.Children) {
			platforms = append(platforms, c.Platform.String())
		}
		if img, err = a.Reader.Detail(ctx, q.On, registry.Ref{Repo: ref.Repo, Digest: child.Digest}); err != nil {
			return about{}, err
		}
	}
	if img.Config == "" {
		return about{}, notAnImage(ref)
	}
	config, err := a.Reader.Config(ctx, q.On, ref.Repo, img.Config)
	if platforms == nil {
		platforms = []string{config.Platform.String()}
	}
	return about{config, platforms, head, img.Digest}, err
}
