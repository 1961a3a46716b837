// Package web shows over HTTP how the daemon is doing: health, readiness,
// metrics, and the report of the last pass as a page and for programs; Ask is such
// a program's side.
//
// It reads a value that the daemon hands it after each pass. It knows nothing of
// streams, Git or registries, and there is no way through it to change anything.
package web
