package config

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/towpath/towpath/internal/seeds"
)

// TestLawSchema: what the parser accepts, the schema accepts, so that an editor marks
// nothing that is right. Files are the examples, changed at random.
func TestLawSchema(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for name, d := range dialects {
		s := compile(t, d.schema)
		src, err := os.ReadFile(d.examples[0])
		if err != nil {
			t.Fatal(err)
		}
		good, seen, unseen := 0, 0, 0
		for range 1000 {
			text := seeds.Mutant(t, r, src, odd)
			problems, at := d.parse(text), refused(s, instance(t, text))
			switch {
			case len(problems) == 0 && len(at) > 0:
				t.Fatalf("%s: the schema refuses at %q what the parser accepts:\n%s", name, at, text)
			case len(problems) == 0:
				good++
			case len(at) > 0:
				seen++
			default:
				unseen++
			}
		}
		t.Logf("%s: %d good; of the others the schema refuses %d and accepts %d", name, good, seen, unseen)
		if good < 50 || seen < 4*unseen {
			t.Errorf("%s: %d good; of the others the schema refuses %d and accepts %d: it is of little use", name, good, seen, unseen)
		}
	}
}

// odd are values that somebody may write in place of another.
var odd = []string{
	"x", "''", "null", "~", "true", "True", "yes", "0", "1", "-1", "+5", "07", "1.5", "1e3", "0x10", "1000", ".inf",
	"0s", "5m", "90", "1h30m", "+1h", "-1h", "1.5h", ".5h", "1.h", "1000000000ns", "60000000µs", "1000ms", "721h",
	"'**'", "'a/**'", "/a", "./a", "a/", ".", "..", ".a", "'{a,b}'", "'[a'", "'a\\'",
	"quay.io", "Quay.io", "127.0.0.1:5000", "'[::1]:80'", "localhost", "':8080'", "a:b", "docker.io", "index.docker.io", "https://quay.io", "a:65535", "a:65536",
	"linux/amd64", "linux/arm/v7", "a/b/c/d", "Legacy", "PreserveOriginal", "tag", "image", "labels", "json", "info",
	"team1", "team-1", "-team", "a@b", "a <b>", "' a'", "https://git.example/a", "https://a@b/c", "ssh://git@h/p", "ssh://git:x@h/p", "/srv/a.git", "git@h:p",
	"a.b", "'a[0].b'", "'a[?(@.name==\"x\")].b'", "'a[?(@.name==''x'')]'", "$.a", ".a.b", "'a[\"b.c\"]'", "'a[\"\\\"\"]'", "team1/web:stable", "web", "'web:'", "a/b/c", "flux-system:podinfo",
	"stream", "namespace", "digest", "tag@digest", "ref", "1000", "100001", "'{subject}'", "'{{x}} {tag}'", "'{x}'", "'a}'", "\"\\nA\"", "\"A {tag}\\nB\"", "'chore: '", "'A <a@b>'", "'A B <a@b> '", "'<a@b>'",
	"'0 8 * * 1-5'", "'@daily'", "'* * * *'", "'60 * * * *'", "Europe/Berlin", "Europe/Nowhere", "Local", "UTC", "'*.tf'", "'apps/*'", "Jenkinsfile", "'../a'", "'a/../b'", "'{..,a}/b'",
	"commit", "proposal", "by-hand", "when-green", "towpath/", "towpath-", "'a.lock/'", "a//b/", "refs/a/", "alice", "'@alice'", "acme/team", "a/b/c/", "'a,b'",
	"github", "gitea", "none", "A_1", "https://api.github.com/", "http://git.example/", "'http://[::1]:3000/api/v1'", "'https://a/b?c'", "a/b.git",
	"cloudevents", "slack", "commit-status", "'http://a/'", "failing", "[image, held]",
	"[]", "{}", "[x]", "[a/**, b]", "{x: y}", "2001-01-01", "!!str 5", "'5'", "\"a\\tb\"",
}
