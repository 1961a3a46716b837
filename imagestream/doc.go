// Package imagestream is the vocabulary of image streams: what is wanted
// (spec), what is on record (status), and what is wrong (problems). It parses
// files into values and turns what an import means into changes of a file's
// status.
//
// It knows nothing of Git, of registries, or of the time of day.
package imagestream
