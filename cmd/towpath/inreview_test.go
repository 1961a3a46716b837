package main

import (
	"testing"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// A tag is in review where a proposal brings it an image that is not on record yet: one that only moves
// what follows leaves the tag as it is.
func TestInReview(t *testing.T) {
	tag := imagestream.TagRef{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Tag: "prod"}
	r := reviewsOf([]web.Proposal{{Number: 12, State: "open", Tags: []web.Image{{Tag: tag.String(), Image: "sha256:bbb"}}}})
	for image, want := range map[string]bool{"": true, "sha256:aaa": true, "sha256:bbb": false} {
		v := reconcile.TagView{Tag: tag}
		if image != "" {
			v.Item = &imagestream.Item{Image: image}
		}
		if _, got := r.of(v); got != want {
			t.Errorf("on record is %q: in review: %v, want %v", image, got, want)
		}
	}
}
