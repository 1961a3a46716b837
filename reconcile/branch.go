package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
)

// branchName is the branch of a lane's proposals: the prefix, the branch that is watched, and what
// people know the lane by; a hash tells lanes apart that would be written alike. It holds
// nothing that Git, a shell or a forge would take for more than a name.
func branchName(prefix, watched string, l lane) string {
	name := l.by
	switch s := l.scope.String(); {
	case l.by == "namespace":
		name += " " + l.scope.Stream.Namespace
	case s != "" && l.by != "all":
		name = s
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s", l.by, l.scope.Stream.Namespace, l.scope.Stream.Name, l.scope.Tag))
	return branchDir(prefix, watched) + cmp.Or(slug(name), l.by) + "-" + hex.EncodeToString(sum[:4])
}

// branchDir is what the names of all branches begin with that propose something to the one that is
// watched.
func branchDir(prefix, watched string) string { return prefix + watched + "/" }

// slug is text in letters, digits and single dashes.
func slug(text string) string {
	const longest = 60
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_')
	})
	for i, w := range words {
		words[i] = strings.ReplaceAll(strings.Trim(w, "."), "..", ".")
	}
	s := strings.Join(words, "-")
	return strings.Trim(s[:min(len(s), longest)], "-.")
}

// sealKey is the trailer of a proposal's commits that shows whether they are as towpath made them,
// where no forge can say: which one of how many, and a hash of what it changes.
const sealKey = "Towpath-Part: "

// seal puts the trailer below the messages of a chain.
func seal(chain []Write) {
	for i := range chain {
		edits := map[string]gitstore.BlobID{}
		for _, e := range chain[i].Commit.Edits {
			edits[e.Path] = gitstore.IDOf(e.Content)
		}
		chain[i].seal = sealOf(i+1, len(chain), edits)
		chain[i].Commit.Message += sealKey + chain[i].seal + "\n"
	}
}

// sealOf is "1/2 " and a hash of the files that a commit changes.
func sealOf(n, of int, edits map[string]gitstore.BlobID) string {
	sum := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(edits)) {
		fmt.Fprintf(sum, "%s\x00%s\n", path, edits[path])
	}
	return fmt.Sprintf("%d/%d %s", n, of, hex.EncodeToString(sum.Sum(nil)[:16]))
}

// sealIn is the seal that a message claims, with its numbers; empty where there is none.
func sealIn(message string) (seal string, n, of int) {
	for line := range strings.Lines(message) {
		if text, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), sealKey); ok {
			seal, n, of = text, 0, 0
			fmt.Sscanf(text, "%d/%d ", &n, &of)
		}
	}
	return seal, n, of
}
