package trigger

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A marker whose image is gone must not move what has come to stand there: the policy that
// stood below the tag, a name of a variable, the end of a loop. So a value moves only if it
// can be that part of an image; and a bare word, which can be anything, only where nothing
// else than an image stands.

// The parts of a reference.
var (
	hostAndPort = `[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?`
	component   = `[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`
	nameText    = regexp.MustCompile(`^(?:` + hostAndPort + `/)?` + component + `(?:/` + component + `)*$`)
	tagText     = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	digestText  = regexp.MustCompile(`^sha(?:256|512):\w*$`)
)

// neverImages are words that stand beside images, in lower case.
var neverImages = []string{"always", "ifnotpresent", "if_not_present", "never", "missing", "true", "false", "null", "scratch"}

// fits reports whether a value can be a part of an image, or is blank.
func (p Part) fits(value string) bool {
	if p == Ref || p == Name {
		_, value = cutScheme(value)
	}
	if value = strings.TrimSpace(value); value == "" {
		return true
	}
	if slices.Contains(neverImages, strings.ToLower(value)) {
		return false
	}
	if p == Digest {
		return digestText.MatchString(value)
	}
	rest, digest, pinned := strings.Cut(value, "@")
	if pinned && (p == Name || p == Tag || !digestText.MatchString(digest)) {
		return false
	}
	if p == Tag || p == TagDigest {
		return tagText.MatchString(rest)
	}
	i := ParseImage(rest) // 8080:80 and sha256:00 are none
	number := strings.Trim(i.Name, "0123456789.") == ""
	return nameText.MatchString(i.Name) && !number && !digestText.MatchString(rest) && (rest == i.Name || p == Ref && tagText.MatchString(i.Tag))
}

// isWord reports whether a value that fits may be a word of any kind as well, by the key behind
// which it stands: nothing in nginx says that it is an image.
func (p Part) isWord(value, key string) bool {
	if p != Ref && p != Name || strings.TrimSpace(value) == "" || strings.ContainsAny(value, "/:@") {
		return false
	}
	key = strings.ToLower(key)
	if p == Ref {
		return key != "image"
	}
	return !slices.ContainsFunc([]string{"name", "repository", "repo", "image"}, func(end string) bool { return strings.HasSuffix(key, end) })
}

// wordFault says of a bare word what to write.
func (p Part) wordFault() *fault {
	fix := "write it with its registry, docker.io/library/NAME, or the marker elsewhere"
	if p == Ref {
		fix = "write it with its tag or its registry, NAME:TAG or docker.io/library/NAME, or the marker elsewhere"
	}
	return &fault{fmt.Sprintf("the marked value is a bare word, and may be something else than a %s of an image", p.word()), fix}
}

// word is the part in a sentence.
func (p Part) word() string {
	if p == Ref {
		return "reference"
	}
	return string(p)
}

// cutScheme takes what stands before an image in some files off.
func cutScheme(value string) (scheme, image string) {
	for _, s := range []string{"docker://", "oci://"} {
		if image, ok := strings.CutPrefix(value, s); ok {
			return s, image
		}
	}
	return "", value
}

// isImageText reports whether a text may be an image or a part of one, by its characters.
func isImageText(text string) bool {
	if strings.HasSuffix(text, ":") {
		return false // a key
	}
	for _, c := range []byte(text) {
		if !isLetter(c) && strings.IndexByte(".:/@-", c) < 0 {
			return false
		}
	}
	return true
}

// Values without quotes that are more than their text.
var (
	spaced  = regexp.MustCompile(`\s=\s+$`)            // before one of HCL or TOML; no shell has blanks there
	typed   = regexp.MustCompile(`(?::\s+|^\s*-\s+)$`) // before one of YAML
	notText = regexp.MustCompile(`^(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?|0[xob][0-9A-Fa-f_]+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|(?i:y|yes|n|no|on|off|true|false|null))$`)
)

// isTyped reports whether a value without quotes would be a number, a date or a switch behind
// what stands before it on its line, and not the text that is meant; or the name of another value.
func isTyped(before, value string) bool {
	return spaced.MatchString(before) && value != "" && !strings.ContainsAny(value, "/:@") ||
		typed.MatchString(before) && notText.MatchString(value)
}
