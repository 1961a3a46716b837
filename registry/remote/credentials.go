package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/towpath/towpath/registry"
)

// A Credential is a file of logins and those who may use them. A namespace is
// only text that any author can write, so it is the paths that keep one team's
// logins from another's streams.
type Credential struct {
	// File is a dockerconfigjson: {"auths": {"HOST[/PATH]": {…}}}. It is read again
	// when it changes.
	File string
	// Hosts are those of the file's hosts that may be used; all when empty.
	Hosts []string
	// Namespaces are globs of the namespaces that it speaks for; all when empty.
	Namespaces []string
	// Paths are globs (** for any depth) of the repository's files that it speaks
	// for; all when empty, which only a single Credential may be.
	Paths []string
}

// A keyring chooses who speaks for a question.
type keyring struct {
	credentials []*credential
	docker      *docker // nil when it is not to be used
}

type credential struct {
	Credential
	hosts []string // canonical
	file  *loginFile
}

func newKeyring(cs []Credential, useDocker bool, log *slog.Logger) (*keyring, error) {
	k := &keyring{}
	for i, c := range cs {
		made, err := newCredential(c, len(cs) > 1, log)
		if err != nil {
			return nil, fmt.Errorf("credentials[%d]: %w", i, err)
		}
		k.credentials = append(k.credentials, made)
	}
	if useDocker {
		k.docker = newDocker(authn.DefaultKeychain, log)
	}
	return k, nil
}

func newCredential(c Credential, several bool, log *slog.Logger) (*credential, error) {
	if several && len(c.Paths) == 0 {
		return nil, errors.New("there is more than one credential, so each must say whose it is: write paths: [GLOB, …]")
	}
	for _, glob := range slices.Concat(c.Namespaces, c.Paths) {
		if !doublestar.ValidatePattern(glob) {
			return nil, fmt.Errorf("%q is no glob: write one like team1/**", glob)
		}
	}
	made := &credential{Credential: c, file: &loginFile{path: c.File, log: log}}
	for _, written := range c.Hosts {
		host, err := registry.ParseHost(written)
		if err != nil {
			return nil, err
		}
		made.hosts = append(made.hosts, host)
	}
	return made, made.file.load()
}

// choose is who speaks for a question about a repository, nil when nobody does:
// of all logins that may be used, the one whose host and path say most about the
// repository, and of equal ones the first. Docker's own are for repositories that
// no login is for: whoever stands outside a credential's paths asks anonymously.
func (k *keyring) choose(ctx context.Context, on registry.On, repo registry.Repo) *identity {
	var best *login
	taken := false // there is a login, whoever may use it
	for _, c := range k.credentials {
		for _, l := range c.file.logins(time.Now()) {
			if !c.offers(l.host) || !l.fits(repo) {
				continue
			}
			taken = true
			if c.speaksFor(on) && (best == nil || len(l.path) > len(best.path)) {
				best = &l
			}
		}
	}
	switch {
	case best != nil && on.Namespace != "":
		return newIdentity(best.auth, "the credential of "+on.Namespace, on.Namespace)
	case best != nil:
		return newIdentity(best.auth, "the operator's credential", "")
	case k.docker != nil && !taken:
		return k.docker.lookup(ctx, repo.Host)
	}
	return nil
}

func (c *credential) offers(host string) bool {
	return len(c.hosts) == 0 || slices.Contains(c.hosts, host)
}

func (c *credential) speaksFor(on registry.On) bool {
	return anyMatch(c.Namespaces, on.Namespace) && anyMatch(c.Paths, on.Path)
}

// anyMatch takes everything when there are no globs.
func anyMatch(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := doublestar.Match(glob, name)
		return ok && err == nil
	})
}

// A login is one entry of a file.
type login struct {
	host string // canonical
	path string // of repositories, a prefix in whole parts; empty for all
	auth authn.AuthConfig
}

func (l login) fits(repo registry.Repo) bool {
	return l.host == repo.Host && (l.path == "" || repo.Path == l.path || strings.HasPrefix(repo.Path, l.path+"/"))
}

func newIdentity(a authn.AuthConfig, kind, namespace string) *identity {
	who := &identity{
		kind: kind, namespace: namespace,
		username: a.Username, password: a.Password,
		identityToken: a.IdentityToken, registryToken: a.RegistryToken,
	}
	if who.username == "<token>" { // how credential helpers hand over an identity token
		who.identityToken = who.password
	}
	return who
}

const (
	maxLoginFile = 1 << 20
	lookAgain    = 10 * time.Second // at a login file, at the earliest
)

// A loginFile is a dockerconfigjson on disk. Who mounts it may replace it at any
// time; until a new one can be read, the old one stands.
type loginFile struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	entries []login
	stamp   string // of the file that entries are from
	looked  time.Time
}

func (f *loginFile) logins(now time.Time) []login {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.looked) >= lookAgain {
		f.looked = now
		if err := f.refresh(); err != nil {
			f.log.Warn("credentials file is not read again, the last one stands", "err", err)
		}
	}
	return f.entries
}

// load reads the file for the first time.
func (f *loginFile) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = time.Now()
	return f.refresh()
}

// refresh reads the file if it is another one than before. The caller holds mu.
func (f *loginFile) refresh() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	stamp := fmt.Sprint(info.ModTime().UnixNano(), info.Size())
	if stamp == f.stamp {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxLoginFile+1))
	if err != nil {
		return err
	}
	entries, err := readLogins(body)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.entries, f.stamp = entries, stamp
	return nil
}

// readLogins reads a dockerconfigjson. Its errors never quote it.
func readLogins(body []byte) ([]login, error) {
	if len(body) > maxLoginFile {
		return nil, errors.New("larger than 1 MiB: a file of logins is meant")
	}
	var file struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if err := json.Unmarshal(body, &file); err != nil || file.Auths == nil {
		return nil, errors.New(`no dockerconfigjson: write {"auths": {"HOST": {"auth": "…"}}}`)
	}
	var logins []login
	for key, raw := range file.Auths {
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
