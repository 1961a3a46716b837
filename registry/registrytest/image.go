package registrytest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/towpath/towpath/registry"
)

// An Image is a small OCI image or index that stands in a repository of some
// registry. The same seed makes the same bytes, another seed another digest.
type Image struct {
	registry.Image        // what a Reader must say of it
	Repo           string // team1/web
	Tag            string // 1.0; empty where no tag names it
	Manifest       []byte

	content  manifest // a v1.Image or a v1.ImageIndex
	children []Image  // of an index, without repository and tag
}

// A manifest is what images and indexes have in common.
type manifest interface {
	remote.Taggable
	Digest() (v1.Hash, error)
	MediaType() (types.MediaType, error)
}

// NewImage makes an image for "team1/web:1.0", or for "team1/web" without a tag.
func NewImage(t testing.TB, name, seed string) Image {
	t.Helper()
	return named(name, newImage(t, seed, registry.Platform{OS: "linux", Architecture: "amd64"}))
}

// NewIndex makes an index with one image for each platform, written like
// linux/arm64/v8. An empty one makes an entry without a platform.
func NewIndex(t testing.TB, name, seed string, platforms ...string) Image {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var children []registry.Child
	var images []Image
	for _, written := range platforms {
		parts := append(strings.Split(written, "/"), "", "")
		platform := registry.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
		image := newImage(t, seed+" on "+written, platform)
		add := mutate.IndexAddendum{Add: image.content.(v1.Image)}
		if written != "" {
			add.Platform = &v1.Platform{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant}
		}
		index = mutate.AppendManifests(index, add)
		images = append(images, image)
		children = append(children, registry.Child{Digest: image.Digest, MediaType: image.MediaType, Platform: platform})
	}
	image := described(t, index)
	image.Children, image.children = children, images
	return named(name, image)
}

// Push pushes an image to a registry on loopback that speaks plain HTTP and asks
// for no credential, and returns its digest. The name is as in NewImage.
func Push(t testing.TB, addr, name, seed string) string {
	t.Helper()
	image := NewImage(t, name, seed)
	image.Push(t, addr)
	return image.Digest
}

// PushIndex pushes an index as Push pushes an image.
func PushIndex(t testing.TB, addr, name, seed string, platforms ...string) Image {
	t.Helper()
	index := NewIndex(t, name, seed, platforms...)
	index.Push(t, addr)
	return index
}

// Push pushes the image with all that belongs to it; see the function Push.
func (i Image) Push(t testing.TB, addr string) {
	t.Helper()
	repo, err := name.NewRepository(addr+"/"+i.Repo, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	var ref name.Reference = repo.Digest(i.Digest)
	if i.Tag != "" {
		ref = repo.Tag(i.Tag)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	if err := remote.Push(ref, i.content, remote.WithContext(t.Context()), remote.WithTransport(transport)); err != nil {
		t.Fatalf("push %s: %v", ref, err)
	}
}

// Put makes a Script answer with the image and its children. What the Script lists
// as tags is for the test to say.
func (i Image) Put(s *Script) {
	s.Manifest(i.Repo, i.Tag, i.MediaType, i.Manifest)
	for _, child := range i.children {
		s.Manifest(i.Repo, "", child.MediaType, child.Manifest)
	}
}

// Line is the image as a line for a memory.Registry, as if it stood on a host.
func (i Image) Line(host string) string {
	ref := registry.Ref{Repo: registry.Repo{Host: host, Path: i.Repo}, Tag: i.Tag, Digest: i.Digest}
	fields := []string{ref.String(), i.MediaType}
	for _, child := range i.Children {
		platform := ""
		if child.Platform != (registry.Platform{}) {
			platform = child.Platform.String()
		}
		fields = append(fields, platform+"="+child.Digest)
	}
	return strings.Join(fields, " ")
}

func newImage(t testing.TB, seed string, platform registry.Platform) Image {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(seed), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		t.Fatal(err)
	}
	return described(t, mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON))
}

func described(t testing.TB, content manifest) Image {
	t.Helper()
	digest, err := content.Digest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, err := content.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := content.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	return Image{
		Image:    registry.Image{Digest: digest.String(), MediaType: string(mediaType)},
		Manifest: raw, content: content,
	}
}

func named(name string, image Image) Image {
	image.Repo, image.Tag, _ = strings.Cut(name, ":")
	return image
}
