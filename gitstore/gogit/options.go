package gogit

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/towpath/towpath/gitstore"
)

// Options say which repository and how to reach it. Only Repo is needed.
type Options struct {
	// Repo is an http, https or ssh URL, the short form user@host:path, a
	// file URL or a path. It holds no password.
	Repo string
	// CacheDir keeps the fetched objects of a remote repository between runs;
	// it is made if it is not there, and belongs to one process at a time.
	// Empty: they are kept in memory.
	CacheDir string

	// Credentials are files only, read again at every use, so that a secret
	// swapped in place is picked up. A byte order mark and final line ends
	// are not part of a secret.
	//
	// For http(s), TokenFile or PasswordFile is the password of the user that
	// UsernameFile, Username or the URL names, else of "towpath".
	TokenFile string
	// Token is asked in place of a file, again for every conversation: for tokens that are
	// renewed, or that stand in the environment. It may be called from several goroutines.
	// Its error tells no secret; an *gitstore.Error stays as it is. The user is "x-access-token"
	// where none is named.
	Token        func(ctx context.Context) (string, error)
	Username     string
	UsernameFile string
	PasswordFile string
	// For ssh, the private key, its passphrase if it has one, and the host
	// keys that are trusted, which are mandatory.
	SSHKeyFile        string
	SSHPassphraseFile string
	KnownHostsFile    string

	// CAFile adds certificates to those that the system trusts.
	CAFile string
	// Insecure lets a credential travel over plain http. It always may to a
	// loopback address.
	Insecure bool

	// Signing signs every commit. SignOff adds a trailer with which the author signs it off.
	Signing Signing
	SignOff bool
	// Commits makes the commits of a remote repository in place of this process, which
	// then signs none. Nil: they are made here.
	Commits gitstore.Maker

	// Poll is how often a local repository is looked at besides watching it.
	// 0 is one second.
	Poll time.Duration

	Limits    Limits
	Deadlines Deadlines

	// Logger hears what people may want to know later. Nil: nobody does.
	Logger *slog.Logger

	resolver *net.Resolver // nil but in tests
}

// dialer finds the address of a host and connects to it within one deadline.
func (o Options) dialer() *net.Dialer {
	return &net.Dialer{Timeout: o.Deadlines.Connect, KeepAlive: 30 * time.Second, Resolver: o.resolver}
}

// check says what contradicts itself, whatever stands in the files.
func (o Options) check(l location) error {
	wrong := func(what, fix string) error {
		return &gitstore.Error{Kind: gitstore.Unsupported, What: what, Fix: fix}
	}
	switch {
	case o.Commits != nil && o.Signing != Signing{}:
		return wrong("commits are to be made by the forge, and to be signed here", "remove git.signing, or write git.commits: git")
	case o.Commits != nil && l.scheme == "file":
		return wrong("commits are to be made by a forge, and the repository is on this machine", "name the forge's URL of the repository, or write git.commits: git")
	case o.Token != nil && (o.TokenFile != "" || o.PasswordFile != ""):
		return wrong("there are two credentials for the repository: a file, and a token from elsewhere", "name one of them")
	}
	return o.Signing.check()
}

// Limits bound what a server or a repository can make the process do. A zero
// field is the default.
type Limits struct {
	Pack    int64 // bytes of a pack as received; 512 MiB
	Objects int   // objects in a pack; 2,000,000
	Object  int64 // bytes of an object in a received pack, and of a commit or tree anywhere; 64 MiB
	Files   int64 // bytes of the paths of a list of files, and 256 more for each; 256 MiB, some 700,000 files
	Blob    int64 // bytes of a file that is read; 8 MiB
	Refs    int64 // bytes of a list of refs; 8 MiB, some 100,000 refs
	Packs   int   // packs in a cache before it is cloned again; 32
}

// Deadlines bound how long things may take. A zero field is the default.
type Deadlines struct {
	Connect time.Duration // 5 s
	TLS     time.Duration // 5 s
	Header  time.Duration // until an answer begins; 15 s, for a push 4 times that
	Stall   time.Duration // a stretch without 1 KiB/s in it ends a transfer; 15 s
	Poll    time.Duration // reading a branch's tip; 30 s
	Fetch   time.Duration // 10 min
	Push    time.Duration // 3 min
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	orElse(&o.Poll, time.Second)

	orElse(&o.Limits.Pack, 512<<20)
	orElse(&o.Limits.Objects, 2_000_000)
	orElse(&o.Limits.Object, 64<<20)
	orElse(&o.Limits.Files, 256<<20)
	orElse(&o.Limits.Blob, 8<<20)
	orElse(&o.Limits.Refs, 8<<20)
	orElse(&o.Limits.Packs, 32)

	orElse(&o.Deadlines.Connect, 5*time.Second)
	orElse(&o.Deadlines.TLS, 5*time.Second)
	orElse(&o.Deadlines.Header, 15*time.Second)
	orElse(&o.Deadlines.Stall, 15*time.Second)
	orElse(&o.Deadlines.Poll, 30*time.Second)
	orElse(&o.Deadlines.Fetch, 10*time.Minute)
	orElse(&o.Deadlines.Push, 3*time.Minute)
	return o
}

func orElse[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
