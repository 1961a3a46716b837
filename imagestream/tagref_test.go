package imagestream

import (
	"strings"
	"testing"
)

func TestParseTagRef(t *testing.T) {
	for text, want := range map[string]TagRef{
		"team1/web:stable":              {Name{"team1", "web"}, "stable"},
		"web:stable":                    {Name{"", "web"}, "stable"},
		"web":                           {Name{"", "web"}, "latest"},
		"team1/web":                     {Name{"team1", "web"}, "latest"},
		"team1/web.api_2:1.4.3-RC_1":    {Name{"team1", "web.api_2"}, "1.4.3-RC_1"},
		"0/0:_":                         {Name{"0", "0"}, "_"},
		"a:" + strings.Repeat("x", 128): {Name{"", "a"}, strings.Repeat("x", 128)},
	} {
		got, err := ParseTagRef(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
		if again, err := ParseTagRef(got.String()); err != nil || again != got {
			t.Errorf("%q: printed as %s, read as %+v, %v", text, got, again, err)
		}
	}
	for text, want := range map[string]string{
		"":                              "is empty",
		":stable":                       "does not name a stream",
		"web:":                          "no tag behind its colon",
		"web:-x":                        "no tag behind its colon",
		"web:a:b":                       "no tag behind its colon",
		"web:a b":                       "no tag behind its colon",
		"web:\n":                        "no tag behind its colon",
		"a:" + strings.Repeat("x", 129): "no tag behind its colon",
		"Web:1":                         "does not name a stream",
		"team1/:1":                      "does not name a stream",
		"../web:1":                      "no namespace before its slash",
		"/web:1":                        "no namespace before its slash",
		"Team/web:1":                    "no namespace before its slash",
		"127.0.0.1:5000/web:1":          "no namespace before its slash",
		"canal/team1/web:1":             "more than one slash",
		"team1/web@sha256:abc":          "names an image by its digest",
		strings.Repeat("a", 256):        "does not name a stream",
	} {
		if got, err := ParseTagRef(text); err == nil || !strings.Contains(err.Error(), want) || got != (TagRef{}) {
			t.Errorf("%q: got %v, %v, want that it %s", text, got, err, want)
		}
	}
}
