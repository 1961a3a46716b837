package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

func origin(host string) registry.Origin {
	return registry.Origin{On: team1, Repo: registry.Repo{Host: host, Path: "team1/web"}}
}

// fetched reads a blob to its end.
func fetched(ctx context.Context, r *remote.Reader, from registry.Origin, digest string) ([]byte, error) {
	content, _, err := r.Blob(ctx, from, digest)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

func TestFetchManifest(t *testing.T) {
	s, r := one(t)
	digest := digestOf(webImage)
	s.On("GET /v2/team1/web/manifests/"+digest, manifest(ociImage, webImage))
	mediaType, content, err := r.Manifest(t.Context(), origin("registry.test"), digest)
	if err != nil || mediaType != ociImage || string(content) != webImage {
		t.Errorf("got %s %q, %v", mediaType, content, err)
	}
	other := digestOf("another")
	s.On("GET /v2/team1/web/manifests/"+other, manifest(ociImage, webImage))
	_, _, err = r.Manifest(t.Context(), origin("registry.test"), other)
	failed(t, err, registry.Invalid, "not the one that was asked for")
	_, _, err = r.Manifest(t.Context(), origin("registry.test"), digestOf("nothing"))
	failed(t, err, registry.NotFound, "no such digest")
}

func TestFetchBlob(t *testing.T) {
	s, r := one(t)
	layer := strings.Repeat("layer", 1<<20) // more than any answer that is kept in memory
	s.On("GET "+blobs+digestOf(layer), registrytest.Body("application/octet-stream", []byte(layer)))
	got, err := fetched(t.Context(), r, origin("registry.test"), digestOf(layer))
	if err != nil || !bytes.Equal(got, []byte(layer)) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	_, err = fetched(t.Context(), r, origin("registry.test"), digestOf("nothing"))
	failed(t, err, registry.NotFound, "no such blob")
	s.On("GET "+blobs+digestOf("other"), registrytest.Body("application/octet-stream", []byte(layer)))
	_, err = fetched(t.Context(), r, origin("registry.test"), digestOf("other"))
	failed(t, err, registry.Invalid, "not the one that was asked for")
	s.On("GET "+blobs+digestOf("cut"), registrytest.Truncated("application/octet-stream", []byte(layer), 1<<20))
	_, err = fetched(t.Context(), r, origin("registry.test"), digestOf("cut"))
	failed(t, err, registry.Unreachable, "the connection broke")
}

// What a blob's redirect leads to never sees the credential, and is no address
// of the inside.
func TestFetchRedirect(t *testing.T) {
	w := newWorld(t)
	s := w.registry(t, "registry.test")
	password, token := secret(), secret()
	trap := w.trap(t, "store.test", "443", password, token)
	digest := digestOf("layer")
	s.On("GET "+blobs+digest, bearer(s, password, token, registrytest.Redirect(307, "https://store.test/layer")))
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
	if _, err := fetched(t.Context(), r, origin("registry.test"), digest); err == nil {
		t.Error("a trap answered with the blob")
	}
	if len(trap.Requests()) == 0 {
		t.Error("the redirect was not followed")
	}
	s.On("GET "+blobs+digestOf("inside"), registrytest.Redirect(307, "https://169.254.169.254/layer"))
	_, err := fetched(t.Context(), r, origin("registry.test"), digestOf("inside"))
	failed(t, err, registry.Forbidden, "led to an address that is not public")
}

// The credential is that of the namespace that has the image on record.
func TestFetchSpeaksForItsNamespace(t *testing.T) {
	w := newWorld(t)
	s := w.registry(t, "registry.test")
	password, token := secret(), secret()
	s.On("GET "+blobs+digestOf("layer"), bearer(s, password, token, registrytest.Body("application/octet-stream", []byte("layer"))))
	credential := as(t, "registry.test", password)[0]
	credential.Namespaces, credential.Paths = []string{"team1"}, []string{"team1/**"}
	r := w.reader(t, remote.Options{Credentials: []remote.Credential{credential}}, "registry.test")
	if _, err := fetched(t.Context(), r, origin("registry.test"), digestOf("layer")); err != nil {
		t.Error(err)
	}
	stranger := origin("registry.test")
	stranger.Namespace = "team2"
	_, err := fetched(t.Context(), r, stranger, digestOf("layer"))
	failed(t, err, registry.Unauthorized, "anonymously")
}

// Blobs under way leave connections to who asks, and who gives up ends its own.
func TestFetchLeavesRoom(t *testing.T) {
	s, r := one(t)
	s.On("GET "+manifestV1, manifest(ociImage, webImage))
	s.On("GET "+blobs+digestOf("slow"), func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "some")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	var open []io.ReadCloser
	for range 16 { // half of what a registry is asked at once
		content, _, err := r.Blob(ctx, origin("registry.test"), digestOf("slow"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, content)
	}
	if _, err := r.Detail(t.Context(), team1, web("registry.test")); err != nil {
		t.Errorf("a question beside blobs: %v", err)
	}
	tooMany, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := r.Blob(tooMany, origin("registry.test"), digestOf("slow")); !errors.Is(err, context.Canceled) {
		t.Errorf("one too many: got %v, want it to wait", err)
	}
	cancel()
	for _, content := range open {
		if _, err := io.ReadAll(content); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		content.Close()
	}
	s.On("GET "+blobs+digestOf("layer"), registrytest.Body("application/octet-stream", []byte("layer")))
	if _, err := fetched(t.Context(), r, origin("registry.test"), digestOf("layer")); err != nil {
		t.Errorf("after them: %v", err)
	}
}
