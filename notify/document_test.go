package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/notify"
)

var update = flag.Bool("update", false, "write the document's examples anew")

// examples are one event of each type, as the document shows them.
func examples() []notify.Event {
	const (
		commit   = "3f0c1d2e5b7a9c8d6e4f2a1b0c9d8e7f6a5b4c3d"
		digest   = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
		previous = "sha256:a8560b36e8b8210634f77d9f7f9efd7ffa463e380b75e2e74aff4511df3ef88c"
		site     = "Deployment team1/web, container app"
		page     = "https://git.example.com/team1/manifests/pulls/12"
	)
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	proposal := func(state, why string) notify.ProposalNews {
		return notify.ProposalNews{
			State: state, Number: 12, URL: page, Branch: "towpath/main/web-1f2e", Title: "team1/web:stable 1.4.2 → 1.4.3 (3 sites)", Why: why,
			Tags: []notify.Tagged{{Tag: "team1/web:stable", Image: digest}}, Sites: 3,
		}
	}
	var all []notify.Event
	for _, d := range []notify.Data{
		notify.ImageRecorded{Stream: "team1/web", Tag: "team1/web:stable", Image: digest, Previous: previous, Reference: "quay.io/team1/web@" + digest, Source: "quay.io/team1/web:1.4.3", Commit: commit},
		notify.SiteFollowed{Path: "apps/web/deployment.yaml", Line: 21, Site: site, Tag: "team1/web:stable", Image: "quay.io/team1/web@" + digest, Previous: "quay.io/team1/web@" + previous, Commit: commit},
		notify.ImportFailing{Tag: "team1/web:stable", Reason: "NotFound", Message: "quay.io/team1/web:1.4.3 is not there", Commit: commit},
		notify.ImportRecovered{Tag: "team1/web:stable", Reason: "NotFound", Commit: commit},
		proposal("opened", ""), proposal("merged", ""), proposal("closed", "the tag moved back"), proposal("rejected", "somebody closed it"),
		notify.SiteHeld{Path: "apps/web/deployment.yaml", Line: 21, Site: site, Tag: "team1/web:stable", Current: "quay.io/team1/web@" + previous, Image: "quay.io/team1/web@" + digest, Why: "taken back", Commit: commit, Subject: "web: back to 1.4.2"},
	} {
		all = append(all, notify.New(at, d, "team1"))
	}
	return all
}

// The document has a row for each type, and the bodies are what is sent. Those of the proposals differ in a word or two:
// the first is shown.
func TestDocument(t *testing.T) {
	const file = "../docs/notifications.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sink := cloudEvents(t, notify.CloudEvents{})
	var want []string
	for _, e := range examples() {
		if !strings.Contains(string(doc), "\n| `"+e.Type+"` | `"+string(e.Kind)+"` | ") {
			t.Errorf("%s of kind %s has no row", e.Type, e.Kind)
		}
		if e.Kind == notify.Proposals && !strings.Contains(e.Type, "opened") {
			continue
		}
		sink.Source = "https://git.example.com/team1/manifests.git"
		body, err := sink.Body(e)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := json.Indent(&b, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		want = append(want, b.String())
	}
	if rows := strings.Count(string(doc), "\n| `dev.towpath."); rows != len(examples()) {
		t.Errorf("%d types have a row, of %d", rows, len(examples()))
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)\n```")
	var got []string
	for _, m := range blocks.FindAllSubmatch(doc, -1) {
		got = append(got, string(m[1]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bodies (-code +document); go test ./notify -update writes them:\n%s", diff)
	}
	if *update {
		i := bytes.Index(doc, []byte("```json"))
		text := string(doc[:i]) + "```json\n" + strings.Join(want, "\n```\n\n```json\n") + "\n```\n"
		if end := bytes.LastIndex(doc, []byte("\n## Builds")); end > i {
			text += string(doc[end:])
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
