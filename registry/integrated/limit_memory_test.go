package integrated

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// fault: E-09
// Manifests that come at once take no more memory than there is for them, and one client not all of it.
func TestMemoryOfManifests(t *testing.T) {
	t.Parallel()
	m := &memory{of: map[string]int64{}}
	bodies := map[string][]*bodyRoom{}
	for _, client := range []string{"a/1", "a/2", "a/3", "b/4", "b/5", "c/6"} {
		namespace, who, _ := strings.Cut(client, "/")
		for range 100 {
			if body := m.roomOf(who, namespace); body.take(mostManifest) {
				bodies[client] = append(bodies[client], body)
			}
		}
	}
	taken := map[string]int{}
	for client, of := range bodies {
		taken[client] = len(of)
	}
	if fmt.Sprint(taken) != "map[a/1:4 a/2:4 b/4:4 b/5:4]" {
		t.Errorf("got %v", taken)
	}
	for _, body := range bodies["a/1"] {
		body.giveBack()
	}
	if last := m.roomOf("6", "c"); !last.take(mostManifest) || !last.take(10) || len(m.of) != 4+3 || m.all != memoryOfAll-3*mostManifest+10 {
		t.Errorf("after one went: %d, %v", m.all, m.of)
	}
}

// The gate takes room as a body comes, and gives it back.
func TestManifestsUnderWay(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil)
	const at = "/v2/team1/web/manifests/x"
	free := func() bool {
		d.r.gate.memory.mu.Lock()
		defer d.r.gate.memory.mu.Unlock()
		return d.r.gate.memory.all == 0
	}
	room := d.r.gate.memory.roomOf("known alice", "elsewhere")
	if !room.take(memoryOfOne) {
		t.Fatal("no room at first")
	}
	d.want(t, 429, "alice", "PUT", at, "{}", "Content-Type", imageType)
	d.want(t, 400, "robot1", "PUT", at, "{}", "Content-Type", imageType)
	room.giveBack()
	room = d.r.gate.memory.roomOf("known to others", "team1")
	if !room.take(memoryOfOne) {
		t.Fatal("no room at first")
	}
	other := d.r.gate.memory.roomOf("known to others, too", "team1")
	if !other.take(memoryOfNamespace - memoryOfOne) {
		t.Fatal("no room for the second")
	}
	d.want(t, 429, "alice", "PUT", at, "{}", "Content-Type", imageType)
	room.giveBack()
	other.giveBack()
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

// fault: E-09
// Four robots of one namespace announce as many manifests as there is memory for, and send nothing:
// others push as ever.
func TestManifestsThatAreOnlyAnnounced(t *testing.T) {
	t.Parallel()
	robots := map[string]string{}
	d := doorTo(t, nil, func(r *Rules) {
		for i := range 4 {
			name := fmt.Sprint("idle", i)
			robots[name] = rand.Text()
			r.Tokens = append(r.Tokens, Token{name, write(t, t.TempDir(), name, robots[name])})
			r.Access.Grants = append(r.Access.Grants, Grant{[]string{name}, []Pattern{glob("idle")}, []Right{Pull, Push}})
		}
	})
	image := d.image(t, "alice", "team1/web", "one")
	under := func() int64 {
		d.r.gate.memory.mu.Lock()
		defer d.r.gate.memory.mu.Unlock()
		return d.r.gate.memory.all
	}
	for _, secret := range robots {
		for range 4 {
			was := under()
			c, err := net.Dial("tcp", d.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprintf(c, "PUT /v2/idle/web/manifests/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", secret, imageType, mostManifest)
			for end := time.Now().Add(10 * time.Second); under() == was && time.Now().Before(end); {
				runtime.Gosched()
			}
		}
	}
	if got := under(); got > 16*firstRoom {
		t.Errorf("what does not come takes %d bytes", got)
	}
	d.want(t, 201, "alice", "PUT", "/v2/team1/web/manifests/1", image, "Content-Type", imageType)
}

// fault: E-09
// A manifest that comes a byte at a time has as long as any other.
func TestManifestThatDrips(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil)
	d.r.gate.patience = 500 * time.Millisecond
	c, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "PUT /v2/team1/web/manifests/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n", d.secrets["robot1"], imageType)
	answered := make(chan struct{})
	go func() {
		drop := time.NewTicker(50 * time.Millisecond)
		defer drop.Stop()
		for {
			select {
			case <-drop.C:
				_, _ = c.Write([]byte(" ")) // the other end may have closed
			case <-answered:
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	close(answered)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || !strings.Contains(string(text), "did not come in time") {
		t.Errorf("got %d %s", resp.StatusCode, text)
	}
}
