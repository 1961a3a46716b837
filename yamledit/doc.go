// Package yamledit changes values in YAML and JSON text and leaves every other
// byte as it is.
//
// Text is parsed for positions, spliced, parsed again and compared, node by
// node, with the tree that was meant. Where that cannot be made sure, the edit is refused
// with the lines to write by hand; nothing is ever re-encoded. It knows nothing
// of what a value means.
package yamledit
