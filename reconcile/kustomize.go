package reconcile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
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

// reads reports whether a file is read at all. A Kustomization is, without an extension,
// where a kustomization.yaml in its place would be.
func (c *Catalog) reads(file string) bool {
	dir, name := path.Split(file)
	return c.Config.Included(file) || name == "Kustomization" && c.Config.Included(dir+"kustomization.yaml")
}

// patched maps each file that a kustomization names as a patch to that kustomization.
// As kustomize has it, unless told otherwise, those are in or below its own directory;
// beyond are files elsewhere, of which it cannot say what they are.
func (c *Catalog) patched(files []*file) (patched, beyond map[string]string) {
	patched, beyond = map[string]string{}, map[string]string{}
	for _, f := range files {
		dir, base := path.Split(f.Path)
		if !f.included {
			continue
		}
		p := c.parsed[f.reading()]
		if p == nil || !slices.Contains(kustomizations, base) {
			continue
		}
		for _, name := range p.patches {
			if file := path.Join(dir, name); strings.HasPrefix(file, dir) {
				patched[file] = f.Path
			} else {
				beyond[file] = f.Path
			}
		}
	}
	maps.DeleteFunc(beyond, func(file, _ string) bool { return patched[file] != "" })
	return patched, beyond
}

// hide says that patches are no streams. One that says what to import, of a stream that
// no other file has, may be the stream itself and named by mistake, or the patch of one
// that lives elsewhere: nobody knows, so that nothing is imported and a person is told.
func (c *Catalog) hide(patches []*Stream, by map[string]string) {
	c.hidden = map[imagestream.Name]string{}
	for _, s := range patches {
		p := imagestream.Problem{Path: s.Path, Line: s.Line, Col: s.Col, Note: true,
			What: fmt.Sprintf("image stream %s is left alone here: %s names this file as a patch", s.Name, by[s.Path])}
		if c.byName[s.Name] == nil && !c.twice[s.Name] {
			c.hidden[s.Name] = fmt.Sprintf("%s names %s as a patch, and no other file has it", by[s.Path], s.Path)
			if isFull(&s.Document) {
				p.Note = false
				p.What += ", and no other file has it"
				p.Fix = fmt.Sprintf("if this is the stream itself, take the file out of the patches there; if it patches one that lives elsewhere, in %s write  exclude: [%q]", ConfigPath, s.Path)
			}
		}
		c.Problems = append(c.Problems, p)
	}
}

// ignored says which streams are streams although somebody calls their files patches.
func (c *Catalog) ignored(beyond map[string]string) {
	for _, file := range slices.Sorted(maps.Keys(beyond)) {
		f := c.files[file]
		if f == nil || len(f.streams) == 0 {
			continue
		}
		s := f.streams[0]
		c.Problems = append(c.Problems, imagestream.Problem{Path: file, Line: s.Line, Col: s.Col, Note: true,
			What: fmt.Sprintf("image stream %s counts, although %s names this file as a patch: kustomizations have their patches in or below their own directories", s.Name, beyond[file])})
	}
}
