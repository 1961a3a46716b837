package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Without a tag a push is refused for what holds whatever the tag is, and for nothing else. A signature is
// taken as far: it goes on no record, also where all tags come from elsewhere.
func TestAdmitsAnyTag(t *testing.T) {
	config := strings.Replace(pushConfig, "'*':", "'team*':", 1) + "rules:\n  - {paths: ['held.yaml'], paused: true}\n"
	stream := func(name, spec string) string {
		return "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: " + name + ", namespace: team1}\n" + spec
	}
	atDock(t, map[string]string{
		".towpath.yaml": config,
		"all.yaml":      stream("all", "spec: {dockerImageRepository: quay.io/team1/all}\n"),
		"held.yaml":     stream("held", ""),
		"bad.yaml":      stream("bad", "status: {tags: 7}\n"),
		"web.yaml":      stream("web", ""),
	}, func(d *dock) {
		about := strings.Replace(registrymemory.Digest("aaa"), ":", "-", 1)
		for repository, want := range map[string]string{
			"team1/web": "", "team1/new": "", "team1/all": "",
			"team1/held": "is paused by .towpath.yaml",
			"team1/bad":  "the status of image stream team1/bad (bad.yaml:1) cannot be read",
			"other/new":  "names no directory for new ones of that namespace",
		} {
			namespace, name, _ := strings.Cut(repository, "/")
			for _, tag := range []string{"", about, about + ".sig"} {
				why := d.Shelf().Admits(imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace, Name: name}, Tag: tag})
				if (want == "") != (why == nil) || why != nil && !strings.Contains(why.What, want) {
					t.Errorf("%s:%s: %v, want %q", repository, tag, why, want)
				}
			}
		}
		all := imagestream.TagRef{Stream: imagestream.Name{Namespace: "team1", Name: "all"}, Tag: "v1"}
		if why := d.Shelf().Admits(all); why == nil {
			t.Errorf("%s may be pushed, and is imported", all)
		}
	})
}

// What a registry has waiting of an attachment is done with, and becomes no tag.
func TestAttachedIsNotRecorded(t *testing.T) {
	atDock(t, map[string]string{}, func(d *dock) {
		about := strings.Replace(registrymemory.Digest("aaa"), ":", "-", 1)
		d.push("team1/web:v1", "aaa")
		d.push("team1/web:"+about+".sig", "bbb")
		d.push("team1/app:"+about, "ccc")
		d.after(time.Minute)
		if diff := cmp.Diff(map[string]string{"team1/web:v1": atHost("team1/web:v1", "aaa")}, records(t, d.store)); diff != "" {
			t.Errorf("on record (-want +got)\n%s", diff)
		}
		if left := d.waits(); len(left) > 0 {
			t.Errorf("%v wait", left)
		}
	})
}
