package registrytest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
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
// registry. The same seed and options make the same bytes, another seed another
// digest.
type Image struct {
	registry.Image                 // what a Reader must say of it
	Says           registry.Config // what its configuration says; zero for an index and an artifact
	Repo           string          // team1/web
	Tag            string          // 1.0; empty where no tag names it
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

// An Option makes an image other than the plain one: for linux/amd64, of a day
// in May 2026, without labels.
type Option func(*options)

type options struct {
	says     registry.Config
	artifact types.MediaType
}

// On makes an image for a platform, written like linux/arm64/v8. An empty one
// makes an image that names none.
func On(platform string) Option {
	return func(o *options) { o.says.Platform = parsePlatform(platform) }
}

// Created sets when an image says that it was made.
func Created(at time.Time) Option {
	return func(o *options) { o.says.Created = at.UTC() }
}

// Label adds a label.
func Label(name, value string) Option {
	return func(o *options) {
		if o.says.Labels == nil {
			o.says.Labels = make(map[string]string)
		}
		o.says.Labels[name] = value
	}
}

// Artifact makes something that is no image, such as a chart: its
// configuration has a media type of its own.
func Artifact(configType string) Option {
	return func(o *options) { o.artifact = types.MediaType(configType) }
}

// NewImage makes an image for "team1/web:1.0", or for "team1/web" without a tag.
func NewImage(t testing.TB, name, seed string, how ...Option) Image {
	t.Helper()
	o := options{says: registry.Config{
		Platform: registry.Platform{OS: "linux", Architecture: "amd64"},
		Created:  time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
	}}
	for _, option := range how {
		option(&o)
	}
	return named(name, newImage(t, seed, o))
}

// NewIndex makes an index with one image for each platform, written like
// linux/arm64/v8. An empty one makes an entry without a platform, and
// unknown/unknown an artifact, as builders list their attestations.
func NewIndex(t testing.TB, name, seed string, platforms ...string) Image {
	t.Helper()
	var images []Image
	for _, platform := range platforms {
		images = append(images, NewImage(t, "", seed+" on "+platform, On(platform)))
	}
	return NewIndexOf(t, name, images...)
}

// NewIndexOf makes an index of images, each listed for the platform that it
// names.
func NewIndexOf(t testing.TB, name string, images ...Image) Image {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var children []registry.Child
	for _, image := range images {
		platform := image.Says.Platform
		add := mutate.IndexAddendum{Add: image.content.(v1.Image)}
		if platform != (registry.Platform{}) {
			add.Platform = &v1.Platform{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant}
		}
		index = mutate.AppendManifests(index, add)
		children = append(children, registry.Child{
			Digest: image.Digest, MediaType: image.MediaType, Platform: platform,
			Artifact: image.Config == "" || platform == unknown,
		})
	}
	made := described(t, index)
	made.Children, made.children = children, images
	return named(name, made)
}

var unknown = registry.Platform{OS: "unknown", Architecture: "unknown"}

func parsePlatform(written string) registry.Platform {
	parts := append(strings.Split(written, "/"), "", "")
	return registry.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
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

// Upload pushes the image to wherever a reference says, as a client is told to.
func (i Image) Upload(ref name.Reference, options ...remote.Option) error {
	return remote.Push(ref, i.content, options...)
}

// Put makes a Script answer with the image and its children. What the Script lists
// as tags is for the test to say.
func (i Image) Put(t testing.TB, s *Script) {
	t.Helper()
	s.Manifest(i.Repo, i.Tag, i.MediaType, i.Manifest)
	for _, child := range i.children {
		child.Repo = i.Repo
		child.Put(t, s)
	}
	if image, ok := i.content.(v1.Image); ok {
		config, err := image.RawConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		s.Blob(i.Repo, config)
	}
}

// Line is the image as a line for a memory.Registry, as if it stood on a host.
func (i Image) Line(host string) string {
	ref := registry.Ref{Repo: registry.Repo{Host: host, Path: i.Repo}, Tag: i.Tag, Digest: i.Digest}
	fields := append([]string{ref.String(), i.MediaType}, i.facts()...)
	for _, child := range i.children {
		fields = append(fields, written(child.Says.Platform)+"="+child.Digest)
		fields = append(fields, child.facts()...)
	}
	return strings.Join(fields, " ")
}

// facts are the words of a line that say what an image is.
func (i Image) facts() []string {
	switch {
	case i.IsIndex():
		return nil
	case i.Config == "":
		return []string{"artifact"}
	}
	words := []string{"config=" + i.Config, "platform=" + written(i.Says.Platform)}
	if !i.Says.Created.IsZero() {
		words = append(words, "created="+i.Says.Created.Format(time.RFC3339))
	}
	for _, name := range slices.Sorted(maps.Keys(i.Says.Labels)) {
		value := strings.ReplaceAll(strconv.Quote(i.Says.Labels[name]), " ", `\x20`)
		words = append(words, "label:"+name+"="+value)
	}
	return words
}

func written(p registry.Platform) string {
	if p == (registry.Platform{}) {
		return ""
	}
	return p.String()
}

func newImage(t testing.TB, seed string, o options) Image {
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
	config.OS, config.Architecture, config.Variant = o.says.Platform.OS, o.says.Platform.Architecture, o.says.Platform.Variant
	config.Created, config.Config.Labels = v1.Time{Time: o.says.Created}, o.says.Labels
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		t.Fatal(err)
	}
	image = mutate.MediaType(image, types.OCIManifestSchema1)
	if o.artifact != "" {
		return described(t, mutate.ConfigMediaType(image, o.artifact))
	}
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	made := described(t, image)
	made.Says = o.says
	digest, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	made.Config = digest.String()
	return made
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
