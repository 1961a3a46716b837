package gogit

import "github.com/towpath/towpath/gitstore"

func openLocal(_ Options, path string) (origin, error) {
	return nil, &gitstore.Error{Kind: gitstore.Unsupported, Repo: path, What: "local repositories are not supported yet", Fix: "use a URL"}
}
