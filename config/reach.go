package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// A Mirror is where copies of some repositories are read first.
type Mirror struct {
	Where    Position
	Prefix   Prefix   `yaml:"prefix" need:"true"`      // of the repositories; the longest counts
	At       []Prefix `yaml:"at" need:"true" max:"10"` // in order; the rest of the path is appended
	Upstream *bool    `yaml:"upstream"`                // false: the registry itself is never asked
}

// Only reports whether the registry itself is never asked.
func (m Mirror) Only() bool { return m.Upstream != nil && !*m.Upstream }

// A Proxy stands between towpath and the registries that are not listed.
type Proxy struct {
	At           Position
	URL          ProxyURL `yaml:"url" need:"true"`
	NoProxy      []Bypass `yaml:"no-proxy" max:"100"`
	UsernameFile File     `yaml:"username-file"`
	PasswordFile File     `yaml:"password-file"`
}

// namespaceWord stands for the namespace in the paths of a directory.
const namespaceWord = "{namespace}"

// checkDirectory sees to it that each path of a directory names the namespace,
// and in one place: an author who may write a/team1/ must not become team2 by
// writing a/team1/team2/.
func (d *decoder) checkDirectory(c Credential) {
	const fix = `write paths: ["tenants/{namespace}/**"]`
	if len(c.Paths) == 0 {
		d.add(c.At, "the credential has a directory and no paths, so any author could speak for any namespace", fix)
	}
	for _, p := range c.Paths {
		before, _, found := strings.Cut("/"+p.text+"/", "/"+namespaceWord+"/")
		switch {
		case !found:
			d.add(c.At, "a path of the credential has no part {namespace}, so any author could speak for any namespace", fix)
		case strings.ContainsAny(before, `*?[{\`):
			d.add(c.At, "a path of the credential has a wildcard before {namespace}, so an author could speak for others in a directory of their name", fix)
		}
	}
}

// checkMirrors says which mirrors stand for nothing, or for each other.
func (d *decoder) checkMirrors(ms []Mirror) {
	seen := map[Prefix]bool{}
	for _, m := range ms {
		switch {
		case seen[m.Prefix]:
			d.add(m.Where, "mirrors of "+string(m.Prefix)+" are there twice", "join the two entries: the mirrors under at are asked in order")
		case len(m.At) == 0:
			d.add(m.Where, "the entry names no mirrors", "name them: at: [mirror.example.com/hub]")
		case slices.Contains(m.At, m.Prefix):
			d.add(m.Where, string(m.Prefix)+" mirrors itself", "name another place under at; the registry itself is asked last anyway")
		}
		seen[m.Prefix] = true
	}
}

// checkLists refuses a list that would lock everybody out by being empty.
func (d *decoder) checkLists(o *Operator) {
	for key, list := range map[string][]Area{"allowed-registries": o.Allowed, "blocked-registries": o.Blocked} {
		if list != nil && len(list) == 0 {
			d.add(Position{1, 1}, key+" is empty", "name registries, or remove the line")
		}
	}
}

func (d *decoder) checkProxy(p Proxy) {
	if (p.UsernameFile == "") != (p.PasswordFile == "") {
		d.add(p.At, "one of proxy.username-file and proxy.password-file is missing", "name both, or none")
	}
}

// A Prefix is a registry, or the repositories of one below a path, in whole
// parts.
type Prefix string

var repositoryPath = regexp.MustCompile(`^` + aPath + `$`)

func (p *Prefix) set(text string) error {
	written, path, slash := strings.Cut(text, "/")
	var host Host
	if err := host.set(written); err != nil {
		return &wrong{"is not a registry, or the path of repositories in one", "write HOST or HOST/PATH in lower case, such as quay.io/team1; Docker Hub is docker.io"}
	}
	if slash && !repositoryPath.MatchString(path) {
		return &wrong{"is not the path of repositories in a registry", "write HOST/PATH in lower case, in whole parts and without a slash at its end, such as quay.io/team1"}
	}
	*p = Prefix(host)
	if slash {
		*p += Prefix("/" + path)
	}
	return nil
}

// An Area is a Prefix, or all hosts below a domain: *.example.com.
type Area string

func (a *Area) set(text string) error {
	rest, below := strings.CutPrefix(text, "*.")
	var p Prefix
	if err := p.set(rest); err != nil {
		return &wrong{"is not a registry", "write HOST, HOST/PATH or *.DOMAIN in lower case, such as quay.io, quay.io/team1 or *.example.com; Docker Hub is docker.io"}
	}
	*a = Area(p)
	if below {
		*a = "*." + *a
	}
	return nil
}

// A ProxyURL is where a proxy listens. It holds no user and no password.
type ProxyURL string

func (p *ProxyURL) set(text string) error {
	scheme, rest, _ := strings.Cut(text, "://")
	switch {
	case strings.Contains(rest, "@"):
		return &wrong{"holds a user name or password", "take it out; put both into files that proxy.username-file and proxy.password-file name"}
	case !slices.Contains([]string{"http", "https", "socks5"}, scheme) || !isHost(rest):
		return &wrong{"is not the URL of a proxy", "write http://HOST:PORT (or https, or socks5) in lower case, without a path, such as http://proxy.example.com:3128"}
	}
	*p = ProxyURL(text)
	return nil
}

// A Bypass is what is asked without the proxy: a host and all below it, a domain
// .example.com without that host itself, an address, or a range of addresses. A host
// or an address may have a port.
type Bypass string

func (b *Bypass) set(text string) error {
	_, notRange := netip.ParsePrefix(text)
	_, notAddr := netip.ParseAddr(text)
	if notRange != nil && notAddr != nil && !isHost(strings.TrimPrefix(text, ".")) {
		return &wrong{"is not what can be asked without a proxy", "write a host, .DOMAIN, an address or a range such as 10.0.0.0/8, in lower case"}
	}
	*b = Bypass(text)
	return nil
}
