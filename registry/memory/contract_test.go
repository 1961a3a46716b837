package memory_test

import (
	"testing"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/memory"
	"github.com/towpath/towpath/registry/registrytest"
)

func TestContract(t *testing.T) {
	registrytest.Test(t, func(t *testing.T, images []registrytest.Image) (registry.Reader, string) {
		r := new(memory.Registry)
		for _, image := range images {
			if err := r.Set(image.Line("quay.io")); err != nil {
				t.Fatal(err)
			}
		}
		return r, "quay.io"
	})
}
