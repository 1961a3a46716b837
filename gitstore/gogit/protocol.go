package gogit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// A remote is a repository behind a line.
type remote struct {
	line   line
	limits Limits
	// version is the protocol that the server speaks for fetching: 2, 1 for
	// all older ones, 0 as long as nobody asked.
	version int
	filter  filtering
}

// A ref is a line of a server's list.
type ref struct {
	name   string
	id     plumbing.Hash
	target string // of a symbolic ref, where the server says it
}

// errSHA256 says that the repository's ids are of the other kind.
var errSHA256 = errors.New("the repository uses SHA-256 ids")

// A greeting is a server's first word.
type greeting struct {
	version int
	caps    map[string]string
	refs    []ref // of version 1: those with a wanted prefix
}

func (g greeting) can(name string) bool { _, ok := g.caps[name]; return ok }

// list returns the refs with one of the prefixes. Over http with version 2 it
// is a single small request, however many refs there are.
func (r *remote) list(ctx context.Context, prefixes ...string) ([]ref, error) {
	c, err := r.line.open(ctx, uploadPack)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if !c.greetingFirst() && r.version != 1 {
		refs, err := r.askRefs(c, prefixes)
		if err == nil {
			r.version = 2
			return refs, nil
		}
		if r.version == 2 || !perhapsOld(err) {
			return nil, r.known(err)
		}
	}
	g, err := greet(c, false, prefixes...)
	if err != nil {
		return nil, r.known(err)
	}
	r.version = g.version
	if g.version == 2 {
		refs, err := r.askRefs(c, prefixes)
		return refs, r.known(err)
	}
	return g.refs, nil
}

// errGarbled is nonsense from a server that has spoken Git before.
var errGarbled = errors.New("the answer is broken")

func (r *remote) known(err error) error {
	if r.version != 0 && errors.Is(err, errProtocol) {
		return fmt.Errorf("%w: %w", errGarbled, err)
	}
	return err
}

// perhapsOld tells whether an answer to a request of version 2 may come from a
// server that knows only older ones, or from one that moved the repository.
func perhapsOld(err error) bool {
	var status *httpError
	if errors.As(err, &status) {
		switch status.status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return false
		}
		return true
	}
	var said *serverError
	var other *notGitError
	return errors.As(err, &said) || errors.As(err, &other) || errors.Is(err, errProtocol)
}

// greet reads a greeting. With enough, it stops at the first wanted ref of an
// older one: lists can be long, and what the server can do comes first.
func greet(c conversation, enough bool, prefixes ...string) (greeting, error) {
	p, err := c.greeting()
	if err != nil {
		return greeting{}, err
	}
	g := greeting{version: 1, caps: map[string]string{}}
	for first := true; ; first = false {
		line, kind, err := p.line()
		switch {
		case err == io.EOF && first:
			return g, fmt.Errorf("%w: nothing was said", errProtocol)
		case err != nil:
			return g, noEOF(err)
		case kind == pktFlush:
			return g, g.check()
		case line == "version 2" && first:
			g.version = 2
		case line == "version 1" && first:
		case g.version == 2:
			name, value, _ := strings.Cut(line, "=")
			g.caps[name] = value
		default:
			if err := g.ref(line, prefixes); err != nil {
				return g, err
			}
			if enough && len(g.refs) > 0 {
				return g, g.check()
			}
		}
	}
}

// ref takes a line of an older greeting: an id and a name, and on the first
// line what the server can do.
func (g *greeting) ref(line string, prefixes []string) error {
	line, caps, _ := strings.Cut(line, "\x00")
	for c := range strings.FieldsSeq(caps) {
		name, value, _ := strings.Cut(c, "=")
		if name != "symref" {
			g.caps[name] = value
		}
	}
	id, name, _ := strings.Cut(line, " ")
	switch {
	case id == "shallow":
		return nil
	case len(id) == 64:
		return errSHA256
	case !plumbing.IsHash(id):
		return fmt.Errorf("%w: a list of refs holds %.80q", errProtocol, line)
	case hasPrefix(name, prefixes):
		g.refs = append(g.refs, ref{name: name, id: plumbing.NewHash(id)})
	}
	return nil
}

func (g greeting) check() error {
	if format := g.caps["object-format"]; format != "" && format != "sha1" {
		return errSHA256
	}
	return nil
}

func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// askRefs is version 2's ls-refs.
func (r *remote) askRefs(c conversation, prefixes []string) ([]ref, error) {
	body := pkt(nil, "command=ls-refs\n")
	body = pkt(body, agent)
	body = append(body, delimPkt...)
	body = pkt(body, "symrefs\n")
	for _, prefix := range prefixes {
		body = pkt(body, "ref-prefix %s\n", prefix)
	}
	p, err := c.ask(append(body, flushPkt...))
	if err != nil {
		return nil, err
	}
	var refs []ref
	for left := r.limits.Refs; ; {
		line, kind, err := p.line()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: the list of refs has no end", errProtocol)
		}
		if err != nil {
			return nil, err
		}
		if kind == pktFlush {
			return refs, nil
		}
		if left -= int64(len(line)); left < 0 {
			return nil, fmt.Errorf("the list of refs is too long: %w", errLimit)
		}
		one, err := refLine(line)
		if err != nil {
			return nil, err
		}
		if hasPrefix(one.name, prefixes) { // a server may send more
			refs = append(refs, one)
		}
	}
}

func refLine(line string) (ref, error) {
	id, rest, _ := strings.Cut(line, " ")
	name, attributes, _ := strings.Cut(rest, " ")
	if !plumbing.IsHash(id) || name == "" {
		return ref{}, fmt.Errorf("%w: a list of refs holds %.80q", errProtocol, line)
	}
	r := ref{name: name, id: plumbing.NewHash(id)}
	for a := range strings.FieldsSeq(attributes) {
		if target, ok := strings.CutPrefix(a, "symref-target:"); ok {
			r.target = target
		}
	}
	return r, nil
}
