package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	"sigs.k8s.io/yaml"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
)

// manyTags records one new digest in a file of 2,000 tags.
func (b *bed) manyTags(ctx context.Context) (s sample, err error) {
	text := manyTagged(b.scaled(2000))
	plan, path, err := oneMoved(ctx, text)
	if err != nil {
		return s, err
	}
	stop, err := profile(b.profileOf("tags-2000"))
	if err != nil {
		return s, err
	}
	var writes reconcile.Writes
	s.Towpath, _ = timed(func() error {
		writes = plan.Writes(map[string][]byte{path: text})
		return nil
	})
	stop()
	if len(writes.Chain) != 1 || !bytes.Contains(writes.Chain[0].Commit.Edits[0].Content, []byte(moved)) {
		return s, fmt.Errorf("it was not recorded: %v", writes.Problems)
	}
	s.Floor, err = timed(func() error {
		var into imagev1.ImageStream
		return yaml.Unmarshal(text, &into)
	})
	return s, err
}

// moved is the digest that is new.
var moved = "sha256:" + strings.Repeat("1", 64)

// oneMoved is a plan to record a new digest of the text's tag in the middle.
func oneMoved(ctx context.Context, text []byte) (reconcile.Plan, string, error) {
	const path = "streams.yaml"
	store := memory.New(map[string]string{path: string(text)})
	snap, err := store.Snapshot(ctx, "main")
	if err != nil {
		return reconcile.Plan{}, path, err
	}
	cat, err := reconcile.Load(ctx, snap, nil, nil)
	if err != nil || len(cat.Streams) != 1 {
		return reconcile.Plan{}, path, fmt.Errorf("not one stream: %v, %w", cat.Problems, err)
	}
	now := time.Now()
	tags := cat.Streams[0].Spec.Tags
	ask, _ := reconcile.Due(cat, &reconcile.Memory{}, []reconcile.Hint{{Tag: tags[len(tags)/2].Name}}, now)
	if len(ask) != 1 {
		return reconcile.Plan{}, path, fmt.Errorf("%d tags are due, not one", len(ask))
	}
	answer := reconcile.Answer{Question: ask[0], Results: []reconcile.Result{{Tag: ask[0].Target.Tag, Head: moved, Image: moved}}, At: now}
	recorded := reconcile.Record(cat, []reconcile.Answer{answer}, now)
	if len(recorded.Changes) != 1 {
		return reconcile.Plan{}, path, errors.New("no news")
	}
	return reconcile.Plan{Recorded: recorded, Author: gitstore.Person{Name: "bench", Email: "bench@example.com"}, When: now}, path, nil
}

// manyTagged is the text of a stream of n tags, each with ten items.
func manyTagged(n int) []byte {
	return repo{Seed: seed{History: history}}.streamOf(0, n)
}
