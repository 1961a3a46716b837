// Package reconcile is the line that data walks, again and again, from Git to
// Git:
//
//	   edge             pure               edge            pure
//	Git ▶ Load ▶ Catalog ▶ Due ▶ questions ▶ Ask ▶ answers ▶ Record ▶ T′
//
//	     pure     edge           edge           pure             edge
//	T′ ▶ Follow ▶ Holds ▶ Plan ▶ Texts ▶ texts ▶ Writes ▶ chain ▶ Apply ▶ Git
//
// Facts move one way. Stations that touch the world (Load, Ask, Holds, Texts,
// Apply) decide nothing; stations that decide (Due, Record, Follow, Writes)
// touch nothing. T is the tree as Git has it, T′ the tree as it will stand when
// the answers are on record; Follow reads T′ and never an answer, so whatever is
// rolled out was first on record in a commit.
//
// It knows Git and registries only by their contracts (gitstore, registry): no
// HTTP, no processes, no files.
package reconcile
