package integrated

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/towpath/towpath/registry"
)

// serveDelete deletes a tag, a manifest or a blob that nothing needs.
func (g *gate) serveDelete(w http.ResponseWriter, r *http.Request, a ask) {
	if a.kind == toManifest && g.guide != nil {
		if err := g.guide.Refresh(r.Context()); err != nil { // before the turn: it takes a second
			admitted(err).write(w)
			return
		}
	}
	unlock, err := g.tags.lock(r.Context(), a.repository)
	if err != nil {
		busy().write(w)
		return
	}
	defer unlock()
	gone, bad := g.mayDelete(r, a)
	if bad != nil {
		bad.write(w)
		return
	}
	answer := g.ask(a.request(r, nil))
	if a.kind == toManifest && answer.status == http.StatusNotFound {
		noManifest().write(w) // distribution's words have paths of storage in them
		return
	}
	if answer.status == http.StatusAccepted {
		g.tellDeleted(a, gone)
	}
	if answer.status == http.StatusAccepted && a.digest != "" {
		g.quota.note(change{repository: a.repository, digest: a.digest, gone: true})
	}
	answer.send(w)
}

// A deletion is what goes.
type deletion struct {
	digest string
	tags   []string
}

// mayDelete says why something stays; else what goes.
func (g *gate) mayDelete(r *http.Request, a ask) (deletion, *refusal) {
	switch {
	case a.kind == toBlob:
		return deletion{digest: a.digest}, g.mayDeleteBlob(r, a)
	case a.tag != "":
		return g.mayUntag(r, a)
	}
	return g.mayDeleteImage(r, a)
}

func (g *gate) mayDeleteBlob(r *http.Request, a ask) *refusal {
	if g.guide != nil || len(g.rules.ImmutableTags) > 0 {
		return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "blobs are not deleted one by one here; delete the image, and towpath prune removes what nothing needs")
	}
	return g.needed(r, a)
}

// mayUntag says why a tag stays. Its image stays in any case, and can be pulled by digest: so what
// else has that is not asked.
func (g *gate) mayUntag(r *http.Request, a ask) (deletion, *refusal) {
	// In this order: what does not wait any more is on record by then.
	waits, err := g.awaits(r.Context(), a.repository, a.tag)
	if err != nil {
		g.log.Error("what waits to be recorded cannot be read", "error", err)
		return deletion{}, unread()
	}
	where := ""
	if g.guide != nil {
		if where, err = g.guide.Record(r.Context(), a.repository, a.tag); err != nil {
			return deletion{}, admitted(err)
		}
	}
	stored := ""
	if where == "" {
		var bad *refusal
		if stored, bad = g.pulled(r, a.route); bad != nil {
			return deletion{}, bad
		}
	}
	switch {
	case where == "" && stored == "":
		return deletion{}, noManifest()
	case matches(g.rules.ImmutableTags, a.tag):
		return deletion{}, immutableStays(a.tag)
	case where != "":
		return deletion{}, refuse(http.StatusConflict, "DENIED", "the tag is on record: "+g.named(a, []Use{{a.namespace, where}})+"; take it out of the status there by a commit (towpath tag --delete "+a.repository+":"+a.tag+" in a checkout), then delete it")
	case waits:
		return deletion{}, refuse(http.StatusConflict, "DENIED", "a push of the tag waits to be recorded; towpath status --server URL says for what. When it is on record, take it out of the status by a commit (towpath tag --delete "+a.repository+":"+a.tag+" in a checkout), then delete it")
	}
	return deletion{stored, []string{a.tag}}, nil
}

// mayDeleteImage says why a manifest stays. Its tags would go with it.
func (g *gate) mayDeleteImage(r *http.Request, a ask) (deletion, *refusal) {
	// What is not in the repository is in no use of it: nobody learns here what others have.
	there, bad := g.pulled(r, a.route)
	if bad != nil {
		return deletion{}, bad
	}
	if there == "" {
		return deletion{}, noManifest()
	}
	if tag, bad := g.immutable(r, a, a.digest); bad != nil {
		return deletion{}, bad
	} else if tag != "" {
		return deletion{}, immutableStays(tag)
	}
	waits := g.waits(r, a) // before it is asked what is in use: what does not wait any more is by then
	for _, stays := range []func(*http.Request, ask) *refusal{g.used, g.needed, func(*http.Request, ask) *refusal { return waits }} {
		if bad := stays(r, a); bad != nil {
			return deletion{}, bad
		}
	}
	tags, err := g.parts.tagged(r.Context(), a.repository, []string{a.digest})
	if err != nil {
		g.log.Error("the tags of an image that is to be deleted cannot be read", "repository", a.repository, "digest", a.digest, "error", err)
		return deletion{}, unread()
	}
	return deletion{a.digest, tags}, nil
}

func immutableStays(tag string) *refusal {
	return refuse(http.StatusConflict, "DENIED", "the tag "+tag+" is this image and is never deleted here (immutable-tags in the operator's file)")
}

func noManifest() *refusal {
	return refuse(http.StatusNotFound, "MANIFEST_UNKNOWN", "there is no such tag or image in the repository")
}

// needed refuses to delete what an image or an index of the repository names: it could not be
// pulled any more, whatever keeps it.
func (g *gate) needed(r *http.Request, a ask) *refusal {
	by, err := g.parts.by(r.Context(), a.repository, a.digest)
	var tags []string
	if err == nil && len(by) > 0 {
		tags, err = g.parts.tagged(r.Context(), a.repository, by)
	}
	if err != nil {
		g.log.Error("what names something that is to be deleted cannot be read", "repository", a.repository, "digest", a.digest, "error", err)
		return unread()
	}
	if len(by) == 0 {
		return nil
	}
	whose := fewOf(by)
	if len(tags) > 0 {
		whose += " (tag " + fewOf(tags) + ")"
	}
	return refuse(http.StatusConflict, "DENIED", "it is part of "+whose+"; delete that first")
}

// fewOf is a list for people.
func fewOf(all []string) string {
	few := strings.Join(all[:min(len(all), 5)], ", ")
	if more := len(all) - 5; more > 0 {
		few += fmt.Sprintf(" and %d more", more)
	}
	return few
}

// waits refuses to delete an image that was pushed and is not on record yet: it may be going there
// right now.
func (g *gate) waits(r *http.Request, a ask) *refusal {
	if g.waiting == nil {
		return nil
	}
	waiting, err := g.waiting(r.Context())
	var some registry.Unread
	if errors.As(err, &some) {
		err = nil
		if tag, may := some.May(a.repository, a.digest); may {
			return refuse(http.StatusConflict, "DENIED", "the image was pushed to the tag "+tag+", and what that is now cannot be read; push the tag again")
		}
	}
	if err != nil {
		g.log.Error("what waits to be recorded cannot be read", "error", err)
		return unread()
	}
	for _, w := range waiting {
		if w.Namespace+"/"+w.Name == a.repository && w.Digest == a.digest {
			return refuse(http.StatusConflict, "DENIED", "the image was pushed to the tag "+w.Tag+", and that waits to be recorded; delete the image when no file names it any more")
		}
	}
	return nil
}

// used says what names an image, where something does.
func (g *gate) used(r *http.Request, a ask) *refusal {
	if g.guide == nil {
		return nil
	}
	uses, err := g.guide.Uses(r.Context(), a.repository, a.digest)
	if err != nil {
		return admitted(err)
	}
	if len(uses) == 0 {
		return nil
	}
	return refuse(http.StatusConflict, "DENIED", "the image is in use: "+g.named(a, uses)+"; delete it when a commit took it out there")
}

// named are the uses that somebody may know of. Of those in namespaces that are closed to them it
// is not even said how many there are.
func (g *gate) named(a ask, uses []Use) string {
	var open []string
	for _, use := range uses {
		if g.rules.Access.may(a.from, Pull, use.Namespace) {
			open = append(open, use.Where)
		}
	}
	if len(open) == 0 {
		return "elsewhere"
	}
	named := fewOf(open)
	if len(open) < len(uses) {
		named += ", and elsewhere"
	}
	return named
}

// immutable is a tag that never changes and would go with a deletion.
func (g *gate) immutable(r *http.Request, a ask, digest string) (string, *refusal) {
	if len(g.rules.ImmutableTags) == 0 {
		return "", nil
	}
	last := ""
	for {
		query := url.Values{"n": {strconv.Itoa(mostListed)}}
		if last != "" {
			query.Set("last", last)
		}
		answer := g.look(r.Context(), http.MethodGet, route{kind: toTags, repository: a.repository}, query)
		if answer.status == http.StatusNotFound {
			return "", nil
		}
		var page struct{ Tags []string }
		if answer.status != http.StatusOK || json.Unmarshal(answer.body.Bytes(), &page) != nil {
			return "", unread()
		}
		for _, tag := range page.Tags {
			if !matches(g.rules.ImmutableTags, tag) {
				continue
			}
			now, bad := g.current(r, route{kind: toManifest, repository: a.repository, tag: tag})
			if bad != nil || now == digest {
				return tag, bad
			}
		}
		if answer.header.Get("Link") == "" || len(page.Tags) == 0 {
			return "", nil
		}
		last = page.Tags[len(page.Tags)-1]
	}
}
