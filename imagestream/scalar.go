package imagestream

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/yamledit"
)

// What a scalar may be taken for where a string belongs. The empty reading is a
// string.
const (
	readNull   = "nothing"
	readBool   = "a boolean"
	readNumber = "a number"
	readTime   = "a time"
)

var (
	// YAML 1.1 and 1.2 together, underscores left out: signs, 0777, 0o777, 0b1, 0xff,
	// 1:30:00, 1e3, .5, .inf. One dot at most: 1.2.3 is text to every reader.
	number = regexp.MustCompile(`^(?:` +
		`[-+]?0[bB][01]+|[-+]?0[oO][0-7]+|[-+]?0[xX][0-9a-fA-F]+|` +
		`[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?|` +
		`[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|` +
		`[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	timestamp = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$`)

	boolWords = []string{"y", "n", "yes", "no", "on", "off", "true", "false"}
	nullWords = []string{"", "~", "null", "Null", "NULL"}
)

// plain reports whether a scalar is written without quotes, block or tag, so that
// its type is the reader's guess.
func plain(n *yamledit.Node) bool {
	const marked = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle | yaml.TaggedStyle
	return n.Style&marked == 0 && n.Tag != "!"
}

// readsAs is what a plain scalar is to a reader of YAML 1.1 or of 1.2: both are
// in use, so a text is a string only where they agree.
func readsAs(text string) string {
	if slices.Contains(nullWords, text) {
		return readNull
	}
	switch c := text[0]; {
	case strings.IndexByte("yYnNoOtTfF", c) >= 0:
		if len(text) <= len("false") && isBoolWord(text) {
			return readBool
		}
	case strings.IndexByte("0123456789+-.", c) >= 0:
		if number.MatchString(strings.ReplaceAll(text, "_", "")) {
			return readNumber
		}
		if timestamp.MatchString(text) {
			return readTime
		}
	}
	return ""
}

// isBoolWord knows the three spellings that YAML 1.1 allows: yes, Yes, YES.
func isBoolWord(text string) bool {
	lower := strings.ToLower(text)
	if !slices.Contains(boolWords, lower) {
		return false
	}
	return text == lower || text == strings.ToUpper(text) || text == strings.ToUpper(lower[:1])+lower[1:]
}

// isNull reports whether there is nothing at n.
func isNull(n *yamledit.Node) bool {
	n = follow(n)
	if n == nil {
		return true
	}
	if n.Kind != yaml.ScalarNode {
		return false
	}
	return plain(n) && readsAs(n.Value) == readNull || n.Style&yaml.TaggedStyle != 0 && n.ShortTag() == "!!null"
}

// isEmpty reports whether n is nothing, or a list or mapping without content.
func isEmpty(n *yamledit.Node) bool {
	n = follow(n)
	return isNull(n) || n.Kind != yaml.ScalarNode && len(n.Content) == 0
}

// follow is the node that an alias stands for.
func follow(n *yamledit.Node) *yamledit.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
