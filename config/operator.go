package config

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath/towpath/imagestream"
)

// An Operator is what the operator's file says. It decides what may be reached
// and when, never what is written: two machines with different files write the
// same bytes. Secrets stand in files of their own, which it names.
type Operator struct {
	Repo        string       `yaml:"repo"`   // URL or path, without a password; empty: --repo says
	Branch      string       `yaml:"branch"` // default main
	Git         Git          `yaml:"git"`
	Forge       Forge        `yaml:"forge"`
	Credentials []Credential `yaml:"credentials" max:"500"`
	Docker      bool         `yaml:"docker-config"` // Docker's own logins, for what no credential is for
	Registries  []Registry   `yaml:"registries" max:"500"`
	Mirrors     []Mirror     `yaml:"mirrors" max:"100"`
	Allowed     []Area       `yaml:"allowed-registries" max:"500"` // nil: all
	Blocked     []Area       `yaml:"blocked-registries" max:"500"` // also where they are allowed
	Proxy       Proxy        `yaml:"proxy"`
	Registry    Served       `yaml:"registry"` // that towpath serves itself

	Listen Address `yaml:"listen"` // empty: no HTTP server
	Webhooks
	Notify    []Notify      `yaml:"notify" max:"20"`
	CacheDir  File          `yaml:"cache-dir"`                    // empty: in memory
	Poll      time.Duration `yaml:"poll" min:"1s" max:"24h"`      // 0: 30 s, local repositories 1 s
	Limits    Limits        `yaml:"limits"`                       //
	LogFormat string        `yaml:"log-format" oneof:"text json"` // default text
	LogLevel  string        `yaml:"log-level" oneof:"info debug warn error"`
}

// Webhooks say who may tell us to look, and where.
type Webhooks struct {
	HooksListen     Address    `yaml:"hooks-listen"` // empty: nobody may
	HooksURL        HooksURL   `yaml:"hooks-url"`
	Hooks           []Receiver `yaml:"hooks" max:"500"`
	TrustedProxies  []Network  `yaml:"trusted-proxies" max:"100"`
	ImportTokenFile File       `yaml:"import-token-file"` // empty: imports cannot be asked for
}

// A File is the name of a file or directory.
type File string

// Git says how the watched repository is reached.
type Git struct {
	At                Position
	TokenFile         File     `yaml:"token-file"`          // sent as the password
	TokenEnv          Variable `yaml:"token-env"`           // instead of TokenFile
	Username          string   `yaml:"username"`            // beside a token or password
	UsernameFile      File     `yaml:"username-file"`       // instead of Username
	PasswordFile      File     `yaml:"password-file"`       //
	SSHKeyFile        File     `yaml:"ssh-key-file"`        //
	SSHPassphraseFile File     `yaml:"ssh-passphrase-file"` // of the key
	KnownHostsFile    File     `yaml:"known-hosts-file"`    //
	CAFile            File     `yaml:"ca-file"`             // PEM, beside the system's
	Author            Author   `yaml:"author"`              // of towpath's commits
	SignOff           bool     `yaml:"sign-off"`            // a trailer in which the author says so
	Signing           Signing  `yaml:"signing"`
	Commits           string   `yaml:"commits" oneof:"git forge"` // who makes them: towpath, or GitHub, which signs them itself; default git
}

// Signing is the key that commits are signed with; without a format they are not.
type Signing struct {
	Format         string `yaml:"format" need:"true" oneof:"ssh openpgp"`
	KeyFile        File   `yaml:"key-file" need:"true"` // private
	PassphraseFile File   `yaml:"passphrase-file"`      // of the key
}

// An Author is who commits are by.
type Author struct {
	Name  personal `yaml:"name"`
	Email personal `yaml:"email"`
}

// A Credential is a file in Docker's config.json form, or a directory with such
// files for each namespace, and the limits of its use. Empty limits do not limit.
type Credential struct {
	At         Position
	File       File   `yaml:"file"`
	Directory  File   `yaml:"directory"` // instead of File
	Hosts      []Host `yaml:"hosts" max:"100"`
	Namespaces []Glob `yaml:"namespaces" max:"100"` // of the stream that asks
	Paths      []Glob `yaml:"paths" max:"100"`      // of the stream's file
}

// A Registry says how one registry host is treated.
type Registry struct {
	At                Position
	Host              Host    `yaml:"host" need:"true"`
	Insecure          bool    `yaml:"insecure"`                                   // plain HTTP or unverified TLS, where the tag allows it too
	CAFile            File    `yaml:"ca-file"`                                    // PEM
	ClientCertFile    File    `yaml:"client-cert-file"`                           // PEM, shown to this host alone
	ClientKeyFile     File    `yaml:"client-key-file"`                            // PEM, of the certificate
	Proxy             bool    `yaml:"proxy"`                                      // ask it through the proxy, although it is listed
	TokenHosts        []Host  `yaml:"token-hosts" max:"20"`                       // that may see its credential to issue tokens
	Concurrency       int     `yaml:"concurrency" min:"1" max:"256"`              // 0: the default
	RequestsPerSecond float64 `yaml:"requests-per-second" min:"0.01" max:"10000"` // 0: the default
}

// Limits bound what the daemon does to others.
type Limits struct {
	PushesPerHour int `yaml:"pushes-per-hour" min:"1" max:"3600"` // default 60
}

// DefaultOperator is what holds where no file says otherwise.
func DefaultOperator() *Operator {
	return &Operator{
		Branch:    "main",
		Docker:    true,
		Git:       Git{Author: Author{Name: "towpath", Email: "towpath@localhost"}, Commits: "git"},
		Limits:    Limits{PushesPerHour: 60},
		LogFormat: "text",
		LogLevel:  "info",
	}
}

// ParseOperator reads the operator's file; path is its name, for the problems.
// With problems there is no Operator. No problem holds text that may be a secret.
func ParseOperator(path string, src []byte) (*Operator, []imagestream.Problem) {
	o := DefaultOperator()
	d := decode(path, src, o)
	if len(d.problems) == 0 {
		d.checkGit(o)
		d.checkForge(o.Forge)
		d.checkCredentials(o.Credentials)
		d.checkRegistries(o.Registries)
		d.checkMirrors(o.Mirrors)
		d.checkLists(o)
		d.checkProxy(o.Proxy)
		d.checkHooks(o)
		d.checkNotify(o.Notify)
		d.checkServed(o.Registry)
	}
	if len(d.problems) > 0 {
		return nil, d.inOrder()
	}
	return o, nil
}

// checkGit says what contradicts itself in the way to the repository.
func (d *decoder) checkGit(o *Operator) {
	g := o.Git
	if hasUserinfo(o.Repo) {
		d.add(Position{1, 1}, "repo holds a user name or password", "take it out of the URL; write git.username, and put the password into a file that git.password-file names")
	}
	if g.TokenFile != "" && g.PasswordFile != "" {
		d.add(g.At, "git.token-file and git.password-file are both there", "remove one of the two")
	}
	if g.TokenEnv != "" && (g.TokenFile != "" || g.PasswordFile != "") {
		d.add(g.At, "git.token-env and a file with a token or password are both there", "remove one of the two")
	}
	if g.Username != "" && g.UsernameFile != "" {
		d.add(g.At, "git.username and git.username-file are both there", "remove one of the two")
	}
	if g.PasswordFile != "" && g.Username == "" && g.UsernameFile == "" {
		d.add(g.At, "git.password-file has no user name", "add git.username, or name the file as git.token-file")
	}
	if g.SSHPassphraseFile != "" && g.SSHKeyFile == "" {
		d.add(g.At, "git.ssh-passphrase-file has no key", "add git.ssh-key-file")
	}
	if g.Commits != "forge" {
		return
	}
	if g.Signing.Format != "" {
		d.add(g.At, "git.signing and git.commits: forge are both there", "remove git.signing, and the forge signs with its own key; or write commits: git")
	}
	if k := o.Forge.Kind; k != "" && k != "github" {
		d.add(g.At, "git.commits: forge is GitHub's, and forge.kind is "+k, "write commits: git; git.signing signs them")
	}
}

// hasUserinfo reports whether an http(s) URL holds a user name (which may well
// be a token), or any other URL a password.
func hasUserinfo(repo string) bool {
	scheme, rest, ok := strings.Cut(repo, "://")
	if !ok {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	i := strings.LastIndexByte(authority, '@')
	return i >= 0 && (strings.HasPrefix(strings.ToLower(scheme), "http") || strings.Contains(authority[:i], ":"))
}

// checkCredentials holds credentials apart by path. A namespace is only text
// that any author can write; what branch protection guards is the path.
func (d *decoder) checkCredentials(cs []Credential) {
	for _, c := range cs {
		switch {
		case c.File == "" && c.Directory == "":
			d.add(c.At, "the credential has neither file nor directory", "add a line with file:, or directory: for one of many namespaces")
		case c.File != "" && c.Directory != "":
			d.add(c.At, "the credential has a file and a directory", "write them as two credentials, each with its paths")
		case c.Directory != "":
			d.checkDirectory(c)
		case slices.ContainsFunc(c.Paths, func(g Glob) bool { return strings.Contains(g.text, namespaceWord) }):
			d.add(c.At, "{namespace} stands for something beside directory only", "write the paths out, or name a directory with a subdirectory for each namespace")
		case len(cs) > 1 && len(c.Paths) == 0:
			d.add(c.At, "the credential has no paths; with more than one credential each needs them", `write paths: ["team1/**"]: the files whose streams may use it`)
		}
	}
}

func (d *decoder) checkRegistries(rs []Registry) {
	seen := map[Host]bool{}
	for _, r := range rs {
		if seen[r.Host] {
			d.add(r.At, "registry "+string(r.Host)+" is there twice", "join the two entries")
		}
		seen[r.Host] = true
		if (r.ClientCertFile == "") != (r.ClientKeyFile == "") {
			d.add(r.At, "one of client-cert-file and client-key-file is missing", "name both, or none")
		}
	}
}

// In makes relative file names relative to a directory: that of the file which
// names them.
func (o *Operator) In(dir string) {
	g := &o.Git
	files := []*File{
		&o.CacheDir, &g.TokenFile, &g.UsernameFile, &g.PasswordFile,
		&g.SSHKeyFile, &g.SSHPassphraseFile, &g.KnownHostsFile, &g.CAFile,
		&g.Signing.KeyFile, &g.Signing.PassphraseFile,
		&o.Forge.TokenFile, &o.Forge.App.KeyFile, &o.Forge.CAFile,
		&o.Proxy.UsernameFile, &o.Proxy.PasswordFile,
		&o.ImportTokenFile,
	}
	for i := range o.Credentials {
		files = append(files, &o.Credentials[i].File, &o.Credentials[i].Directory)
	}
	for i := range o.Registries {
		r := &o.Registries[i]
		files = append(files, &r.CAFile, &r.ClientCertFile, &r.ClientKeyFile)
	}
	for i := range o.Hooks {
		h := &o.Hooks[i]
		files = append(files, &h.PathTokenFile)
		for j := range h.SecretFiles {
			files = append(files, &h.SecretFiles[j])
		}
	}
	for i := range o.Notify {
		n := &o.Notify[i]
		files = append(files, &n.URLFile, &n.SecretFile, &n.TokenFile, &n.CAFile)
	}
	files = append(files, o.Registry.files()...)
	o.Registry.StorageDriver.in(dir)
	for _, f := range files {
		if *f != "" && !filepath.IsAbs(string(*f)) {
			*f = File(filepath.Join(dir, string(*f)))
		}
	}
}

// A Host is a registry as credentials and limits name it: lower case, with a
// port where it is not 443, an IPv6 address in its shortest form, so that one host
// has one name. docker.io is Docker Hub.
type Host string

func (h *Host) set(text string) error {
	bare := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://"), "/")
	bare = strings.ToLower(bare)
	canonical := oneName(bare)
	switch canonical {
	case "index.docker.io", "registry-1.docker.io", "index.docker.io/v1":
		return &wrong{"is a name of Docker Hub that nothing else uses", "write docker.io"}
	}
	if !isHost(bare) {
		return &wrong{"is not a registry host", "write a name such as quay.io or 127.0.0.1:5000, without scheme, user or path"}
	}
	if bare != text {
		return &wrong{"is not a registry host alone", "write " + bare}
	}
	*h = Host(canonical)
	return nil
}

// oneName is what all spellings of a host have in common, as registry.ParseHost has
// it.
func oneName(host string) string {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i:]
	}
	if port == ":443" && (strings.ContainsAny(name, ".[") || name == "localhost") {
		port = ""
	}
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && strings.HasPrefix(name, "[") {
		name = "[" + addr.String() + "]"
	}
	return name + port
}

// isHost reports whether text is name, name:port, address:port or
// [IPv6]:port, all lower case.
func isHost(text string) bool {
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
		if !isPort(port) || port == "0" {
			return false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		return closed && strings.Contains(inner, ":") && strings.Trim(inner, "0123456789abcdef:.") == ""
	}
	for _, part := range strings.Split(host, ".") {
		if (*label)(new(string)).set(part) != nil || part == "" {
			return false
		}
	}
	return true
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n <= 65535 && !strings.HasPrefix(s, "+")
}

// An Address is host:port to listen on; without a host, on all.
type Address string

func (a *Address) set(text string) error {
	host, port := "", text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, port = text[:i], text[i+1:]
	} else {
		return &wrong{"is not an address", "write host:port, such as 127.0.0.1:8080 or :8080"}
	}
	if !isPort(port) || host != "" && !isHost(host) {
		return &wrong{"is not an address", "write host:port, such as 127.0.0.1:8080 or :8080"}
	}
	*a = Address(text)
	return nil
}

// A personal is the name or e-mail address of an author.
type personal string

func (p *personal) set(text string) error {
	if strings.ContainsAny(text, "<>") || len(text) > 200 || strings.TrimSpace(text) != text {
		return &wrong{"cannot stand in a commit", "write it without < and >, and without spaces around it"}
	}
	*p = personal(text)
	return nil
}
