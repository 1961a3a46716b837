package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReviewSettings(t *testing.T) {
	r := parse(t, `version: 1
branch-prefix: bots/images-
max-open: 3
defaults:
  triggers: proposal
  labels: [images, "needs review"]
  reviewers: [alice, acme/release]
  assignees: [bob]
  merge: platform
  draft: true
rules:
  - paths: ["test/**"]
    triggers: commit
    labels: []
    reviewers: []
    assignees: []
    draft: false
    merge: by-hand
  - namespaces: [prod]
    status: proposal
    reviewers: [carol]
    merge: when-green
`)
	want := defaultSettings()
	want.Triggers, want.Merge, want.Draft = "proposal", "platform", true
	want.ProposalLabels, want.Reviewers, want.Assignees = []string{"images", "needs review"}, []string{"alice", "acme/release"}, []string{"bob"}
	for _, tt := range []struct {
		path, namespace string
		change          func(*Settings)
	}{
		{"apps/a.yaml", "team1", func(*Settings) {}},
		{"apps/a.yaml", "prod", func(s *Settings) {
			s.Status, s.Merge, s.Reviewers = "proposal", "when-green", []string{"carol"}
		}},
		{"test/a.yaml", "team1", func(s *Settings) {
			s.Triggers, s.Merge, s.Draft = "commit", "by-hand", false
			s.ProposalLabels, s.Reviewers, s.Assignees = []string{}, []string{}, []string{}
		}},
	} {
		want := want
		tt.change(&want)
		got := r.For(tt.path, tt.namespace)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", tt.path, tt.namespace, diff)
		}
		if proposes := tt.path != "test/a.yaml"; got.Proposes() != proposes {
			t.Errorf("%s in %s: goes to review: %v", tt.path, tt.namespace, !proposes)
		}
	}
	if !r.Proposes() || r.BranchPrefix() != "bots/images-" || r.MaxOpen() != 3 {
		t.Errorf("got %v, %q, %d", r.Proposes(), r.BranchPrefix(), r.MaxOpen())
	}
}

// Whether a repository uses proposals decides whether a forge is asked at all.
func TestProposes(t *testing.T) {
	for src, want := range map[string]bool{
		"":                                     false,
		"defaults: {status: commit}\n":         false,
		"defaults: {status: proposal}\n":       true,
		"defaults: {triggers: proposal}\n":     true,
		"max-open: 5\nbranch-prefix: a/\n":     false,
		"defaults: {merge: when-green}\n":      false,
		"rules: [{paths: [a], draft: true}]\n": false,
		"rules: [{paths: [a], labels: [b]}, {paths: [c], triggers: proposal}]\n": true,
	} {
		if got := parse(t, "version: 1\n"+src).Proposes(); got != want {
			t.Errorf("%q: got %v, want %v", src, got, want)
		}
	}
	if r := Default(); r.Proposes() || r.BranchPrefix() != "towpath/" || r.MaxOpen() != 20 {
		t.Errorf("without a file: %v, %q, %d", r.Proposes(), r.BranchPrefix(), r.MaxOpen())
	}
}

func TestReviewProblems(t *testing.T) {
	for _, tt := range []struct{ line, want, fix string }{
		{"defaults: {status: pull-request}", "2:20: defaults.status must be commit or proposal", "status: commit"},
		{"defaults: {triggers: true}", "2:22: defaults.triggers must be text", "quotes"},
		{"defaults: {merge: squash}", "2:19: defaults.merge must be by-hand or platform or when-green", "merge: by-hand"},
		{"defaults: {draft: 'true'}", "2:19: defaults.draft must be true or false", "draft: true"},
		{"defaults: {label: [a]}", "2:12: defaults.label is not a known key", "did you mean labels?"},
		{"defaults: {labels: a}", "2:20: defaults.labels must be a list", "labels: [a, b]"},
		{"defaults: {labels: ['']}", "2:21: defaults.labels[0] is empty", "value"},
		{"defaults: {labels: ['a,b']}", "2:21: defaults.labels[0] is not the name of a label", "without commas"},
		{"defaults: {labels: [' a']}", "2:21: defaults.labels[0] is not the name of a label", "blanks"},
		{"defaults: {labels: [\"a\\u200bb\"]}", "2:21: defaults.labels[0] is not the name of a label", "see"},
		{"defaults: {labels: [" + strings.Repeat("é", 50) + "]}", "", ""},
		{"defaults: {labels: [" + strings.Repeat("é", 51) + "]}", "2:21: defaults.labels[0] is not the name of a label", "50 characters"},
		{"defaults: {labels: [" + strings.Repeat("a,", 21) + "]}", "2:20: defaults.labels has 21 entries; at most 20 are allowed", "remove some"},
		{"defaults: {reviewers: ['@alice']}", "2:24: defaults.reviewers[0] begins with @", "write alice"},
		{"defaults: {reviewers: ['@acme/team']}", "2:24: defaults.reviewers[0] begins with @", "write acme/team"},
		{"defaults: {reviewers: [acme/team/x]}", "2:24: defaults.reviewers[0] is neither a user nor a team", "ORG/TEAM"},
		{"defaults: {reviewers: [acme/]}", "2:24: defaults.reviewers[0] is neither a user nor a team", "ORG/TEAM"},
		{"defaults: {reviewers: ['a b']}", "2:24: defaults.reviewers[0] is neither", "ORG/TEAM"},
		{"defaults: {reviewers: ['../a']}", "2:24: defaults.reviewers[0] is neither", "ORG/TEAM"},
		{"defaults: {reviewers: ['@']}", "2:24: defaults.reviewers[0] is neither", "ORG/TEAM"},
		{"defaults: {assignees: [acme/team]}", "2:24: defaults.assignees[0] is not a user", "teams can be reviewers only"},
		{"defaults: {assignees: ['@bob']}", "2:24: defaults.assignees[0] begins with @", "write bob"},
		{"defaults: {assignees: [b.o-b_1]}", "", ""},
		{"defaults: {max-open: 5}", "2:12: defaults.max-open is not a known key", "remove it"},
		{"max-open: 0", "2:11: max-open must be a whole number from 1 to 1000", "range"},
		{"max-open: 1001", "2:11: max-open must be a whole number from 1 to 1000", "range"},
		{"branch-prefix: ''", "2:16: branch-prefix is empty", "value"},
		{"branch-prefix: refs/heads/towpath/", "2:16: branch-prefix is a ref", "towpath/"},
		{"branch-prefix: " + strings.Repeat("a", 60) + "/", "", ""},
		{"branch-prefix: " + strings.Repeat("a", 61) + "/", "2:16: branch-prefix is longer than 61 characters", "short"},
	} {
		checkProblem(t, "version: 1\n"+tt.line+"\n", tt.want, tt.fix)
	}
	for _, good := range []string{"towpath/", "towpath-", "a/", "a/b/", "Bots/towpath_1.x-", "a.lock-", "0-", "a--/"} {
		checkProblem(t, "version: 1\nbranch-prefix: '"+good+"'\n", "", "")
	}
	for _, bad := range []string{
		"towpath", "/", "-", "-a/", "/a/", ".a/", "a//", "a/../", "a..b/", "a./", "a/./", "a/.b/", "a.lock/", "x/a.lock/b/", "a b/", "a~/", "a@{/", "a:b/", "a?/", "a*/", "a[/", `a\/`, "ä/", "a^-",
	} {
		checkProblem(t, "version: 1\nbranch-prefix: '"+bad+"'\n", "2:16: branch-prefix cannot begin the names of branches", "such as towpath/")
	}
}

// Git itself takes whatever stands behind a prefix that is accepted.
func FuzzBranchPrefix(f *testing.F) {
	for _, seed := range []string{"towpath/", "a.lock-", "a..b/", "-a/", "a/.b-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b branchPart
		if b.set(text) != nil {
			return
		}
		name := text + "main/team1-web-0123456789"
		parts := strings.Split(name, "/")
		bad := func(part string) bool {
			return part == "" || part[0] == '.' || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock")
		}
		if strings.Contains(name, "..") || strings.ContainsAny(name, " ~^:?*[\\\x7f") || strings.Contains(name, "@{") || name[0] == '-' || slices.ContainsFunc(parts, bad) {
			t.Errorf("%q makes %q", text, name)
		}
	})
}
