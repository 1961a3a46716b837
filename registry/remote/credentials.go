package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/towpath/towpath/registry"
)

// A Credential is logins and those who may use them. A namespace is only text
// that any author can write, so it is the paths that keep one team's logins from
// another's streams. Either File or Directory is set.
type Credential struct {
	// File is a dockerconfigjson: {"auths": {"HOST[/PATH]": {…}}}. It is read again
	// when it changes.
	File string
	// Directory holds a directory for each namespace, with the name of the namespace,
	// and in it one or more secrets as Kubernetes mounts them. See directory.
	Directory string
	// Hosts are those of the file's hosts that may be used; all when empty.
	Hosts []string
	// Namespaces are globs of the namespaces that it speaks for; all when empty.
	Namespaces []string
	// Paths are globs (** for any depth) of the repository's files that it speaks
	// for; all when empty, which only a single File may be. Each path of a Directory
	// holds {namespace} as one of its parts, which stands for the namespace.
	Paths []string
}

// A keyring chooses who speaks for a question.
type keyring struct {
	credentials []*credential
	docker      *docker // nil when it is not to be used
}

type credential struct {
	hosts      []string // canonical
	namespaces []string // globs
	held       *fresh[[]holder]
}

// A holder has logins.
type holder struct {
	namespace string   // that they speak for; empty where any may that the credential is for
	paths     []string // globs of the files that they speak for; empty for all
	logins    []login
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
	if err := c.check(several); err != nil {
		return nil, err
	}
	made := &credential{namespaces: c.Namespaces}
	for _, written := range c.Hosts {
		host, err := registry.ParseHost(written)
		if err != nil {
			return nil, err
		}
		made.hosts = append(made.hosts, host)
	}
	read := func() ([]holder, error) { return readFile(c.File, c.Paths) }
	what := "the credentials file"
	if c.Directory != "" {
		d := &directory{name: c.Directory, paths: c.Paths, log: log, last: map[string][]login{}, told: map[string]string{}}
		read, what = d.scan, "the credentials directory"
	}
	var err error
	made.held, err = newFresh(what, log, read)
	return made, err
}

func (c Credential) check(several bool) error {
	if (c.File == "") == (c.Directory == "") {
		return errors.New("neither or both of file and directory are there: write one of them")
	}
	if several && len(c.Paths) == 0 {
		return errors.New("there is more than one credential, so each must say whose it is: write paths: [GLOB, …]")
	}
	for _, glob := range slices.Concat(c.Namespaces, c.Paths) {
		if !doublestar.ValidatePattern(glob) {
			return fmt.Errorf("%q is no glob: write one like team1/**", glob)
		}
	}
	if c.Directory == "" {
		return nil
	}
	if len(c.Paths) == 0 {
		return fmt.Errorf("directory has no paths, so any author could speak for any namespace: write paths: [%q]", "tenants/"+namespaceWord+"/**")
	}
	for _, glob := range c.Paths {
		if err := checkTenant(glob); err != nil {
			return err
		}
	}
	return nil
}

// checkTenant sees to it that the place of the namespace in a path is one place. An
// author who may write tenants/team1/ must not become team2 by writing
// tenants/team1/team2/.
func checkTenant(glob string) error {
	const fix = "write one like tenants/" + namespaceWord + "/**"
	before, _, found := strings.Cut("/"+glob+"/", "/"+namespaceWord+"/")
	switch {
	case !found:
		return fmt.Errorf("the path %q has no part %s, so any author could speak for any namespace: %s", glob, namespaceWord, fix)
	case strings.ContainsAny(before, `*?[{\`):
		return fmt.Errorf("the path %q has a wildcard before %s, so an author could speak for others in a directory of their name: %s", glob, namespaceWord, fix)
	}
	return nil
}

// readFile is the one holder of a file.
func readFile(file string, paths []string) ([]holder, error) {
	body, err := readMounted(os.Open, file)
	if err != nil {
		return nil, err
	}
	logins, err := readLogins(file, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return []holder{{paths: paths, logins: logins}}, nil
}

// choose is who speaks for a question about a repository, nil when nobody does:
// of all logins that may be used, the one whose host and path say most about the
// repository, and of equal ones the first. Docker's own are for repositories that
// no login is for: whoever stands outside a credential's paths asks anonymously. It
// fails where Docker's cannot be had in time.
func (k *keyring) choose(ctx context.Context, on registry.On, repo registry.Repo) (*identity, error) {
	best, taken := k.find(on, repo)
	switch {
	case best != nil && on.Namespace != "":
		return newIdentity(best.auth, "the credential of "+on.Namespace, on.Namespace), nil
	case best != nil:
		return newIdentity(best.auth, "the operator's credential", ""), nil
	case k.docker != nil && !taken:
		return k.docker.lookup(ctx, repo.Host)
	}
	return nil, nil
}

// find is the best login, and whether there is one at all, whoever may use it.
func (k *keyring) find(on registry.On, repo registry.Repo) (best *login, taken bool) {
	now := time.Now()
	for _, c := range k.credentials {
		for _, h := range c.held.get(now) {
			for i := range h.logins {
				l := &h.logins[i]
				if !l.fits(repo) || !c.offers(l.host) {
					continue
				}
				taken = true
				if c.speaksFor(on, h) && (best == nil || len(l.path) > len(best.path)) {
					best = l
				}
			}
		}
	}
	return best, taken
}

func (c *credential) offers(host string) bool {
	return len(c.hosts) == 0 || slices.Contains(c.hosts, host)
}

func (c *credential) speaksFor(on registry.On, h holder) bool {
	return (h.namespace == "" || h.namespace == on.Namespace) && anyMatch(c.namespaces, on.Namespace) && anyMatch(h.paths, on.Path)
}

// anyMatch takes everything when there are no globs.
func anyMatch(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := doublestar.Match(glob, name)
		return ok && err == nil
	})
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
	who.sumUp()
	return who
}
