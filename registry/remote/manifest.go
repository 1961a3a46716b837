package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/towpath/towpath/registry"
)

// mediaType is a Content-Type without its parameters.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// isImage reports whether a media type is that of an image or a list of images.
func isImage(t string) bool { return isSingle(t) || isIndex(t) }

func isSingle(t string) bool {
	return t == string(types.DockerManifestSchema2) || t == string(types.OCIManifestSchema1)
}

func isIndex(t string) bool { return registry.Image{MediaType: t}.IsIndex() }

func isSchema1(t string) bool { return types.MediaType(t).IsSchema1() }

// readManifest reads what a registry sent as a manifest with this content type,
// strictly: a document that two readers may take for two things is refused. The
// digest is left to the caller.
func readManifest(body []byte, contentType string) (registry.Image, error) {
	fields, err := object(body)
	if err != nil {
		return registry.Image{}, err
	}
	image := registry.Image{}
	if image.MediaType, err = kindOf(fields, mediaType(contentType)); err != nil {
		return registry.Image{}, err
	}
	switch {
	case isIndex(image.MediaType):
		image.Children, err = readChildren(fields["manifests"])
	case isSingle(image.MediaType):
		image.Config, err = readConfigDigest(fields)
	}
	return image, err
}

// kindOf is the media type of a manifest that was sent as one.
func kindOf(fields map[string]json.RawMessage, sent string) (string, error) {
	said, err := text(fields["mediaType"])
	if err != nil {
		return "", fmt.Errorf("mediaType: %w", err)
	}
	_, list := fields["manifests"]
	single := fields["config"] != nil || fields["layers"] != nil
	if !strings.Contains(sent, "vnd.") { // application/json, text/plain: it says nothing
		sent = infer(said, list, single)
	}
	switch {
	case isSchema1(sent) || fields["fsLayers"] != nil:
		return "", errors.New("a manifest of schema 1, which is not supported: push the image again with a current client")
	case list && single:
		return "", errors.New("both a list of manifests and an image")
	case said != "" && said != sent:
		return "", fmt.Errorf("sent as %.100q, but %.100q by its own mediaType", sent, said)
	case isIndex(sent) && !list, isSingle(sent) && list:
		return "", fmt.Errorf("sent as %.100q, which it is not", sent)
	case sent == "":
		return "", errors.New("neither an image nor a list of images")
	}
	return sent, nil
}

// infer is the media type of a manifest that was sent without one.
func infer(said string, list, single bool) string {
	switch {
	case said != "":
		return said
	case list:
		return string(types.OCIImageIndex)
	case single:
		return string(types.OCIManifestSchema1)
	}
	return ""
}

// readConfigDigest is the digest of an image's configuration; empty for what is no image.
func readConfigDigest(fields map[string]json.RawMessage) (string, error) {
	artifact, err := isArtifact(fields)
	if err != nil || artifact || absent(fields["config"]) {
		return "", err
	}
	config, err := object(fields["config"])
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	t, err := text(config["mediaType"])
	if err != nil {
		return "", fmt.Errorf("config: mediaType: %w", err)
	}
	if !isConfig(mediaType(t)) {
		return "", nil
	}
	digest, err := text(config["digest"])
	if err != nil || !registry.ValidDigest(digest) {
		return "", errors.New("config: no digest that is well formed")
	}
	return digest, nil
}

// isArtifact reports whether a manifest, or its entry in a list, says by its
// artifactType that it is no image. Some builders write that of images, too: it
// is the type of their configuration then.
func isArtifact(fields map[string]json.RawMessage) (bool, error) {
	t, err := text(fields["artifactType"])
	if err != nil {
		return false, fmt.Errorf("artifactType: %w", err)
	}
	return t != "" && !isConfig(mediaType(t)), nil
}

func readChildren(raw json.RawMessage) ([]registry.Child, error) {
	if !absent(raw) && raw[0] != '[' {
		return nil, errors.New("manifests is no list")
	}
	children := []registry.Child{}
	for entry := range elements(raw) {
		i := len(children)
		if i == maxNames {
			return nil, fmt.Errorf("more than %d manifests in a list", maxNames)
		}
		child, err := readChild(entry)
		if err != nil {
			return nil, fmt.Errorf("manifests[%d]: %w", i, err)
		}
		children = append(children, child)
	}
	return children, nil
}

func readChild(raw json.RawMessage) (registry.Child, error) {
	var c registry.Child
	fields, err := object(raw)
	if err != nil {
		return c, err
	}
	if c.Digest, err = text(fields["digest"]); err != nil || !registry.ValidDigest(c.Digest) {
		return c, errors.New("no digest that is well formed")
	}
	if c.MediaType, err = text(fields["mediaType"]); err != nil {
		return c, fmt.Errorf("mediaType: %w", err)
	}
	if err := checkSize(fields["size"]); err != nil {
		return c, err
	}
	if raw := fields["platform"]; !absent(raw) {
		if c.Platform, err = readPlatform(raw); err != nil {
			return c, err
		}
	}
	c.Artifact, err = isArtifact(fields)
	c.Artifact = c.Artifact || isAttestation(fields, c)
	return c, err
}

// isAttestation reports whether an entry is one that builders put beside an image
// to say something of it, or anything else that is no image by its media type.
func isAttestation(fields map[string]json.RawMessage, c registry.Child) bool {
	if c.Platform.OS == "unknown" && c.Platform.Architecture == "unknown" {
		return true
	}
	for name := range members(fields["annotations"]) {
		if string(name) == `"vnd.docker.reference.type"` {
			return true
		}
	}
	t := mediaType(c.MediaType)
	return t != "" && !isImage(t) && !isSchema1(t)
}

func readPlatform(raw json.RawMessage) (p registry.Platform, err error) {
	fields, err := object(raw)
	if err != nil {
		return p, err
	}
	for name, into := range map[string]*string{"os": &p.OS, "architecture": &p.Architecture, "variant": &p.Variant} {
		if *into, err = text(fields[name]); err != nil {
			return p, fmt.Errorf("platform: %s: %w", name, err)
		}
	}
	return p, nil
}

// checkSize takes no size, or a whole number that fits.
func checkSize(raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	var size int64
	if err := json.Unmarshal(raw, &size); err != nil || size < 0 {
		return errors.New("a size that is none")
	}
	return nil
}
