package registrytest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/integrated"
	"github.com/towpath/towpath/registry/registrytest"
)

// A plain reader is the least that keeps the contract over HTTP. It shows that the
// contract can be kept, and that the images are the same wherever they stand.
type plain struct{ client *http.Client }

func (p plain) Tags(ctx context.Context, _ registry.On, repo registry.Repo) ([]string, error) {
	ref := registry.Ref{Repo: repo}
	body, _, err := p.get(ctx, ref, "/tags/list")
	if err != nil {
		return nil, err
	}
	var list struct{ Tags []string }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "not JSON", Err: err}
	}
	return list.Tags, nil
}

func (p plain) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	image, err := p.Detail(ctx, on, ref)
	image.Children, image.Config = nil, ""
	return image, err
}

func (p plain) Detail(ctx context.Context, _ registry.On, ref registry.Ref) (registry.Image, error) {
	name := ref.Digest
	if name == "" {
		name = ref.Tag
	}
	body, mediaType, err := p.get(ctx, ref, "/manifests/"+name)
	if err != nil {
		return registry.Image{}, err
	}
	var manifest struct {
		Config    struct{ Digest, MediaType string }
		Manifests []struct {
			Digest, MediaType, ArtifactType string
			Platform                        registry.Platform
		}
	}
	if err := json.Unmarshal(body, &manifest); err != nil {
		return registry.Image{}, &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "not JSON", Err: err}
	}
	sum := sha256.Sum256(body)
	image := registry.Image{Digest: "sha256:" + hex.EncodeToString(sum[:]), MediaType: mediaType}
	const imageConfig = "application/vnd.oci.image.config.v1+json"
	if manifest.Config.MediaType == imageConfig {
		image.Config = manifest.Config.Digest
	}
	for _, m := range manifest.Manifests {
		// Some builders set the artifactType of an image, too: to that of its configuration.
		artifact := m.ArtifactType != "" && m.ArtifactType != imageConfig || m.Platform.OS == "unknown"
		image.Children = append(image.Children, registry.Child{Digest: m.Digest, MediaType: m.MediaType, Platform: m.Platform, Artifact: artifact})
	}
	return image, nil
}

func (p plain) Config(ctx context.Context, _ registry.On, repo registry.Repo, digest string) (registry.Config, error) {
	ref := registry.Ref{Repo: repo, Digest: digest}
	body, _, err := p.get(ctx, ref, "/blobs/"+digest)
	if err != nil {
		return registry.Config{}, err
	}
	var config struct {
		registry.Platform
		Created time.Time
		Config  struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(body, &config); err != nil {
		return registry.Config{}, &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "not JSON", Err: err}
	}
	return registry.Config{Created: config.Created, Platform: config.Platform, Labels: config.Config.Labels}, nil
}

func (p plain) get(ctx context.Context, ref registry.Ref, path string) (body []byte, mediaType string, err error) {
	fail := func(kind registry.Kind, message string, err error) ([]byte, string, error) {
		return nil, "", &registry.Error{Kind: kind, Ref: ref.String(), Message: message, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ref.Host+"/v2/"+ref.Path+path, nil)
	if err != nil {
		return fail(registry.Invalid, "no request", err)
	}
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json")
	resp, err := p.client.Do(req)
	if err != nil {
		return fail(registry.Unreachable, "no answer", err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return fail(registry.Unreachable, "no whole answer", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return body, resp.Header.Get("Content-Type"), nil
	case http.StatusNotFound:
		return fail(registry.NotFound, "not there", nil)
	}
	return fail(registry.InternalError, resp.Status, nil)
}

func TestContractOverScript(t *testing.T) {
	registrytest.Test(t, func(t *testing.T, images []registrytest.Image) (registry.Reader, string) {
		s := registrytest.NewScript(t)
		tags := make(map[string][]string)
		for _, image := range images {
			image.Put(t, s)
			if image.Tag != "" {
				tags[image.Repo] = append(tags[image.Repo], image.Tag)
			}
		}
		for repo, list := range tags {
			s.Tags(repo, list...)
		}
		return plain{http.DefaultClient}, s.Host
	})
}

func TestContractOverIntegrated(t *testing.T) {
	registrytest.Test(t, func(t *testing.T, images []registrytest.Image) (registry.Reader, string) {
		r, err := integrated.New(t.Context(), integrated.Options{})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(r)
		t.Cleanup(func() {
			server.Close()
			r.Close()
		})
		host := server.Listener.Addr().String()
		for _, image := range images {
			image.Push(t, host)
		}
		return plain{server.Client()}, host
	})
}

// The same seed is the same image in every run and on every machine, so digests
// may be written down in what a test expects.
func TestSeeds(t *testing.T) {
	one, same, other := registrytest.NewImage(t, "a:1", "one"), registrytest.NewImage(t, "b/c", "one"), registrytest.NewImage(t, "a:1", "two")
	if one.Digest != same.Digest || one.Digest == other.Digest {
		t.Errorf("got %s, %s and %s; want the first two equal only", one.Digest, same.Digest, other.Digest)
	}
	child := registrytest.NewImage(t, "", "child", registrytest.Label("note", "two words"))
	bare := registrytest.NewImage(t, "", "bare", registrytest.On(""), registrytest.Created(time.Time{}))
	chart := registrytest.NewImage(t, "", "chart", registrytest.On(""), registrytest.Artifact("application/vnd.cncf.helm.config.v1+json"))
	index := registrytest.NewIndexOf(t, "a:1", child, bare, chart)
	want := "quay.io/a:1@" + index.Digest + " application/vnd.oci.image.index.v1+json" +
		" linux/amd64=" + child.Digest + " config=" + child.Config + ` platform=linux/amd64 created=2026-05-01T10:00:00Z label:note="two\x20words"` +
		" =" + bare.Digest + " config=" + bare.Config + " platform=" +
		" =" + chart.Digest + " artifact"
	if diff := cmp.Diff(want, index.Line("quay.io")); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if strings.Contains(string(index.Manifest), `"platform":{"architecture":"","os":""}`) {
		t.Errorf("the entry without a platform has an empty one: %s", index.Manifest)
	}
}
