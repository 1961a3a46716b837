package imagestream

import (
	"iter"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/yamledit"
)

// A pair is an entry of a mapping.
type pair struct{ key, value *yamledit.Node }

// entries are those of a mapping, key and value, with merge keys read as YAML 1.1 says: what
// the mapping says itself goes first, then what it merges, the earlier before the
// later. Each key is there once. A node that is no mapping has none.
func entries(n *yamledit.Node) iter.Seq2[*yamledit.Node, *yamledit.Node] {
	return func(yield func(key, value *yamledit.Node) bool) {
		n := follow(n)
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		merges := false
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i]; isMerge(key) {
				merges = true
			} else if !yield(follow(key), n.Content[i+1]) {
				return
			}
		}
		if !merges {
			return
		}
		for _, p := range merged(n) {
			if !yield(p.key, p.value) {
				return
			}
		}
	}
}

// width is how many entries a mapping has.
func width(n *yamledit.Node) (total int) {
	for range entries(n) {
		total++
	}
	return total
}

// merged are the entries that merge keys add to a mapping.
func merged(n *yamledit.Node) (added []pair) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; !isMerge(key) {
			seen[follow(key).Value] = true
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMerge(n.Content[i]) {
			continue
		}
		for _, source := range sources(n.Content[i+1]) {
			for key, value := range entries(source) {
				if !seen[key.Value] {
					seen[key.Value] = true
					added = append(added, pair{key, value})
				}
			}
		}
	}
	return added
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
		for key, value := range entries(n) {
			if key.Value == step && key.Kind == yaml.ScalarNode {
				return value
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
