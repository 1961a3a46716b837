package hooks

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// fault: W-16. 10,000 valid events a second for 10 s, of few tags and of ever new ones, told to
// one who has room for so many: what it has no room for is told to come again, of each delivery
// nothing stays here, and memory is flat.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 4096
		secrets := secretsOf(1)
		waiting := map[Image]bool{}
		h, err := New(Options{
			Receivers: []Receiver{newReceiver("generic", "", secrets)},
			Look: func(_ Receiver, s Sighting) bool {
				fits := true
				for _, i := range s.Images {
					if waiting[i] = waiting[i] || len(waiting) < room; !waiting[i] {
						delete(waiting, i)
						fits = false
					}
				}
				return fits
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		p := &place{Handler: h}
		codes := map[int]int{}
		post := func(tag string) {
			body := []byte(`{"image":"quay.io/a/b","tag":"` + tag + `"}`)
			head := http.Header{"Content-Type": {"application/json"}}
			sign("generic", head, body, secrets.Keys[0])
			w := p.post(address("generic", secrets), head, body)
			if codes[w.Code]++; w.Code == 503 && w.Header().Get("Retry-After") == "" {
				t.Fatal("nobody is told when to come again")
			}
		}
		var memory [2]uint64
		for second := range 10 {
			for i := range 10_000 {
				if i%2 == 0 {
					post(fmt.Sprint("t", i%100))
				} else {
					post(fmt.Sprint("t", second, "-", i))
				}
			}
			if second == 1 {
				memory[0] = heap()
			}
			time.Sleep(time.Second)
		}
		memory[1] = heap()
		if memory[1] > memory[0]+4<<20 {
			t.Errorf("%d bytes in use grew to %d", memory[0], memory[1])
		}
		if codes[202] < 50_000 || codes[202]+codes[503] != 100_000 || codes[503] == 0 {
			t.Errorf("answered %v", codes)
		}
		clear(waiting)
		if post("after"); len(waiting) != 1 {
			t.Errorf("after the flood, %v", waiting)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
