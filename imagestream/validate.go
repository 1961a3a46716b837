package imagestream

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	imagev1 "github.com/openshift/api/image/v1"

	"github.com/towpath/towpath/yamledit"
)

var (
	streamName = regexp.MustCompile(`^[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	namespace  = regexp.MustCompile(`^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$`)
	tagName    = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	imageID    = regexp.MustCompile(`^(?:sha(?:256|512):)?[0-9a-f]{1,128}$`)
	host       = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$`)
	component  = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)

	hostLabel = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

// names reports whether the stream is named as it may be; if not, that has
// become a problem.
func (p *parser) names(d *Document, metadata *yamledit.Node) bool {
	at := func(key string) *yamledit.Node {
		if n := nearest(metadata, key); n != nil {
			return n
		}
		return &yamledit.Node{Line: d.Line, Column: d.Col}
	}
	switch name := d.Name; {
	case name.Name == "" && scalar(metadata, "name") != "", name.Namespace == "" && scalar(metadata, "namespace") != "":
		return false // not a string: said already
	case name.Name == "":
		p.problem(at("name"), "the image stream has no name", "give it one below metadata: "+p.line("name", p.quoted("web")))
	case !streamName.MatchString(name.Name):
		p.problem(at("name"), fmt.Sprintf("%q cannot name an image stream", name.Name),
			"use lower case letters and digits, with single '.', '_' or '-' between them")
	case name.Namespace != "" && !namespace.MatchString(name.Namespace):
		p.problem(at("namespace"), fmt.Sprintf("%q cannot name a namespace", name.Namespace),
			"use at most 63 lower case letters, digits and '-', with a letter or digit at both ends")
	case len(name.Namespace)+1+len(name.Name) > 255:
		p.problem(at("name"), "namespace and name together are longer than 255 characters", "shorten the name")
	default:
		return true
	}
	return false
}

// repository reads spec.dockerImageRepository.
func (p *parser) repository(d *Document, n *yamledit.Node, o *object) {
	var text string
	if !p.decode(n, o.Spec.Repository, &text, "dockerImageRepository") || text == "" {
		return
	}
	if what, fix := checkReference(text); what != "" {
		p.problem(n, fmt.Sprintf("dockerImageRepository %q: %s", text, what), fix)
		return
	}
	if bare := repositoryOf(text); bare != text {
		p.problem(n, fmt.Sprintf("dockerImageRepository %q names one image; all tags of a repository are imported", text),
			p.line("dockerImageRepository", p.quoted(bare)))
		return
	}
	d.Spec.Repository = text
}

// checkTag makes problems of what the API would refuse in a tag; it reports whether
// there is nothing.
func (p *parser) checkTag(n *yamledit.Node, t imagev1.TagReference) bool {
	before := len(p.problems)
	if t.Name == "" {
		p.problem(n, "a tag has no name", p.line("name", p.quoted("latest")))
	} else if !isTagName(t.Name) {
		p.problem(nearest(n, "name"), fmt.Sprintf("%q cannot name a tag", t.Name),
			"use at most 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'")
	}
	switch policy := t.ReferencePolicy.Type; policy {
	case "", imagev1.SourceTagReferencePolicy, imagev1.LocalTagReferencePolicy:
	default:
		p.problem(nearest(n, "referencePolicy", "type"), fmt.Sprintf("tag %s: there is no referencePolicy %q", t.Name, policy),
			p.line("type", p.quoted("Source"))+" or "+p.line("type", p.quoted("Local")))
	}
	switch mode := t.ImportPolicy.ImportMode; mode {
	case "", imagev1.ImportModeLegacy, imagev1.ImportModePreserveOriginal:
	default:
		p.problem(nearest(n, "importPolicy", "importMode"), fmt.Sprintf("tag %s: there is no importMode %q", t.Name, mode),
			p.line("importMode", p.quoted("Legacy"))+" or "+p.line("importMode", p.quoted("PreserveOriginal")))
	}
	if t.From != nil {
		p.checkFrom(n, t)
	}
	return len(p.problems) == before
}

func (p *parser) checkFrom(n *yamledit.Node, t imagev1.TagReference) {
	at := nearest(n, "from", "name")
	bad := func(what, fix string) { p.problem(at, fmt.Sprintf("tag %s: %s", t.Name, what), fix) }
	name := t.From.Name
	switch kind := t.From.Kind; kind {
	case DockerImage:
		if name == "" {
			bad("from has no name", p.line("name", p.quoted("quay.io/team1/web:latest"))+", with the image that is meant")
		} else if isStandIn(name) {
			bad(fmt.Sprintf("from.name %q is yet to be filled in", name), "write the image, or leave this file out: exclude it in .towpath.yaml")
		} else if what, fix := p.reference(name); what != "" {
			bad(fmt.Sprintf("from.name %q: %s", name, what), fix)
		}
		return
	case ImageStreamTag:
		stream, tag, ok := strings.Cut(name, ":")
		if !ok {
			stream, tag = "", name
		}
		if name == "" {
			bad("from has no name", p.line("name", p.quoted("latest"))+", with the tag that is meant")
		} else if !isTagName(tag) || ok && !streamName.MatchString(stream) {
			bad(fmt.Sprintf("from.name %q names no tag of a stream", name), "write TAG for a tag of this stream, or STREAM:TAG")
		}
	case ImageStreamImage:
		stream, id, ok := strings.Cut(name, "@")
		if !ok {
			stream, id = "", name
		}
		if name == "" {
			bad("from has no name", p.line("name", p.quoted("web@sha256:…"))+", with the image that is meant")
		} else if !imageID.MatchString(id) || ok && !streamName.MatchString(stream) {
			bad(fmt.Sprintf("from.name %q names no image of a stream", name), "write the image's digest, or STREAM@DIGEST")
		}
	default:
		at = nearest(n, "from", "kind")
		bad(fmt.Sprintf("from has the kind %q", kind), p.line("kind", p.quoted(DockerImage))+", or "+ImageStreamTag+", or "+ImageStreamImage)
		return
	}
	if t.From.Namespace != "" && !namespace.MatchString(t.From.Namespace) {
		at = nearest(n, "from", "namespace")
		bad(fmt.Sprintf("%q cannot name a namespace", t.From.Namespace), "write the namespace of the stream, or remove this line")
	}
	if t.ImportPolicy.Scheduled {
		at = nearest(n, "importPolicy", "scheduled")
		bad("only a tag from a registry can be scheduled; this one follows its source at once", "remove this line")
	}
}

// isStandIn knows the names that kustomize is to replace, as people write them.
func isStandIn(name string) bool {
	return strings.Contains(name, "PLACEHOLDER") || strings.HasSuffix(name, "-placeholder") && !strings.Contains(name, "/")
}

// imageShape is what to write where the whole of a reference is wrong.
const imageShape = "write HOST/PATH:TAG or HOST/PATH@sha256:…"

// checkReference says what is wrong with an image reference, and what to write.
// It looks at the text only: who is dialled, and by which defaults, is not its
// matter.
func checkReference(text string) (what, fix string) { return checkUnless("", text) }

// reference is checkReference for texts of which many name one repository.
func (p *parser) reference(text string) (what, fix string) {
	if what, fix = checkUnless(p.good, text); what == "" {
		p.good = repositoryOf(text)
	}
	return what, fix
}

// checkUnless is checkReference that looks no further at a good repository.
func checkUnless(good, text string) (what, fix string) {
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		if fix = imageShape; slices.Contains([]string{"docker", "oci", "http", "https"}, scheme) {
			fix = "write " + rest
		}
		return "a reference has no " + scheme + "://", fix
	}
	name, id, hasID := strings.Cut(text, "@")
	if hasID && !isDigest(id) {
		return fmt.Sprintf("%q is no digest", id), "write sha256: and 64 lower case hexadecimal digits after the @"
	}
	path, tag, hasTag := cutTag(name)
	switch {
	case hasTag && !isTagName(tag):
		return fmt.Sprintf("%q is no tag", tag), "use at most 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'"
	case path == good && good != "":
		return "", ""
	}
	return checkRepository(path)
}

// checkRepository is checkReference for what stands before tag and digest.
func checkRepository(path string) (what, fix string) {
	if len(path) > 255 {
		return "the name of the repository is longer than 255 characters", imageShape
	}
	first, rest, several := strings.Cut(path, "/")
	if several && (strings.ContainsAny(first, ".:") || first == "localhost") {
		if !isHost(first) {
			return fmt.Sprintf("%q is no host", first), imageShape
		}
		path = rest
	} else if !several && (strings.Contains(path, ".") || strings.HasPrefix(path, "localhost")) {
		return fmt.Sprintf("%q is read as a registry without a repository", path), imageShape
	}
	for c := range strings.SplitSeq(path, "/") {
		switch {
		case component.MatchString(c):
		case component.MatchString(strings.ToLower(c)):
			return "a repository is written in lower case", "write " + strings.ToLower(path) + " in place of " + path
		default:
			return fmt.Sprintf("%q cannot stand in a repository's path", c), imageShape
		}
	}
	return "", ""
}

// IsName reports whether text can name an image stream.
func IsName(text string) bool { return streamName.MatchString(text) }

// isHost takes names of DNS and addresses, with a port or without. An address has one
// form: resolvers differ on what others mean.
func isHost(text string) bool {
	if !host.MatchString(text) {
		return false
	}
	name := text
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		if n, _ := strconv.Atoi(text[i+1:]); n > 65535 || text[i+1] == '0' {
			return false
		}
		name = text[:i]
	}
	labels := strings.Split(name, ".")
	if last := labels[len(labels)-1]; name[0] == '[' || isDigits(last) || strings.HasPrefix(strings.ToLower(last), "0x") {
		a, err := netip.ParseAddr(strings.Trim(name, "[]"))
		return err == nil && a.Is4() == (name[0] != '[')
	}
	return len(name) <= 253 && !slices.ContainsFunc(labels, func(l string) bool { return !hostLabel.MatchString(l) })
}

// isTagName is tagName, without a search: every tag of every file is named.
func isTagName(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', i > 0 && (c == '.' || c == '-'):
		default:
			return false
		}
	}
	return 0 < len(s) && len(s) <= 128
}

// isDigest knows the digests that registries give, and that can be checked: the
// algorithms sha256 and sha512, all digits, lower case. The API takes any algorithm with
// 32 digits or more; nothing could be recorded of such an image.
func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	if ok {
		return len(hex) == 64 && isHex(hex)
	}
	hex, ok = strings.CutPrefix(s, "sha512:")
	return ok && len(hex) == 128 && isHex(hex)
}

// isOldID knows what servers recorded before there were digests.
func isOldID(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// cutTag cuts name:tag; a colon before the last slash belongs to the host.
func cutTag(name string) (path, tag string, ok bool) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Contains(name[i:], "/") {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// repositoryOf is a reference without tag and digest, otherwise as written.
func repositoryOf(text string) string {
	name, _, _ := strings.Cut(text, "@")
	path, _, _ := cutTag(name)
	return path
}
