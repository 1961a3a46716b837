package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/reconcile"
)

// A site below min-age waits for it, and the daemon wakes by itself when it is over.
func TestGuardMinAge(t *testing.T) {
	files := map[string]string{
		"a.yaml": follower("a", " "), "prod/b.yaml": follower("b", " "),
		".towpath.yaml": "version: 1\nrules:\n  - paths: [\"prod/**\"]\n    min-age: 24h\n",
	}
	quayside(t, files, func(q *quay) {
		q.push("aaa")
		q.want("a.yaml a aaa", "prod/b.yaml b ")
		if n := len(q.last.Deferred); n != 1 || !q.last.Deferred[0].Until.Equal(time.Now().Add(24*time.Hour)) {
			q.t.Fatalf("deferred: %+v", q.last.Deferred)
		}
		start := time.Now()
		q.line.Poll, q.line.Wait = time.Hour, false
		var at time.Time
		q.line.Passed = func(rep reconcile.Report) {
			if len(rep.Commits) > 0 && at.IsZero() {
				at = time.Now()
			}
		}
		go q.line.Run(q.t.Context())
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		if got := at.Sub(start); got < 24*time.Hour || got > 24*time.Hour+2*time.Second {
			q.t.Errorf("the site moved after %s, want 24h", got)
		}
	})
}

// What a policy has asked of an image's age already counts: the same rule for streams and
// sites does not wait twice.
func TestGuardCountsThePolicysAge(t *testing.T) {
	files := map[string]string{
		"streams/web.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nspec:\n" +
			"  tags:\n    - name: stable\n      annotations: {towpath.dev/policy: \"semver:*\"}\n      from: {kind: DockerImage, name: quay.io/team1/web}\n",
		"a.yaml":        follower("a", " "),
		"slow/b.yaml":   follower("b", " "),
		".towpath.yaml": "version: 1\ndefaults: {min-age: 24h}\nrules:\n  - paths: [\"slow/**\"]\n    min-age: 25h\n",
	}
	quayside(t, files, func(q *quay) {
		time.Sleep(240 * time.Hour)
		if err := q.registry.Set("quay.io/team1/web:1.4.0 aaa created=2000-01-02T00:00:00Z"); err != nil {
			q.t.Fatal(err)
		}
		q.walk()
		q.want("a.yaml a aaa", "slow/b.yaml b ")
		if n := len(q.last.Deferred); n != 1 || !q.last.Deferred[0].Until.Equal(time.Now().Add(time.Hour)) {
			q.t.Errorf("deferred: %+v, want an hour", q.last.Deferred)
		}
	})
}

// A window that is closed keeps what it guards for its opening; status goes on.
func TestGuardWindows(t *testing.T) {
	files := map[string]string{ // time starts on Saturday 2000-01-01 00:00
		"a.yaml":        follower("a", " "),
		".towpath.yaml": "version: 1\ndefaults:\n  windows: [{cron: \"0 8 * * 1-5\", for: 9h, zone: UTC}]\n",
	}
	quayside(t, files, func(q *quay) {
		q.push("aaa")
		q.want("a.yaml a ")
		monday := time.Date(2000, 1, 3, 8, 0, 0, 0, time.UTC)
		if n := len(q.last.Deferred); n != 1 || !q.last.Deferred[0].Until.Equal(monday) {
			q.t.Fatalf("deferred: %+v, want Monday at eight", q.last.Deferred)
		}
		q.take("a.yaml", "a", "mine") // while it waits, people do as they like
		q.push("bbb")
		q.want("a.yaml a mine")
		time.Sleep(time.Until(monday))
		q.walk()
		q.want("a.yaml a bbb")
		q.take("a.yaml", "a", "mine")
		q.wantAfterRestartToo("a.yaml a mine, taken back by take a back")
		time.Sleep(10 * time.Hour)
		q.push("aaa")
		q.restart()
		q.line.Resume = func(*reconcile.Site) bool { return true }
		q.walk()
		q.want("a.yaml a aaa")
	})
}
