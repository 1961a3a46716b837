package gogit

import (
	"regexp"
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
)

// trailer is a line that git takes for one in a paragraph of nothing else; an indented line
// goes on with the trailer before it.
var (
	trailer = regexp.MustCompile(`^[A-Za-z0-9-]+[ \t]*:`)
	goesOn  = regexp.MustCompile(`^[ \t]+\S`)
)

// signedOff adds the trailer with which the author vouches for a commit, once. It joins the
// trailers that are there; behind other text it makes a paragraph of its own.
func signedOff(message string, author gitstore.Person) string {
	line := "Signed-off-by: " + ident(author.Name) + " <" + ident(author.Email) + ">"
	message = strings.TrimRight(message, "\n")
	i := strings.LastIndex(message, "\n\n")
	if i < 0 { // the subject is no trailer, whatever it looks like
		return message + "\n\n" + line + "\n"
	}
	lines := strings.Split(message[i+2:], "\n")
	for n, l := range lines {
		if !trailer.MatchString(l) && (n == 0 || !goesOn.MatchString(l)) {
			return message + "\n\n" + line + "\n"
		}
	}
	if slices.Contains(lines, line) {
		return message + "\n"
	}
	return message + "\n" + line + "\n"
}
