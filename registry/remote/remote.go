// Package remote reads container registries over HTTPS: a registry.Reader over
// go-containerregistry, whose Puller speaks through this package's own stack of
// transports.
//
// It knows which registries may be asked (reach.go), and which copies of them
// first (mirror.go), who may see a credential (origin.go), which credential speaks
// for whom (credentials.go, directory.go), how a registry asks for one (prove.go,
// token.go), which addresses may be dialled (dial.go) and through what (proxy.go),
// how much may be asked and read (gate.go, wire.go), and what an answer must look
// like (manifest.go, config.go, tags.go). Whatever a
// registry sends is taken for hostile. It must not know why anybody asks: streams,
// schedules and back-off are other packages' matter, and it retries nothing that
// a caller could notice.
package remote

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/towpath/towpath/registry"
)

// Options say what a Reader may reach and as whom. The zero Options ask public
// registries over HTTPS, anonymously.
type Options struct {
	// Hosts are the registries that need something said of them, by host and, if
	// it is not the scheme's own, port: "quay.io", "127.0.0.1:5000". Only hosts
	// listed here may be at an address that is not public.
	Hosts map[string]Host
	// Credentials speak for namespaces and paths. As soon as there is more than
	// one, each must say for which paths.
	Credentials []Credential
	// Mirrors are asked before the registries that they mirror.
	Mirrors []Mirror
	// Allowed are the registries that may be asked, HOST or HOST/PATH in whole
	// parts, *.DOMAIN for all hosts below it; all when empty. Blocked may not be, also
	// where they are allowed. Both look at the names that are asked for: mirrors of
	// these need not be allowed.
	Allowed, Blocked []string
	// Proxy is what all hosts that are not listed are asked through.
	Proxy Proxy
	// DockerConfig also uses Docker's own configuration of the user who runs the
	// process, credential helpers included, for repositories that no Credential has
	// a login for. It speaks for everybody.
	DockerConfig bool
	UserAgent    string       // "towpath" when empty
	Logger       *slog.Logger // nil: nothing is logged

	// Dial and Resolve stand in for the network in tests: Dial is called with an
	// address that Resolve gave, after that address was found to be allowed.
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// A Host is what an operator says of one registry.
type Host struct {
	// Insecure allows plain HTTP and TLS that nobody verifies, for those
	// questions whose tag allows it, too.
	Insecure bool
	CAFile   string // PEM; trusted besides the system's authorities
	// ClientCertFile and ClientKeyFile, PEM, are shown to the registry's own origin
	// where it asks for a certificate, whoever's question it is, and to nobody else:
	// not to its token hosts, not to where it redirects. They are read again when
	// they change. Either both or none is set.
	ClientCertFile, ClientKeyFile string
	// Proxy says that this registry, although it is listed, is asked through the
	// proxy.
	Proxy bool
	// TokenHosts are the hosts that may be sent this registry's credentials for a
	// token. The registry itself and the token services of a few known registries
	// need not be named.
	TokenHosts []string
	// Concurrency is how many requests are on their way at once; 32 when 0.
	Concurrency int
	// RequestsPerSecond is no limit when 0: a registry that wants to be asked less
	// says so, and is heeded.
	RequestsPerSecond float64
}

const defaultConcurrency = 32

// A Reader reads registries over the network. It implements registry.Reader.
type Reader struct {
	hosts  map[string]Host // by canonical host
	lanes  map[string]*lane
	others *lane // of the hosts that nothing is said of
	keys   *keyring
	agent  string
	loop   string // tells our own fetches from those of others, see LoopID
	log    *slog.Logger

	mirrors mirrors
	reach   reach
	proxy   *proxy // nil for none
	answers *semaphore.Weighted

	resting   resting
	endpoints endpoints
	tokens    tokens
	trials    trials
	gates     gates
	crowd     *crowd
}

var _ registry.Reader = (*Reader)(nil)

// New makes a Reader. It reads the files that the options name; its errors are
// the operator's to mend.
func New(o Options) (*Reader, error) {
	r := &Reader{
		hosts: map[string]Host{},
		lanes: map[string]*lane{},
		agent: cmp.Or(o.UserAgent, "towpath"),
		loop:  "towpath-" + rand.Text(),
		log:   o.Logger,

		answers: semaphore.NewWeighted(maxAnswers),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.crowd = newCrowd()
	r.endpoints.listed = r.hosts
	r.resting = resting{log: r.log, until: map[string]time.Time{}}
	var err error
	if r.mirrors, err = newMirrors(o.Mirrors); err != nil {
		return nil, err
	}
	if r.reach, err = newReach(o.Allowed, o.Blocked); err != nil {
		return nil, err
	}
	if r.proxy, err = newProxy(o.Proxy, r.log); err != nil {
		return nil, err
	}
	n := network{dialer: o.Dial, resolve: o.Resolve}
	if err := r.addHosts(o.Hosts, n); err != nil {
		return nil, err
	}
	if direct := r.direct(); r.proxy != nil && len(direct) > 0 {
		r.log.Info("these registries are listed, so they are asked without the proxy", "hosts", direct)
	}
	if r.others, err = newLane("", Host{Concurrency: defaultConcurrency}, n, r.proxy, r.log); err != nil {
		return nil, err
	}
	r.keys, err = newKeyring(o.Credentials, o.DockerConfig, r.log)
	return r, err
}

// addHosts makes the lanes of the hosts that are listed, mirrors included.
func (r *Reader) addHosts(hosts map[string]Host, n network) error {
	for written, h := range hosts {
		if err := r.addHost(written, h, n); err != nil {
			return fmt.Errorf("registry %s: %w", written, err)
		}
	}
	for _, host := range r.mirrors.hosts() {
		if _, listed := r.hosts[host]; listed {
			continue
		}
		if err := r.addHost(host, Host{}, n); err != nil {
			return fmt.Errorf("mirror %s: %w", host, err)
		}
	}
	return nil
}

func (r *Reader) addHost(written string, h Host, n network) error {
	host, err := registry.ParseHost(written)
	if err != nil {
		return err
	}
	if _, twice := r.hosts[host]; twice {
		return fmt.Errorf("%s is named twice: write it once", host)
	}
	for i, t := range h.TokenHosts {
		if _, err := registry.ParseHost(t); err != nil {
			return fmt.Errorf("token-hosts[%d]: %w", i, err)
		}
	}
	if h.Concurrency < 0 || h.RequestsPerSecond < 0 {
		return fmt.Errorf("concurrency and requests-per-second must not be negative: leave them out for the defaults")
	}
	h.Concurrency = cmp.Or(h.Concurrency, defaultConcurrency)
	r.hosts[host] = h
	r.gates.list(host, h)
	r.lanes[host], err = newLane(host, h, n, r.proxy, r.log)
	return err
}

// direct are the listed hosts that no proxy is used for.
func (r *Reader) direct() (hosts []string) {
	for host, h := range r.hosts {
		if !h.Proxy {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// LoopID is what the Reader's fetches say in registry.LoopHeader. Who serves what it fetches, and
// is asked by it, would wait for itself.
func (r *Reader) LoopID() string { return r.loop }

// Close closes the connections that are idle. A Reader may be used after it.
func (r *Reader) Close() {
	r.others.close()
	for _, l := range r.lanes {
		l.close()
	}
}

// Head says what a reference is now, with one HEAD request where the registry
// answers that well, else by reading the manifest.
func (r *Reader) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	return r.image(ctx, on, ref, (*question).head)
}

// Detail reads the manifest. Its digest is that of the bytes that came; they
// must be those that were asked for.
func (r *Reader) Detail(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	return r.image(ctx, on, ref, (*question).get)
}

func (r *Reader) image(ctx context.Context, on registry.On, ref registry.Ref, how func(*question, context.Context, registry.Ref) (registry.Image, error)) (registry.Image, error) {
	image, mirror, err := through(ctx, r, on, ref, ref.String, func(q *question, there registry.Ref) (registry.Image, error) {
		return how(q, ctx, there)
	})
	image.Mirror = mirror
	return image, err
}

// Config reads the configuration of an image, whose digest is that of the bytes
// that came. Of its labels it takes the first 256 whose values have at most 64 KiB.
func (r *Reader) Config(ctx context.Context, on registry.On, repo registry.Repo, digest string) (registry.Config, error) {
	ref := registry.Ref{Repo: repo, Digest: digest}
	config, _, err := through(ctx, r, on, ref, ref.String, func(q *question, there registry.Ref) (registry.Config, error) {
		return q.config(ctx, there.Digest)
	})
	return config, err
}

// Tags lists a repository to its end, or fails.
func (r *Reader) Tags(ctx context.Context, on registry.On, repo registry.Repo) ([]string, error) {
	ref := registry.Ref{Repo: repo, Tag: "latest"}
	tags, _, err := through(ctx, r, on, ref, repo.String, func(q *question, _ registry.Ref) ([]string, error) {
		return q.list(ctx)
	})
	return tags, err
}

// ask makes a question for one source. Nobody speaks for it yet.
func (r *Reader) ask(on registry.On, from source) *question {
	l, c := r.others, r.crowd
	if listed, ok := r.lanes[from.repo.Host]; ok {
		l, c = listed, nil
	}
	watched := nothing
	if from.mirror != "" {
		watched = dials
	}
	return &question{
		watch:     watched,
		crowd:     c,
		namespace: on.Namespace,
		reader:    r,
		lane:      l,
		gate:      r.gates.of(from.repo.Host),
		repo:      from.repo,
		insecure:  l.insecure && (on.Insecure || from.mirror != ""),
		limit:     maxManifest,
		room:      room{all: r.answers},
	}
}
