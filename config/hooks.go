package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A Receiver is one address of ours that one registry or forge posts to.
type Receiver struct {
	At            Position
	Name          HookName  `yaml:"name" need:"true"`
	Kind          HookKind  `yaml:"kind" need:"true"`
	PathTokenFile File      `yaml:"path-token-file" need:"true"`
	SecretFiles   []File    `yaml:"secret-files" max:"2"` // two while one is rotated
	Host          Host      `yaml:"host"`
	Namespaces    []Glob    `yaml:"namespaces" max:"100"` // of the streams that it may wake
	Paths         []Glob    `yaml:"paths" max:"100"`      // of the files of the streams that it may wake
	From          []Network `yaml:"from" max:"100"`       // who may post; empty: anybody
	Branch        string    `yaml:"branch"`
	Audience      string    `yaml:"audience"` // of the sender's identity token
	Issuer        Issuer    `yaml:"issuer"`
	Email         string    `yaml:"email"`
}

// checkHooks says what contradicts itself in who may post.
func (d *decoder) checkHooks(o *Operator) {
	if port := string(o.Listen[strings.LastIndexByte(string(o.Listen), ':')+1:]); o.HooksListen != "" && o.HooksListen == o.Listen && port != "0" {
		d.add(Position{1, 1}, "listen and hooks-listen are the same address", "give each a port of its own: strangers reach hooks-listen, and nobody but you listen")
	}
	names := map[HookName]bool{}
	for _, r := range o.Hooks {
		if names[r.Name] {
			d.add(r.At, "hook "+string(r.Name)+" is there twice", "give each a name of its own")
		}
		names[r.Name] = true
		if slices.ContainsFunc(r.Paths, func(g Glob) bool { return strings.Contains(g.text, namespaceWord) }) {
			d.add(r.At, "{namespace} stands for nothing here", "write the paths out")
		}
		if r.Audience == "" && (r.Issuer != "" || r.Email != "") {
			d.add(r.At, "the hook has no audience; whoever has any token of that issuer could post", "add a line with audience:, and configure the same at the sender")
		}
	}
}

// A HookName is what logs call a receiver.
type HookName string

// A HookKind says how a sender signs and words what it posts. Which there are is known
// where they are read.
type HookKind string

var (
	hookName = regexp.MustCompile(aHookName)
	hookKind = regexp.MustCompile(aHookKind)
)

const (
	aHookName = `^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`
	aHookKind = `^[a-z][a-z0-9-]{0,30}$`
)

func (h *HookName) set(text string) error {
	if !hookName.MatchString(text) {
		return &wrong{"is not a name", "write letters, digits and - . _ alone, such as quay-team1"}
	}
	*h = HookName(text)
	return nil
}

func (k *HookKind) set(text string) error {
	if !hookKind.MatchString(text) {
		return &wrong{"is not a kind of hook", "write one such as quay, harbor, generic or github; docs/webhooks.md has them all"}
	}
	*k = HookKind(text)
	return nil
}

// A Network is an address or a range of them, in its shortest form.
type Network netip.Prefix

func (n *Network) set(text string) error {
	p, err := netip.ParsePrefix(text)
	if addr, e := netip.ParseAddr(text); e == nil && addr.Zone() == "" {
		p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil || p.Addr().Is4In6():
		return &wrong{"is no address and no range", "write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"}
	case p != p.Masked():
		return &wrong{"has bits behind its range", "write " + p.Masked().String()}
	}
	*n = Network(p)
	return nil
}

// Prefix is the range as net/netip has it.
func (n Network) Prefix() netip.Prefix { return netip.Prefix(n) }

// An Issuer is who issues identity tokens, by its URL.
type Issuer string

func (i *Issuer) set(text string) error {
	const fix = "write https://HOST, or https://HOST/PATH, as the issuer calls itself in its tokens"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || !hookURL.MatchString(text):
		return &wrong{"is not the URL of an issuer", fix}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return &wrong{"is plain http: its keys could be changed on the way", "write https:// instead"}
	}
	*i = Issuer(text)
	return nil
}

// A HooksURL is how senders reach us.
type HooksURL string

func (h *HooksURL) set(text string) error {
	if u, err := url.Parse(text); err != nil || u.Hostname() == "" || !hookURL.MatchString(text) {
		return &wrong{"is not a URL", "write https://HOST, or https://HOST:PORT/PATH, as senders reach hooks-listen, without a user and without a query"}
	}
	*h = HooksURL(strings.TrimSuffix(text, "/"))
	return nil
}

var hookURL = regexp.MustCompile(aHookURL)

const aHookURL = `^https?://[A-Za-z0-9.:\[\]_-]+(?:/[A-Za-z0-9._~/-]*)?$`
