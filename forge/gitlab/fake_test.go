package gitlab_test

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	project   = "acme/plat.form/deploy"
	projectID = 3
	strangers = 99 // id of the fork
)

// A gitLab is one project of a GitLab, as far as merge requests go, with GitLab's own rules: what is a
// draft, what makes a command, who may merge, in which order it looks at what.
type gitLab struct {
	mu       sync.Mutex
	requests int
	seconds  int // of its clock
	ids      int64

	branches map[string]int // commits on it
	merges   []*merge       // by number
	labels   map[string]bool
	users    map[string]int64
	statuses map[string][]status   // by commit
	runs     map[string][]pipeline // by commit, those without jobs
	commands []string              // carried out

	required  string // the job that must be good before a merge
	reporter  bool   // the token's user may not merge
	noLabels  bool   // nor make labels
	reviewers int    // that the plan allows; 0: any
	mergeable string // overrides detailed_merge_status
	keepsOpen bool   // whatever is said
}

type merge struct {
	number, source                   int
	title, body, state, branch, base string
	head                             string
	labels                           []string
	reviewers, assignees             []string
	auto                             bool
	at                               time.Time // made
	ended                            time.Time
	notes                            []note
}

type note struct {
	body   string
	system bool
}

type status struct {
	id        int64
	ref, name string
	status    string
	mayFail   bool
}

type pipeline struct {
	id     int64
	ref    string
	status string
}

func newGitLab() *gitLab {
	return &gitLab{
		branches: map[string]int{"main": 1}, labels: map[string]bool{}, users: map[string]int64{"towpath-bot": 7, "reviewer": 12, "Other.Reviewer": 13},
		statuses: map[string][]status{}, runs: map[string][]pipeline{},
	}
}

func (g *gitLab) now() time.Time {
	g.seconds++
	return time.Date(2026, 1, 1, 0, 0, g.seconds, 517e6, time.UTC)
}

func (g *gitLab) id() int64 { g.ids++; return g.ids }

func (g *gitLab) tip(branch string) string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, branch, g.branches[branch])))
}

// push moves a branch: those of its merge requests that were to be merged by themselves are not any more.
func (g *gitLab) push(branch string) string {
	g.branches[branch]++
	for _, m := range g.merges {
		if m.state == "opened" && m.branch == branch && m.source == projectID {
			m.head, m.auto = g.tip(branch), false
		}
	}
	return g.tip(branch)
}

func (g *gitLab) open(source int, branch, base, title, body string) *merge {
	m := &merge{number: len(g.merges) + 1, source: source, title: title, state: "opened", branch: branch, base: base, head: g.tip(branch), at: g.now()}
	g.merges = append(g.merges, m)
	m.body = g.carryOut(m, body)
	return m
}

func (g *gitLab) find(branch, base string) *merge {
	for _, m := range g.merges {
		if m.state == "opened" && m.branch == branch && m.base == base && m.source == projectID {
			return m
		}
	}
	return nil
}

// commandLine is GitLab's, but for what it leaves alone: it takes the more for a command.
var commandLine = regexp.MustCompile(`(?mi)^/(close|merge|approve|label|assign|draft|title)(?: ([^\n]*))?(?:\s*\n|$)`)

// carryOut does what a text says, and returns what is left of it.
func (g *gitLab) carryOut(m *merge, text string) string {
	for _, c := range commandLine.FindAllStringSubmatch(strings.ReplaceAll(text, "\r", ""), -1) {
		g.commands = append(g.commands, strings.TrimSpace(c[0]))
		if c[1] == "close" {
			g.end(m, "closed")
		}
	}
	if len(g.commands) == 0 {
		return strings.TrimRight(text, " \t\r\n")
	}
	return commandLine.ReplaceAllString(text, "")
}

var draftTitle = regexp.MustCompile(`(?i)^(\[draft\]|\(draft\)|draft:)`)

func (m *merge) draft() bool { return draftTitle.MatchString(m.title) }

func (g *gitLab) end(m *merge, state string) {
	m.state, m.auto, m.ended = state, false, g.now()
}

func (g *gitLab) give(m *merge, labels []string) {
	for _, l := range labels {
		if (g.labels[l] || !g.noLabels) && l != "" && !slices.Contains(m.labels, l) {
			g.labels[l] = true
			m.labels = append(m.labels, l)
		}
	}
	slices.Sort(m.labels)
}

// members are those of some ids who can be asked.
func (g *gitLab) members(ids []int64, most int) (names []string) {
	for _, id := range ids {
		for name, is := range g.users {
			if is == id && (most == 0 || len(names) < most) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (g *gitLab) report(head, name, says string) {
	g.statuses[head] = append(g.statuses[head], status{id: g.id(), ref: "towpath", name: name, status: says})
	for _, m := range g.merges {
		if m.auto && m.head == head && g.ready(m) == "mergeable" {
			g.end(m, "merged")
		}
	}
}

// jobs are those of a commit that did not run again.
func (g *gitLab) jobs(head string) []status {
	last := map[string]status{}
	for _, s := range g.statuses[head] {
		last[s.ref+" "+s.name] = s
	}
	return slices.SortedFunc(maps.Values(last), func(a, b status) int { return int(a.id - b.id) })
}

// ready is GitLab's detailed_merge_status.
func (g *gitLab) ready(m *merge) string {
	switch {
	case m.state != "opened":
		return "not_open"
	case m.draft():
		return "draft_status"
	case g.mergeable != "":
		return g.mergeable
	case g.required == "":
		return "mergeable"
	}
	for _, s := range g.jobs(m.head) {
		switch {
		case s.name == g.required && s.status == "success":
			return "mergeable"
		case s.name == g.required && s.status == "running":
			return "ci_still_running"
		}
	}
	return "ci_must_pass"
}

// accept merges, or says why not: GitLab looks at rights first, then at rules, and then at the head.
func (g *gitLab) accept(m *merge, sha string, auto bool) (status int, message string) {
	ready := g.ready(m)
	waits := auto && ready == "ci_still_running"
	switch {
	case g.reporter:
		return 401, "401 Unauthorized"
	case ready != "mergeable" && !waits:
		return 405, "405 Method Not Allowed"
	case sha != "" && sha != m.head:
		return 409, "SHA does not match HEAD of source branch: " + m.head
	case waits:
		m.auto = true
	default:
		g.end(m, "merged")
	}
	return 200, ""
}
