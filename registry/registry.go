// Package registry is the vocabulary of container registries: references,
// images as a registry describes them, the contract of reading them, and errors
// sorted by whose move it is.
//
// It does no I/O and knows nothing of image streams, policies or Git. The
// packages below it read real registries (remote), keep images in memory for
// tests (memory), hold every Reader to one contract (registrytest), and serve
// (integrated).
package registry

import (
	"context"
	"fmt"
	"time"
)

// A Repo is a repository in canonical form: the host that is dialled by name
// (docker.io stands for Docker Hub) and the path in it.
type Repo struct {
	Host string // "quay.io", "127.0.0.1:5000", "docker.io"
	Path string // "team1/web", "library/redis"
}

// String is host/path.
func (r Repo) String() string { return r.Host + "/" + r.Path }

// A Ref names an image: a repository with a tag, a digest, or both. With both
// the digest decides.
type Ref struct {
	Repo
	Tag    string // "1.4.3"; empty when only the digest is given
	Digest string // "sha256:…"; empty when only the tag is given
}

// String is the canonical reference: host/path:tag, host/path@digest or
// host/path:tag@digest.
func (r Ref) String() string {
	s := r.Repo.String()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// An Image is what a registry says of a manifest.
type Image struct {
	Digest    string // of the manifest that the reference names
	MediaType string
	// Children are the entries of a manifest list or OCI index, in its order.
	// Head does not fill them; Detail does.
	Children []Child
	// Config is the digest of an image's configuration. Head does not fill it;
	// Detail does, and leaves it empty for lists and for what is no image: charts,
	// signatures and other artifacts.
	Config string
	// Mirror is the host of the mirror that answered; empty where the registry
	// itself did.
	Mirror string
}

// IsIndex reports whether the manifest is a manifest list or an OCI index.
func (i Image) IsIndex() bool {
	return i.MediaType == "application/vnd.docker.distribution.manifest.list.v2+json" ||
		i.MediaType == "application/vnd.oci.image.index.v1+json"
}

// A Child is one entry of a manifest list.
type Child struct {
	Digest    string
	MediaType string
	Platform  Platform // zero where the list gives none
	Artifact  bool     // an attestation, a signature: it says of itself that it is no image
}

// A Config is what an image says of itself. Nobody vouches for it.
type Config struct {
	Created  time.Time // zero where it says none, or none that is a time
	Platform Platform
	// Labels are short ones only, see the limits of the Reader. Their names and
	// values may hold anything, control characters included: whoever writes them
	// down makes them harmless first.
	Labels map[string]string
}

// A Platform is what an image runs on.
type Platform struct{ OS, Architecture, Variant string }

// String is os/architecture, with /variant where there is one.
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// On says on whose behalf a question is asked. It chooses the credential and
// whether an operator's leave to speak plain HTTP, or TLS that nobody verifies,
// may be used.
type On struct {
	Namespace string // of the stream that asks
	Path      string // of the file in the repository that asks
	Insecure  bool   // the tag itself allows it; the operator must allow the host, too
	Upstream  bool   // ask the registry itself, no mirror of it
}

// A Reader reads registries. Its methods may be called from many goroutines at
// once; they return an *Error and nothing else as their error. Once the context
// has ended it wraps the context's error. What they return is the caller's own.
type Reader interface {
	// Tags lists the tags of a repository, each once, in the order that the
	// registry gives. A list that could not be read to its end is an error,
	// never a shorter list.
	Tags(ctx context.Context, on On, repo Repo) ([]string, error)
	// Head says what a reference is now, by one cheap request: digest and
	// media type. The digest is well formed.
	Head(ctx context.Context, on On, ref Ref) (Image, error)
	// Detail is Head with the manifest read: its digest computed from its
	// bytes, and the children of a list.
	Detail(ctx context.Context, on On, ref Ref) (Image, error)
	// Config reads the configuration of an image, by the digest that Detail gave.
	Config(ctx context.Context, on On, repo Repo, digest string) (Config, error)
}

// A Kind says whose move it is after a failure. Its text is the reason of an
// ImportSuccess condition.
type Kind string

const (
	NotFound      Kind = "NotFound"      // the author's: there is no such repository, tag or digest
	Unauthorized  Kind = "Unauthorized"  // the operator's: a credential is missing or wrong
	Forbidden     Kind = "Forbidden"     // the operator's: not allowed, by the registry or by us
	RateLimited   Kind = "RateLimited"   // time's
	Unreachable   Kind = "Unreachable"   // the network's
	TLS           Kind = "TLS"           // the operator's: certificates
	Invalid       Kind = "Invalid"       // the author's, or the registry's: what was said is not well formed
	InternalError Kind = "InternalError" // the registry's: 5xx and the rest
)

// Passing reports whether a failure of this kind may pass by itself and is
// worth asking again soon.
func (k Kind) Passing() bool {
	return k == RateLimited || k == Unreachable || k == TLS || k == InternalError
}

// An Error is a failed question. Message is short and stable: no addresses, ids or times
// that vary between two tries, no secret, no file name; it may be written into Git.
type Error struct {
	Kind       Kind
	Ref        string        // canonical reference or repository
	Message    string        // e.g. `no such tag (asked anonymously)`
	RetryAfter time.Duration // what the registry asked for; 0 when it did not
	Err        error         // the cause, for the log; may vary; redacted
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Ref, e.Message, e.Err)
	}
	return e.Ref + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }
