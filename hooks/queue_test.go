package hooks

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQueue(t *testing.T) {
	var q Queue
	select {
	case <-q.Ready():
		t.Error("ready, and empty")
	default:
	}
	a, b := image("quay.io/a/b", "1", digestA), image("quay.io/a/b", "2", "")
	if q.Add("r", Sighting{}); q.Drain() != nil {
		t.Error("nothing was seen, and is there")
	}
	for range 3 {
		if !q.Add("r", Sighting{Images: []Image{a, b}}) || !q.Add("r", Sighting{Branch: true}) {
			t.Error("no room")
		}
	}
	a.Digest = digestB
	q.Add("r", Sighting{Images: []Image{a}})
	q.Add("s", Sighting{Images: []Image{b}, Branch: true})
	<-q.Ready()
	want := []Seen{{Receiver: "r", Image: a}, {Receiver: "r", Image: b}, {Receiver: "r", Branch: true}, {Receiver: "s", Branch: true}, {Receiver: "s", Image: b}}
	if diff := cmp.Diff(want, q.Drain()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Seen(nil), q.Drain()); diff != "" {
		t.Errorf("drained: %s", diff)
	}
}

// A full queue takes what it has already, says so of what it has not, and has room again.
func TestQueueIsBounded(t *testing.T) {
	q := Queue{Max: 2}
	a, b, c := image("quay.io/a", "1", ""), image("quay.io/b", "1", ""), image("quay.io/c", "1", "")
	if !q.Add("r", Sighting{Images: []Image{a, b}}) || !q.Add("r", Sighting{Images: []Image{b, a}}) {
		t.Error("no room for what is there")
	}
	if q.Add("r", Sighting{Images: []Image{a, c}}) || q.Add("s", Sighting{Images: []Image{a}}) || q.Add("r", Sighting{Branch: true}) {
		t.Error("room for more than it may hold")
	}
	if n := len(q.Drain()); n != 2 {
		t.Errorf("%d waited", n)
	}
	if !q.Add("r", Sighting{Images: []Image{c}}) {
		t.Error("no room when empty")
	}
}

// fault: W-16. 10,000 valid events a second for 10 s, of few tags and of ever new ones: what
// waits is bounded, of each tag it is once, the rest is told to come again, and memory is flat.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := secretsOf(1)
		var q Queue
		h, err := New(Options{
			Receivers: []Receiver{newReceiver("generic", "", secrets)},
			Look:      func(r Receiver, s Sighting) bool { return q.Add(r.Name, s) },
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
			if n := len(q.order); n > maxWaiting || n != len(q.waiting) {
				t.Fatalf("%d wait, %d of them different", n, len(q.waiting))
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
		if seen := q.Drain(); len(seen) != maxWaiting || codes[202] < 50_000 || codes[202]+codes[503] != 100_000 {
			t.Errorf("%d are drained, %v", len(seen), codes)
		}
		post("after")
		if seen := q.Drain(); len(seen) != 1 {
			t.Errorf("after the flood %v are drained", seen)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
