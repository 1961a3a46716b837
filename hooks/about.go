package hooks

// About is a kind for people: its name, and what to do at the sender's side so that it posts
// to a URL. Of an unknown kind both are empty.
func About(kind, url string) (title string, setUp []string) {
	v, ok := kindOf(kind)
	if ok && v.setUp != nil {
		setUp = v.setUp(url)
	}
	return v.title, setUp
}
