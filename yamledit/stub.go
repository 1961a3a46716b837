package yamledit

// Parse parses text within limits. The error is an *Error.
func Parse(src []byte, limits Limits) (*File, error) { panic("not yet") }

// Lookup is the node at a path, aliases followed; nil where there is none.
func Lookup(root *Node, at Path) *Node { panic("not yet") }

// Apply makes the changes, all or none, and returns the new text. The error is
// a *Refused.
func (f *File) Apply(changes ...Change) ([]byte, error) { panic("not yet") }
