package memory

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/towpath/towpath/registry"
)

// A described image is one of which a line may have told facts.
type described struct {
	registry.Image
	config   registry.Config
	listed   registry.Platform // as an entry of a list says
	artifact bool              // the same
	told     bool              // facts
}

// parseImage reads what stands after the reference: a digest, a media type, and
// facts and children in the order that Set describes.
func parseImage(fields []string) (image described, children []described, err error) {
	image = newImage(fields[0], registry.Platform{OS: "linux", Architecture: "amd64"})
	fields = fields[1:]
	typed := len(fields) > 0 && !strings.Contains(fields[0], "=") && fields[0] != artifact
	if typed {
		image.MediaType, fields = fields[0], fields[1:]
		if image.MediaType != imageType && image.MediaType != dockerType {
			image.Config = ""
		}
	}
	for _, field := range fields {
		of := &image
		if len(children) > 0 {
			of = &children[len(children)-1]
		}
		if is, err := of.tell(field); err != nil {
			return image, nil, err
		} else if is {
			continue
		}
		child, err := parseChild(field, image)
		if err != nil {
			return image, nil, err
		}
		children = append(children, child)
	}
	if len(children) == 0 {
		return image, nil, nil
	}
	return asIndex(image, typed, children)
}

func newImage(word string, p registry.Platform) described {
	d := digest(word)
	return described{
		Image:  registry.Image{Digest: d, MediaType: imageType, Config: Digest("the configuration of " + d)},
		config: registry.Config{Platform: p},
	}
}

// parseChild reads PLATFORM=DIGEST. The child starts with the facts that were
// told of the list.
func parseChild(field string, list described) (described, error) {
	written, word, ok := strings.Cut(field, "=")
	if !ok {
		return described{}, fmt.Errorf("%s is neither a media type nor PLATFORM=DIGEST nor a fact", field)
	}
	platform, err := parsePlatform(written)
	if err != nil {
		return described{}, err
	}
	child := newImage(word, platform)
	child.listed = platform
	child.config.Created, child.config.Labels = list.config.Created, maps.Clone(list.config.Labels)
	child.told, child.artifact = list.told, list.artifact || written == "unknown/unknown"
	if list.artifact {
		child.Config = ""
	}
	return child, nil
}

// asIndex makes an image the list of its children.
func asIndex(image described, typed bool, children []described) (described, []described, error) {
	switch {
	case !typed:
		image.MediaType = indexType
	case !image.IsIndex():
		return image, nil, fmt.Errorf("%s has no children; leave the media type out for an OCI index", image.MediaType)
	}
	image.Image.Config = ""
	for _, child := range children {
		image.Children = append(image.Children, registry.Child{
			Digest: child.Digest, MediaType: child.MediaType, Platform: child.listed, Artifact: child.artifact,
		})
	}
	return image, children, nil
}

// artifact is the fact that something is no image.
const artifact = "artifact"

// tell adds a fact, if a word is one:
//
//	created=2026-01-02T03:04:05Z   when the image says that it was made
//	platform=linux/arm64           what it says that it runs on, whatever a list says of it
//	label:version=1.2              a label of its own
//	config=abc                     the digest of its configuration
//	artifact                       it is no image, and has no configuration
//
// Without them an image has a configuration with neither time nor labels, for
// the platform that its list says, or linux/amd64 where it stands by itself.
// After platform= there may be nothing. A value that starts with a quotation mark
// is a string of Go without spaces: label:note="two\x20words\n".
func (d *described) tell(field string) (is bool, err error) {
	name, value, _ := strings.Cut(field, "=")
	label, isLabel := strings.CutPrefix(name, "label:")
	if strings.HasPrefix(value, `"`) {
		if value, err = strconv.Unquote(value); err != nil {
			return true, fmt.Errorf("%s: %w", field, err)
		}
	}
	switch {
	case field == artifact:
		d.artifact, d.Config = true, ""
	case name == "created":
		d.config.Created, err = time.Parse(time.RFC3339, value)
	case name == "platform":
		d.config.Platform, err = parsePlatform(value)
	case name == "config":
		d.Config = digest(value)
	case isLabel && label != "":
		if d.config.Labels == nil {
			d.config.Labels = make(map[string]string)
		}
		d.config.Labels[label] = value
	default:
		return false, nil
	}
	d.told = true
	return true, err
}
