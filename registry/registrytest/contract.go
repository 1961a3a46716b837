package registrytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/towpath/towpath/registry"
)

// asker is on whose behalf the contract asks. It allows plain HTTP, so that a
// registry on loopback may be read when its operator allows it, too.
var asker = registry.On{Namespace: "team1", Path: "team1/streams.yaml", Insecure: true}

// A suite is one reader with what it must find.
type suite struct {
	reader                          registry.Reader
	host                            string
	old, image, index, bare, single Image
	chart, said                     Image
	tags                            []string // of the first repository, sorted
}

// Test holds a Reader to the contract of package registry. Open is called once
// for each test: it makes a registry that has these images and nothing else, and
// returns a Reader that reads it and the canonical host that it stands at.
func Test(t *testing.T, open func(t *testing.T, images []Image) (reader registry.Reader, host string)) {
	for name, test := range map[string]func(suite, *testing.T){
		"Tags":       suite.testTags,
		"Image":      suite.testImage,
		"Index":      suite.testIndex,
		"Digest":     suite.testDigest,
		"Artifact":   suite.testArtifact,
		"Config":     suite.testConfig,
		"NotFound":   suite.testNotFound,
		"Cancelled":  suite.testCancelled,
		"Concurrent": suite.testConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			s := suite{
				old:    NewImage(t, "team1/web", "web 0.9"),
				image:  NewImage(t, "team1/web:1.0", "web 1.0"),
				index:  NewIndex(t, "team1/web:2.0", "web 2.0", "linux/arm64/v8", "linux/amd64", "linux/arm/v7", "unknown/unknown", ""),
				bare:   NewIndex(t, "team1/web:none", "web none"),
				single: NewImage(t, "single:latest", "single"),
				chart:  NewImage(t, "team1/web:chart", "chart", Artifact("application/vnd.cncf.helm.config.v1+json")),
				said: NewIndexOf(t, "team1/web:said",
					NewImage(t, "", "said 1", On("linux/arm64/v8"), Created(time.Date(2021, 2, 3, 4, 5, 6, 0, time.UTC)),
						Label("org.opencontainers.image.revision", "0123abc"), Label("note", "two words, \"quoted\"\nand lines"), Label("empty", "")),
					NewImage(t, "", "said 2", Created(time.Time{})),
					NewImage(t, "", "said 3", Artifact("application/vnd.in-toto+json"))),
			}
			images := []Image{s.old, s.image, s.index, s.bare, s.single, s.chart, s.said}
			for i := range 12 {
				images = append(images, NewImage(t, fmt.Sprintf("team1/web:Build_%d.x-y", i), "web 1.0"))
			}
			for _, image := range images {
				if image.Repo == s.image.Repo && image.Tag != "" {
					s.tags = append(s.tags, image.Tag)
				}
			}
			slices.Sort(s.tags)
			s.reader, s.host = open(t, images)
			test(s, t)
		})
	}
}

// ref names an image by its tag, or by its digest where no tag names it.
func (s suite) ref(i Image) registry.Ref {
	ref := registry.Ref{Repo: registry.Repo{Host: s.host, Path: i.Repo}, Tag: i.Tag}
	if i.Tag == "" {
		ref.Digest = i.Digest
	}
	return ref
}

// A list is complete and has each tag once, in whatever order.
func (s suite) testTags(t *testing.T) {
	got, err := s.reader.Tags(t.Context(), asker, s.ref(s.image).Repo)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff(s.tags, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	got, err = s.reader.Tags(t.Context(), asker, s.ref(s.single).Repo)
	if diff := cmp.Diff([]string{"latest"}, got); err != nil || diff != "" {
		t.Errorf("tags of a path of one part: %v (-want +got):\n%s", err, diff)
	}
}

func (s suite) testImage(t *testing.T) {
	s.check(t, s.ref(s.image), s.image.Image)
	s.check(t, s.ref(s.single), s.single.Image)
}

// An index has its children in its own order, also those for which nobody asks.
func (s suite) testIndex(t *testing.T) {
	s.check(t, s.ref(s.index), s.index.Image)
	s.check(t, s.ref(s.bare), s.bare.Image)
}

// A digest is found without a tag, and beside a tag it decides.
func (s suite) testDigest(t *testing.T) {
	s.check(t, s.ref(s.old), s.old.Image)
	both := s.ref(s.image)
	both.Digest = s.index.Digest
	s.check(t, both, s.index.Image)
	for _, child := range s.index.Children {
		ref := registry.Ref{Repo: both.Repo, Digest: child.Digest}
		image, err := s.reader.Head(t.Context(), asker, ref)
		if diff := cmp.Diff(registry.Image{Digest: child.Digest, MediaType: child.MediaType}, image); err != nil || diff != "" {
			t.Errorf("head of %s: %v (-want +got):\n%s", ref, err, diff)
		}
	}
}

// What is no image has no configuration, by itself and in a list.
func (s suite) testArtifact(t *testing.T) {
	s.check(t, s.ref(s.chart), s.chart.Image)
	s.check(t, s.ref(s.said), s.said.Image)
	for i, want := range []bool{false, false, true} {
		if got := s.said.Children[i].Artifact; got != want {
			t.Errorf("child %d: an artifact: %v, want %v", i, got, want)
		}
	}
}

// A configuration is found by the digest that Detail gives, of an image by
// itself and of one in a list.
func (s suite) testConfig(t *testing.T) {
	images := []Image{s.image, s.old, s.single}
	for _, list := range []Image{s.index, s.said} {
		for _, child := range list.children {
			child.Repo = list.Repo
			images = append(images, child)
		}
	}
	for _, want := range images {
		image, err := s.reader.Detail(t.Context(), asker, s.ref(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Config, image.Config); diff != "" {
			t.Errorf("configuration of %s (-want +got):\n%s", s.ref(want), diff)
		}
		if image.Config == "" {
			continue
		}
		got, err := s.reader.Config(t.Context(), asker, s.ref(want).Repo, image.Config)
		if diff := cmp.Diff(want.Says, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s says: %v (-want +got):\n%s", s.ref(want), err, diff)
		}
	}
}

// check asks both ways for a reference.
func (s suite) check(t *testing.T, ref registry.Ref, want registry.Image) {
	t.Helper()
	got, err := s.reader.Detail(t.Context(), asker, ref)
	if err != nil {
		t.Fatalf("detail of %s: %v", ref, err)
	}
	if diff := cmp.Diff(want, got, emptyAsNil); diff != "" {
		t.Errorf("detail of %s (-want +got):\n%s", ref, diff)
	}
	got, err = s.reader.Head(t.Context(), asker, ref)
	if err != nil {
		t.Fatalf("head of %s: %v", ref, err)
	}
	want.Children, want.Config = nil, ""
	if diff := cmp.Diff(want, got, emptyAsNil); diff != "" {
		t.Errorf("head of %s (-want +got):\n%s", ref, diff)
	}
}

// emptyAsNil lets no children be nil or a slice of none.
var emptyAsNil = cmp.Transformer("children", func(cs []registry.Child) string { return fmt.Sprint(cs) })

// What is not there is NotFound under its canonical name.
func (s suite) testNotFound(t *testing.T) {
	ctx, web := t.Context(), s.ref(s.image).Repo
	nothing := "sha256:" + strings.Repeat("0", 64)
	for _, ref := range []registry.Ref{
		{Repo: web, Tag: "no-such-tag"},
		{Repo: web, Digest: nothing},
		{Repo: web, Tag: "1.0", Digest: nothing},
		{Repo: registry.Repo{Host: s.host, Path: "team1/nothing"}, Tag: "1.0"},
	} {
		_, err := s.reader.Head(ctx, asker, ref)
		checkError(t, "head", err, registry.NotFound, ref.String())
		_, err = s.reader.Detail(ctx, asker, ref)
		checkError(t, "detail", err, registry.NotFound, ref.String())
	}
	repo := registry.Repo{Host: s.host, Path: "team1/nothing"}
	_, err := s.reader.Tags(ctx, asker, repo)
	checkError(t, "tags", err, registry.NotFound, repo.String())
	for _, repo := range []registry.Repo{web, repo} {
		_, err = s.reader.Config(ctx, asker, repo, nothing)
		checkError(t, "config", err, registry.NotFound, registry.Ref{Repo: repo, Digest: nothing}.String())
	}
}

func checkError(t *testing.T, op string, err error, kind registry.Kind, ref string) {
	t.Helper()
	e, ok := errors.AsType[*registry.Error](err)
	switch {
	case !ok:
		t.Errorf("%s of %s: got %v, want a *registry.Error", op, ref, err)
	case e.Kind != kind || e.Ref != ref:
		t.Errorf("%s: got %s of %s, want %s of %s", op, e.Kind, e.Ref, kind, ref)
	case e.Message == "" || strings.ContainsAny(e.Message, "\r\n"):
		t.Errorf("%s of %s: got message %q, want one line", op, ref, e.Message)
	}
}

// A context that has ended ends the question, and its error can be told from the
// registry's.
func (s suite) testCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ref := s.ref(s.image)
	_, tagsErr := s.reader.Tags(ctx, asker, ref.Repo)
	_, headErr := s.reader.Head(ctx, asker, ref)
	_, detailErr := s.reader.Detail(ctx, asker, ref)
	_, configErr := s.reader.Config(ctx, asker, ref.Repo, s.image.Config)
	for op, err := range map[string]error{"tags": tagsErr, "head": headErr, "detail": detailErr, "config": configErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want it to wrap context.Canceled", op, err)
		}
		if _, ok := errors.AsType[*registry.Error](err); !ok {
			t.Errorf("%s: got a %T, want a *registry.Error", op, err)
		}
	}
}

// Many may ask at once; what one does with an answer is not seen by others.
func (s suite) testConcurrent(t *testing.T) {
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			got, err := s.reader.Detail(t.Context(), asker, s.ref(s.index))
			if err != nil {
				t.Error(err)
				return
			}
			if diff := cmp.Diff(s.index.Image, got); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
			clear(got.Children)
			if _, err := s.reader.Head(t.Context(), asker, s.ref(s.image)); err != nil {
				t.Error(err)
			}
			tags, err := s.reader.Tags(t.Context(), asker, s.ref(s.image).Repo)
			slices.Sort(tags)
			if diff := cmp.Diff(s.tags, tags); err != nil || diff != "" {
				t.Errorf("tags: %v (-want +got):\n%s", err, diff)
			}
			clear(tags)
			child := s.said.children[0]
			config, err := s.reader.Config(t.Context(), asker, s.ref(s.said).Repo, child.Config)
			if diff := cmp.Diff(child.Says, config); err != nil || diff != "" {
				t.Errorf("config: %v (-want +got):\n%s", err, diff)
			}
			clear(config.Labels)
		})
	}
	asking.Wait()
}
