package integrated

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"sync"
)

// Parts knows which manifests of a repository name something, and so lose by its deletion. What
// a manifest names never changes, so it is read once; which are there is asked each time.
type parts struct {
	on library

	mu sync.Mutex
	of *lru[string, []string] // by the manifest's digest
}

// A library is a shelf that can be read.
type library interface {
	shelf
	GetContent(ctx context.Context, path string) ([]byte, error)
}

const (
	namesRemembered = 10_000 // manifests
	mostRemembered  = 100    // names of one; larger ones are read again
)

func newParts(on library) *parts {
	return &parts{on: on, of: newLRU[string, []string](namesRemembered)}
}

// by are the manifests of a repository that name a digest, other than the digest's own.
func (n *parts) by(ctx context.Context, repository, digest string) ([]string, error) {
	at := root + "/repositories/" + repository + "/_manifests/revisions"
	algorithms, err := listed(ctx, n.on, at)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, algorithm := range algorithms {
		hexes, err := listed(ctx, n.on, algorithm)
		if err != nil {
			return nil, err
		}
		for _, hex := range hexes {
			manifest := path.Base(algorithm) + ":" + path.Base(hex)
			if manifest == digest {
				continue
			}
			names, err := n.names(ctx, manifest)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(names, digest) {
				continue
			}
			// What was deleted leaves its directory.
			if _, err := n.on.Stat(ctx, hex+"/link"); err == nil {
				found = append(found, manifest)
			} else if !isGone(err) {
				return nil, err
			}
		}
	}
	return found, nil
}

// names are the digests that a manifest names; none where it is not there.
func (n *parts) names(ctx context.Context, manifest string) ([]string, error) {
	n.mu.Lock()
	names, known := n.of.get(manifest)
	n.mu.Unlock()
	algorithm, hex, _ := strings.Cut(manifest, ":")
	if known || len(hex) < 2 {
		return names, nil
	}
	content, err := n.on.GetContent(ctx, root+"/blobs/"+algorithm+"/"+hex[:2]+"/"+hex+"/data")
	if isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if names = namesIn(content); len(names) <= mostRemembered {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.of.put(manifest, names)
	}
	return names, nil
}

// namesIn are the digests that an image or an index needs. A subject is not needed: who speaks of
// an image may stay without it.
func namesIn(manifest []byte) (names []string) {
	var said struct{ Config, Layers, Manifests json.RawMessage }
	if json.Unmarshal(manifest, &said) != nil {
		return nil // nobody can pull it either
	}
	type part struct{ Digest string }
	// Each by itself: what is wrong in one hides nothing in the others, of which the manifest's kind
	// says which count.
	var config part
	var layers, manifests []part
	_ = json.Unmarshal(said.Config, &config)
	_ = json.Unmarshal(said.Layers, &layers)
	_ = json.Unmarshal(said.Manifests, &manifests)
	for _, p := range slices.Concat([]part{config}, layers, manifests) {
		if p.Digest != "" {
			names = append(names, p.Digest)
		}
	}
	return names
}

// tagged are the tags of a repository that are one of some manifests, to tell people of them: one that
// cannot be read is left out.
func (n *parts) tagged(ctx context.Context, repository string, manifests []string) (tags []string, err error) {
	all, err := listed(ctx, n.on, root+"/repositories/"+repository+"/_manifests/tags")
	if err != nil {
		return nil, err
	}
	for _, tag := range all {
		link, err := n.on.GetContent(ctx, tag+"/current/link")
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		if slices.Contains(manifests, string(link)) {
			tags = append(tags, path.Base(tag))
		}
	}
	return tags, nil
}
