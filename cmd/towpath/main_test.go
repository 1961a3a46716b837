package main

import (
	"runtime/debug"
	"testing"
)

// What the person who starts the program says of memory counts.
func TestSpareMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for gogc, kept := range map[string]bool{"": true, "200": false} {
		if k := spareMemory(func(string) string { return gogc }); (k != nil) != kept {
			t.Errorf("GOGC=%q: %v, want %v", gogc, k != nil, kept)
		} else if k != nil {
			k.Stop()
		}
	}
}
