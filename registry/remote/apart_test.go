package remote_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// fault: H-33
//
// A token is for the registry and the namespace that it was fetched for, also where
// two registries have the same token service, service and scope, and two namespaces
// the same password.
func TestTokensAreNotShared(t *testing.T) {
	w, password := newWorld(t), secret()
	auth, a, b := w.registry(t, "auth.test"), w.registry(t, "a.test"), w.registry(t, "b.test")
	var given atomic.Int64
	auth.On("/token", func(w http.ResponseWriter, _ *http.Request) {
		registrytest.JSON(map[string]any{"token": fmt.Sprint("t", given.Add(1)), "expires_in": 300})(w, nil)
	})
	for _, s := range []*registrytest.Script{a, b} {
		s.On("/v2/*", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				challenge(`Bearer realm="https://auth.test/token",service="test",scope="repository:team1/web:pull"`)(w, r)
				return
			}
			manifest(ociImage, webImage)(w, r)
		})
	}
	token := remote.Host{TokenHosts: []string{"auth.test"}}
	r := w.reader(t, remote.Options{
		Hosts:       map[string]remote.Host{"a.test": token, "b.test": token},
		Credentials: []remote.Credential{{File: logins(t, map[string]string{"a.test": password, "b.test": password})}},
	}, "a.test", "b.test", "auth.test")
	for range 2 {
		for _, namespace := range []string{"team1", "team2"} {
			for _, host := range []string{"a.test", "b.test"} {
				on := registry.On{Namespace: namespace, Path: namespace + "/a.yaml"}
				if _, err := r.Detail(t.Context(), on, web(host)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	shownTo := func(s *registrytest.Script) (list []string) {
		for _, req := range s.Requests() {
			if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok {
				list = append(list, token)
			}
		}
		slices.Sort(list)
		return list
	}
	if diff := cmp.Diff([][]string{{"t1", "t1", "t3", "t3"}, {"t2", "t2", "t4", "t4"}}, [][]string{shownTo(a), shownTo(b)}); diff != "" {
		t.Errorf("tokens shown to a and b (-want +got):\n%s", diff)
	}
}
