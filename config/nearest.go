package config

import (
	"strings"

	"github.com/towpath/towpath/spelling"
)

// nearest is the known key that a misspelt one most likely stands for, or "".
func nearest(key string, known []string) string {
	if len(key) > 40 {
		return ""
	}
	best, least := "", max(1, len(key)/3)+1
	for _, k := range known {
		if n := spelling.Distance(strings.ToLower(strings.ReplaceAll(key, "_", "-")), k); n < least {
			best, least = k, n
		}
	}
	return best
}

// secret reports whether a key looks as if its value were a secret, and names
// the line that takes the secret's file instead, or "".
func secret(key string, known []string) (line string, ok bool) {
	key = strings.ToLower(strings.ReplaceAll(key, "_", "-"))
	if strings.HasSuffix(key, "file") {
		return "", false
	}
	for _, word := range []string{"token", "password", "passphrase", "secret", "ssh-key", "client-key", "private-key"} {
		if !strings.Contains(key, word) {
			continue
		}
		for _, k := range known {
			if k == "import-token-file" && !strings.Contains(key, "import") {
				continue // whoever writes token: means Git's
			}
			if k == "file" || strings.HasSuffix(k, "-file") && strings.Contains(k, word) {
				return k + ":", true
			}
			if strings.HasSuffix(k, "-files") && strings.Contains(k, word) {
				return k + ": [FILE]", true
			}
		}
		ok = true
	}
	return "", ok
}
