package gogit

import (
	"context"
	"errors"
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
	to   move   // what was asked for
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

// push moves a ref. It is a compare-and-swap on the server. For a ref that is deleted there
// is nothing to send, and one that is not there already is no error.
func (r *remote) push(ctx context.Context, m move, made *batch) error {
	c, err := r.line.open(ctx, receivePak)
	if err != nil {
		return &unsentError{err}
	}
	defer c.close()
	// Over ssh the whole greeting must be read to get at the report behind it.
	name := m.ref
	if m.old.IsZero() {
		name = "" // that it is not there is for the server to find out, not in a long list
	}
	g, err := greet(c, !c.greetingFirst(), name)
	if err != nil {
		return &unsentError{r.known(err)}
	}
	switch now := find(g.refs, m.ref); {
	case m.old.IsZero():
	case m.new.IsZero() && now.IsZero():
		return nil
	case now != m.old:
		return &unsentError{gitstore.ErrMoved}
	}
	var pack []byte
	if !m.new.IsZero() {
		if err := made.encode(); err != nil {
			return err
		}
		pack = made.pack
	}
	caps := agent
	wanted := []string{"report-status", "side-band-64k", "quiet"}
	if m.new.IsZero() {
		wanted = append(wanted, "delete-refs")
	}
	for _, cap := range wanted {
		if g.can(cap) {
			caps += " " + cap
		}
	}
	body := pkt(make([]byte, 0, len(pack)+512), "%s %s %s\x00 %s", m.old, m.new, m.ref, caps)
	body = append(append(body, flushPkt...), pack...)
	p, err := c.ask(body)
	if err != nil {
		return err
	}
	err = r.known(r.report(p, g))
	var refused *refusal
	if errors.As(err, &refused) {
		refused.to = m
	}
	return err
}

// An unsentError is a push that failed before anything was asked for: it
// cannot have landed.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// find is where a ref is, zero where it is not among them.
func find(refs []ref, name string) plumbing.Hash {
	for _, r := range refs {
		if r.name == name {
			return r.id
		}
	}
	return plumbing.ZeroHash
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
