package memory

import (
	"fmt"
	"strings"
	"time"

	"github.com/towpath/towpath/gitstore"
)

// Edit commits what change does to the tree of a branch, as a person would,
// and returns the new tip. A branch that is not there begins with it. change is
// called again when somebody else commits at the same time.
func (s *Store) Edit(branch, message string, change func(Tree)) gitstore.Rev {
	when := time.Time{}
	if s.Now != nil {
		when = s.Now()
	}
	for {
		s.mu.Lock()
		parent, n := s.branches[branch], s.edits
		s.mu.Unlock()
		if s.Now == nil {
			when = time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC)
		}
		tree := parent.files()
		change(tree)
		next := newCommit(s, parent, parent.entries(s, tree), message, Person, when)
		if s.land(branch, parent, next) {
			return next.rev
		}
	}
}

// land moves a branch to a person's commit unless somebody was faster.
func (s *Store) land(branch string, parent, next *commit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.branches[branch] != parent {
		return false
	}
	s.branches[branch] = s.keep(next)
	s.edits++
	s.nudge()
	return true
}

// Write is Edit that gives files new content.
func (s *Store) Write(branch, message string, files map[string]string) gitstore.Rev {
	return s.Edit(branch, message, func(t Tree) {
		for path, content := range files {
			f := t[path]
			f.Content = content
			t[path] = f
		}
	})
}

// Move points a branch at a commit that was once made, as a force-push does.
// The empty Rev deletes the branch.
func (s *Store) Move(branch string, rev gitstore.Rev) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev == "" {
		delete(s.branches, branch)
	} else if c := s.commits[rev]; c != nil {
		s.branches[branch] = c
	} else {
		panic(fmt.Sprintf("memory: no commit %s", rev))
	}
	s.nudge()
}

// Tip is a branch's commit, empty if there is no such branch.
func (s *Store) Tip(branch string) gitstore.Rev {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.branches[branch]; c != nil {
		return c.rev
	}
	return ""
}

// Tips are where the branches are whose names begin with prefix.
func (s *Store) Tips(prefix string) map[string]gitstore.Rev {
	s.mu.Lock()
	defer s.mu.Unlock()
	tips := map[string]gitstore.Rev{}
	for name, c := range s.branches {
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "refs/") {
			tips[name] = c.rev
		}
	}
	return tips
}

// Tree is a copy of a branch's tree, empty if there is no such branch.
func (s *Store) Tree(branch string) Tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.branches[branch].files()
}

// A Logged is a commit as a log shows it.
type Logged struct {
	Rev     gitstore.Rev
	Author  gitstore.Person
	When    time.Time
	Message string // whole
	Tree    Tree
}

// Log lists the commits of a branch, newest first.
func (s *Store) Log(branch string) []Logged {
	s.mu.Lock()
	defer s.mu.Unlock()
	var log []Logged
	for c := s.branches[branch]; c != nil; c = c.parent {
		log = append(log, Logged{Rev: c.rev, Author: c.author, When: c.when, Message: c.message, Tree: c.files()})
	}
	return log
}

// Watch makes Changed tell of every Edit and Move from now on.
func (s *Store) Watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{}, 1)
	}
}

// nudge is called with mu held.
func (s *Store) nudge() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
