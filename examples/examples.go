// Package examples holds repositories that people can copy. Each is run by a
// test; quickstart is also what towpath demo plays.
package examples

import "embed"

// Quickstart is the repository of towpath demo, below the directory quickstart.
//
//go:embed all:quickstart
var Quickstart embed.FS

// QuickstartHost is the registry that Quickstart's files name.
const QuickstartHost = "127.0.0.1:5000"
