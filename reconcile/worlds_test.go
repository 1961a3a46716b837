//go:build !race

package reconcile_test

const worlds = 25
