package config

import "strings"

// nearest is the known key that a misspelt one most likely stands for, or "".
func nearest(key string, known []string) string {
	if len(key) > 40 {
		return ""
	}
	best, least := "", max(1, len(key)/3)+1
	for _, k := range known {
		if n := distance(strings.ToLower(strings.ReplaceAll(key, "_", "-")), k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance counts the letters to add, drop or replace to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// secret reports whether a key looks as if its value were a secret, and names
// the known key that takes the secret's file instead, or "".
func secret(key string, known []string) (file string, ok bool) {
	key = strings.ToLower(strings.ReplaceAll(key, "_", "-"))
	if strings.HasSuffix(key, "file") {
		return "", false
	}
	for _, word := range []string{"token", "password", "passphrase", "secret", "ssh-key", "client-key", "private-key"} {
		if !strings.Contains(key, word) {
			continue
		}
		for _, k := range known {
			if k == "file" || strings.HasSuffix(k, "-file") && strings.Contains(k, word) {
				return k, true
			}
		}
		ok = true
	}
	return "", ok
}
