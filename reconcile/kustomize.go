package reconcile

import (
	"path"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/yamledit"
)

// patchesOf are the files that a kustomization names as patches, as written. What
// does not look like one names none.
func patchesOf(f *yamledit.File) []string {
	if f == nil || len(f.Docs) != 1 {
		return nil
	}
	var files []string
	root := f.Docs[0].Root
	for _, key := range []string{"patches", "patchesStrategicMerge", "patchesJson6902"} {
		list := member(root, key)
		if list == nil || list.Kind != yaml.SequenceNode {
			continue
		}
		for _, entry := range list.Content {
			if file := member(entry, "path"); file != nil {
				entry = file
			}
			if entry.Kind == yaml.ScalarNode && entry.Value != "" {
				files = append(files, entry.Value)
			}
		}
	}
	return files
}

// member is a mapping's value of a key, nil where there is none.
func member(n *yamledit.Node, key string) *yamledit.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// kustomizations are the names that kustomize looks for.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// patched maps each file that a kustomization names as a patch to that kustomization.
func (c *Catalog) patched(files []*file) map[string]string {
	patched := map[string]string{}
	for _, f := range files {
		p := c.parsed[f.Blob]
		if !f.included || p == nil || !slices.Contains(kustomizations, path.Base(f.Path)) {
			continue
		}
		for _, name := range p.patches {
			patched[path.Join(path.Dir(f.Path), name)] = f.Path
		}
	}
	return patched
}
