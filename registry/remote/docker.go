package remote

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/towpath/towpath/registry"
)

const (
	helperDeadline = 10 * time.Second
	helperMemory   = 5 * time.Minute // of what a helper said
	helperPause    = time.Minute     // after it failed
)

// docker looks into Docker's own configuration, which may run a credential
// helper. A helper that hangs costs each question at most its deadline, and
// never more than one process at a time.
type docker struct {
	keychain authn.Keychain
	log      *slog.Logger
	turn     chan struct{} // held while the keychain works

	mu   sync.Mutex
	said map[string]saying // by repository
}

type saying struct {
	who   *identity
	until time.Time
}

func newDocker(k authn.Keychain, log *slog.Logger) *docker {
	return &docker{keychain: k, log: log, turn: make(chan struct{}, 1), said: map[string]saying{}}
}

// resource names a repository to a keychain, which looks for an entry of its
// own before it looks for one of the host.
type resource struct{ registry.Repo }

func (r resource) RegistryStr() string {
	if r.Host == registry.Hub {
		return "index.docker.io" // as Docker files it
	}
	return r.Host
}

func (r resource) String() string { return r.RegistryStr() + "/" + r.Path }

// lookup is who Docker would be for a repository, nil for nobody.
func (d *docker) lookup(ctx context.Context, repo registry.Repo) *identity {
	key := repo.String()
	if who, ok := d.recall(key, time.Now()); ok {
		return who
	}
	ctx, cancel := context.WithTimeout(ctx, helperDeadline)
	defer cancel()
	who, err := d.resolve(ctx, resource{repo})
	until := time.Now().Add(helperMemory)
	if err != nil {
		// What a helper prints may be a secret: only that it failed is told.
		d.log.Warn("Docker's own credentials cannot be read, asking anonymously", "host", repo.Host)
		until = time.Now().Add(helperPause)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.said) >= maxTokens {
		clear(d.said)
	}
	d.said[key] = saying{who, until}
	return who
}

func (d *docker) recall(key string, now time.Time) (*identity, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.said[key]
	return s.who, ok && now.Before(s.until)
}

// resolve leaves the keychain to itself when the context ends: it cannot be
// stopped. Its turn ends when it does.
func (d *docker) resolve(ctx context.Context, r resource) (*identity, error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		who *identity
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-d.turn }()
		who, err := d.read(ctx, r)
		done <- result{who, err}
	}()
	select {
	case got := <-done:
		return got.who, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *docker) read(ctx context.Context, r resource) (*identity, error) {
	auth, err := authn.Resolve(ctx, d.keychain, r)
	if err != nil || auth == authn.Anonymous {
		return nil, err
	}
	conf, err := authn.Authorization(ctx, auth)
	if err != nil || *conf == (authn.AuthConfig{}) {
		return nil, err
	}
	return newIdentity(*conf, "Docker's own credentials", ""), nil
}
