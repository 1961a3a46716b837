package imagestream

import "strings"

// maxLabel is how much of a label is recorded, in characters.
const maxLabel = 200

// LabelsOf are the labels of an image that go on record. They are a stranger's text: what
// is kept is one word that is not read as anything else in a commit message, a proposal,
// a terminal or a page. Letters, digits and ._-+:/~% stay; a run of anything else
// becomes one dash. Of an address what may hold a secret goes: user and password,
// query, fragment.
func LabelsOf(labels map[string]string) Labels {
	var ls Labels
	for _, l := range ls.list() {
		*l.value = inert(labels["org.opencontainers.image."+l.key])
	}
	return ls
}

type label struct {
	key   string
	value *string
}

// list is the labels in the order in which they are written.
func (l *Labels) list() []label {
	return []label{{"revision", &l.Revision}, {"source", &l.Source}, {"version", &l.Version}, {"created", &l.Created}}
}

// inert is what is kept of a text; of what is inert, all.
func inert(text string) string {
	text = text[:min(len(text), 16*maxLabel)]
	text = withoutSecrets(strings.TrimSpace(text))
	var b strings.Builder
	for _, c := range []byte(text) {
		if b.Len() == maxLabel {
			break
		}
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("._-+:/~%", c) >= 0:
			b.WriteByte(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-/")
}

// withoutSecrets is an address, such as https://user:word@host/path?query or
// user@host:path, without what does not say where it leads.
func withoutSecrets(text string) string {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		scheme, rest = "", text
	} else {
		scheme += "://"
		if i := strings.IndexAny(rest, "?#"); i >= 0 {
			rest = rest[:i]
		}
	}
	authority, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + rest
}
