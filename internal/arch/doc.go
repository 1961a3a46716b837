// Package arch holds the shape of the program by a test: who may import whom,
// and why; that every package says what it is for; that every example is run.
package arch
