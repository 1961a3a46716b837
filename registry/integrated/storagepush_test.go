package integrated

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/towpath/towpath/registry"
)

// noGuide is a Guide that says nothing of any repository.
type noGuide struct{}

func (noGuide) Admits(context.Context, string, string) error { return nil }
func (noGuide) Tags(context.Context, string) (map[string]string, error) {
	return nil, nil
}
func (noGuide) Origins(context.Context, string, string) ([]registry.Origin, error) { return nil, nil }
func (noGuide) Refresh(context.Context) error                                      { return nil }
func (noGuide) Uses(context.Context, string, string) ([]Use, error)                { return nil, nil }
func (noGuide) Lenders(context.Context, string) (map[string][]string, error)       { return nil, nil }
func (noGuide) Repositories(context.Context) ([]string, error)                     { return nil, nil }
func (noGuide) Record(context.Context, string, string) (string, error)             { return "", nil }
func (noGuide) Arrived()                                                           {}

// openOn opens a registry on a disk, as a process does that starts.
func openOn(t *testing.T, d files, o Options) *Registry {
	t.Helper()
	s, err := openFiles("/var/towpath", d)
	if err != nil {
		t.Fatal(err)
	}
	if o.Guide == nil {
		o.Guide = noGuide{}
	}
	r, err := open(t.Context(), o, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A picture is an image to push: a layer, a configuration, and a manifest that names both.
type picture struct{ layer, config, manifest []byte }

func newPicture(seed string, size int) picture {
	p := picture{layer: bytes.Repeat([]byte(seed), 1+size/len(seed))}
	p.config = fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{"Labels":{"seed":%q}},"rootfs":{"type":"layers","diff_ids":[%q]}}`, seed, sumOf(p.layer))
	p.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`, manifestType, sumOf(p.config), len(p.config), sumOf(p.layer), len(p.layer))
	return p
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func sumOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func (p picture) digest() string { return sumOf(p.manifest) }

// do is one request to a handler.
func do(h http.Handler, method, target string, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, bytes.NewReader(body))
	req.RemoteAddr = "127.0.0.1:1"
	switch {
	case strings.Contains(target, "/manifests/"):
		req.Header.Set("Content-Type", manifestType)
		req.Header.Set("Accept", manifestType)
	case body != nil:
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// uploadBlob pushes a blob in two requests and the one that begins, as docker does.
func uploadBlob(h http.Handler, repository string, blob []byte) (*httptest.ResponseRecorder, error) {
	w := do(h, "POST", "/v2/"+repository+"/blobs/uploads/", nil)
	if w.Code != http.StatusAccepted {
		return w, fmt.Errorf("POST: %d %s", w.Code, w.Body)
	}
	if w = do(h, "PATCH", w.Header().Get("Location"), blob); w.Code != http.StatusAccepted {
		return w, fmt.Errorf("PATCH: %d %s", w.Code, w.Body)
	}
	if w = do(h, "PUT", w.Header().Get("Location")+"&digest="+sumOf(blob), nil); w.Code != http.StatusCreated {
		return w, fmt.Errorf("PUT: %d %s", w.Code, w.Body)
	}
	return w, nil
}

// push pushes an image. Nil says that all of it was answered with 201.
func (p picture) push(h http.Handler, repository, tag string) error {
	for _, blob := range [][]byte{p.layer, p.config} {
		if w := do(h, "HEAD", "/v2/"+repository+"/blobs/"+sumOf(blob), nil); w.Code == http.StatusOK {
			continue
		}
		if _, err := uploadBlob(h, repository, blob); err != nil {
			return err
		}
	}
	if w := do(h, "PUT", "/v2/"+repository+"/manifests/"+tag, p.manifest); w.Code != http.StatusCreated {
		return fmt.Errorf("PUT of the manifest: %d %s", w.Code, w.Body)
	}
	return nil
}

// whole is what the tags of a repository are, each with all that belongs to it.
func whole(t *testing.T, h http.Handler, repository string) map[string]string {
	t.Helper()
	w := do(h, "GET", "/v2/"+repository+"/tags/list", nil)
	if w.Code == http.StatusNotFound {
		return map[string]string{}
	}
	var list struct{ Tags []string }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
		t.Fatalf("tags: %d %s, %v", w.Code, w.Body, err)
	}
	found := map[string]string{}
	for _, tag := range list.Tags {
		w := do(h, "GET", "/v2/"+repository+"/manifests/"+tag, nil)
		if w.Code != http.StatusOK {
			t.Errorf("%s is listed, and asked for answered with %d %s", tag, w.Code, w.Body)
			continue
		}
		found[tag] = sumOf(w.Body.Bytes())
		var m struct {
			Config struct{ Digest string }
			Layers []struct{ Digest string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		for _, blob := range append(m.Layers, m.Config) {
			if w := do(h, "GET", "/v2/"+repository+"/blobs/"+blob.Digest, nil); w.Code != http.StatusOK || sumOf(w.Body.Bytes()) != blob.Digest {
				t.Errorf("%s names %s, which is not there: %d, %d bytes", tag, blob.Digest, w.Code, w.Body.Len())
			}
		}
	}
	return found
}

// waits are the digests that wait to be recorded, by the tag.
func waits(t *testing.T, r *Registry) map[string]string {
	t.Helper()
	waiting, err := r.Waiting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, a := range waiting {
		found[a.Tag] = a.Digest
	}
	return found
}
