package yamledit

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// A budget holds a file to its limits: depth and aliases while the parser runs,
// so that it stops early, and the rest exactly on the nodes. It is the parser's
// plugin for both.
type budget struct {
	limits  Limits
	over    string // the limit that made the parser stop
	nodes   int
	aliases int
	stands  int // nodes that aliases stand for
	anchors map[string]*Node
	sizes   map[*Node]int // nodes below an anchor, aliases followed; 0 while counting
}

var errOver = errors.New("over a limit")

func (b *budget) stop(limit int, what string) error {
	b.over = fmt.Sprintf("the file has more than %d %s", limit, what)
	return errOver
}

// CheckDepth is called by the parser when nesting grows.
func (b *budget) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > b.limits.Depth {
		return b.stop(b.limits.Depth, "levels of nesting")
	}
	return nil
}

// CheckAlias is called when nodes are decoded, which does not happen here.
func (b *budget) CheckAlias(int, int) error { return nil }

// NewAliasDataContext gives the parser the anchors of a document.
func (b *budget) NewAliasDataContext(yaml.AliasDataServices) (yaml.AliasDataContext, error) {
	return b, nil
}

// BeginDocument forgets the anchors of the document before.
func (b *budget) BeginDocument() error {
	b.anchors = nil
	return nil
}

// DefineAnchor keeps an anchored node, before its content is known.
func (b *budget) DefineAnchor(name string, n *Node) error {
	if b.anchors == nil {
		b.anchors = map[string]*Node{}
	}
	b.anchors[name] = n
	return nil
}

// ResolveAlias is the node that an alias stands for.
func (b *budget) ResolveAlias(name string) (*Node, bool, error) {
	if b.aliases++; b.aliases > b.limits.Aliases {
		return nil, false, b.stop(b.limits.Aliases, "aliases")
	}
	n, ok := b.anchors[name]
	return n, ok, nil
}

// EndDocument does nothing: anchors are forgotten when the next one begins.
func (b *budget) EndDocument() error { return nil }

// count holds a document's nodes to the limits, finds keys that are given twice,
// and moves lines down by shift so that they count from the file's start. Comments go,
// so that a node is the same whoever read it.
func (b *budget) count(root *Node, shift int) error {
	if err := b.walk(root, 1, shift); err != nil {
		return err
	}
	if b.aliases == 0 {
		return nil
	}
	b.sizes = map[*Node]int{}
	return b.expand(root)
}

func (b *budget) walk(n *Node, depth, shift int) *Error {
	n.Line += shift
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if b.nodes++; b.nodes > b.limits.Nodes {
		return over(n.Line, n.Column, "nodes", b.limits.Nodes)
	}
	if len(n.Content) == 0 {
		return nil
	}
	if depth > b.limits.Depth {
		return over(n.Line, n.Column, "levels of nesting", b.limits.Depth)
	}
	for _, c := range n.Content {
		if err := b.walk(c, depth+1, shift); err != nil {
			return err
		}
	}
	if n.Kind == yaml.MappingNode {
		return b.keys(n)
	}
	return nil
}

func (b *budget) keys(n *Node) *Error {
	if len(n.Content)/2 > b.limits.Keys {
		return over(n.Line, n.Column, "keys in one mapping", b.limits.Keys)
	}
	if len(n.Content) <= 32 {
		for i := 2; i < len(n.Content); i += 2 {
			for j := 0; j < i; j += 2 {
				if k, ok := keyText(n.Content[i]); ok {
					if first, ok := keyText(n.Content[j]); ok && k == first {
						return twice(n.Content[j], n.Content[i], k)
					}
				}
			}
		}
		return nil
	}
	seen := make(map[string]*Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		k, ok := keyText(n.Content[i])
		if !ok {
			continue
		}
		if first := seen[k]; first != nil {
			return twice(first, n.Content[i], k)
		}
		seen[k] = n.Content[i]
	}
	return nil
}

// keyText is what names an entry. Readers that turn every key into a string
// cannot tell 1 from "1", so neither do we.
func keyText(n *Node) (string, bool) {
	n = follow(n)
	return n.Value, n.Kind == yaml.ScalarNode
}

func twice(first, second *Node, key string) *Error {
	const room = 80
	if len(key) > room {
		key = key[:room]
	}
	return &Error{
		second.Line, second.Column,
		fmt.Sprintf("the key %q is given twice, in lines %d and %d", key, first.Line, second.Line),
		fmt.Sprintf("take out one of the lines %d and %d", first.Line, second.Line),
	}
}

// expand counts what aliases stand for. It follows each anchor once.
func (b *budget) expand(n *Node) error {
	_, err := b.size(n)
	return err
}

func (b *budget) size(n *Node) (int, error) {
	if n.Kind == yaml.AliasNode {
		return b.stand(n)
	}
	total := 1
	if n.Anchor != "" {
		b.sizes[n] = 0
	}
	for _, c := range n.Content {
		size, err := b.size(c)
		if err != nil {
			return 0, err
		}
		total += size
	}
	if n.Anchor != "" {
		b.sizes[n] = total
	}
	return total, nil
}

// stand is the size of what an alias stands for. An anchor always comes before
// its aliases, so that its size is known, unless the alias is inside it.
func (b *budget) stand(n *Node) (int, error) {
	size := b.sizes[n.Alias]
	if size == 0 {
		return 0, &Error{n.Line, n.Column, "the alias *" + n.Value + " stands for a value that holds it", "write the value out"}
	}
	const each = 50
	if b.stands += size; b.stands > each*b.limits.Aliases {
		return 0, over(n.Line, n.Column, "nodes behind aliases", each*b.limits.Aliases)
	}
	return size, nil
}
