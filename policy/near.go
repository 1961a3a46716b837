package policy

import "github.com/towpath/towpath/spelling"

// closest is the name that a typing error makes of it, empty if none is near. Long texts are
// no names.
func closest(text string, names []string) string {
	if len(text) > 32 {
		return ""
	}
	best, least := "", 3
	for _, name := range names {
		if d := spelling.Distance(text, name); d < least && d < len(name) {
			best, least = name, d
		}
	}
	return best
}
