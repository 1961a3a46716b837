package gogit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/towpath/towpath/gitstore"
)

// An sshLine is Git over ssh with a key from a file. Only host keys that the
// known_hosts file holds are trusted; none is ever learned. The connection is
// kept between conversations until one of the files changes.
type sshLine struct {
	opts   Options
	user   string
	addr   string // host:port
	path   string // of the repository, as the server is told it
	client *ssh.Client
	files  [3][]byte // that the client was made from: key, passphrase, known hosts
}

var (
	errHostKey = errors.New("the host key is not trusted")
	errSSHAuth = errors.New("the key was refused")
)

func newSSHLine(o Options, l location) (line, error) {
	switch {
	case o.KnownHostsFile == "":
		return nil, &gitstore.Error{Kind: gitstore.TLS, What: "no known_hosts file is named, and without one no ssh server is trusted",
			Fix: "write one with ssh-keyscan " + l.url.Hostname() + ", compare its keys with what the server's admin says, and name it"}
	case o.SSHKeyFile == "":
		return nil, &gitstore.Error{Kind: gitstore.Unauthorized, What: "no ssh key is named", Fix: "name the file of a private key that may read and write the repository"}
	}
	return &sshLine{
		opts: o, path: l.path,
		user: cmp.Or(l.user, o.Username, "git"),
		addr: net.JoinHostPort(l.url.Hostname(), cmp.Or(l.url.Port(), "22")),
	}, nil
}

// redact has nothing to do: a key is never told to a server.
func (l *sshLine) redact(text string) string { return text }

func (l *sshLine) close() error {
	if l.client != nil {
		l.client.Close() // nothing is under way
	}
	return nil
}

func (l *sshLine) open(ctx context.Context, service string) (conversation, error) {
	files, err := l.read()
	if err != nil {
		return nil, err
	}
	for i, f := range files {
		if l.client != nil && !bytes.Equal(f, l.files[i]) {
			l.client.Close()
			l.client = nil
		}
	}
	if l.client != nil {
		if c, err := l.session(ctx, service); err == nil || ctx.Err() != nil {
			return c, err
		}
		l.client.Close() // the server hung up meanwhile
	}
	if l.client, err = l.dial(ctx, files); err != nil {
		return nil, err
	}
	l.files = files
	return l.session(ctx, service)
}

func (l *sshLine) read() (files [3][]byte, err error) {
	for i, f := range []struct{ kind, path string }{
		{"ssh key", l.opts.SSHKeyFile}, {"passphrase", l.opts.SSHPassphraseFile}, {"known_hosts", l.opts.KnownHostsFile},
	} {
		if f.path == "" {
			continue
		}
		if files[i], err = smallFile(f.kind, f.path); err != nil {
			return files, err
		}
	}
	return files, nil
}

func (l *sshLine) dial(ctx context.Context, files [3][]byte) (*ssh.Client, error) {
	signer, err := l.signer(files[0])
	if err != nil {
		return nil, err
	}
	known, err := knownhosts.NewDB(l.opts.KnownHostsFile)
	if err != nil {
		return nil, &fileError{"known_hosts", l.opts.KnownHostsFile, "cannot be read: " + reason(err)}
	}
	conn, err := l.opts.dialer().DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(l.opts.Deadlines.Header))
	check := known.HostKeyCallback()
	var distrust error
	config := &ssh.ClientConfig{
		User: l.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, ClientVersion: "SSH-2.0-towpath",
		HostKeyAlgorithms: known.HostKeyAlgorithms(l.addr), // else a server's other key would look like a changed one
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			if err := check(host, remote, key); err != nil {
				distrust = fmt.Errorf("%w: %s %s: %w", errHostKey, key.Type(), ssh.FingerprintSHA256(key), err)
			}
			return distrust
		},
	}
	c, channels, requests, err := ssh.NewClientConn(conn, l.addr, config)
	if err != nil {
		conn.Close()
		return nil, handshakeError(err, distrust)
	}
	conn.SetDeadline(time.Time{})
	return ssh.NewClient(c, channels, requests), nil
}

func (l *sshLine) signer(key []byte) (ssh.Signer, error) {
	key = bytes.TrimPrefix(key, []byte("\ufeff"))
	var signer ssh.Signer
	var err error
	if l.opts.SSHPassphraseFile == "" {
		signer, err = ssh.ParsePrivateKey(key)
	} else {
		var passphrase string
		if passphrase, err = secretFile("passphrase", l.opts.SSHPassphraseFile); err != nil {
			return nil, err
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(key, []byte(passphrase))
	}
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		return nil, &fileError{"ssh key", l.opts.SSHKeyFile, "has a passphrase, and no passphrase file is named"}
	}
	if err != nil {
		return nil, &fileError{"ssh key", l.opts.SSHKeyFile, "is no private key that its passphrase opens"}
	}
	return signer, nil
}

func handshakeError(err, distrust error) error {
	var none *ssh.AlgorithmNegotiationError
	switch {
	case distrust != nil:
		return distrust
	case errors.As(err, &none):
		return fmt.Errorf("%w: %w", errHostKey, err) // it has no key of a kind that is known
	case strings.Contains(err.Error(), "unable to authenticate"):
		return fmt.Errorf("%w: %w", errSSHAuth, err)
	}
	return err
}

// session runs a service on the connection.
func (l *sshLine) session(ctx context.Context, service string) (conversation, error) {
	c := &sshConversation{service: service, limits: l.opts.Limits, patience: l.opts.Deadlines.Header, heard: &hearsay{}}
	c.ctx, c.dog = newWatchdog(ctx, l.opts.Deadlines.Stall)
	client := l.client
	// Closing the connection is the one thing that ends every wait on it.
	c.forget = context.AfterFunc(c.ctx, func() {
		if !c.over.Load() {
			client.Close()
		}
	})
	c.dog.expect(c.patience)
	if err := c.start(client, service+" "+shellQuote(l.path)); err != nil {
		c.close()
		if c.ctx.Err() != nil && ctx.Err() == nil {
			err = cmp.Or(context.Cause(c.ctx), err)
		}
		return nil, err
	}
	return c, nil
}

// shellQuote is git's own way of naming a path to a server's shell.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

type sshConversation struct {
	ctx      context.Context // a conversation is one operation
	service  string
	limits   Limits
	patience time.Duration
	session  *ssh.Session
	in       io.WriteCloser
	out      *pktReader
	heard    *hearsay
	dog      *watchdog
	forget   func() bool
	over     atomic.Bool
}

func (c *sshConversation) start(client *ssh.Client, command string) error {
	s, err := client.NewSession()
	if err != nil {
		return err
	}
	c.session = s
	s.Stderr = c.heard
	if c.in, err = s.StdinPipe(); err != nil {
		return err
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return err
	}
	s.Setenv("GIT_PROTOCOL", protocolEnv) // a server that does not take it speaks the older protocol
	if err := s.Start(command); err != nil {
		return err
	}
	limit := 2*c.limits.Refs + c.limits.Pack + c.limits.Pack/1000
	c.out = newPktReader(&watched{ctx: c.ctx, r: out, dog: c.dog, left: limit})
	return nil
}

func (c *sshConversation) greetingFirst() bool { return true }
func (c *sshConversation) hurry()              { c.dog.hurry() }

func (c *sshConversation) close() {
	c.over.Store(true)
	c.forget()
	if c.session != nil {
		c.session.Close()
	}
	c.dog.close()
}

// A hangUpError is a server that ends the conversation before it says a word:
// there is no such repository, or it may not be used.
type hangUpError struct{ service, said string }

func (e *hangUpError) Error() string {
	if e.said == "" {
		return "the server closed the session"
	}
	return "the server says: " + e.said
}

func (c *sshConversation) greeting() (*pktReader, error) {
	if _, err := c.out.r.Peek(4); err != nil {
		if err == io.EOF {
			c.session.Wait() // for the last of what it says
			return nil, &hangUpError{c.service, oneLine(c.heard.String())}
		}
		return nil, err
	}
	c.dog.begin()
	return c.out, nil
}

func (c *sshConversation) ask(body []byte) (*pktReader, error) {
	patience := c.patience
	if c.service == receivePak {
		patience *= 4 // hooks run before the first byte
	}
	c.dog.expect(patience)
	_, err := io.Copy(c.in, upload{bytes.NewReader(body), c.dog, patience})
	if err == nil {
		err = c.in.Close()
	}
	if err != nil && err != io.EOF { // EOF: the server has said all it wants to say
		return nil, cmp.Or(context.Cause(c.ctx), err)
	}
	return c.out, nil
}

// A hearsay keeps the beginning of a session's standard error.
type hearsay struct {
	mu sync.Mutex
	w  words
}

func (h *hearsay) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.w.Write(p)
	return len(p), nil
}

func (h *hearsay) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.w.b)
}
