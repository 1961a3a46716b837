package notify_test

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/notify"
)

func TestLines(t *testing.T) {
	const gap = "\u200b"
	digest, rev := "sha256:"+strings.Repeat("ab", 32), strings.Repeat("c0ffee", 6)+"c0ff"
	place := notify.Place{Name: "git.example/a/b main", Page: func(commit string) string { return "https://www.git.example/a/b/commit/" + commit }}
	linked := "<https://www.git.example/a/b/commit/" + rev + "|c0ffeec0ffee>"
	for _, tt := range []struct {
		data notify.Data
		want string
	}{
		{notify.ImageRecorded{Tag: "team1/web:stable", Image: digest, Previous: "sha256:" + strings.Repeat("12", 32), Source: "quay.io/team1/web:1.4.3", Commit: rev},
			"team1/web:stable is quay.io/team1/web:1.4.3 (sha256:abababababab), was sha256:121212121212 (commit " + linked + ")"},
		{notify.ImageRecorded{Tag: "team1/web:stable", Image: digest, Reference: "quay.io/team1/web@" + digest, Commit: rev, Proposal: 12},
			"team1/web:stable is quay.io/team1/web (sha256:abababababab) (proposal 12)"},
		{notify.SiteFollowed{Path: "apps/web.yaml", Line: 7, Site: "Deployment web", Tag: "team1/web:stable", Image: "quay.io/team1/web:1.4.3@" + digest, Commit: rev, Proposal: 12, Page: "https://git.example/a/b/pulls/12"},
			"apps/web.yaml:7: Deployment web follows team1/web:stable: quay.io/team1/web:1.4.3 (sha256:abababababab) (<https://git.example/a/b/pulls/12|proposal 12>)"},
		{notify.SiteFollowed{Path: "apps/web.yaml", Line: 7, Site: "Deployment web", Tag: "team1/web:stable", Image: "quay.io/team1/web:1.4.3", Commit: rev},
			"apps/web.yaml:7: Deployment web follows team1/web:stable: quay.io/team1/web:1.4.3 (commit " + linked + ")"},
		{notify.ImportFailing{Tag: "team1/web:stable", Reason: "NotFound", Message: "see <https://evil.example|here>"},
			"team1/web:stable fails (NotFound): see &lt;https:" + gap + "//evil.example|here&gt;"},
		{notify.ImportRecovered{Tag: "team1/web:stable", Commit: rev}, "team1/web:stable is imported again (commit " + linked + ")"},
		{notify.ProposalNews{State: "opened", Number: 12, Title: "team1/web 1.4.2 → 1.4.3", URL: "https://git.example/a/b/pulls/12"},
			"<https://git.example/a/b/pulls/12|proposal 12> opened: team1/web 1.4.2 → 1.4.3"},
		{notify.ProposalNews{State: "rejected", Branch: "towpath/main/web", Title: "x", URL: "https://git.example/|<!channel>"},
			"branch towpath/main/web rejected: x"},
		{notify.SiteHeld{Path: "a.yaml", Line: 1, Site: "Pod p", Tag: "team1/web:stable", Image: "web:2", Why: "taken back", Commit: rev, Subject: "no\n@here <!channel> [x](www.evil.example)"},
			"a.yaml:1: Pod p stays, and does not follow team1/web:stable to web:2 (taken back): commit " + linked + ", no @" + gap + "here &lt;!channel&gt; [x]" + gap + "(www" + gap + ".evil.example)"},
	} {
		tt.want = "git.example/a/b main: " + tt.want
		if got := place.Line(notify.New(time.Now(), tt.data)); got != tt.want {
			t.Errorf("%T:\n got %s\nwant %s", tt.data, got, tt.want)
		}
	}
}

func TestChat(t *testing.T) {
	s := serve(t, httptest.NewServer)
	place := notify.Place{Name: "r main"}
	c, err := notify.NewChat(notify.Chat{Endpoint: notify.Endpoint{URL: s.URL}, Place: place})
	if err != nil {
		t.Fatal(err)
	}
	e := failing(1)
	if err := c.Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(s.bodies[0], &got); err != nil || len(got) != 1 || got["text"] != place.Line(e) {
		t.Errorf("sent %s", s.bodies[0])
	}
}

// calls is what chats make something of.
var calls = regexp.MustCompile(`(?i)[<>]|@[^\x{200b}]|://|\]\(|\]\[|www\d{0,3}\.|mailto:|[\x00-\x1f\x{200d}\x{202e}]`)

// links are those that a line may have.
var links = regexp.MustCompile(`<https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~%+/-]*)?(?:#[A-Za-z0-9_-]*)?\|([^<>]*)>`)

// Whatever strangers write, a line of a chat calls nobody and leads nowhere.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"<!channel>", "<@U012AB3CD>", "@here", "<https://evil.example|quay.io>", "[a](https://evil.example)", "![a][b]", "www.evil.example", "wwW1.x", "HTTPS://x", "mailto:a@b.c",
		"a\r\n@channel", "@@all", "]\u200b(", "\xff<", "&lt;!here&gt;", "w\u200bww.x", ":/\u00ad/", "@\u200d@all", strings.Repeat("<", 1000),
	} {
		f.Add(s)
	}
	fuzzed := notify.Place{Name: "r main", Page: func(string) string { return "https://git.example/a" }}
	f.Fuzz(func(t *testing.T, s string) {
		for _, d := range []notify.Data{
			notify.ImageRecorded{Tag: s, Image: s, Previous: s, Source: s, Reference: s, Commit: s},
			notify.SiteFollowed{Path: s, Site: s, Tag: s, Image: s, Commit: s}, notify.ImportFailing{Tag: s, Reason: s, Message: s},
			notify.ImportRecovered{Tag: s, Commit: s}, notify.ProposalNews{State: s, Branch: s, Title: s, Why: s, URL: "https://git.example/a"},
			notify.ProposalNews{State: "opened", URL: s, Branch: s}, notify.SiteFollowed{Proposal: 1, Page: s, Image: s},
			notify.SiteHeld{Path: s, Site: s, Tag: s, Image: s, Why: s, Commit: s, Subject: s},
		} {
			line := fuzzed.Line(notify.New(time.Time{}, d))
			line = links.ReplaceAllString(line, "$1")
			if bad := calls.FindString(line); bad != "" {
				t.Errorf("%T: %q in %q", d, bad, line)
			}
			if len(line) > 100_000 {
				t.Errorf("%T: a line of %d bytes", d, len(line))
			}
		}
	})
}
