package remote

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/towpath/towpath/registry"
)

const (
	helperDeadline = 10 * time.Second
	helperMemory   = 5 * time.Minute // of what a helper said
	helperPause    = time.Minute     // after it failed
	maxSaid        = 4096            // hosts
)

// docker looks into Docker's own configuration, which may run a credential
// helper. A helper that hangs costs each question at most its deadline, and
// never more than one process at a time. A question that it leaves without an answer
// fails: asked as nobody it might end as "no access", which would be recorded.
type docker struct {
	keychain authn.Keychain
	log      *slog.Logger
	turn     chan struct{} // held while the keychain works

	mu   sync.Mutex
	said map[string]saying // by canonical host
}

type saying struct {
	who   *identity
	until time.Time
}

func newDocker(k authn.Keychain, log *slog.Logger) *docker {
	return &docker{keychain: k, log: log, turn: make(chan struct{}, 1), said: map[string]saying{}}
}

// resource names a registry to a keychain, as Docker files it.
type resource string

func (r resource) String() string { return r.RegistryStr() }

func (r resource) RegistryStr() string {
	if r == registry.Hub {
		return "index.docker.io"
	}
	return string(r)
}

// errHelper is for the log: an operator can do without the helper.
var errHelper = errors.New("no answer in time: see what the helper waits for, or write docker-config: false into the operator's config")

// busy is the failure of a question whose context is, or has ended.
func busy(ctx context.Context) error {
	return &failure{kind: registry.Unreachable, message: "Docker's credential helper is busy", cause: errors.Join(errHelper, context.Cause(ctx))}
}

// lookup is who Docker would be at a registry, nil for nobody. It fails where the
// helper has no time.
func (d *docker) lookup(ctx context.Context, host string) (*identity, error) {
	if who, ok := d.recall(host, time.Now()); ok {
		return who, nil
	}
	wait, cancel := context.WithTimeout(ctx, helperDeadline)
	defer cancel()
	select {
	case d.turn <- struct{}{}:
	case <-wait.Done():
		return nil, busy(ctx)
	}
	if who, ok := d.recall(host, time.Now()); ok { // read while we waited
		<-d.turn
		return who, nil
	}
	done := d.run(wait, host)
	select {
	case who := <-done:
		return who, nil
	case <-wait.Done():
		d.log.Warn("Docker's credential helper does not answer", "host", host)
		return nil, busy(ctx)
	}
}

func (d *docker) recall(host string, now time.Time) (*identity, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.said[host]
	return s.who, ok && now.Before(s.until)
}

func (d *docker) remember(host string, who *identity, life time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if len(d.said) >= maxSaid {
		maps.DeleteFunc(d.said, func(_ string, s saying) bool { return !now.Before(s.until) })
	}
	if len(d.said) >= maxSaid { // authors name hosts; those that the helper knows are the operator's
		maps.DeleteFunc(d.said, func(_ string, s saying) bool { return s.who == nil })
	}
	if len(d.said) >= maxSaid {
		clear(d.said)
	}
	d.said[host] = saying{who, now.Add(life)}
}

// run asks the keychain, which cannot be stopped: when the context ends it is left
// to itself. The caller has the turn, which ends when the keychain does.
func (d *docker) run(ctx context.Context, host string) <-chan *identity {
	done := make(chan *identity, 1)
	go func() {
		defer func() { <-d.turn }()
		who, err := d.read(ctx, host)
		if err != nil {
			// What a helper prints may be a secret: only that it failed is told.
			d.log.Warn("Docker's own credentials cannot be read, asking anonymously", "host", host)
			d.remember(host, nil, helperPause)
		} else {
			d.remember(host, who, helperMemory)
		}
		done <- who
	}()
	return done
}

func (d *docker) read(ctx context.Context, host string) (*identity, error) {
	auth, err := authn.Resolve(ctx, d.keychain, resource(host))
	if err != nil || auth == authn.Anonymous {
		return nil, err
	}
	conf, err := authn.Authorization(ctx, auth)
	if err != nil || *conf == (authn.AuthConfig{}) {
		return nil, err
	}
	return newIdentity(*conf, "Docker's own credentials", ""), nil
}
