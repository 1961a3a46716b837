package reconcile

// Remembered is how many tags a reconciler remembers anything of.
func Remembered(r *Reconciler) int { return len(r.mem.states) }
