package remote_test

import (
	"net/http/httptest"
	"testing"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/integrated"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// open makes a Reader that ends with the test.
func open(t testing.TB, o remote.Options) *remote.Reader {
	t.Helper()
	r, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestContractIntegrated(t *testing.T) {
	registrytest.Test(t, func(t *testing.T, images []registrytest.Image) (registry.Reader, string) {
		reg, err := integrated.New(t.Context(), integrated.Options{})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(reg)
		t.Cleanup(func() { server.Close(); reg.Close() })
		host := server.Listener.Addr().String()
		for _, image := range images {
			image.Push(t, host)
		}
		return open(t, remote.Options{Hosts: map[string]remote.Host{host: {Insecure: true}}}), host
	})
}

func TestContractTLS(t *testing.T) {
	registrytest.Test(t, func(t *testing.T, images []registrytest.Image) (registry.Reader, string) {
		ca := registrytest.NewCA(t)
		s := registrytest.NewTLSScript(t, ca)
		tags := map[string][]string{}
		for _, image := range images {
			image.Put(t, s)
			if image.Tag != "" {
				tags[image.Repo] = append(tags[image.Repo], image.Tag)
			}
		}
		for repo, list := range tags {
			s.Tags(repo, list...)
		}
		return open(t, remote.Options{Hosts: map[string]remote.Host{s.Host: {CAFile: ca.File(t)}}}), s.Host
	})
}
