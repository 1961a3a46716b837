// Package forgetest is the contract of a forge.Forge as a test: one suite that
// every Forge passes, over a repository in which people propose, push, merge and
// close beside it.
//
// It knows the contract and nothing of how a Forge keeps it, and nothing of YAML
// or images.
package forgetest

import (
	"testing"

	"github.com/towpath/towpath/forge"
)

// A World is a repository and its forge as everybody else sees them: a person with
// write access, on pages and in Git. Its branch Base has one commit. Its methods fail the test where
// they fail, and return when the forge shows what they did.
type World interface {
	// Forge is the forge under test; its pages hold few proposals, where that can be set.
	Forge() forge.Forge
	// Another is one more client of the same repository: what knows nothing but what the forge tells.
	Another() forge.Forge
	// Requests counts what was sent to the forge by the one under test; -1: nobody counts.
	Requests() int

	// Push puts a commit on a branch, which is made from Base where it is not there,
	// and returns the tip.
	Push(branch string) (head string)
	DeleteBranch(branch string)
	// Open opens a proposal of a branch of the repository.
	Open(branch, base, title, body string) (number int)
	// Stranger opens one of a branch of a fork.
	Stranger(branch, base, title, body string) (number int)
	// Write gives a proposal another title and body.
	Write(number int, title, body string)
	// Label puts a label, which it makes where it is missing, on a proposal.
	Label(number int, label string)
	Close(number int)
	Reopen(number int)
	// Merge merges a proposal in one of the ways that Ways lists. Its branch stays.
	Merge(number int, way string)
	Ways() []string
	// Check reports that a check of a commit is Pending, Green or Red.
	Check(head, name string, says forge.Checks)
	// Require makes a rule for Base: nothing is merged before this check of it is good.
	Require(name string)
	// Await returns when a proposal is Open, Closed or Merged, and fails the test where that does not come.
	// Of one that is Open it also waits until the forge knows whether it can be merged.
	Await(number int, state forge.State)

	// Comments are the texts of a proposal's comments, oldest first.
	Comments(number int) []string
	// Asked are those who were asked to look at a proposal.
	Asked(number int) (reviewers, assignees []string)
	// Reviewer is somebody who can be asked.
	Reviewer() string
}

const (
	Base   = "main"
	Prefix = "towpath/"      // of the branches that the suite lists
	Nobody = "nobody-at-all" // a user that no World has

	branch = Prefix + "main/web-1234"
)

// Run runs the contract. Each call of world gives a new one; it may run beside
// others, if world says so by t.Parallel.
func Run(t *testing.T, world func(t *testing.T) World) {
	for _, c := range []struct {
		name string
		test func(*bench)
	}{
		{"nothing yet", nothingYet},
		{"propose and list", proposeAndList},
		{"propose twice is once", proposeTwice},
		{"another was faster", anotherWasFaster},
		{"on page seven", onPageSeven},
		{"of base and prefix", ofBaseAndPrefix},
		{"from a fork", fromAFork},
		{"closed by a person", closedByAPerson},
		{"closed and reopened", closedAndReopened},
		{"past is newest first", pastIsNewestFirst},
		{"past is all of them", pastIsAll},
		{"merged in each way", mergedInEachWay},
		{"the branch is gone", theBranchIsGone},
		{"the head moves", theHeadMoves},
		{"close twice", closeTwice},
		{"edit keeps the rest", editKeepsTheRest},
		{"a person edits", aPersonEdits},
		{"bodies arrive", bodiesArrive},
		{"a draft stays a draft", aDraftStays},
		{"comment once", commentOnce},
		{"who is asked", whoIsAsked},
		{"nobody is left out", nobodyIsLeftOut},
		{"nothing new costs one request", nothingNewCostsOne},
		{"checks", checks},
		{"a status is a check", aStatusIsACheck},
		{"merge", merge},
		{"merge waits for no rule", mergeAgainstARule},
		{"merge by itself", mergeByItself},
		{"what is not there", whatIsNotThere},
		{"context is over", contextIsOver},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t)
			c.test(&bench{T: t, World: w, forge: w.Forge()})
		})
	}
}
