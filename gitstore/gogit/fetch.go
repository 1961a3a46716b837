package gogit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// A request is what to fetch: as many commits as depth says from want on, or,
// where depth is 0, all that are not below a have. A have is there already
// with its tree but perhaps without its parents, which is what the server is
// told. Below such a have it would send everything again: what the trees hold it
// leaves out.
type request struct {
	want   plumbing.Hash
	have   []plumbing.Hash
	trees  []plumbing.Hash
	depth  int
	limits Limits
}

// fetch brings commits into the objects, and of their files those that are not too large
// to be read, where the server can tell them apart.
func (r *remote) fetch(ctx context.Context, o *objects, req request) error {
	err := r.fetchOnce(ctx, o, req)
	if err == nil {
		return nil
	}
	var said *serverError
	if r.filter == offered && errors.As(err, &said) {
		r.filter = refused
		if r.fetchOnce(ctx, o, req) == nil {
			return nil
		}
	}
	r.filter = unasked // whatever failed, the server may have changed
	return err
}

// filtering is what is known of a server's filter of files.
type filtering int

const (
	unasked filtering = iota
	offered
	absent
	refused // although it was offered, which a server's config can do
)

// learn takes what a greeting says of filters.
func (r *remote) learn(g greeting) {
	can := g.can("filter")
	if g.version == 2 {
		can = slices.Contains(strings.Fields(g.caps["fetch"]), "filter")
	}
	switch {
	case r.filter == refused:
	case can:
		r.filter = offered
	default:
		r.filter = absent
	}
}

func (r *remote) fetchOnce(ctx context.Context, o *objects, req request) error {
	c, err := r.line.open(ctx, uploadPack)
	if err != nil {
		return err
	}
	defer c.close()
	if r.version != 2 {
		return r.known(r.fetchOld(ctx, c, o, req))
	}
	if c.greetingFirst() || r.filter == unasked {
		g, err := greet(c, !c.greetingFirst(), "")
		if err != nil {
			return r.known(err)
		}
		r.learn(g)
	}
	return r.known(r.fetchV2(ctx, c, o, req))
}

// filter leaves out the files that are too large to be read.
const filter = "filter blob:limit=%d\n"

func (r *remote) fetchV2(ctx context.Context, c conversation, o *objects, req request) error {
	body := pkt(nil, "command=fetch")
	body = pkt(body, agent)
	body = append(body, delimPkt...)
	body = pkt(body, "ofs-delta")
	body = pkt(body, "no-progress")
	for _, h := range req.have {
		body = pkt(body, "shallow %s\n", h)
	}
	if req.depth > 0 {
		body = pkt(body, "deepen %d\n", req.depth)
	}
	if r.filter == offered {
		body = pkt(body, filter, req.limits.Blob+1)
	}
	body = pkt(body, "want %s\n", req.want)
	for _, h := range slices.Concat(req.have, req.trees) {
		body = pkt(body, "have %s\n", h)
	}
	body = pkt(body, "done\n")
	p, err := c.ask(append(body, flushPkt...))
	if err != nil {
		return err
	}
	// Sections come before the pack; none of them says what is not known here.
	for {
		line, _, err := p.line()
		if err != nil {
			return noEOF(err)
		}
		if line == "packfile" {
			c.hurry()
			return o.receive(ctx, &band{p: p, said: &words{}}, req.limits, r.filter == offered)
		}
	}
}

// fetchOld is the protocol before version 2: the whole list of refs first.
func (r *remote) fetchOld(ctx context.Context, c conversation, o *objects, req request) error {
	g, err := greet(c, false)
	if err != nil {
		return err
	}
	r.learn(g)
	shallow := g.can("shallow")
	sideband := "side-band-64k"
	if !g.can(sideband) {
		sideband = ""
	}
	caps := slices.DeleteFunc([]string{sideband, "ofs-delta", "no-progress"}, func(c string) bool { return !g.can(c) })
	if r.filter == offered {
		caps = append(caps, "filter")
	}
	body := pkt(nil, "want %s %s %s\n", req.want, strings.Join(caps, " "), agent)
	if shallow {
		for _, h := range req.have {
			body = pkt(body, "shallow %s\n", h)
		}
		if req.depth > 0 {
			body = pkt(body, "deepen %d\n", req.depth)
		}
	}
	if r.filter == offered {
		body = pkt(body, filter, req.limits.Blob+1)
	}
	body = append(body, flushPkt...)
	if shallow { // without, a have would promise history that is not there
		for _, h := range slices.Concat(req.have, req.trees) {
			body = pkt(body, "have %s\n", h)
		}
	}
	p, err := c.ask(pkt(body, "done\n"))
	if err != nil {
		return err
	}
	if shallow && req.depth > 0 {
		if err := skipToFlush(p); err != nil {
			return err
		}
	}
	if err := skipAcks(p); err != nil {
		return err
	}
	c.hurry()
	if sideband == "" {
		return o.receive(ctx, p.r, req.limits, r.filter == offered)
	}
	return o.receive(ctx, &band{p: p, said: &words{}}, req.limits, r.filter == offered)
}

func skipToFlush(p *pktReader) error {
	for {
		_, kind, err := p.next()
		if err != nil {
			return noEOF(err)
		}
		if kind == pktFlush {
			return nil
		}
	}
}

// skipAcks reads what the server says of the haves: some say it twice.
func skipAcks(p *pktReader) error {
	for {
		line, _, err := p.line()
		if err != nil {
			return noEOF(err)
		}
		if line != "NAK" && !strings.HasPrefix(line, "ACK ") {
			return fmt.Errorf("%w: %.80q instead of a pack", errProtocol, line)
		}
		ahead, err := p.r.Peek(8)
		if err != nil {
			return noEOF(err)
		}
		if word := string(ahead[4:7]); word != "NAK" && word != "ACK" {
			return nil
		}
	}
}
