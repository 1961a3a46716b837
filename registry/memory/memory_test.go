package memory_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/memory"
)

const (
	ociImage = "application/vnd.oci.image.manifest.v1+json"
	ociIndex = "application/vnd.oci.image.index.v1+json"
)

func TestDigest(t *testing.T) {
	seen := make(map[string]string)
	for _, word := range []string{"", "a", "aa", "aaa", "a0", "web-1.0", "index", strings.Repeat("a", 64), "A"} {
		d := memory.Digest(word)
		if !registry.ValidDigest(d) {
			t.Errorf("Digest(%q) = %s is not well formed", word, d)
		}
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q have one digest", word, other)
		}
		seen[d] = word
	}
	if got := memory.Digest("aaa"); !strings.HasPrefix(got, "sha256:aaa") {
		t.Errorf("Digest(aaa) = %s, want it to start so", got)
	}
}

func TestSet(t *testing.T) {
	whole := "sha256:" + strings.Repeat("12", 32)
	r := set(t, `
		# comment
		quay.io/team1/web:1.0 aaa
		quay.io/team1/web:1.1 `+whole+` application/vnd.docker.distribution.manifest.v2+json
		quay.io/team1/web:2.0 list linux/amd64=ccc linux/arm64/v8=sha256:ddd =eee
		quay.io/team1/web@fff
		quay.io/team1/web:3.0@333
		quay.io/team1/web:1.0 aab
		quay.io/team1/web:1.1 -
		redis 999
	`)
	list := registry.Image{Digest: memory.Digest("list"), MediaType: ociIndex, Children: []registry.Child{
		{Digest: memory.Digest("ccc"), MediaType: ociImage, Platform: registry.Platform{OS: "linux", Architecture: "amd64"}},
		{Digest: memory.Digest("ddd"), MediaType: ociImage, Platform: registry.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}},
		{Digest: memory.Digest("eee"), MediaType: ociImage},
	}}
	for written, want := range map[string]registry.Image{
		"quay.io/team1/web:1.0":                          {Digest: memory.Digest("aab"), MediaType: ociImage},
		"quay.io/team1/web@" + memory.Digest("aaa"):      {Digest: memory.Digest("aaa"), MediaType: ociImage},
		"quay.io/team1/web@" + whole:                     {Digest: whole, MediaType: "application/vnd.docker.distribution.manifest.v2+json"},
		"quay.io/team1/web:2.0":                          list,
		"quay.io/team1/web:1.0@" + memory.Digest("list"): list,
		"quay.io/team1/web@" + memory.Digest("ccc"):      {Digest: memory.Digest("ccc"), MediaType: ociImage},
		"quay.io/team1/web@" + memory.Digest("fff"):      {Digest: memory.Digest("fff"), MediaType: ociImage},
		"quay.io/team1/web:3.0":                          {Digest: memory.Digest("333"), MediaType: ociImage},
		"docker.io/library/redis:latest":                 {Digest: memory.Digest("999"), MediaType: ociImage},
	} {
		got, err := r.Detail(t.Context(), registry.On{}, ref(t, written))
		if err != nil {
			t.Errorf("%s: %v", written, err)
		}
		got.Config = "" // TestFacts
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", written, diff)
		}
	}
	tags, err := r.Tags(t.Context(), registry.On{}, ref(t, "quay.io/team1/web").Repo)
	if diff := cmp.Diff([]string{"1.0", "2.0", "3.0"}, tags); err != nil || diff != "" {
		t.Errorf("tags: %v (-want +got):\n%s", err, diff)
	}
}

func TestFacts(t *testing.T) {
	r := set(t, `
		quay.io/web:plain aaa
		quay.io/web:told bbb application/vnd.docker.distribution.manifest.v2+json created=2026-01-02T03:04:05Z platform=linux/arm64/v8 label:a=1 label:b="two\x20words\n" label:c=
		quay.io/web:none b0 platform=
		quay.io/web:again bbb application/vnd.docker.distribution.manifest.v2+json
		quay.io/web:chart ccc artifact
		quay.io/web:type ddd application/vnd.cncf.helm.chart.v1
		quay.io/web:list index created=2020-01-01T00:00:00Z label:x=1 linux/amd64=e0 linux/arm64=e1 created=2021-01-01T00:00:00Z label:x=2 windows/amd64=e2 platform=linux/s390x unknown/unknown=e3 =e4 artifact
		quay.io/web:signed index2 linux/amd64=e0
		quay.io/web:artifacts index3 artifact linux/amd64=e5
	`)
	config := func(created, os, arch, variant string, labels ...string) *registry.Config {
		c := &registry.Config{Platform: registry.Platform{OS: os, Architecture: arch, Variant: variant}}
		if created != "" {
			c.Created, _ = time.Parse(time.DateTime, created)
		}
		for i := 0; i < len(labels); i += 2 {
			if c.Labels == nil {
				c.Labels = map[string]string{}
			}
			c.Labels[labels[i]] = labels[i+1]
		}
		return c
	}
	told := config("2026-01-02 03:04:05", "linux", "arm64", "v8", "a", "1", "b", "two words\n", "c", "")
	got, want := map[string]*registry.Config{}, map[string]*registry.Config{
		":plain": config("", "linux", "amd64", ""),
		":told":  told, ":again": told,
		":none": config("", "", "", ""), ":chart": nil, ":type": nil, ":list": nil,
		"@e0": config("2020-01-01 00:00:00", "linux", "amd64", "", "x", "1"),
		"@e1": config("2021-01-01 00:00:00", "linux", "arm64", "", "x", "2"),
		"@e2": config("2020-01-01 00:00:00", "linux", "s390x", "", "x", "1"),
		"@e3": config("2020-01-01 00:00:00", "unknown", "unknown", "", "x", "1"),
		"@e4": nil, "@e5": nil,
	}
	for name := range want {
		ref := registry.Ref{Repo: registry.Repo{Host: "quay.io", Path: "web"}, Tag: name[1:]}
		if name[0] == '@' {
			ref.Tag, ref.Digest = "", memory.Digest(name[1:])
		}
		image, err := r.Detail(t.Context(), registry.On{}, ref)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = nil
		if image.Config == "" {
			continue
		}
		c, err := r.Config(t.Context(), registry.On{}, ref.Repo, image.Config)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = &c
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configurations (-want +got):\n%s", diff)
	}
	for tag, want := range map[string][]bool{"list": {false, false, false, true, true}, "artifacts": {true}} {
		image, err := r.Detail(t.Context(), registry.On{}, ref(t, "quay.io/web:"+tag))
		if err != nil {
			t.Fatal(err)
		}
		var got []bool
		for _, child := range image.Children {
			got = append(got, child.Artifact)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("artifacts of %s (-want +got):\n%s", tag, diff)
		}
	}
}

func TestSetErrors(t *testing.T) {
	for line, want := range map[string]string{
		"quay.io/web:1":                        "registry line 1: quay.io/web:1 has no digest",
		"\nquay.io aaa":                        `registry line 2: "quay.io" names a registry`,
		"quay.io/web:1 aaa linux=bbb":          "linux is no platform",
		"quay.io/web:1 aaa type linux":         "linux is neither",
		"quay.io/web:1 aaa type a/b=bbb":       "type has no children",
		"quay.io/web:1 aaa created=yesterday":  `cannot parse "yesterday"`,
		"quay.io/web:1 aaa platform=linux":     "linux is no platform",
		"quay.io/web:1 aaa label:a=\"b":        `label:a="b: invalid syntax`,
		"quay.io/web:1 aaa label:=b":           "label: is no platform",
		"quay.io/web:-1 !NotFound no such tag": `"-1" is no tag`,
	} {
		if err := new(memory.Registry).Set(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", line, err, want)
		}
	}
}

// The most particular failure answers, and ends where its line ends.
func TestFail(t *testing.T) {
	r := set(t, `
		quay.io/team1/web:1 aaa
		quay.io/team1/web:2 bbb
		quay.io/team1/api:1 ccc
		quay.io !Unreachable no answer
		quay.io/team1/web !Forbidden not allowed
		quay.io/team1/web:1 !RateLimited too many requests
	`)
	check := func(written string, want registry.Kind) {
		t.Helper()
		_, err := r.Head(t.Context(), registry.On{}, ref(t, written))
		e, _ := errors.AsType[*registry.Error](err)
		switch {
		case want == "" && err != nil, want != "" && (e == nil || e.Kind != want):
			t.Errorf("%s: got %v, want %q", written, err, want)
		case e != nil && e.Ref != ref(t, written).String():
			t.Errorf("%s: the error is of %s", written, e.Ref)
		}
	}
	check("quay.io/team1/web:1", registry.RateLimited)
	check("quay.io/team1/web:2", registry.Forbidden)
	check("quay.io/team1/api:1", registry.Unreachable)
	if _, err := r.Tags(t.Context(), registry.On{}, ref(t, "quay.io/team1/web").Repo); err == nil || err.Error() != "quay.io/team1/web: not allowed" {
		t.Errorf("tags: got %v", err)
	}
	if err := r.Set("quay.io !\n quay.io/team1/web !\n"); err != nil {
		t.Fatal(err)
	}
	check("quay.io/team1/web:1", registry.RateLimited)
	check("quay.io/team1/web:2", "")
	check("quay.io/team1/api:1", "")
	if err := r.Set("quay.io/team1/web:1 aaa"); err != nil {
		t.Fatal(err)
	}
	check("quay.io/team1/web:1", "")
}

// A hook can hold an answer back in virtual time, and the answer is as of the
// end of the wait.
func TestHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &memory.Registry{Hook: func(ctx context.Context, c memory.Call) error {
			if c.Op != "Head" || c.On.Namespace != "team1" {
				return errors.New("asked something else")
			}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		if err := r.Set("quay.io/web:1 aaa"); err != nil {
			t.Fatal(err)
		}
		on, web := registry.On{Namespace: "team1"}, ref(t, "quay.io/web:1")
		answer := make(chan registry.Image)
		go func() {
			image, err := r.Head(t.Context(), on, web)
			if err != nil {
				t.Error(err)
			}
			answer <- image
		}()
		synctest.Wait()
		if err := r.Set("quay.io/web:1 bbb"); err != nil {
			t.Fatal(err)
		}
		close(release)
		if got := <-answer; got.Digest != memory.Digest("bbb") {
			t.Errorf("got %s, want what was there at the end", got.Digest)
		}
		_, err := r.Detail(t.Context(), on, web)
		if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Unreachable {
			t.Errorf("got %v, want the hook's error as Unreachable", err)
		}
	})
}

func set(t *testing.T, lines string) *memory.Registry {
	t.Helper()
	r := new(memory.Registry)
	if err := r.Set(lines); err != nil {
		t.Fatal(err)
	}
	return r
}

func ref(t *testing.T, written string) registry.Ref {
	t.Helper()
	ref, err := registry.ParseRef(written)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
