package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/towpath/towpath/config"
)

// Each piece of docs/proposals.md, and README's, is right as it stands, and does what it is
// there for: those for the operator find a forge and a token, those for the repository send something to
// review.
func TestProposalPieces(t *testing.T) {
	doc, err := os.ReadFile("../../docs/proposals.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	pieces := regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n").FindAllStringSubmatch(string(doc), -1)
	for _, m := range append(pieces, []string{"", snippet(t, "triggers: proposal")}) {
		text := m[1]
		if strings.HasPrefix(text, "version:") {
			r, problems := config.ParseRepository([]byte(text))
			if len(problems) > 0 || !r.Proposes() {
				t.Errorf("%v, proposes: %v\n%s", problems, r.Proposes(), text)
			}
			kinds["repository"]++
			continue
		}
		op, problems := config.ParseOperator("operator.yaml", []byte(text))
		if len(problems) > 0 {
			t.Errorf("%v\n%s", problems, text)
			continue
		}
		v, err := venueOf(op)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		r, err := (&app{getenv: func(string) string { return "" }}).openForge(op, v)
		signs := op.Git.Signing.Format != ""
		if err != nil || (r.Forge == nil) != signs || !signs && !r.app && tokenAt(op, v).key == "" {
			t.Errorf("%v, %s, app: %v, token: %s\n%s", err, v.kind, r.app, tokenAt(op, v).key, text)
		}
		kinds[v.kind]++
	}
	for _, kind := range []string{"repository", "github", "gitlab", "gitea"} {
		if kinds[kind] == 0 {
			t.Errorf("no piece for %s", kind)
		}
	}
}
