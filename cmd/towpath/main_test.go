package main

import (
	"runtime/debug"
	"testing"
)

// What the person who starts the program says of memory counts.
func TestSpareMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for gogc, want := range map[string]int{"": 25, "200": 100} {
		debug.SetGCPercent(100)
		spareMemory(func(string) string { return gogc })
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("GOGC=%q: %d, want %d", gogc, got, want)
		}
	}
}
