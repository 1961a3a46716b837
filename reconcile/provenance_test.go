package reconcile

import (
	"fmt"
	"sync"
	"testing"

	"github.com/towpath/towpath/imagestream"
)

// However many streams are asked for, no more is remembered than there is room for; but always the last one.
func TestProvenancesAreBounded(t *testing.T) {
	t.Parallel()
	var p provenances
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 500 {
				name := imagestream.Name{Namespace: fmt.Sprint(i), Name: fmt.Sprint(j)}
				p.put(name, &provenance{items: 1000})
				p.get(name)
			}
		})
	}
	group.Wait()
	if len(p.of) != mostProvenance/1000 || p.items != mostProvenance {
		t.Errorf("%d streams, %d items", len(p.of), p.items)
	}
	huge := imagestream.Name{Name: "huge"}
	for range 2 {
		p.put(huge, &provenance{items: 10 * mostProvenance})
	}
	if len(p.of) != 1 || p.items != 10*mostProvenance || p.get(huge) == nil {
		t.Errorf("with a huge one: %d streams, %d items", len(p.of), p.items)
	}
	p.put(imagestream.Name{Name: "small"}, &provenance{items: 1})
	if len(p.of) != 1 || p.items != 1 {
		t.Errorf("after it: %d streams, %d items", len(p.of), p.items)
	}
}
