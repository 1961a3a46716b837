package policy

import (
	"strings"
	"testing"
	"time"
)

// The image on record is gone. It was made before it was recorded: what was made since is
// newer, and nothing else is known to be.
func TestPickRecorded(t *testing.T) {
	for _, tt := range []struct{ policy, tags, b, want, why string }{
		{"newest", "a b", "29m", "b", "newest of 2 listed, by the date in the image"},
		{"newest", "a b", "30m", "c", "stays: it is not listed any more, and the newest listed is b, which is no newer"},
		{"newest", "a b", "31m", "c", "stays: the newest listed is b, which is older" + goBack},
		{"newest", "a b c", "29m", "b", "newest of 3 listed, by the date in the image; passed over: 1 without an image"},
		{"newest", "a b c", "31m", "c", "stays: it is listed, but there is no such image, and nothing newer can be chosen" + goBack},
		{"newest", "", "29m", "c", "stays: the list of tags came back empty" + goBack},
		{"alphabetical", "a b", "29m", "c", "stays: the last listed is b, which is earlier" + goBack},
	} {
		known := facts(t, map[string]string{"a": "2h", "b": tt.b, "c": "gone"})
		c, need := parse(t, tt.policy).Shortlist(strings.Fields(tt.tags)).Pick(Current{"c", now.Add(-30 * time.Minute)}, known, now)
		if c.Tag != tt.want || c.Why != tt.why || len(need) > 0 {
			t.Errorf("%+v: got %q: %s; needs %q", tt, c.Tag, c.Why, need)
		}
	}
}

func TestLasting(t *testing.T) {
	for _, tt := range []struct {
		policy        []string
		says, current string
		want          bool
	}{
		{[]string{"newest"}, "2h", "1h", true},
		{[]string{"newest"}, "1970-01-01", "1h", true},
		{[]string{"newest"}, "gone", "1h", false},
		{[]string{"newest"}, "unfit", "1h", false},
		{[]string{"semver:*", "min-age: 3h"}, "2h", "undated", true}, // it grows old by itself
		{[]string{"semver:*", "platforms: linux/amd64"}, "2h linux/amd64", "1h", true},
		{[]string{"semver:*", "platforms: linux/amd64"}, "2h linux/arm64", "1h", false},
		{[]string{"newest", "platforms: linux/amd64"}, "2h linux/arm64", "3h", false},
		{[]string{"newest", "platforms: linux/amd64"}, "2h linux/arm64", "1h", true},
		{[]string{"newest", "platforms: linux/amd64"}, "2h linux/arm64", "undated", false},
	} {
		f := facts(t, map[string]string{"it": tt.says, "current": tt.current})
		if got := parse(t, tt.policy...).Lasting(f["it"], f["current"]); got != tt.want {
			t.Errorf("%q: %s, with %s on record: got %t", tt.policy, tt.says, tt.current, got)
		}
	}
}
