package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
)

// A schedule is made after a pass that learned something, takes a hundredth of the
// time at most, and is never left out for good.
func TestTeller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reconcile.Reconciler{Store: memory.New(map[string]string{"README": "nothing"}), Branch: "main"}
		tell := &teller{r: r}
		made := func(rep reconcile.Report) bool { return tell.pass(rep).Schedule != nil }
		want := func(when string, got, want bool) {
			t.Helper()
			if got != want {
				t.Errorf("%s: made %t, want %t", when, got, want)
			}
		}
		want("the first pass", made(reconcile.Report{}), true)
		want("an idle pass", made(reconcile.Report{Idle: true}), false)
		want("one that broke off", made(reconcile.Report{Cut: true}), false)
		want("one that learned something", made(reconcile.Report{}), true)
		tell.took = time.Second
		want("one soon after a schedule that took a second", made(reconcile.Report{}), false)
		time.Sleep(99 * time.Second)
		want("an idle pass still too soon", made(reconcile.Report{Idle: true}), false)
		time.Sleep(time.Second)
		want("the idle pass when its time has come", made(reconcile.Report{Idle: true}), true)
		want("the next", made(reconcile.Report{Idle: true}), false)
	})
}
