package trigger

// buildConfig finds what the ImageChange triggers of a BuildConfig make follow.
func (f *finding) buildConfig(o object) {}
