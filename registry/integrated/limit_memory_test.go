package integrated

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"
)

// fault: E-09
// Manifests that come at once take no more memory than there is for them, and one client not all of it.
func TestMemoryOfManifests(t *testing.T) {
	t.Parallel()
	m := &memory{of: map[string]int64{}}
	taken := map[string]int{}
	for _, client := range []string{"a", "b", "c", "d", "e"} {
		for range 100 {
			if m.take(client, roomFor(-1)) {
				taken[client]++
			}
		}
	}
	if fmt.Sprint(taken) != "map[a:4 b:4 c:4 d:4]" {
		t.Errorf("got %v", taken)
	}
	for range 4 {
		m.giveBack("a", roomFor(-1))
	}
	if !m.take("e", roomFor(mostManifest+1)) || !m.take("e", roomFor(10)) || len(m.of) != 4 || m.all != memoryOfAll-3*mostManifest+10 {
		t.Errorf("after one went: %d, %v", m.all, m.of)
	}
}

// The gate takes room before a body comes, and gives it back.
func TestManifestsUnderWay(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil)
	const at = "/v2/team1/web/manifests/x"
	free := func() bool {
		d.r.gate.memory.mu.Lock()
		defer d.r.gate.memory.mu.Unlock()
		return d.r.gate.memory.all == 0
	}
	if !d.r.gate.memory.take("known alice", memoryOfOne) {
		t.Fatal("no room at first")
	}
	d.want(t, 429, "alice", "PUT", at, "{}", "Content-Type", imageType)
	d.want(t, 400, "robot1", "PUT", at, "{}", "Content-Type", imageType)
	d.r.gate.memory.giveBack("known alice", memoryOfOne)
	d.want(t, 400, "alice", "PUT", at, "{}", "Content-Type", imageType)
	c, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n", at, d.secrets["robot1"], imageType)
	wait := func(what string, want bool) {
		for end := time.Now().Add(10 * time.Second); free() != want; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	wait("what comes takes no room", false)
	c.Close()
	wait("the room is not given back", true)
}
