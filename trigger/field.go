package trigger

import (
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A Field is a place that follows a tag because the repository's config says so. It
// leads to a single value or to an entry of a kustomization's images.
type Field struct {
	At      yamledit.Selector
	Follows imagestream.TagRef
	Part    Part  // of a single value
	Wish    Style // as Site.Wish
	Line    int   // in the repository's config, for problems
}

// fields finds the fields that the config names.
func (f *finding) fields(file *yamledit.File, fields []Field) {}
