package yamledit

import "go.yaml.in/yaml/v4"

// A Node is a node of the parser. Line is counted from 1 in the whole file, not
// in the document; so is Column, in characters. Comments are left out.
type Node = yaml.Node

// Limits bound what Parse takes in. Keys are those of one mapping; Aliases are
// those of the file, and all together they may stand for 50 nodes each.
type Limits struct {
	Bytes, Nodes, Depth, Keys, Aliases, Docs int
}

// DefaultLimits are 8 MiB, 500,000 nodes, depth 64, 5,000 keys in a mapping,
// 1,000 aliases, 500 documents.
var DefaultLimits = Limits{Bytes: 8 << 20, Nodes: 500_000, Depth: 64, Keys: 5_000, Aliases: 1_000, Docs: 500}

// A File is parsed text. It never changes. Files come from Parse.
type File struct {
	Src  []byte
	Docs []Doc // in order; documents without content are left out
	JSON bool  // the text is JSON

	limits Limits
}

// A Doc is one document of a file.
type Doc struct {
	Root       *Node // the value, not the document node
	Start, End int   // byte offsets in Src of the document's text
	// Plain says that the document is written so simply that every reader of YAML finds
	// the same keys, and of each value the same text: block style, no anchors, tags or
	// escapes. (What a text without quotes stands for, on or 012, is another question.)
	Plain bool
}

// An Error is text that cannot be parsed, or is over a limit.
type Error struct {
	Line, Col int
	What, Fix string
}

func (e *Error) Error() string { return e.What }

// A Path leads from a document's root to a value: strings are keys, ints are
// indices.
type Path []any

// An Op is a kind of change.
type Op int

const (
	// Set gives the value at the path. Where the last key is not in its
	// mapping it is added at the mapping's end; mappings that are missing (or
	// null, or {}) on the way are made. A value that is there already is left
	// as it is written.
	Set Op = iota
	// Insert puts the value into the sequence before the index that ends the
	// path; the sequence's length appends. A missing, null or empty sequence is made.
	Insert
	// Delete removes the key with its value, or the element, together with the
	// lines that it stands on. What is not there is no error. Comments above
	// and below stay.
	Delete
)

// A Change is one edit. Paths are those of the text as it was parsed, whatever
// other changes are applied with it.
type Change struct {
	Doc   int // index in File.Docs
	At    Path
	Op    Op
	Value Value
}

// A Value is a string, bool, int, int64, nil, Seq or Map.
type Value any

// A Seq is a sequence of values.
type Seq []Value

// A Map is a mapping whose keys keep their order.
type Map []Entry

// An Entry is a key with its value.
type Entry struct {
	Key   string
	Value Value
}

// Refused says that an edit was not made because it could not be made surely.
type Refused struct {
	Line, Col int
	What      string // why
	Fix       string // the lines to write by hand
}

func (e *Refused) Error() string { return e.What }
