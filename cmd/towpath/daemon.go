package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// told is what a daemon said of itself.
type told struct {
	address string
	web.Report
	// current says that it stands at the commit that was read here. Where it does not, it
	// may even watch another repository, and what it says of tags is not used.
	current bool
	tags    map[string]web.Tag // by tag; by stream the list of its repository
	settles map[string]web.Settling
}

// checkServer refuses a --server that cannot be asked. The flag is the one of towpath run at
// whose address such things are answered.
func checkServer(server, flag string) error {
	if server == "" {
		return nil
	}
	if _, ok := serverURL(server); !ok {
		return usage("%w", hint{fmt.Errorf("--server is no address of a daemon"), "write http://HOST:PORT, as towpath run " + flag + " HOST:PORT serves it, without a user"})
	}
	return nil
}

// checkTokenServer is checkServer of a daemon that is sent its token: by https, or on this machine.
func checkTokenServer(server string) error {
	if err := checkServer(server, "--hooks-listen"); err != nil {
		return err
	}
	if u, _ := serverURL(server); isOpen(u) {
		return usage("%w", hint{fmt.Errorf("--server is plain http, which would show the token to everybody on the way"),
			"write https://HOST, where a proxy speaks TLS before --hooks-listen, or ask on the machine of the daemon: --server " + onThisMachine(u)})
	}
	return nil
}

// serverURL is an address of a daemon; false where it is none.
func serverURL(server string) (*url.URL, bool) {
	u, err := url.Parse(server)
	ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
	return u, ok
}

// isOpen reports whether others on the way can read what is sent.
func isOpen(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && !strings.EqualFold(u.Hostname(), "localhost") && (err != nil || !addr.Unmap().IsLoopback())
}

// onThisMachine is where a server is asked by who sits at it.
func onThisMachine(u *url.URL) string {
	return "http://127.0.0.1:" + cmp.Or(u.Port(), "PORT")
}

// ask asks the daemon that server names, or that listens on this machine as the
// operator's config says, about the streams that are named. The error says that
// the one that was named does not answer; that no other runs is none.
func ask(ctx context.Context, server, listen string, targets []imagestream.TagRef, rev gitstore.Rev) (*told, error) {
	address := server
	if address == "" {
		address = loopback(listen)
	}
	if address == "" {
		return nil, nil
	}
	var streams []string
	for _, t := range targets {
		streams = append(streams, t.Stream.String())
	}
	report, err := web.Ask(ctx, address, streams...)
	switch {
	case err != nil && server == "":
		return nil, nil
	case err != nil:
		return nil, hint{fmt.Errorf("the daemon at %s was not heard: %w", server, err), "name the address that its log says it serves, or leave --server out"}
	}
	return newTold(address, report, rev), nil
}

// newTold sorts what a daemon said, for people who look at a commit.
func newTold(address string, report web.Report, rev gitstore.Rev) *told {
	t := &told{address: address, Report: report, current: report.Revision == string(rev), tags: map[string]web.Tag{}, settles: map[string]web.Settling{}}
	if !t.current {
		return t
	}
	for _, tag := range report.Tags {
		t.tags[tag.Tag] = tag
	}
	for _, w := range report.Settling {
		t.settles[w.Tag] = w
	}
	return t
}

// loopback is where a daemon that listens on an address can be asked on this
// machine; empty where it cannot.
func loopback(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	} else if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	return "http://" + net.JoinHostPort(host, port)
}

// of is what the daemon said of a tag, or of the repository that it comes from.
func (t *told) of(v reconcile.TagView) (web.Tag, bool) {
	if t == nil {
		return web.Tag{}, false
	}
	name := v.Tag.String()
	if v.Spec == nil {
		name = v.Tag.Stream.String()
	}
	tag, ok := t.tags[name]
	return tag, ok
}

// settling is what must stand before it is recorded, nil where nothing must.
func (t *told) settling(v reconcile.TagView) *web.Settling {
	if t == nil {
		return nil
	}
	if w, ok := t.settles[v.Tag.String()]; ok {
		return &w
	}
	return nil
}

// unrecorded is a failure that the daemon met and that is not on record.
func (s *survey) unrecorded(v reconcile.TagView) *web.Failure {
	if tag, ok := s.told.of(v); ok && v.Spec != nil && v.Failure == nil {
		return tag.Failure
	}
	return nil
}

// unlisted is why the daemon could not import a stream's repository, nil where
// it could.
func (s *survey) unlisted(stream imagestream.Name) *web.Failure {
	if s.told == nil {
		return nil
	}
	return s.told.tags[stream.String()].Failure
}

// line is the daemon in a line.
func (t *told) line(now time.Time) string {
	line := fmt.Sprintf("daemon: %s was at %s %s", t.address, gitstore.Rev(printable(t.Revision)).Short(), ago(t.At, now))
	if !t.current {
		line += ", another commit than this: when it asks is left out"
	}
	if t.Error != "" {
		line += "; its last pass failed: " + printable(t.Error)
	}
	if t.Waits != "" {
		line += "; not written yet: " + printable(t.Waits)
		if t.WritesAfter.After(now) {
			line += ", again " + ago(t.WritesAfter, now)
		}
	}
	return line
}
