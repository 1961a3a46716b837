package imagestream

import (
	"strings"
	"testing"
)

func TestItemIs(t *testing.T) {
	hex := "abc" + strings.Repeat("0", 61)
	for _, tt := range []struct {
		image, id string
		want      bool
	}{
		{"sha256:" + hex, "sha256:" + hex, true},
		{"sha256:" + hex, hex, true},
		{"sha256:" + hex, "sha256:abc", true},
		{"sha256:" + hex, "ab", true},
		{"sha256:" + hex, "bc", false},
		{"sha256:" + hex, hex + "0", false},
		{"sha256:" + hex, "", false},
		{"sha256:" + hex, "sha256:", false},
		{"sha256:" + hex, "sha", false},
		{"sha256:" + hex, "sha512:abc", false},
		{"sha512:" + hex + hex, "sha512:abc", true},
		{"sha512:" + hex + hex, "abc", true},
		{"sha512:" + hex + hex, "sha256:abc", false},
		{hex, "abc", true},
		{hex, "sha256:abc", true},
		{"", "", false},
		{"", "abc", false},
	} {
		if got := (Item{Image: tt.image}).Is(tt.id); got != tt.want {
			t.Errorf("image %.14q is %.14q: got %t, want %t", tt.image, tt.id, got, tt.want)
		}
	}
}
