package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What a registry's word costs where there are very many streams: one of ten thousand, of ten
// tags each, is asked, and nothing moved.
func BenchmarkHintOfRegistry(b *testing.B) {
	var r registrymemory.Registry
	var lines strings.Builder
	files := map[string]string{}
	const streams, tags = 10_000, 10
	for i := range streams {
		name := fmt.Sprintf("s%05d", i)
		files["streams/"+name+".yaml"] = streamOf("team1", name, "quay.io/team1/"+name, tags, "      importPolicy: {scheduled: true}\n")
		for k := range tags {
			fmt.Fprintf(&lines, "quay.io/team1/%s:t%d %s-%d\n", name, k, name, k)
		}
	}
	if err := r.Set(lines.String()); err != nil {
		b.Fatal(err)
	}
	line, store := asked(files, &r)
	defer store.Close()
	line.Poll, line.Wait, line.Yes = time.Hour, true, true
	for range 20 {
		rep, err := line.Once(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if len(rep.Planned) == 0 && rep.Outstanding == 0 {
			break
		}
	}
	for b.Loop() {
		h := spoken(b, "quay.io/team1/s05000:t5")
		if rep, err := line.Once(b.Context(), h); err != nil || len(rep.Planned) > 0 {
			b.Fatal(err, len(rep.Planned))
		}
	}
}
