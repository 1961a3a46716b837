package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/towpath/towpath/registry"
)

const (
	maxConfig     = 4 << 20
	maxLabels     = 256
	maxLabelName  = 256
	maxLabelValue = 64 << 10
)

// isConfig reports whether a media type is that of an image's configuration.
func isConfig(t string) bool {
	return t == string(types.DockerConfigJSON) || t == string(types.OCIConfigJSON)
}

// config reads the configuration with a digest, which is that of its bytes. It
// is asked for without the Puller, which knows one algorithm of digests only.
func (q *question) config(ctx context.Context, digest string) (registry.Config, error) {
	q.limit = maxConfig
	u := url.URL{Scheme: "https", Host: q.repo.Host, Path: "/v2/" + q.repo.Path + "/blobs/" + digest}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return registry.Config{}, err
	}
	resp, err := q.RoundTrip(req)
	if err != nil {
		var f *failure
		if errors.As(err, &f) && f.message == "not found" {
			f.message = "no such configuration"
		}
		return registry.Config{}, err
	}
	body := bodyOf(resp)
	if sent := digestLike(digest, body); sent != digest {
		return registry.Config{}, invalid("the configuration is not the one that was asked for", fmt.Errorf("%s was sent for %s", sent, digest))
	}
	config, err := readConfig(body)
	if err != nil {
		return registry.Config{}, invalid("the configuration is not well formed: "+err.Error(), nil)
	}
	return config, nil
}

// digestLike is the digest of bytes by the algorithm of another digest.
func digestLike(digest string, body []byte) string {
	if strings.HasPrefix(digest, "sha512:") {
		return fmt.Sprintf("sha512:%x", sha512.Sum512(body))
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(body))
}

// readConfig reads what an image says of itself. The document must be one that
// has one meaning; a part of it that cannot be used counts as not said, since
// nobody but the image's author can mend it.
func readConfig(body []byte) (registry.Config, error) {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\ufffd"))
	}
	fields, err := object(body)
	if err != nil {
		return registry.Config{}, err
	}
	return registry.Config{
		Created: readTime(fields["created"]),
		Platform: registry.Platform{
			OS:           textOrNone(fields["os"]),
			Architecture: textOrNone(fields["architecture"]),
			Variant:      textOrNone(fields["variant"]),
		},
		Labels: readLabels(fields["config"]),
	}, nil
}

// readTime reads a time of the years 1 to 9999, in UTC; any other is zero.
func readTime(raw json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339, textOrNone(raw))
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

func textOrNone(raw json.RawMessage) string {
	s, err := text(raw)
	if err != nil {
		return ""
	}
	return s
}

// readLabels takes the first labels that are short enough, as they are: they may
// hold anything that is UTF-8. What is no label is passed over and not kept.
func readLabels(config json.RawMessage) map[string]string {
	fields, err := object(config)
	if err != nil {
		return nil
	}
	var labels map[string]string
	for key, value := range members(fields["Labels"]) {
		if len(labels) == maxLabels {
			break
		}
		name, ok := label(key, maxLabelName)
		said, isText := label(value, maxLabelValue)
		if !ok || !isText {
			continue
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[name] = said
	}
	return labels
}

// label reads a quoted text of at most so many bytes.
func label(raw []byte, most int) (string, bool) {
	if raw[0] != '"' || len(raw) > 6*most+2 { // as many bytes as it may have when each is escaped
		return "", false
	}
	s := unquote(raw)
	return s, len(s) <= most
}
