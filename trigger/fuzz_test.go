package trigger

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/towpath/towpath/yamledit"
)

// FuzzFind: whatever a file says, in whatever form, a site is a place that can be
// rewritten, or that the edit refuses.
func FuzzFind(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*/*.txtar")
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Files[0].Data), strings.HasPrefix(filepath.ToSlash(path), "testdata/text/"))
	}
	f.Fuzz(func(t *testing.T, src string, text bool) {
		story{src: []byte(src), as: As{Text: text}}.lawful(t)
	})
}

// FuzzAnnotation is FuzzFind where the annotation is all that differs.
func FuzzAnnotation(f *testing.F) {
	for i, path := range []string{podPath + "containers[0].image", podPath + `initContainers[?(@.name=="web")].image`, "spec.template.spec", "x", ""} {
		f.Add(byte(i), "["+one("barge:1", path, `,"paused":false`)+"]")
	}
	f.Add(byte(1), "[{]")
	f.Add(byte(2), "null")
	kinds := []string{"Deployment", "CronJob", "Pod", "DeploymentConfig", "BuildConfig", "Rollout", "Template", "List", "ImageStream"}
	f.Fuzz(func(t *testing.T, kind byte, annotation string) {
		lawful(t, workload(kinds[int(kind)%len(kinds)], strconv.QuoteToASCII(annotation)))
	})
}

// lawful checks the law of FuzzFind for a file of YAML or JSON.
func lawful(t *testing.T, src string) { story{src: []byte(src)}.lawful(t) }

func (s story) lawful(t *testing.T) {
	if _, err := yamledit.Parse(s.src, yamledit.DefaultLimits); err != nil && !s.as.Text {
		return
	}
	sites, problems := s.find()
	for _, p := range problems {
		if p.Line < 1 || p.Col < 1 || p.What == "" || !p.Note && p.Fix == "" {
			t.Errorf("got problem %+v, want a place and a next step", p)
		}
	}
	ids := map[ID]bool{}
	for i, site := range sites {
		if ids[site.ID] {
			t.Errorf("two sites are %s", site.ID)
		}
		ids[site.ID] = true
		for _, image := range []string{"quay.io/canal/barge:2@sha256:" + strings.Repeat("d", 64), "quay.io/canal/barge:2"} {
			s.given(t, sites, i, ParseImage(image))
		}
	}
}

// given checks that a site which gets an image has it, and that the others stay.
func (s story) given(t *testing.T, sites []Site, i int, image Image) {
	if _, why := sites[i].Values(image, ByDigest); why != "" {
		return
	}
	out, err := Rewritten(s.src, s.as, Rewrite{Site: sites[i], Image: image, Style: ByDigest})
	if refused := (*yamledit.Refused)(nil); errors.As(err, &refused) {
		if refused.What == "" || refused.Fix == "" {
			t.Errorf("%s: got refusal %+v, want a reason and the lines to write", sites[i].ID, refused)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", sites[i].ID, err)
	}
	s.src = out
	after, _ := s.find()
	if diff := cmp.Diff(names(sites), names(after)); diff != "" {
		t.Fatalf("%s: sites (-before +after it was rewritten):\n%s", sites[i].ID, diff)
	}
	if !after[i].Has(image, ByDigest) {
		t.Errorf("%s: holds %q after it was rewritten", sites[i].ID, after[i].Current())
	}
	for j := range sites {
		if j != i && !slices.Equal(values(sites[j]), values(after[j])) {
			t.Errorf("%s: held %q, and %q after %s was rewritten", sites[j].ID, values(sites[j]), values(after[j]), sites[i].ID)
		}
	}
}

func names(sites []Site) (all []string) {
	for _, s := range sites {
		all = append(all, fmt.Sprintf("%s follows %s, paused: %t", s.ID, s.Follows, s.Paused))
	}
	return all
}

func values(s Site) (all []string) {
	for _, p := range s.Places {
		all = append(all, p.Value)
	}
	return all
}
