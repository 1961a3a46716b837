package seeds

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// Mutant is a YAML document with one to three of its entries taken away, doubled,
// renamed, or given another value, odd ones among them.
func Mutant(t testing.TB, r *rand.Rand, src []byte, odd []string) []byte {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		t.Fatal(err)
	}
	for range 1 + r.IntN(3) {
		mutate(r, nodesOf(doc.Content[0]), odd)
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
func mutate(r *rand.Rand, all []*yaml.Node, odd []string) {
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
