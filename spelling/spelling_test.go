package spelling

import "testing"

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"interval", "intervall", 1}, {"abc", "abd", 1}, {"form", "from", 2}, {"kitten", "sitting", 3}} {
		if got, back := Distance(tt.a, tt.b), Distance(tt.b, tt.a); got != tt.want || back != tt.want {
			t.Errorf("Distance(%q, %q) = %d, and %d back, want %d", tt.a, tt.b, got, back, tt.want)
		}
	}
}
