package config

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

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
			text := mutant(t, r, src)
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
	"[]", "{}", "[x]", "[a/**, b]", "{x: y}", "2001-01-01", "!!str 5", "'5'", "\"a\\tb\"",
}

// mutant is a file with up to three things changed.
func mutant(t *testing.T, r *rand.Rand, src []byte) []byte {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		t.Fatal(err)
	}
	for range 1 + r.IntN(3) {
		mutate(r, nodesOf(doc.Content[0]))
	}
	text, err := yaml.Marshal(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// nodesOf lists a node and all below it, but for keys.
func nodesOf(n *yaml.Node) []*yaml.Node {
	all := []*yaml.Node{n}
	for i, c := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			all = append(all, nodesOf(c)...)
		}
	}
	return all
}

// mutate takes an entry of a node away, doubles it, renames it, or gives it a value of
// another place or out of thin air.
func mutate(r *rand.Rand, all []*yaml.Node) {
	n, step, i := all[r.IntN(len(all))], 1, 0
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	if len(n.Content) > 0 {
		i = r.IntN(len(n.Content)/step) * step
	}
	switch how := r.IntN(6); {
	case how == 0 && len(n.Content) > 0:
		n.Content = slices.Delete(n.Content, i, i+step)
	case how == 1 && n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		n.Content = append(n.Content, n.Content[i])
	case how == 2 && n.Kind == yaml.MappingNode && len(n.Content) > 0:
		if other := all[r.IntN(len(all))]; !slices.Contains(nodesOf(other), n) {
			n.Content[i+1] = other
		}
	case how == 3 && n.Kind == yaml.MappingNode && len(n.Content) > 0:
		n.Content[i].Value = strings.Trim(odd[r.IntN(len(odd))], "'")
	case how == 4 || n.Kind == yaml.ScalarNode:
		*n = *value(odd[r.IntN(len(odd))])
	}
}

func value(text string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		panic(err)
	}
	return doc.Content[0]
}
