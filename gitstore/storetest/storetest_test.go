package storetest_test

import (
	"errors"
	"testing"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/gitstore/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Test(t, func(t *testing.T, files map[string]string) storetest.Fixture {
		s := memory.New(files)
		f := storetest.Fixture{Store: s, World: storetest.Memory(s)}
		f.Lose = func(landed bool) {
			s.Hook = once(s, func() (bool, error) { return landed, errors.New("the line is cut") })
		}
		f.Refuse = func(branch string) func() {
			s.Hook = func(op string) (bool, error) {
				if writes(op) && (op == memory.OpPush) == (branch == "main") {
					return false, &gitstore.Error{Kind: gitstore.Denied, Repo: "memory", What: "refused", Fix: "allow it"}
				}
				return true, nil
			}
			return func() { s.Hook = nil }
		}
		return f
	})
}

// once spoils the next change of a branch.
func once(s *memory.Store, spoil func() (bool, error)) memory.Hook {
	return func(op string) (bool, error) {
		if !writes(op) {
			return true, nil
		}
		s.Hook = nil
		return spoil()
	}
}

func writes(op string) bool {
	return op == memory.OpPush || op == memory.OpReplace || op == memory.OpDelete
}
