package registry

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Hub is the canonical host of Docker Hub. It is a name to compare by; what
// answers there is registry-1.docker.io.
const Hub = "docker.io"

// hubNames are the hosts that are Docker Hub, too. Nothing else is: a host is
// never guessed to belong to another by its domain.
var hubNames = map[string]string{
	"index.docker.io":      Hub,
	"registry-1.docker.io": Hub,
}

// hexLength is how many hex digits a digest of each algorithm has.
var hexLength = map[string]int{"sha256": 64, "sha512": 128}

const (
	maxName  = 255 // of host and path, as registries have it
	maxTag   = 128
	maxLabel = 63 // of a DNS name
)

// A SyntaxError is a reference that cannot be read. It quotes the part that is
// wrong, never more: what stands before an @ may be a password.
type SyntaxError struct {
	What string // what is wrong
	Fix  string // what to write
}

func (e *SyntaxError) Error() string { return e.What + "; " + e.Fix }

// ParseRef reads a reference as OpenShift does, and fills in what Docker
// clients fill in before they dial: docker.io where there is no registry,
// library/ on Docker Hub, latest where there is neither tag nor digest.
//
//	redis                  docker.io/library/redis:latest
//	team1/web:1.4          docker.io/team1/web:1.4
//	Quay.io/a/b/c@sha256:… quay.io/a/b/c@sha256:…
//	localhost:5000/web     localhost:5000/web:latest
//	foo.bar                an error: a dot makes it a registry without a repository
//
// The error is a *SyntaxError.
func ParseRef(written string) (Ref, error) {
	p, err := parse(written)
	if err != nil {
		return Ref{}, err
	}
	ref := Ref{Repo: p.repo, Tag: p.tag, Digest: p.digest}
	if !p.hasTag && !p.hasDigest {
		ref.Tag = "latest"
	}
	return ref, nil
}

// ParseRepo reads the name of a repository, which has neither tag nor digest.
// The error is a *SyntaxError.
func ParseRepo(written string) (Repo, error) {
	p, err := parse(written)
	switch {
	case err != nil:
		return Repo{}, err
	case p.hasDigest:
		return Repo{}, syntaxf("write "+p.name, "a repository has no digest, here %q", "@"+p.digest)
	case p.hasTag:
		return Repo{}, syntaxf("write "+p.name, "a repository has no tag, here %q", ":"+p.tag)
	}
	return p.repo, nil
}

// IsCanonical reports whether ParseRef makes this of the reference's text: nothing
// is missing, and nothing would be read otherwise.
func (r Ref) IsCanonical() bool {
	return r.Repo.IsCanonical() && (r.Tag != "" || r.Digest != "") &&
		(r.Tag == "" || ValidTag(r.Tag)) && (r.Digest == "" || ValidDigest(r.Digest))
}

// IsCanonical is the same for ParseRepo.
func (r Repo) IsCanonical() bool {
	host, err := ParseHost(r.Host)
	if err != nil || host != r.Host || len(r.Host)+len("/")+len(r.Path) > maxName {
		return false
	}
	if !isHost(r.Host) || r.Host == Hub && !strings.Contains(r.Path, "/") {
		return false
	}
	for part := range strings.SplitSeq(r.Path, "/") {
		if !isPathPart(part) {
			return false
		}
	}
	return true
}

// Repository is the reference without its tag and digest, as written and not
// made canonical: this is what gets recorded. The reference must be one that
// ParseRef takes.
func Repository(written string) string { return cut(written).name }

// ValidTag reports whether a tag is one that a registry may have.
func ValidTag(tag string) bool {
	return tag != "" && len(tag) <= maxTag && tag[0] != '.' && tag[0] != '-' && all(tag, isTagByte)
}

// ValidDigest reports whether a digest is sha256 or sha512 with all of its
// digits, in lower case.
func ValidDigest(digest string) bool {
	algorithm, digits, _ := strings.Cut(digest, ":")
	return digits != "" && len(digits) == hexLength[algorithm] && all(digits, isHex)
}

// ParseHost reads the host of a registry, with or without a port, and makes it
// canonical: lower case, the names of Docker Hub one, port 443 left out, for it is
// that of HTTPS. Two hosts that HTTPS may reach different servers by never become
// one, so a credential may be looked up by it. The port stays behind a name that
// nothing else tells from the first part of a path, as in registry:443. The error is
// a *SyntaxError.
func ParseHost(written string) (string, error) {
	name, port := written, ""
	if i := strings.LastIndexByte(written, ':'); i > strings.LastIndexByte(written, ']') {
		name, port = written[:i], written[i:]
		if !isPort(port[1:]) {
			return "", syntaxf("write a number from 1 to 65535, without leading zeros", "%s is no port, in %s", quote(port[1:]), quote(written))
		}
	}
	if port == ":443" && (strings.ContainsAny(name, ".[") || strings.EqualFold(name, "localhost")) {
		written, port = name, ""
	}
	if strings.HasPrefix(name, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(name[1:], "]"))
		if err != nil || !strings.HasSuffix(name, "]") || !addr.Is6() || addr.Zone() != "" {
			return "", syntaxf("write it like [2001:db8::1]:5000", "%s is no IPv6 address in brackets", quote(name))
		}
		return "[" + addr.String() + "]" + port, nil
	}
	if err := checkHostName(name); err != nil {
		return "", err
	}
	host := strings.ToLower(written)
	if hub, ok := hubNames[host]; ok {
		return hub, nil
	}
	return host, nil
}

// checkHostName takes DNS names and dotted IPv4 addresses. The other ways to
// write an IPv4 address (0x7f.1, 2130706433) are refused: resolvers differ on
// what they mean.
func checkHostName(name string) error {
	const fix = "write a DNS name such as quay.io or registry.example.com:5000"
	last := ""
	for last = range strings.SplitSeq(name, ".") {
		if !isLabel(last) {
			return syntaxf(fix+" (a name that is not ASCII in its xn-- form)", "%s is no host of a registry", quote(name))
		}
	}
	if len(name) > 253 {
		return syntaxf(fix, "the host %s is longer than 253 characters", quote(name))
	}
	if isNumber(last) {
		if addr, err := netip.ParseAddr(name); err != nil || !addr.Is4() {
			return syntaxf("write four decimal numbers without leading zeros, or a DNS name", "%s is no IPv4 address", quote(name))
		}
	}
	return nil
}

// isNumber reports whether a resolver may take a host's last label for a number.
func isNumber(label string) bool {
	decimal := strings.Trim(label, "0123456789") == ""
	return decimal || strings.HasPrefix(label, "0x") || strings.HasPrefix(label, "0X")
}

// pieces are the parts of a reference.
type pieces struct {
	name, tag, digest string // as written
	hasTag, hasDigest bool
	repo              Repo // canonical; set by parse
}

// cut takes a reference apart at its marks and looks into none of the parts.
func cut(written string) pieces {
	var p pieces
	p.name, p.digest, p.hasDigest = strings.Cut(written, "@")
	if i := strings.LastIndexByte(p.name, ':'); i > strings.LastIndexByte(p.name, '/') {
		p.name, p.tag, p.hasTag = p.name[:i], p.name[i+1:], true
	}
	return p
}

func parse(written string) (pieces, error) {
	if scheme, _, ok := strings.Cut(written, "://"); ok {
		return pieces{}, syntaxf("write it without, as HOST/NAMESPACE/NAME:TAG", "a reference starts with no scheme, here %s", quote(scheme+"://"))
	}
	p := cut(written)
	if p.hasDigest && !ValidDigest(p.digest) {
		return pieces{}, syntaxf("write sha256: and 64 hex digits in lower case, and no user name or password", "%s after the @ is no digest", quote(p.digest[strings.LastIndexByte(p.digest, '@')+1:]))
	}
	if p.hasTag && !ValidTag(p.tag) {
		return pieces{}, syntaxf("write letters, digits, _ . and -, at most 128, the first no . or -", "%s is no tag", quote(p.tag))
	}
	var err error
	p.repo, err = parseName(p.name)
	return p, err
}

func parseName(name string) (Repo, error) {
	if name == "" {
		return Repo{}, syntaxf("write HOST/NAMESPACE/NAME", "the reference names no repository")
	}
	if len(name) > maxName {
		return Repo{}, syntaxf("write a shorter one", "the name %s is longer than %d characters", quote(name), maxName)
	}
	host, path, err := splitHost(name)
	if err != nil {
		return Repo{}, err
	}
	for part := range strings.SplitSeq(path, "/") {
		if err := checkPathPart(part); err != nil {
			return Repo{}, err
		}
	}
	if host == Hub && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return Repo{Host: host, Path: path}, nil
}

// splitHost tells the registry from the path. What stands before the first
// slash is a registry when it has a dot or a colon or is localhost; a name
// without a slash but with a dot, or that starts with localhost, is nothing but
// a registry. OpenShift has it so.
func splitHost(name string) (host, path string, err error) {
	first, rest, slash := strings.Cut(name, "/")
	switch {
	case !slash && (strings.Contains(name, ".") || strings.HasPrefix(name, "localhost") || strings.HasPrefix(name, "[")):
		return "", "", syntaxf("write HOST/NAMESPACE/NAME, or docker.io/library/NAME for an image of Docker Hub", "%s names a registry and no repository", quote(name))
	case slash && isHost(first):
		host, err = ParseHost(first)
		return host, rest, err
	}
	return Hub, name, nil
}

// isHost tells a registry from the first part of a path on Docker Hub.
func isHost(first string) bool { return strings.ContainsAny(first, ".:") || first == "localhost" }

func checkPathPart(part string) error {
	switch {
	case isPathPart(part):
		return nil
	case part == "":
		return syntaxf("write one slash between two parts, and none at the end", "a part of the repository's name is empty")
	case isPathPart(strings.ToLower(part)):
		return syntaxf("write "+strings.ToLower(part), "a repository's name is lower case, here %s", quote(part))
	}
	return syntaxf("write lower-case letters and digits with single . _ - between them", "%s is no part of a repository's name", quote(part))
}

// isPathPart takes lower-case letters and digits, and between two runs of them a
// full stop, one or two underscores, or any number of hyphens.
func isPathPart(part string) bool {
	for {
		n := 0
		for n < len(part) && (isLower(part[n]) || isDigit(part[n])) {
			n++
		}
		if n == 0 || n == len(part) {
			return n > 0
		}
		part = part[n:]
		part = part[separator(part):]
	}
}

// separator is the length of what stands between two runs, 0 for nothing that may.
func separator(s string) int {
	switch {
	case strings.HasPrefix(s, "__"):
		return 2
	case s[0] == '.' || s[0] == '_':
		return 1
	}
	return len(s) - len(strings.TrimLeft(s, "-"))
}

// isLabel takes one part of a DNS name.
func isLabel(s string) bool {
	return s != "" && len(s) <= maxLabel && s[0] != '-' && s[len(s)-1] != '-' && all(s, isLabelByte)
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n <= 65535 && s[0] != '0' && all(s, isDigit)
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

// Letters are compared as bytes because folding the case of runes takes more than
// ASCII in: U+212A, the Kelvin sign, becomes a k.
func isLower(c byte) bool     { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool     { return '0' <= c && c <= '9' }
func isHex(c byte) bool       { return isDigit(c) || 'a' <= c && c <= 'f' }
func isLabelByte(c byte) bool { return isLower(c) || isDigit(c) || 'A' <= c && c <= 'Z' || c == '-' }
func isTagByte(c byte) bool   { return isLabelByte(c) || c == '_' || c == '.' }

func syntaxf(fix, format string, args ...any) error {
	return &SyntaxError{What: fmt.Sprintf(format, args...), Fix: fix}
}

// quote makes any text one short printable line.
func quote(s string) string {
	if len(s) > 80 {
		return strconv.QuoteToASCII(s[:80]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
