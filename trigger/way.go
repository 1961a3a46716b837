package trigger

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/yamledit"
)

// A way leads from an object down to a value. The nodes on it are looked up once: what is
// asked of them costs no walk from the root.
type way struct {
	object
	at    yamledit.Path    // from the object
	nodes []*yamledit.Node // those of at[:i]; nil where at leads to nothing
}

// ways keeps what was looked up on the way to many values of a file.
type ways struct {
	objects map[*yamledit.Node]object         // what their kinds and names are, by their nodes
	names   map[*yamledit.Node]*yamledit.Node // the values of the key name, by what they are in
	moving  map[*yamledit.Node]bool           // the values that follow
}

func newWays() ways {
	return ways{map[*yamledit.Node]object{}, map[*yamledit.Node]*yamledit.Node{}, map[*yamledit.Node]bool{}}
}

// nodesAt are the nodes on a path, as way has them.
func nodesAt(root *yamledit.Node, at yamledit.Path) []*yamledit.Node {
	nodes := []*yamledit.Node{yamledit.Lookup(root, nil)}
	for i := range at {
		nodes = append(nodes, yamledit.Lookup(nodes[i], at[i:i+1]))
	}
	return nodes
}

// way is that from the object of a document that a path leads into, an element of a List or
// the document.
func (ws ways) way(doc int, at yamledit.Path, nodes []*yamledit.Node) way {
	w := way{ws.object(doc, nil, nodes[0]), at, nodes}
	if w.kind == "List" && len(at) > 2 && at[0] == "items" && isMapping(nodes[2]) {
		w = way{ws.object(doc, at[:2], nodes[2]), at[2:], nodes[2:]}
	}
	return w
}

func (ws ways) object(doc int, at yamledit.Path, n *yamledit.Node) object {
	o, ok := ws.objects[n]
	if !ok {
		if o = (object{node: n}); o.text("kind") != "" {
			o.kind, o.namespace = o.text("kind"), o.text("metadata", "namespace")
			o.name = cmp.Or(o.text("metadata", "name"), o.text("metadata", "generateName"))
		}
		ws.objects[n] = o
	}
	o.doc, o.at = doc, at
	return o
}

// value is the node that the way leads to, nil where there is none.
func (w way) value() *yamledit.Node { return w.nodes[len(w.at)] }

// up is the way to what the value is in.
func (w way) up() way {
	last := len(w.at) - 1
	return way{w.object, w.at[:last:last], w.nodes[:last+1]}
}

// key is the last key of the way, empty where it ends with an index.
func (w way) key() string {
	if len(w.at) == 0 {
		return ""
	}
	key, _ := w.at[len(w.at)-1].(string)
	return key
}

// get is the single value of a key of what the way leads to.
func (w way) get(key string) *yamledit.Node { return yamledit.Lookup(w.value(), yamledit.Path{key}) }

// identifies reports whether a way leads to what tells objects or containers apart.
func (w way) identifies() bool {
	last := len(w.at) - 1
	if w.key() == "name" && last > 1 {
		if list, ok := w.at[last-2].(string); ok && slices.Contains(containerLists, list) {
			return true
		}
	}
	path := w.at.String()
	return path == "kind" || w.kind != "" && slices.Contains([]string{"metadata.name", "metadata.generateName", "metadata.namespace"}, path)
}

// namesTag reports whether a way leads to the name of what is no image, as in
// from: {kind: ImageStreamTag, name: web:1}.
func (w way) namesTag() bool {
	return w.key() == "name" && strings.HasPrefix(text(w.up().get("kind")), "ImageStream")
}

// entryKey is the part that the last key of a way holds in an entry of images; empty for other
// ways.
func (w way) entryKey() Part {
	for _, e := range entryParts {
		if w.key() == e.key && w.up().isEntry() {
			return e.part
		}
	}
	return ""
}

// isEntry reports whether a way leads to an entry of images, of Kustomize's own file or of
// Flux's Kustomization.
func (w way) isEntry() bool {
	list := w.at[:max(len(w.at)-1, 0)].String()
	switch w.kind {
	case "":
		if list != "images" {
			return false
		}
	case "Kustomization", "Component":
		if list != "images" && list != "spec.images" {
			return false
		}
	default:
		return false
	}
	n := w.value()
	if !isMapping(n) || text(w.get("name")) == "" {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if !slices.Contains([]string{"name", "newName", "newTag", "digest", "tagSuffix"}, n.Content[i].Value) {
			return false
		}
	}
	return true
}

// fieldID names the value at a way's end, which follows something: by its container where it is
// the image of one, as a trigger would.
func (ws ways) fieldID(w way, follows string) ID {
	id := ID{Kind: w.kind, Namespace: w.namespace, Name: w.name}
	if n := len(w.at); n > 2 && w.key() == "image" && w.name != "" && (w.at[n-3] == "containers" || w.at[n-3] == "initContainers") {
		if id.Container = text(ws.nameIn(w.nodes[n-1])); id.Container != "" {
			return id
		}
	}
	id.Field = ws.called(w, follows)
	return id
}

// called is a way as people say it, with the names of elements that have one:
// images[web].newTag. Of those that have none the last is called by what follows there,
// services[team1/web:stable], because its index is another's as soon as an element is put
// before it.
func (ws ways) called(w way, follows string) string {
	last := -1
	for i, step := range w.at {
		if _, ok := step.(int); ok && ws.name(w.nodes[i+1]) == "" {
			last = i
		}
	}
	var b strings.Builder
	for i, step := range w.at {
		key := yamledit.Path{step}.String()
		if _, ok := step.(int); ok {
			name := ws.name(w.nodes[i+1])
			if i == last {
				name = follows
			}
			key = "[" + name + "]"
		}
		if b.Len() > 0 && key[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(key)
	}
	return b.String()
}

// name is that of an element of a list; empty where it has none that stays and that people can
// read.
func (ws ways) name(element *yamledit.Node) string {
	n := ws.nameIn(element)
	name := text(n)
	if ws.moving[n] || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r == '[' || r == ']' || !unicode.IsPrint(r) }) {
		return ""
	}
	return name
}

// nameIn is the value of the key name in a mapping.
func (ws ways) nameIn(n *yamledit.Node) *yamledit.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	name, ok := ws.names[n]
	if !ok {
		name = yamledit.Lookup(n, yamledit.Path{"name"})
		ws.names[n] = name
	}
	return name
}
