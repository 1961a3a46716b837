package reconcile_test

import (
	"strings"
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

// A DeploymentConfig starts whole: while one of its images waits, the others wait with it.
func TestGuardKeepsTogether(t *testing.T) {
	dc := "apiVersion: apps.openshift.io/v1\nkind: DeploymentConfig\nmetadata: {name: d, namespace: team1}\nspec:\n  triggers:\n" +
		"    - type: ImageChange\n      imageChangeParams: {automatic: true, containerNames: [one], from: {kind: ImageStreamTag, name: \"web:stable\"}}\n" +
		"    - type: ImageChange\n      imageChangeParams: {automatic: true, containerNames: [two], from: {kind: ImageStreamTag, name: \"other:stable\"}}\n" +
		"  template:\n    spec:\n      containers:\n        - name: one\n          image: \" \"\n        - name: two\n          image: \" \"\n"
	files := map[string]string{"streams/other.yaml": quayStream("other"), "d.yaml": dc, ".towpath.yaml": "version: 1\ndefaults: {min-age: 24h}\n"}
	quayside(t, files, func(q *quay) {
		q.push("aaa")
		time.Sleep(20 * time.Hour)
		if err := q.registry.Set("quay.io/team1/other:1.4 bbb"); err != nil {
			q.t.Fatal(err)
		}
		q.walk()
		time.Sleep(10 * time.Hour) // one is old enough now
		q.walk()
		if got := q.text("d.yaml"); got != dc || len(q.last.Deferred) != 2 || !q.last.Deferred[0].Until.Equal(q.last.Deferred[1].Until) {
			q.t.Errorf("after 30 h it holds\n%s\nwaiting: %+v", got, q.last.Deferred)
		}
		time.Sleep(15 * time.Hour)
		q.walk()
		if got := q.text("d.yaml"); strings.Contains(got, `" "`) {
			q.t.Errorf("after all the waiting it holds\n%s", got)
		}
	})
}

// Who misnames the config believes in its guard rails: nothing is written meanwhile.
func TestConfigMisnamed(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " "), ".towpath.yml": "version: 1\npaused: true\n"}, func(q *quay) {
		q.push("aaa")
		q.want("a.yaml a ")
		if !q.last.Invalid || len(q.last.Problems) != 1 || !strings.Contains(q.last.Problems[0].Fix, "git mv .towpath.yml .towpath.yaml") {
			q.t.Errorf("invalid: %t, problems: %v", q.last.Invalid, q.last.Problems)
		}
	})
}
