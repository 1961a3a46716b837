package reconcile

import (
	"fmt"
	"path"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/trigger"
)

// A lens is how a file is read, by its name and by what the config says of it. What a file
// says is a function of its bytes and its lens.
type lens struct {
	trigger.As
	key   string
	under *Catalog // of an older commit: what has the config that says so; nil: the catalog itself
}

// A reading names what was read: bytes, and through which lens.
type reading struct {
	blob gitstore.BlobID
	lens string
}

// manifest reads YAML and JSON of which the config names no fields.
var manifest = &lens{}

// otherText reads what is neither.
var otherText = &lens{As: trigger.As{Text: true}, key: "text"}

// lens is how the file at a path is read.
func (c *Catalog) lens(file string) *lens {
	switch path.Ext(file) {
	case ".yaml", ".yml", ".json":
	default:
		if path.Base(file) != "Kustomization" {
			return otherText
		}
	}
	follow := c.Config.Follow(file)
	if len(follow) == 0 {
		return manifest
	}
	l := &lens{}
	var key strings.Builder
	for _, f := range follow {
		l.Fields = append(l.Fields, trigger.Field{At: f.Field, Follows: f.From, Part: trigger.Part(f.Part), Wish: trigger.Style(f.Form), Line: f.At.Line})
		fmt.Fprintf(&key, "%d %v %q %q %q\n", f.At.Line, f.Field, f.From, f.Part, f.Form)
	}
	l.key = key.String()
	return l
}

func (f *file) reading() reading { return reading{f.Blob, f.lens.key} }
