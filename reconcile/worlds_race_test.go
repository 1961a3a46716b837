//go:build race

package reconcile_test

// Races need no many worlds.
const worlds = 6
