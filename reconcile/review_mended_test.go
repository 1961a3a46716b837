package reconcile_test

import (
	"strings"
	"testing"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// fromStream is a stream whose one tag is from another stream's.
func fromStream(name, kind, from string) string {
	text := strings.Replace(quayStream(name), "kind: DockerImage, name: \"quay.io/team1/"+name+":1.4\"", "kind: "+kind+", name: \""+from+"\"", 1)
	return strings.Replace(text, "      importPolicy: {scheduled: true}\n", "", 1)
}

// following is a deployment that follows a tag.
func following(name, tag string) string {
	return strings.Replace(follower(name, " "), "web:stable", tag, 1)
}

// Who asks for one stream takes nothing out of its proposal that is another's.
func TestReviewImportOfOne(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.store.Write("main", "another", map[string]string{"streams/other.yaml": fromStream("other", "ImageStreamTag", "web:stable"), "c.yaml": following("c", "other:stable")})
		p.push("aaa")
		f := p.one()
		p.restart()
		h := reconcile.Hint{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Force: true}
		p.line.Targets, p.line.Only = []reconcile.Hint{h}, reconcile.ImportOnly
		if _, err := p.line.Settle(p.t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if got := p.one(); got.Head != f.Head {
			t.Errorf("it was made again:\n%s", p.store.Tree(got.Branch)["streams/other.yaml"].Content)
		}
		p.holds(f.Branch, "aaa", "aaa", "aaa")
	})
}
