package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/towpath/towpath/registry"
)

// A login is one entry of a file.
type login struct {
	host string // canonical
	path string // of repositories, a prefix in whole parts; empty for all
	auth authn.AuthConfig
}

func (l login) fits(repo registry.Repo) bool {
	return prefix{l.host, l.path}.holds(repo)
}

// readLogins reads a file of Docker's, whose form its name tells: .dockercfg is
// the older one, {"HOST": {…}}; all others are {"auths": {"HOST": {…}}}. Its
// errors never quote the file.
func readLogins(name string, body []byte) ([]login, error) {
	var auths map[string]json.RawMessage
	if path.Base(name) == ".dockercfg" {
		if err := json.Unmarshal(body, &auths); err != nil || auths == nil {
			return nil, errors.New(`no .dockercfg: write {"HOST": {"auth": "…"}}`)
		}
	} else {
		var file struct {
			Auths map[string]json.RawMessage `json:"auths"`
		}
		if err := json.Unmarshal(body, &file); err != nil || file.Auths == nil {
			return nil, errors.New(`no dockerconfigjson: write {"auths": {"HOST": {"auth": "…"}}}`)
		}
		auths = file.Auths
	}
	var logins []login
	for key, raw := range auths {
		l, err := readLogin(key, raw)
		if err != nil {
			return nil, err
		}
		if l.auth != (authn.AuthConfig{}) {
			logins = append(logins, l)
		}
	}
	slices.SortFunc(logins, func(a, b login) int { return strings.Compare(a.host+"/"+a.path, b.host+"/"+b.path) })
	return logins, nil
}

func readLogin(key string, raw json.RawMessage) (login, error) {
	// Docker writes "https://index.docker.io/v1/", others HOST or HOST/PATH.
	written := strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	written, path, _ := strings.Cut(strings.TrimRight(written, "/"), "/")
	host, err := registry.ParseHost(written)
	if err != nil {
		return login{}, errors.New("auths: a key is no host of a registry: write HOST or HOST/PATH")
	}
	if path == "v1" || path == "v2" {
		path = ""
	}
	l := login{host: host, path: path}
	if err := json.Unmarshal(raw, &l.auth); err != nil {
		return login{}, fmt.Errorf(`auths: the entry of %s cannot be read: write "auth" as base64 of USER:PASSWORD, or "username" and "password"`, host)
	}
	return l, nil
}
