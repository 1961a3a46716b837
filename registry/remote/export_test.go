package remote

// Crowd takes all the room for large answers until leave is called.
func Crowd(r *Reader) (leave func()) {
	if !r.answers.TryAcquire(maxAnswers) {
		panic("somebody has room")
	}
	return func() { r.answers.Release(maxAnswers) }
}
