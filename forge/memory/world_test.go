package memory_test

import (
	"crypto/sha1"
	"fmt"
	"sync"
	"testing"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/forge/memory"
)

func TestContract(t *testing.T) { forgetest.Run(t, newWorld) }

// newWorld is a forge in memory, and as much of Git as it asks for.
func newWorld(t *testing.T) forgetest.World {
	w := &inMemory{t: t, kept: memory.New(), branches: map[string]int{forgetest.Base: 1}, checks: map[string]map[string]forge.Checks{}}
	w.kept.Unknown = []string{forgetest.Nobody}
	w.kept.CRLF = true
	w.kept.Heads = w.head
	w.kept.Hook = func(string) (bool, error) { w.requests++; return true, nil }
	w.kept.OnMerge = w.rule
	return w
}

type inMemory struct {
	t        *testing.T
	kept     *memory.Forge
	requests int

	mu       sync.Mutex
	branches map[string]int // commits on it
	checks   map[string]map[string]forge.Checks
	required string
}

func (w *inMemory) Forge() forge.Forge   { return w.kept }
func (w *inMemory) Another() forge.Forge { return w.kept }
func (w *inMemory) Requests() int        { return w.requests }

func (w *inMemory) head(branch string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.branches[branch] == 0 {
		return ""
	}
	return fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, branch, w.branches[branch])))
}

func (w *inMemory) Push(branch string) string {
	w.mu.Lock()
	w.branches[branch]++
	w.mu.Unlock()
	return w.head(branch)
}

func (w *inMemory) DeleteBranch(branch string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.branches, branch)
}

func (w *inMemory) Open(branch, base, title, body string) int {
	p, err := w.kept.Propose(w.t.Context(), forge.Draft{Branch: branch, Base: base, Title: title, Body: body})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Number
}

func (w *inMemory) Stranger(branch, base, title, body string) int {
	return w.kept.FromFork(forge.Draft{Branch: branch, Base: base, Title: title, Body: body})
}

func (w *inMemory) Write(number int, title, body string) { w.kept.Write(number, title, body) }
func (w *inMemory) Label(number int, label string)       { w.kept.Label(number, label) }
func (w *inMemory) Close(number int)                     { w.kept.CloseBy(number) }
func (w *inMemory) Reopen(number int)                    { w.kept.Reopen(number) }
func (w *inMemory) Ways() []string                       { return []string{"merge"} }

func (w *inMemory) Merge(number int, _ string) { w.kept.MergeBy(number, memory.Start) }

func (w *inMemory) Check(head, name string, says forge.Checks) {
	if w.checks[head] == nil {
		w.checks[head] = map[string]forge.Checks{}
	}
	w.checks[head][name] = says
	together := forge.Green
	for _, each := range w.checks[head] {
		if each == forge.Red || each == forge.Pending && together == forge.Green {
			together = each
		}
	}
	w.kept.SetChecks(head, together)
}

func (w *inMemory) Require(name string) { w.required = name }

// rule is what the forge asks before it merges.
func (w *inMemory) rule(p forge.Proposal) error {
	if w.required != "" && w.checks[p.Head][w.required] != forge.Green {
		return &forge.Error{Kind: forge.Refused, Forge: p.URL, What: w.required + " is not good", Fix: "wait for it"}
	}
	return nil
}

func (w *inMemory) Await(number int, state forge.State) {
	if is := w.kept.All()[number-1].State; is != state {
		w.t.Fatalf("proposal %d is %s, want %s", number, is, state)
	}
}

func (w *inMemory) Comments(number int) []string { return w.kept.Comments(number) }

func (w *inMemory) Asked(number int) (reviewers, assignees []string) {
	asked := w.kept.Asked(number)
	return asked.Reviewers, asked.Assignees
}

func (w *inMemory) Reviewer() string { return "reviewer" }
