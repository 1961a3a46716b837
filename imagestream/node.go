package imagestream

import (
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/yamledit"
)

// A pair is an entry of a mapping.
type pair struct{ key, value *yamledit.Node }

// pairs are the entries of a mapping with merge keys read as YAML 1.1 says: what
// the mapping says itself goes first, then what it merges, the earlier before the
// later. Each key is there once. A node that is no mapping has none.
func pairs(n *yamledit.Node) []pair {
	n = follow(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	own := make([]pair, 0, len(n.Content)/2)
	var merged []*yamledit.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; isMerge(key) {
			merged = append(merged, n.Content[i+1])
			continue
		}
		own = append(own, pair{follow(n.Content[i]), n.Content[i+1]})
	}
	if len(merged) == 0 {
		return own
	}
	return withMerged(own, merged)
}

func withMerged(own []pair, merged []*yamledit.Node) []pair {
	seen := map[string]bool{}
	for _, p := range own {
		seen[p.key.Value] = true
	}
	for _, m := range merged {
		for _, source := range sources(m) {
			for _, p := range pairs(source) {
				if !seen[p.key.Value] {
					seen[p.key.Value] = true
					own = append(own, p)
				}
			}
		}
	}
	return own
}

// sources are the mappings that the value of a merge key stands for.
func sources(n *yamledit.Node) []*yamledit.Node {
	if n = follow(n); n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yamledit.Node{n}
}

func isMerge(key *yamledit.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && plain(key)
}

// field is the node that keys and indices lead to from n; nil where there is
// none.
func field(n *yamledit.Node, path ...any) *yamledit.Node {
	for _, step := range path {
		if n = child(n, step); n == nil {
			return nil
		}
	}
	return follow(n)
}

func child(n *yamledit.Node, step any) *yamledit.Node {
	switch step := step.(type) {
	case string:
		for _, p := range pairs(n) {
			if p.key.Kind == yaml.ScalarNode && p.key.Value == step {
				return p.value
			}
		}
	case int:
		if n = follow(n); n != nil && n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	}
	return nil
}

// nearest is the node that the longest part of the path leads to.
func nearest(n *yamledit.Node, path ...any) *yamledit.Node {
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			break
		}
		n = next
	}
	return n
}
