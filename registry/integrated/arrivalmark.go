package integrated

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

type tagName struct{ repository, tag string }

// path is by a sum: it has no trouble with lengths, nor with a tag that looks like a directory.
func (n tagName) path() string {
	sum := sha256.Sum256([]byte(n.repository + ":" + n.tag))
	return path.Join(marksDir, hex.EncodeToString(sum[:]))
}

func (n tagName) link() string {
	return path.Join(repositories, n.repository, "_manifests/tags", n.tag, "current/link")
}

// valid reports whether there can be such a tag.
func (n tagName) valid() bool {
	return storagedriver.PathRegexp.MatchString(n.link()) &&
		strings.HasPrefix(n.link(), repositories+"/"+n.repository+"/_manifests/tags/"+n.tag+"/current/")
}

// tagOf is the tag whose link is at a path.
func tagOf(p string) (name tagName, ok bool) {
	rest, ok := strings.CutPrefix(p, repositories+"/")
	if !ok {
		return tagName{}, false
	}
	rest, ok = strings.CutSuffix(rest, "/current/link")
	repository, tag, between := strings.Cut(rest, "/_manifests/tags/")
	if !ok || !between || strings.Contains(tag, "/") {
		return tagName{}, false
	}
	return tagName{repository, tag}, true
}

// A push of a digest to a tag, and when it began.
type push struct {
	digest string
	at     time.Time
}

// A mark says that a push began. Until its tag is linked, the one before it is the one that waits, if
// that still did: what was taken long ago does not come again because another push broke off.
type mark struct {
	push
	before []push // of which one waits still, if the tag is linked to it; the latest first
	old    bool   // of a process before this one: no push of it is under way

	link string    // what storage said last that the tag is
	read time.Time // until when link holds; zero: it is to be read
	turn int       // counts what made link doubtful
}

// mostBefore are pushes before a mark's own. More than one are known only where the tag could not be
// read meanwhile.
const mostBefore = 8

// waits is the push that waits: the one whose link the tag has.
func (m mark) waits() (push, bool) {
	for _, p := range m.all() {
		if p.digest == m.link {
			return p, true
		}
	}
	return push{}, false
}

// all are the pushes that may wait, the latest first.
func (m mark) all() []push { return append([]push{m.push}, m.before...) }

// written is a mark as it lies in storage.
type written struct {
	Repository string        `json:"repository"`
	Tag        string        `json:"tag"`
	Digest     string        `json:"digest"`
	At         time.Time     `json:"at"`
	Before     []writtenPush `json:"before,omitempty"`
}

type writtenPush struct {
	Digest string    `json:"digest"`
	At     time.Time `json:"at"`
}

func (m mark) written(name tagName) ([]byte, error) {
	w := written{Repository: name.repository, Tag: name.tag, Digest: m.digest, At: m.at}
	for _, p := range m.before {
		w.Before = append(w.Before, writtenPush{p.digest, p.at})
	}
	return json.Marshal(w)
}

func readMark(src []byte) (tagName, *mark, error) {
	var w written
	if err := json.Unmarshal(src, &w); err != nil {
		return tagName{}, nil, err
	}
	name := tagName{w.Repository, w.Tag}
	if w.Digest == "" || w.At.IsZero() || !name.valid() {
		return tagName{}, nil, errors.New("it is no mark of a push")
	}
	m := &mark{push: push{w.Digest, w.At}}
	for _, b := range w.Before {
		if b.Digest == "" || b.At.IsZero() || len(m.before) == mostBefore {
			return tagName{}, nil, errors.New("it does not say what waited before")
		}
		m.before = append(m.before, push{b.Digest, b.At})
	}
	return name, m, nil
}
