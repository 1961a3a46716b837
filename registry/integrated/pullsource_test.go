package integrated

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
)

// places are registries some of which have nothing any more, say no sizes, or never answer.
type places struct {
	*farAway
	gone, unsized map[string]bool // hosts
	asked         map[string]bool // of those that are gone
	hang          string          // host
	under, ended  chan string     // what hangs there, and what was given up
}

func (p *places) Blob(ctx context.Context, from registry.Origin, dgst string) (io.ReadCloser, int64, error) {
	if p.gone[from.Repo.Host] {
		p.mu.Lock()
		p.asked[from.Repo.Host] = true
		p.mu.Unlock()
		return nil, 0, &registry.Error{Kind: registry.NotFound, Ref: from.String(), Message: "gone"}
	}
	if from.Repo.Host == p.hang {
		p.under <- dgst
		<-ctx.Done()
		p.ended <- dgst
		return nil, 0, &registry.Error{Kind: registry.Unreachable, Ref: from.String(), Message: "given up"}
	}
	content, size, err := p.farAway.Blob(ctx, from, dgst)
	if p.unsized[from.Repo.Host] {
		size = -1
	}
	return content, size, err
}

func newPlaces(w *pullWorld) *places {
	p := &places{w.origin, map[string]bool{}, map[string]bool{}, map[string]bool{}, "", make(chan string, maxFlights), make(chan string, maxFlights)}
	w.puller.Fetcher = p
	return p
}

// move says that a manifest is from another host.
func (g *guided) move(repository, manifest, host string) {
	o := g.on[repository+"@"+sum(manifest)]
	o.Repo.Host = host
	g.on[repository+"@"+sum(manifest)] = o
}

// A layer that two images on record share is fetched from where either is from.
func TestPullSharedLayerOfTwoOrigins(t *testing.T) {
	w := newPullWorld(t)
	p := newPlaces(w)
	one, two := image("{1}", "base"), image("{2}", "base")
	w.origin.add(one, two, "base", "{1}", "{2}")
	w.guide.record("team1/web", "1.0", sum(one))
	w.guide.record("team1/web", "2.0", sum(two))
	w.guide.move("team1/web", one, "old.test")
	w.answers(t, 200, one, "GET", "team1/web/manifests/1.0")
	w.answers(t, 200, two, "GET", "team1/web/manifests/2.0")
	p.gone["old.test"] = true // the registry of 1.0 was shut down
	w.answers(t, 200, "base", "GET", "team1/web/blobs/"+sum("base"))
}

// An image may be on record from very many places; few of them are asked for one thing.
func TestPullFromFewPlaces(t *testing.T) {
	w := newPullWorld(t)
	p := newPlaces(w)
	w.origin.add("base", "{1}")
	for i := range 3 * maxSources {
		m, host := image("{1}", "base", fmt.Sprint("layer ", i)), fmt.Sprintf("gone%d.test", i)
		w.origin.add(m)
		tag := fmt.Sprint("v", i)
		w.guide.record("team1/web", tag, sum(m))
		w.guide.move("team1/web", m, host)
		w.answers(t, 200, "", "GET", "team1/web/manifests/"+tag)
		p.gone[host] = true
	}
	w.answers(t, 404, "", "GET", "team1/web/blobs/"+sum("base"))
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) != maxSources {
		t.Errorf("%d places were asked, of at most %d: %v", len(p.asked), maxSources, p.asked)
	}
}

// One image that lies about the size of a shared layer does not spoil another.
func TestPullSizeOfAnother(t *testing.T) {
	for name, c := range map[string]struct{ first, unsized bool }{"later": {}, "first": {first: true}, "first, of no size": {true, true}} {
		t.Run(name, func(t *testing.T) {
			w := newPullWorld(t)
			p := newPlaces(w)
			good := image("{1}", "base")
			evil := strings.Replace(good, fmt.Sprintf(`%q,"size":4`, sum("base")), fmt.Sprintf(`%q,"size":5000000`, sum("base")), 1)
			w.origin.add(good, evil, "base", "{1}")
			w.guide.record("team1/web", "good", sum(good))
			w.guide.record("team1/web", "evil", sum(evil))
			w.guide.move("team1/web", evil, "evil.test")
			p.unsized["evil.test"] = c.unsized
			tags := []string{"good", "evil"}
			if c.first {
				tags = []string{"evil", "good"}
			}
			for _, tag := range tags {
				w.answers(t, 200, "", "GET", "team1/web/manifests/"+tag)
			}
			at := "team1/web/blobs/" + sum("base")
			if c.unsized { // only its end tells, and then nobody believes it again; clients come again by themselves
				w.ask(t, "GET", at)
			}
			if !c.first || c.unsized {
				if resp := w.answers(t, 200, "", "HEAD", at); resp.ContentLength != 4 {
					t.Errorf("HEAD says %d bytes of 4", resp.ContentLength)
				}
			}
			if resp := w.answers(t, 200, "base", "GET", at); resp.ContentLength != 4 {
				t.Errorf("GET says %d bytes of 4", resp.ContentLength)
			}
		})
	}
}

// One registry that is slow takes the places of its own alone, and only for as long as somebody waits.
func TestPullFlightsOfOne(t *testing.T) {
	w := newPullWorld(t)
	p := newPlaces(w)
	p.hang = "slow.test"
	w.puller.flights.wait, w.puller.flights.grace = 50*time.Millisecond, 0
	blobs := []string{"{}"}
	for i := range maxHostFlights + 1 {
		blobs = append(blobs, fmt.Sprint("slow layer ", i))
	}
	slow, good := image(blobs...), image("{}", "good layer")
	w.origin.add(append(blobs, slow, good, "good layer")...)
	for _, r := range []string{"team1/slow", "team1/web", "team2/web"} {
		w.guide.record(r, "stable", sum(good))
	}
	w.guide.record("team1/slow", "stable", sum(slow))
	w.guide.move("team1/slow", slow, "slow.test")
	for _, r := range []string{"team1/slow", "team1/web", "team2/web"} {
		w.answers(t, 200, "", "GET", r+"/manifests/stable")
	}
	asking, goAway := context.WithCancel(t.Context())
	for _, b := range blobs[1 : maxHostFlights+1] {
		go func() {
			req, _ := http.NewRequestWithContext(asking, "GET", w.server.URL+"/v2/team1/slow/blobs/"+sum(b), nil)
			if resp, err := w.server.Client().Do(req); err == nil {
				resp.Body.Close()
			}
		}()
	}
	for range maxHostFlights {
		<-p.under
	}
	last := "team1/slow/blobs/" + sum(blobs[maxHostFlights+1])
	w.answers(t, 503, "pull again", "GET", last)
	w.answers(t, 200, "good layer", "GET", "team1/web/blobs/"+sum("good layer"))
	w.answers(t, 200, "good layer", "GET", "team2/web/blobs/"+sum("good layer"))
	goAway()
	for range maxHostFlights {
		<-p.ended
	}
	p.hang = ""
	w.answers(t, 200, blobs[maxHostFlights+1], "GET", last)
}

// One namespace that wants much leaves places to others.
func TestFlightsOfANamespace(t *testing.T) {
	var f pullFlights
	f.open = map[string]*pullFlight{}
	for i := range maxNamespaceFlights {
		key := flightKey{fmt.Sprint(i), fmt.Sprint(i), "team1"}
		f.open[key.blob] = &pullFlight{key: key}
	}
	if f.place(flightKey{"x", "x", "team1"}) || !f.place(flightKey{"x", "x", "team2"}) {
		t.Error("the places are not by namespace")
	}
}

// What is nearly there ends although nobody waits.
func TestFlightNearlyDone(t *testing.T) {
	f := &pullFlight{users: 1}
	f.begin(1000)
	for came, want := range map[int64]bool{0: false, 900: false, 901: true} {
		if f.came = came; f.wanted() != want {
			t.Errorf("%d of 1000 bytes: wanted %v", came, !want)
		}
	}
}
