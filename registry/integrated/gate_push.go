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
	"os"
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
	room := g.memory.roomOf(a.from.key(), a.namespace)
	defer room.giveBack()
	if body, ok := r.Body.(*patient); ok {
		body.until = time.Now().Add(g.patience) // all of it: it is small
	}
	content, bad := readManifest(r.Body, room)
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
	request := func(to route) *http.Request {
		out := ask{route: to, method: http.MethodPut}.request(r, io.NopCloser(bytes.NewReader(content)))
		out.ContentLength = int64(len(content))
		out.Header.Set("Content-Type", mediaType)
		out.Header.Set("Content-Length", strconv.Itoa(len(content)))
		out.Header.Del("Content-Range")
		return out
	}
	put := func(to route) *kept { return g.ask(request(to)) }
	byDigest := a.route
	byDigest.tag, byDigest.digest = "", digest
	if g.bring != nil { // before the lock: what comes from elsewhere may take its time, and holds up nobody
		ctx, ok := g.bring(w, request(byDigest))
		if !ok {
			return
		}
		r = r.WithContext(ctx)
	}
	unlock, err := g.tags.lock(r.Context(), a.repository)
	if err != nil {
		busy().write(w)
		return
	}
	defer unlock()
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
	if answer.status == http.StatusCreated {
		g.tellPushed(a, digest)
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

// readManifest is a body, whole. What its client announces takes no room; what came does.
func readManifest(body io.Reader, room *bodyRoom) (content []byte, bad *refusal) {
	for {
		if len(content) > mostManifest {
			return nil, refuse(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest has more than 4 MiB; name its content as blobs")
		}
		if len(content) == cap(content) {
			more := min(max(cap(content), firstRoom), mostManifest+1-cap(content))
			if !room.take(int64(more)) {
				return nil, later(http.StatusTooManyRequests, "too many manifests are under way; push again in a moment", time.Second)
			}
			content = append(make([]byte, 0, cap(content)+more), content...)
		}
		n, err := body.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		switch {
		case len(content) > mostManifest:
		case err == io.EOF:
			return content, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "the manifest did not come in time, within a minute at the most; push again")
		case err != nil:
			return nil, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "the manifest broke off; push again")
		}
	}
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

// busy is the answer, if anybody is left to hear it, where a repository's turn did not come.
func busy() *refusal {
	bad := refuse(http.StatusServiceUnavailable, "UNAVAILABLE", "others are changing the repository; try again in a moment")
	bad.after = 5 * time.Second
	return bad
}
