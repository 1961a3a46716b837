package imagestream

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

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
		text := mutant(t, r, good)
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

// mutant is a stream with up to three things changed.
func mutant(t *testing.T, r *rand.Rand, src string) []byte {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
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
