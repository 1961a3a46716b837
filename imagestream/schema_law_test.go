package imagestream

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// TestLawSchema: what Parse reads without a word, the schema accepts, so that an editor
// marks nothing that is right. Streams are changed at random.
func TestLawSchema(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 0))
	s := compiled(t)
	fine, seen, unseen := 0, 0, 0
	for range 500 {
		text := seeds.Mutant(t, r, []byte(good), odd)
		if excepted(t, text) {
			continue
		}
		f, err := yamledit.Parse(text, yamledit.DefaultLimits)
		quiet := err == nil
		if quiet {
			_, problems := Parse(f)
			quiet = len(problems) == 0
		}
		switch at := refused(t, s, text); {
		case quiet && len(at) > 0:
			t.Fatalf("the schema refuses at %q what Parse accepts:\n%s", at, text)
		case quiet:
			fine++
		case len(at) > 0:
			seen++
		default:
			unseen++
		}
	}
	t.Logf("%d good; of the others the schema refuses %d and accepts %d", fine, seen, unseen)
	if fine < 40 || seen < 2*unseen {
		t.Errorf("%d good; of the others the schema refuses %d and accepts %d: it is of little use", fine, seen, unseen)
	}
}

// excepted knows what the schema refuses and Parse passes over in silence.
func excepted(t *testing.T, text []byte) bool {
	t.Helper()
	f, err := yamledit.Parse(text, yamledit.DefaultLimits)
	if err != nil || len(f.Docs) == 0 {
		return true
	}
	root := f.Docs[0].Root
	if scalar(root, "kind") != "ImageStream" {
		return true // no stream: the schema is for files of streams, Parse for all
	}
	for key, value := range entries(field(root, "metadata", "annotations")) {
		if strings.HasPrefix(key.Value, prefix) && isNull(value) {
			return true // without a value it means nothing, to Parse as well
		}
	}
	return false
}

// odd are values that somebody may write in place of another.
var odd = []string{
	"x", "''", "null", "~", "true", "yes", "'true'", "' true '", "'yes'", "0", "1", "-1", "1.5", "1e3", "2001-01-01", "2001-01-01T00:00:00Z",
	"0s", "'0'", "5m", "+1h", "-1h", "1.5h", "721h", "3d", "3d12h", "' 3d '", "0d", "367d", "'5'",
	"newest", "newest:asc", "' newest '", "alphabetical", "'alphabetical : desc'", "numerical:up", "'semver: >=1'", "semver:~1.4", "'semver:'", "semver:x y z", "'semver:>=2 <1'",
	"linux/amd64", "'linux/amd64 , linux/arm/v7'", "amd64", "linux/x86_64", "$1", "'('", "'^v(.*)$'",
	"quay.io/a/b", "quay.io/a/b:1", "quay.io/a/b@sha256:00", "Quay.io/a", "quay.io/A", "localhost:5000/a", "'[::1]:5000/a:1'", "a.b", "a:b:c", "https://quay.io/a", "a__b/c--d:x_Y", "sha256:e3b0", "stream@e3b0",
	"'${NAME}'", "PLACEHOLDER", "web", "Web", "web:latest", "-web", "'.x'", "web.one",
	"DockerImage", "ImageStreamTag", "ImageStreamImage", "Legacy", "PreserveOriginal", "Local", "Source",
	"[]", "{}", "[x]", "{x: y}", "{kind: DockerImage, name: redis}", "{towpath.dev/interval: 5m}", "{name: n}",
}
