package imagestream

import "strings"

// Kinds of a tag's From.
const (
	DockerImage      = "DockerImage"
	ImageStreamTag   = "ImageStreamTag"
	ImageStreamImage = "ImageStreamImage"
)

// otherKinds are those of the API that are not read. groupOnly are not among those of
// apiVersion v1.
var (
	otherKinds = []string{"Image", "ImageSignature", "ImageStreamImage", "ImageStreamImport", "ImageStreamLayers", "ImageStreamMapping", "ImageStreamTag", "ImageTag", "SecretList"}
	groupOnly  = []string{"ImageStreamLayers", "ImageTag", "SecretList"}
)

// Import modes: of a manifest list, Legacy records the entry for one platform,
// PreserveOriginal the list itself.
const (
	Legacy           = "Legacy"
	PreserveOriginal = "PreserveOriginal"
)

// Tag is the record of a tag, nil where there is none.
func (s Status) Tag(name string) *TagStatus {
	for i := range s.Tags {
		if s.Tags[i].Tag == name {
			return &s.Tags[i]
		}
	}
	return nil
}

// Is reports whether id names the item's image: it is the digest or the beginning of it,
// with or without the algorithm. An item without an image has no such name.
func (i Item) Is(id string) bool {
	algorithm, hex, ok := strings.Cut(i.Image, ":")
	if !ok {
		algorithm, hex = "sha256", i.Image // of very old servers
	}
	rest := strings.TrimPrefix(id, algorithm+":")
	return rest != "" && strings.HasPrefix(hex, rest)
}
