// Package gogit is the Store over a real Git repository, by the plumbing of
// go-git: no work tree, no index, no git binary.
//
// A repository behind a URL is reached over http(s) or ssh; of it the package
// keeps the newest commits, one deep, in memory or in a cache directory that
// may be lost at any time. A bare repository on disk is opened directly.
//
// From the bottom up: pktline.go, protocol.go, fetch.go and push.go speak
// Git's protocol, whichever line carries it; http.go and ssh.go are the lines;
// objects.go and pack.go keep objects, receive.go and prune.go look into what a
// server sends before it is kept, omit.go knows what was left out; tree.go, edit.go and snapshot.go read
// and make trees and commits; remote.go and local.go are the two kinds of
// repository; store.go puts them together.
//
// It knows nothing of YAML or images, and decides nothing: what a person has
// to do about a failure is all that it says.
package gogit
