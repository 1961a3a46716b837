package integrated

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath/towpath/registry"
)

// mostManifest is how large a manifest may be, as elsewhere.
const mostManifest = 4 << 20

// servePush takes in a manifest. By digest it becomes no tag, and moves no stream.
func (g *gate) servePush(w http.ResponseWriter, r *http.Request, a ask) {
	if bad := g.admits(r.Context(), a); bad != nil {
		g.refusePush(w, a, bad)
		return
	}
	room := roomFor(r.ContentLength)
	if !g.memory.take(a.from.key(), room) {
		later(http.StatusTooManyRequests, "too many manifests are under way; push again in a moment", time.Second).write(w)
		return
	}
	defer g.memory.giveBack(a.from.key(), room)
	content, bad := readManifest(r)
	var mediaType string
	if bad == nil {
		mediaType, bad = checkManifest(r.Header.Values("Content-Type"), content)
	}
	sum := sha256.Sum256(content)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	if bad == nil && a.digest != "" && a.digest != digest {
		bad = refuse(http.StatusBadRequest, "DIGEST_INVALID", "the manifest's digest is "+digest+", not the one of the address; push again")
	}
	if bad == nil && !g.quota.take(a.namespace, int64(len(content))) {
		bad = g.quota.full(a.namespace)
	}
	if bad != nil {
		g.refusePush(w, a, bad)
		return
	}
	defer g.quota.giveBack(a.namespace, int64(len(content)))
	put := func(to route) *kept {
		out := ask{route: to, method: http.MethodPut}.request(r, io.NopCloser(bytes.NewReader(content)))
		out.ContentLength = int64(len(content))
		out.Header.Set("Content-Type", mediaType)
		out.Header.Set("Content-Length", strconv.Itoa(len(content)))
		out.Header.Del("Content-Range")
		return g.ask(out)
	}
	byDigest := a.route
	byDigest.tag, byDigest.digest = "", digest
	defer g.tags.lock(a.repository)()
	if a.tag == "" {
		answer := put(byDigest)
		g.stored(a, digest, len(content), answer)
		answer.send(w)
		return
	}
	answer, bad := g.pushTag(r, a, digest, func() *kept {
		answer := put(byDigest)
		g.stored(a, digest, len(content), answer)
		return answer
	}, func() *kept { return put(a.route) })
	if bad != nil {
		g.refusePush(w, a, bad)
		return
	}
	answer.send(w)
	_, attached := registry.Attached(a.tag)
	if answer.status == http.StatusCreated && g.guide != nil && !attached {
		g.guide.Arrived()
	}
}

// pushTag links a tag. First distribution stores the manifest without it, and so checks all that
// it names; then the push is marked as an arrival; then the tag is linked. So an arrival is
// marked only of what can be linked, and nothing is linked that is not marked.
func (g *gate) pushTag(r *http.Request, a ask, digest string, store, link func() *kept) (*kept, *refusal) {
	if bad := g.mayMove(r, a, digest); bad != nil {
		return nil, bad
	}
	if answer := store(); answer.status != http.StatusCreated {
		return answer, nil
	}
	if _, attached := registry.Attached(a.tag); g.marks != nil && !attached {
		if err := g.marks.mark(r.Context(), a.repository, a.tag, digest); err != nil {
			if !isFull(err) {
				g.log.Error("a push could not be written down", "repository", a.repository, "tag", a.tag, "error", err)
			}
			return nil, g.unwritten(err)
		}
	}
	return link(), nil
}

// admits is the answer to a push that the streams do not take. What is pushed without a tag, such as
// layers, is for a tag that comes later: it is taken where any may be.
func (g *gate) admits(ctx context.Context, a ask) *refusal {
	if g.guide == nil {
		return nil
	}
	return admitted(g.guide.Admits(ctx, a.repository, a.tag))
}

// refusePush answers a push, and has the operator see it, of a repository once a minute.
func (g *gate) refusePush(w http.ResponseWriter, a ask, bad *refusal) {
	if g.refused.first(a.repository, g.now()) {
		g.log.Info("a push was refused", "repository", a.repository, "tag", a.tag, "who", a.from.name, "status", bad.status, "why", bad.message)
	}
	bad.write(w)
}

// stored notes what a manifest takes.
func (g *gate) stored(a ask, digest string, size int, answer *kept) {
	if answer.status == http.StatusCreated {
		g.catalog.note(a.repository)
		g.quota.note(change{repository: a.repository, digest: digest, size: int64(size)})
	}
}

// admitted is the answer to a push that the streams do not take.
func admitted(err error) *refusal {
	if err == nil {
		return nil
	}
	var why *Refusal
	if !errors.As(err, &why) {
		why = &Refusal{What: "what the streams say could not be read", Fix: "try again in a moment", Starting: true}
	}
	if why.Starting {
		bad := refuse(http.StatusServiceUnavailable, "UNAVAILABLE", why.Error())
		bad.after = 5 * time.Second
		return bad
	}
	return refuse(http.StatusForbidden, "DENIED", why.Error())
}

// unwritten is the answer where storage failed.
func (g *gate) unwritten(err error) *refusal {
	if isFull(err) {
		return refuse(http.StatusInsufficientStorage, "UNAVAILABLE", fullText(g.keep))
	}
	return refuse(http.StatusInternalServerError, "UNKNOWN", "the push could not be written down; its operator finds why in the log. Push again then")
}

// readManifest is a body, whole.
func readManifest(r *http.Request) ([]byte, *refusal) {
	content, err := io.ReadAll(io.LimitReader(r.Body, mostManifest+1))
	switch {
	case len(content) > mostManifest:
		return nil, refuse(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest has more than 4 MiB; name its content as blobs")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "the manifest broke off; push again")
	}
	return content, nil
}

// checkManifest is the media type of a manifest, which must be one thing only: what a client
// says it is, what it says itself, and what it has must agree (CVE-2021-41190).
func checkManifest(said []string, content []byte) (mediaType string, bad *refusal) {
	wrong := func(what string) (string, *refusal) {
		return "", refuse(http.StatusBadRequest, "MANIFEST_INVALID", what)
	}
	if len(said) == 1 {
		mediaType, _, _ = mime.ParseMediaType(said[0])
	}
	if !slices.Contains(manifestTypes, mediaType) {
		return wrong("the Content-Type is not that of an image or an index; push it as OCI or Docker schema 2")
	}
	keys, err := keysOf(content)
	if err != nil {
		return wrong("the manifest is not what JSON calls an object: " + err.Error())
	}
	_, config := keys["config"]
	_, layers := keys["layers"]
	_, manifests := keys["manifests"]
	_, old := keys["fslayers"]
	_, older := keys["history"]
	index := strings.Contains(mediaType, ".index.") || strings.Contains(mediaType, ".list.")
	switch {
	case manifests && (config || layers), old, older:
		return wrong("the manifest is an image and an index at once, or of schema 1")
	case index && !manifests, !index && !layers:
		return wrong("the manifest has not what its Content-Type says")
	}
	if own, there := keys["mediatype"]; there {
		var text string
		if json.Unmarshal(own, &text) != nil || text != mediaType {
			return wrong("the manifest's mediaType is not its Content-Type")
		}
	}
	return mediaType, nil
}

// keysOf are the keys of an object, in lower case, as Go's readers take them for the same. None is
// there twice.
func keysOf(content []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("it does not begin with {")
	}
	keys := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, errors.New("it cannot be read")
		}
		key, _ := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("it cannot be read")
		}
		lower := strings.ToLower(key)
		for _, r := range "\u017f\u212a" { // letters that Go takes for s and k
			if strings.ContainsRune(key, r) {
				return nil, errors.New("a key is not plain")
			}
		}
		if _, twice := keys[lower]; twice {
			return nil, fmt.Errorf("a key is there twice")
		}
		keys[lower] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("it does not end with }")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something stands behind it")
	}
	return keys, nil
}

// mayMove says why a tag may not become a digest, or may not go where the digest is empty: what
// is immutable is never another.
func (g *gate) mayMove(r *http.Request, a ask, digest string) *refusal {
	if !matches(g.rules.ImmutableTags, a.tag) {
		return nil
	}
	now, bad := g.current(r, a.route)
	if bad != nil {
		return bad
	}
	if now == "" || now == digest {
		return nil
	}
	return refuse(http.StatusConflict, "DENIED", "the tag "+a.tag+" is "+now+" and never changes here; push under another tag (immutable-tags in the operator's file)")
}

// current is the digest of a tag: what is on record, or else what is in storage; empty where it
// is nowhere.
func (g *gate) current(r *http.Request, rt route) (string, *refusal) {
	if g.guide != nil {
		tags, err := g.guide.Tags(r.Context(), rt.repository)
		if err != nil {
			return "", admitted(err)
		}
		if tags[rt.tag] != "" {
			return tags[rt.tag], nil
		}
	}
	return g.pulled(r, rt)
}

// pulled is the digest that a tag is when it is pulled; empty where it is nowhere.
func (g *gate) pulled(r *http.Request, rt route) (string, *refusal) {
	switch answer := g.look(r.Context(), http.MethodHead, rt, nil); answer.status {
	case http.StatusOK:
		return answer.header.Get("Docker-Content-Digest"), nil
	case http.StatusNotFound:
		return "", nil
	}
	return "", unread()
}

func unread() *refusal {
	bad := refuse(http.StatusServiceUnavailable, "UNAVAILABLE", "what is there could not be looked up; try again in a moment")
	bad.after = 5 * time.Second
	return bad
}

// serveDelete deletes a tag, a manifest or a blob that nothing needs.
func (g *gate) serveDelete(w http.ResponseWriter, r *http.Request, a ask) {
	defer g.tags.lock(a.repository)()
	bad := g.mayDelete(r, a)
	if bad != nil {
		bad.write(w)
		return
	}
	answer := g.ask(a.request(r, nil))
	if a.kind == toManifest && answer.status == http.StatusNotFound {
		noManifest().write(w) // distribution's words have paths of storage in them
		return
	}
	if answer.status == http.StatusAccepted && a.digest != "" {
		g.quota.note(change{repository: a.repository, digest: a.digest, gone: true})
	}
	answer.send(w)
}

// mayDelete says why something stays.
func (g *gate) mayDelete(r *http.Request, a ask) *refusal {
	if a.kind == toBlob {
		if g.guide != nil || len(g.rules.ImmutableTags) > 0 {
			return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "blobs are not deleted one by one here; delete the image, and towpath prune removes what nothing needs")
		}
		return g.needed(r, a)
	}
	// What is not in the repository is in no use of it: nobody learns here what others have.
	digests, bad := g.both(r, a.route)
	if bad != nil {
		return bad
	}
	if len(digests) == 0 {
		return noManifest()
	}
	for _, digest := range digests {
		if tag, bad := g.immutable(r, a, digest); bad != nil {
			return bad
		} else if tag != "" {
			return refuse(http.StatusConflict, "DENIED", "the tag "+tag+" is this image and is never deleted here (immutable-tags in the operator's file)")
		}
		if bad := g.used(r, a, digest); bad != nil {
			return bad
		}
	}
	if a.tag != "" {
		return nil // its image stays, whoever is recording it right now
	}
	if bad := g.needed(r, a); bad != nil {
		return bad
	}
	return g.waits(r, a)
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

// both are the digests of a tag: what is on record and, while a push of it waits, what was pushed;
// or the digest itself, where there is no tag. None: it is not there.
func (g *gate) both(r *http.Request, rt route) ([]string, *refusal) {
	if rt.tag == "" {
		there, bad := g.pulled(r, rt)
		if bad != nil || there == "" {
			return nil, bad
		}
		return []string{rt.digest}, nil
	}
	recorded, bad := g.current(r, rt)
	if bad != nil || recorded == "" {
		return nil, bad
	}
	stored, bad := g.pulled(r, rt)
	if bad != nil || stored == "" || stored == recorded {
		return []string{recorded}, bad
	}
	return []string{recorded, stored}, nil
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
			return refuse(http.StatusConflict, "DENIED", "the image was pushed to the tag "+tag+", and what that is now cannot be read; push the tag again, or delete it")
		}
	}
	if err != nil {
		g.log.Error("what waits to be recorded cannot be read", "error", err)
		return unread()
	}
	for _, w := range waiting {
		if w.Namespace+"/"+w.Name == a.repository && w.Digest == a.digest {
			return refuse(http.StatusConflict, "DENIED", "the image was pushed to the tag "+w.Tag+", and that waits to be recorded; delete the tag first, or the image when nothing names it")
		}
	}
	return nil
}

// used says what names an image, where something does.
func (g *gate) used(r *http.Request, a ask, digest string) *refusal {
	if g.guide == nil {
		return nil
	}
	uses, err := g.guide.Uses(r.Context(), a.repository, digest)
	if err != nil {
		return admitted(err)
	}
	if len(uses) == 0 {
		return nil
	}
	return refuse(http.StatusConflict, "DENIED", "the image is in use: "+g.named(a, uses)+"; delete it when nothing names it")
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
	if a.tag != "" {
		if matches(g.rules.ImmutableTags, a.tag) {
			return a.tag, nil
		}
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
