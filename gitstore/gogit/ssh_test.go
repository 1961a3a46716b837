package gogit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/gitstore/storetest"
)

// An sshd is OpenSSH's own server on loopback, one process a connection.
type sshd struct {
	addr    string
	host    ssh.PublicKey
	user    string
	keyFile string // of a user who may come in
}

// startSSHD serves everything that the user who runs the test can reach.
func startSSHD(t *testing.T, settings ...string) *sshd {
	t.Helper()
	const binary = "/usr/sbin/sshd"
	if _, err := os.Stat(binary); err != nil {
		t.Fatal("this test needs an ssh server: apt-get install openssh-server")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if me.Uid == "0" {
		os.MkdirAll("/run/sshd", 0o755) // where its start script makes it
	}
	dir := t.TempDir()
	d := &sshd{user: me.Username, keyFile: filepath.Join(dir, "user_key")}
	hostFile := filepath.Join(dir, "host_key")
	d.host = newKey(t, hostFile, "")
	authorized := filepath.Join(dir, "authorized_keys")
	write(t, authorized, string(ssh.MarshalAuthorizedKey(newKey(t, d.keyFile, ""))))
	config := filepath.Join(dir, "sshd_config")
	write(t, config, strings.Join(append(settings,
		"HostKey "+hostFile, "AuthorizedKeysFile "+authorized, "StrictModes no", "UsePAM no", "PidFile none",
		"PermitRootLogin prohibit-password", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "LogLevel QUIET",
		"SetEnv HOME="+dir, // what the user's shell would read at its start plays no part, and takes its time
	), "\n")+"\n")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d.addr = l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			c.Close()
			if err != nil {
				return
			}
			cmd := exec.CommandContext(t.Context(), binary, "-i", "-f", config)
			cmd.Stdin, cmd.Stdout = f, f
			if cmd.Start() == nil {
				go cmd.Wait()
			}
			f.Close()
		}
	}()
	return d
}

func newKey(t *testing.T, file, passphrase string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "fake")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "fake", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t *testing.T, file, content string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// knows writes a known_hosts file.
func (d *sshd) knows(t *testing.T, lines ...string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "known_hosts"), strings.Join(lines, "\n")+"\n")
}

func (d *sshd) line(key ssh.PublicKey) string {
	return knownhosts.Line([]string{knownhosts.Normalize(d.addr)}, key)
}

func (d *sshd) options(t *testing.T, r *gittest.Repo) gogit.Options {
	return gogit.Options{
		Repo:           fmt.Sprintf("ssh://%s@%s%s", d.user, d.addr, r.Dir),
		SSHKeyFile:     d.keyFile,
		KnownHostsFile: d.knows(t, d.line(d.host)),
	}
}

func TestContractOverSSH(t *testing.T) {
	t.Parallel()
	d := startSSHD(t, "AcceptEnv GIT_PROTOCOL")
	storetest.Talks(t, func(t *testing.T, files map[string]string) storetest.Fixture {
		r := gittest.NewRepo(t, files)
		return storetest.Fixture{Store: open(t, d.options(t, r)), World: storetest.Git(r), Lose: killed(r), Refuse: refuse(r)}
	})
}

// A server that does not take GIT_PROTOCOL speaks the older protocol.
func TestOldSSH(t *testing.T) {
	d := startSSHD(t)
	r := gittest.NewRepo(t, map[string]string{"app/stream.yaml": "1"})
	s := &stage{T: t, repo: r, server: gittest.Serve(t), store: open(t, d.options(t, r))}
	first := s.mustPush(s.snapshot(), 1)
	r.Commit(map[string]string{"readme": "2"}, "theirs")
	_, err := s.push(first, 2)
	if !errors.Is(err, gitstore.ErrMoved) {
		t.Errorf("a push on an old base: %v", err)
	}
	s.wantFiles(s.mustPush(s.snapshot(), 3))
	r.Hook("pre-receive", "echo not today >&2; exit 1")
	_, err = s.push(s.snapshot(), 4)
	if e := s.wantError(err, gitstore.Denied); !strings.Contains(e.Error(), "not today") {
		t.Errorf("the hook's words are lost: %v", e)
	}
	s.wantLog("ours 3", "theirs", "ours 1", "first")
}

// fault: G-26
func TestHostKeys(t *testing.T) {
	d := startSSHD(t)
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	other := newKey(t, filepath.Join(t.TempDir(), "other"), "")
	for _, c := range []struct {
		name  string
		lines []string
		kind  gitstore.Kind
	}{
		{"known", []string{d.line(d.host)}, ""},
		{"unknown", nil, gitstore.TLS},
		{"changed", []string{d.line(other)}, gitstore.TLS},
		{"revoked", []string{"@revoked * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(d.host))), d.line(d.host)}, gitstore.TLS},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := d.options(t, r)
			o.KnownHostsFile = d.knows(t, c.lines...)
			before, _ := os.ReadFile(o.KnownHostsFile)
			_, err := open(t, o).Snapshot(t.Context(), "main")
			wantKind(t, err, c.kind)
			if after, _ := os.ReadFile(o.KnownHostsFile); !bytes.Equal(before, after) {
				t.Errorf("known_hosts was written: %q", after)
			}
		})
	}
}

func TestSSHNeedsFiles(t *testing.T) {
	for name, o := range map[string]gogit.Options{
		"no known hosts": {Repo: "git@example.com:team/repo.git", SSHKeyFile: "key"},
		"no key":         {Repo: "git@example.com:team/repo.git", KnownHostsFile: "known_hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := gogit.Open(t.Context(), o); err == nil {
				s.Close()
				t.Error("opened")
			}
		})
	}
}

// The key, its passphrase and the host keys are read at every use.
func TestSSHKeySwapped(t *testing.T) {
	d := startSSHD(t)
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	o := d.options(t, r)
	good, err := os.ReadFile(o.SSHKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	o.SSHKeyFile = filepath.Join(t.TempDir(), "key")
	newKey(t, o.SSHKeyFile, "")
	s := open(t, o)
	_, err = s.Snapshot(t.Context(), "main")
	wantKind(t, err, gitstore.Unauthorized)
	write(t, o.SSHKeyFile, string(good))
	_, err = s.Snapshot(t.Context(), "main")
	wantKind(t, err, "")
	newKey(t, o.SSHKeyFile, "")
	_, err = s.Snapshot(t.Context(), "main")
	wantKind(t, err, gitstore.Unauthorized)

	newKey(t, o.SSHKeyFile, "fake passphrase")
	_, err = s.Snapshot(t.Context(), "main")
	wantKind(t, err, gitstore.Unauthorized)
	if !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("the error does not name the passphrase: %v", err)
	}
}

func TestSSHKeyWithPassphrase(t *testing.T) {
	dir := t.TempDir()
	d := startSSHD(t, "AuthorizedKeysCommand none")
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	o := d.options(t, r)
	raw, err := os.ReadFile(d.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParseRawPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(*key.(*ed25519.PrivateKey), "fake", []byte("fake passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	o.SSHKeyFile = write(t, filepath.Join(dir, "key"), string(pem.EncodeToMemory(block)))
	o.SSHPassphraseFile = write(t, filepath.Join(dir, "passphrase"), "fake passphrase\r\n")
	_, err = open(t, o).Snapshot(t.Context(), "main")
	wantKind(t, err, "")
}

func TestSSHNoRepository(t *testing.T) {
	d := startSSHD(t)
	r := gittest.NewRepo(t, nil)
	o := d.options(t, r)
	o.Repo += "-not"
	_, err := open(t, o).Snapshot(t.Context(), "main")
	wantKind(t, err, gitstore.NotFound)
}
