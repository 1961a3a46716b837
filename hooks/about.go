package hooks

import "slices"

// About is a kind for people: its name, and what to do at the sender's side so that it posts
// to a URL. Of an unknown kind both are empty.
func About(kind, url string) (title string, setUp []string) {
	all := vendors()
	i := slices.IndexFunc(all, func(v vendor) bool { return v.kind == kind })
	if i < 0 {
		return "", nil
	}
	if all[i].setUp != nil {
		setUp = all[i].setUp(url)
	}
	return all[i].title, setUp
}
