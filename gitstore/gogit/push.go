package gogit

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A refusal is a server's no to a push that it has understood.
type refusal struct {
	why  string // the server's status line
	said string // what its hooks say
}

func (e *refusal) Error() string {
	if e.said == "" {
		return e.why
	}
	return e.why + ": " + e.said
}

// locked tells a ref that is held for a moment from one that is protected.
func (e *refusal) locked() bool {
	return strings.Contains(e.why, "lock") && !strings.Contains(e.why, "hook") || strings.Contains(e.why, "failed to update ref")
}

// push moves a ref from old to new. It is a compare-and-swap on the server.
func (r *remote) push(ctx context.Context, name string, old, new plumbing.Hash, made *batch) error {
	c, err := r.line.open(ctx, receivePak)
	if err != nil {
		return &unsentError{err}
	}
	defer c.close()
	// Over ssh the whole greeting must be read to get at the report behind it.
	g, err := greet(c, !c.greetingFirst(), name)
	if err != nil {
		return &unsentError{r.known(err)}
	}
	if !pointsTo(g.refs, name, old) {
		return &unsentError{gitstore.ErrMoved}
	}
	if err := made.encode(); err != nil {
		return err
	}
	caps := agent
	for _, cap := range []string{"report-status", "side-band-64k", "quiet"} {
		if g.can(cap) {
			caps += " " + cap
		}
	}
	body := pkt(make([]byte, 0, len(made.pack)+512), "%s %s %s\x00 %s", old, new, name, caps)
	body = append(append(body, flushPkt...), made.pack...)
	p, err := c.ask(body)
	if err != nil {
		return err
	}
	return r.known(r.report(p, g))
}

// An unsentError is a push that failed before anything was asked for: it
// cannot have landed.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

func pointsTo(refs []ref, name string, id plumbing.Hash) bool {
	for _, r := range refs {
		if r.name == name {
			return r.id == id
		}
	}
	return false
}

// report reads how the push ended. What the server says beside its report goes
// into the refusal; a server that makes no report has ended too early.
func (r *remote) report(p *pktReader, g greeting) error {
	said := &words{}
	if g.can("side-band-64k") {
		p = newPktReader(&band{p: p, said: said})
	}
	unpack, kind, err := p.line()
	if err != nil {
		return r.unreported(err, said)
	}
	if kind != pktData || unpack != "unpack ok" {
		return &refusal{why: r.tidy(unpack), said: r.tidy(string(said.b))}
	}
	status, _, err := p.line()
	if err != nil {
		return r.unreported(err, said)
	}
	if _, why, ng := strings.Cut(strings.TrimPrefix(status, "ng "), " "); strings.HasPrefix(status, "ng ") && ng {
		skipToFlush(p) // what the hooks say may come later
		return &refusal{why: r.tidy(why), said: r.tidy(string(said.b))}
	}
	if !strings.HasPrefix(status, "ok ") {
		return fmt.Errorf("%w: %.80q instead of a report", errProtocol, status)
	}
	return nil
}

// unreported is an answer that broke off; the server's words may say why.
func (r *remote) unreported(err error, said *words) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if text := r.tidy(string(said.b)); text != "" {
		return fmt.Errorf("%w (the server said: %s)", err, text)
	}
	return err
}

// tidy makes a server's words fit to be shown.
func (r *remote) tidy(text string) string { return oneLine(r.line.redact(text)) }
