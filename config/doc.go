// Package config reads towpath's two configuration files: the repository's
// (.towpath.yaml, which says what is written) and the operator's (which says
// what may be reached, and with which credentials).
//
// Both are strict: what is not known, or would do nothing, is a problem with its
// line, so that a slip of the pen never changes silently what towpath does. The
// package turns bytes into values and does no I/O: it opens no file that a
// configuration names, and knows no registries and no Git.
package config
