package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNotify(t *testing.T) {
	o, problems := ParseOperator("operator.yaml", []byte(`notify:
- {kind: cloudevents, url: 'http://el-towpath.builds.svc:8080/', secret-file: s, events: [image], namespaces: ['team*'], ca-file: c}
- {kind: cloudevents, url: 'http://127.0.0.1:9000', token-file: t}
- {kind: cloudevents, url-file: u, token-file: t}
- {kind: slack, url-file: u}
- {kind: commit-status, target-url: 'https://towpath.example/'}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if n := o.Notify[0]; len(n.Namespaces) != 1 || !n.Namespaces[0].Match("team1") {
		t.Errorf("namespaces are %v", n.Namespaces)
	}
	for i := range o.Notify {
		o.Notify[i].At, o.Notify[i].Namespaces = Position{}, nil
	}
	want := []Notify{
		{Kind: "cloudevents", URL: "http://el-towpath.builds.svc:8080/", SecretFile: "s", Events: []News{"image"}, CAFile: "c"},
		{Kind: "cloudevents", URL: "http://127.0.0.1:9000", TokenFile: "t"}, {Kind: "cloudevents", URLFile: "u", TokenFile: "t"},
		{Kind: "slack", URLFile: "u"}, {Kind: "commit-status", TargetURL: "https://towpath.example/"},
	}
	if diff := cmp.Diff(want, o.Notify); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNotifyProblems(t *testing.T) {
	for _, tt := range []struct{ keys, want, fix string }{
		{"kind: email", "1:17: notify[0].kind must be cloudevents or slack or commit-status", "write kind: cloudevents, slack or commit-status"},
		{"url: 'https://a/'", "1:10: notify[0].kind is missing", "kind:"},
		{"kind: cloudevents", "1:10: the receiver has neither url nor url-file", "url: https://"},
		{"kind: cloudevents, url: 'https://a/', url-file: b", "1:10: notify.url and notify.url-file are both there", "remove one"},
		{"kind: cloudevents, url: 'https://u:p@a/'", "1:35: notify[0].url is not the address", "url-file"},
		{"kind: cloudevents, url: 'https://a/?code=x'", "1:35: notify[0].url is not the address", "url-file"},
		{"kind: cloudevents, url: 'ftp://a/'", "1:35: notify[0].url is not the address", "https://HOST/PATH"},
		{"kind: cloudevents, url: 'http://a/', token-file: b", "1:10: notify.url is plain http", "secret-file"},
		{"kind: cloudevents, url: 'https://a/', secret: b", "1:49: notify[0].secret would be a secret in this file", "secret-file:"},
		{"kind: cloudevents, url: 'https://a/', events: [images]", "1:58: notify[0].events[0] is no kind of event", "image, site, failing"},
		{"kind: cloudevents, url: 'https://a/', events: []", "1:10: notify.events names none", "remove the line"},
		{"kind: cloudevents, url: 'https://a/', target-url: 'https://b/'", "1:10: notify.target-url is of commit statuses alone", "url is where"},
		{"kind: slack, url: 'https://hooks.slack.com/services/T0'", "1:10: notify.url of a chat would be a secret", "url-file:"},
		{"kind: slack", "1:10: the chat has no url-file", "url-file:"},
		{"kind: slack, url-file: a, secret-file: b", "1:10: a chat takes neither", "remove"},
		{"kind: commit-status, url: 'https://a/'", "1:10: commit-status takes target-url", "below forge"},
		{"kind: commit-status, events: [image]", "1:10: commit-status takes target-url", "below forge"},
		{"kind: commit-status}, {kind: commit-status", "1:33: two receivers", "remove one"},
	} {
		o, problems := ParseOperator("operator.yaml", []byte("notify: [{"+tt.keys+"}]\n"))
		if len(problems) != 1 || o != nil {
			t.Errorf("%q: %d problems: %v", tt.keys, len(problems), problems)
			continue
		}
		if p := problems[0]; !strings.HasPrefix(p.String(), "operator.yaml:"+tt.want) || !strings.Contains(p.Fix, tt.fix) {
			t.Errorf("%q:\n got %s (fix: %s)\nwant %s (fix: %s)", tt.keys, p, p.Fix, tt.want, tt.fix)
		}
	}
}

// The first piece of the document about notifications is an operator's file.
func TestNotifyDocument(t *testing.T) {
	doc, err := os.ReadFile("../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	piece, _, ok := strings.Cut(rest, "```\n")
	o, problems := ParseOperator("operator.yaml", []byte(piece))
	if !ok || len(problems) > 0 || len(o.Notify) != 3 {
		t.Errorf("%v\n%s", problems, piece)
	}
}
