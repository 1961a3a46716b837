package gogit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// signing adds a signature to a stage's commits.
func signing(s gogit.Signing) func(*gogit.Options) {
	return func(o *gogit.Options) { o.Signing = s }
}

// wantSeal compares what git says of main's signatures, newest commit first: G is good, U good
// by a key that nobody vouches for, N none.
func (s *stage) wantSeal(signers string, want ...string) {
	s.Helper()
	got := s.repo.Git("-c", "gpg.ssh.allowedSignersFile="+signers, "log", "--format=%G?", "main")
	if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
		s.Errorf("signatures (-want +got)\n%s%s", diff, s.repo.Git("-c", "gpg.ssh.allowedSignersFile="+signers, "log", "--format=%GG", "main"))
	}
}

// twoCommits pushes a chain.
func (s *stage) twoCommits(base gitstore.Snapshot) (gitstore.Snapshot, error) {
	commit := func(n int) gitstore.Commit {
		return gitstore.Commit{
			Message: fmt.Sprintf("ours %d\n\nA body.\n\nTowpath-Commit: status", n), Author: bot, When: time.Date(2026, 2, 3, 4, 5, n, 0, time.UTC),
			Edits: []gitstore.Edit{{Path: "app/stream.yaml", Content: fmt.Appendf(nil, "status: %d\n", n)}},
		}
	}
	return s.store.Push(s.Context(), "main", base, commit(1), commit(2))
}

// needTool wants a program of git's surroundings.
func needTool(t *testing.T, name, from string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("this test needs %s: apt-get install %s", name, from)
	}
}

func TestSignedWithSSH(t *testing.T) {
	t.Parallel()
	needTool(t, "ssh-keygen", "openssh-client")
	passphrase := "fake-" + rand.Text()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key        func(file string) ssh.PublicKey
		passphrase string
	}{
		"ed25519":            {func(file string) ssh.PublicKey { return newKey(t, file, "") }, ""},
		"a passphrase":       {func(file string) ssh.PublicKey { return newKey(t, file, passphrase) }, passphrase},
		"an idle passphrase": {func(file string) ssh.PublicKey { return newKey(t, file, "") }, passphrase},
		"rsa":                {func(file string) ssh.PublicKey { return keep(t, file, rsaKey, rsaKey.Public()) }, ""},
		"ecdsa":              {func(file string) ssh.PublicKey { return keep(t, file, ecKey, ecKey.Public()) }, ""},
		"a byte order mark":  {func(file string) ssh.PublicKey { k := newKey(t, file, ""); prefix(t, file, "\ufeff"); return k }, ""},
		"Windows' line ends": {func(file string) ssh.PublicKey { k := newKey(t, file, ""); crlf(t, file); return k }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := gogit.Signing{Format: "ssh", KeyFile: filepath.Join(dir, "key")}
			public := tt.key(o.KeyFile)
			if tt.passphrase != "" {
				o.PassphraseFile = write(t, filepath.Join(dir, "passphrase"), tt.passphrase+"\n")
			}
			signers := write(t, filepath.Join(dir, "signers"), bot.Email+" "+string(ssh.MarshalAuthorizedKey(public)))
			others := write(t, filepath.Join(dir, "others"), bot.Email+" "+string(ssh.MarshalAuthorizedKey(newKey(t, filepath.Join(dir, "other"), ""))))
			s := newStage(t, signing(o))
			tip, err := s.twoCommits(s.snapshot())
			if err != nil {
				t.Fatal(err)
			}
			s.wantSeal(signers, "G", "G", "N")
			s.wantSeal(others, "U", "U", "N")
			s.wantLog("ours 2", "ours 1", "first")
			if got, want := tip.About().Message, "ours 2\n\nA body.\n\nTowpath-Commit: status\n"; got != want {
				t.Errorf("message: got %q, want %q", got, want)
			}
			s.wantFiles(s.snapshot())
		})
	}
}

// keep writes a private key in PEM form.
func keep(t *testing.T, file string, private, public any) ssh.PublicKey {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "fake")
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

func prefix(t *testing.T, file, text string) { write(t, file, text+contentOf(t, file)) }

func crlf(t *testing.T, file string) {
	write(t, file, strings.ReplaceAll(contentOf(t, file), "\n", "\r\n"))
}

// A chain that changes nothing needs no key.
func TestNothingToSign(t *testing.T) {
	s := newStage(t, signing(gogit.Signing{Format: "ssh", KeyFile: filepath.Join(t.TempDir(), "none")}))
	base := s.snapshot()
	tip, err := s.store.Push(t.Context(), "main", base, gitstore.Commit{Message: "ours", Author: bot, Edits: []gitstore.Edit{{Path: "readme", Content: []byte("Read me.\n")}}})
	if err != nil || tip != base {
		t.Errorf("got %v, %v", tip, err)
	}
}

// A badKey is a key with which nothing can be signed.
type badKey struct {
	name    string
	signing gogit.Signing
	says    string // beside the file's name
}

func badSSHKeys(t *testing.T) []badKey {
	t.Helper()
	dir, passphrase := t.TempDir(), "fake-"+rand.Text()
	file := func(name, content string) string { return write(t, filepath.Join(dir, name), content) }
	locked, open := filepath.Join(dir, "locked"), filepath.Join(dir, "open")
	newKey(t, locked, passphrase)
	public := newKey(t, open, "")
	other := func(key, passphraseFile, says, name string) badKey {
		return badKey{"ssh: " + name, gogit.Signing{Format: "ssh", KeyFile: key, PassphraseFile: passphraseFile}, says}
	}
	return []badKey{
		other(filepath.Join(dir, "missing"), "", "no such file", "missing"),
		other(dir, "", "cannot be read", "a directory"),
		other(file("empty", "\n"), "", "is empty", "empty"),
		other(file("public", string(ssh.MarshalAuthorizedKey(public))), "", "public key", "public"),
		other(file("garbage", "-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n"), "", "no private key", "broken"),
		other(file("pgp", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"), "", "OpenPGP key", "of the other sort"),
		other(locked, "", "no passphrase file", "its passphrase is not named"),
		other(locked, file("wrong", "fake-"+rand.Text()), "not opened", "its passphrase is wrong"),
		other(locked, filepath.Join(dir, "gone"), "passphrase file", "its passphrase is missing"),
		other(locked, file("blank", "\n"), "passphrase file", "its passphrase is empty"),
		other(open, filepath.Join(dir, "gone"), "passphrase file", "a passphrase it does not need is missing"),
	}
}

// fault: G-27
func TestNoUnsignedCommit(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), "key")
	newKey(t, good, "")
	for _, bad := range append(badSSHKeys(t), badPGPKeys(t)...) {
		t.Run(bad.name, func(t *testing.T) {
			t.Run("http", func(t *testing.T) {
				s := newStage(t, signing(bad.signing))
				base := s.snapshot()
				s.server.Log()
				_, err := s.push(base, 1)
				wantUnsigned(s, err, bad)
				for _, r := range s.server.Log() {
					t.Errorf("the server was asked: %s", r.Op)
				}
				s.wantLog("first")
			})
			t.Run("local", func(t *testing.T) {
				repo := gittest.NewRepo(t, map[string]string{"readme": "Read me.\n"})
				before := walk(t, repo.Dir)
				store := open(t, gogit.Options{Repo: repo.Dir, Signing: bad.signing})
				snap, err := store.Snapshot(t.Context(), "main")
				if err != nil {
					t.Fatal(err)
				}
				_, err = store.Push(t.Context(), "main", snap, gitstore.Commit{
					Message: "ours", Author: bot, When: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Edits: []gitstore.Edit{{Path: "readme", Content: []byte("ours\n")}},
				})
				wantKind(t, err, gitstore.Unauthorized)
				if diff := cmp.Diff(before, walk(t, repo.Dir)); diff != "" {
					t.Errorf("the repository (-before +after)\n%s", diff)
				}
			})
		})
	}
	t.Run("and goes on with the right key", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "key")
		s := newStage(t, signing(gogit.Signing{Format: "ssh", KeyFile: file}))
		base := s.snapshot()
		_, err := s.push(base, 1)
		s.wantError(err, gitstore.Unauthorized)
		write(t, file, contentOf(t, good))
		s.mustPush(base, 1)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		_, err = s.push(s.snapshot(), 2)
		s.wantError(err, gitstore.Unauthorized)
		s.wantLog("ours 1", "first")
	})
}

// wantUnsigned checks that the error says which file, what is wrong with it, and nothing
// of what is in it.
func wantUnsigned(s *stage, err error, bad badKey) {
	s.Helper()
	e := s.wantError(err, gitstore.Unauthorized)
	if !strings.Contains(e.Fix, bad.signing.KeyFile) {
		s.Errorf("the fix names no file: %s", e.Fix)
	}
	if !strings.Contains(e.What, bad.says) {
		s.Errorf("got %q, want %q in it", e.What, bad.says)
	}
	for _, file := range []string{bad.signing.KeyFile, bad.signing.PassphraseFile} {
		content, _ := os.ReadFile(file)
		for line := range strings.Lines(string(content)) {
			if line = strings.TrimSpace(line); len(line) > 10 && strings.Contains(fmt.Sprintf("%v %+v", e, *e), line) {
				s.Errorf("the error tells what is in %s", file)
			}
		}
	}
}

func TestSigningOptions(t *testing.T) {
	repo := gittest.NewRepo(t, map[string]string{"readme": "Read me.\n"})
	srv := gittest.Serve(t, repo)
	key := filepath.Join(t.TempDir(), "key")
	newKey(t, key, "")
	for name, o := range map[string]gogit.Options{
		"an unknown format":          {Signing: gogit.Signing{Format: "x509", KeyFile: key}},
		"no format":                  {Signing: gogit.Signing{KeyFile: key}},
		"no key":                     {Signing: gogit.Signing{Format: "ssh"}},
		"a passphrase alone":         {Signing: gogit.Signing{PassphraseFile: key}},
		"signed here, made there":    {Signing: gogit.Signing{Format: "ssh", KeyFile: key}, Commits: &workshop{}},
		"two credentials":            {TokenFile: key, Token: fixed("fake")},
		"a password and a token":     {PasswordFile: key, Username: "fake", Token: fixed("fake")},
		"a forge's, on this machine": {Repo: repo.Dir, Commits: &workshop{}},
	} {
		t.Run(name, func(t *testing.T) {
			if o.Repo == "" {
				o.Repo = srv.Repo(repo)
			}
			s, err := gogit.Open(t.Context(), o)
			if err == nil {
				s.Close()
			}
			wantKind(t, err, gitstore.Unsupported)
		})
	}
}

func TestSignOff(t *testing.T) {
	t.Parallel()
	const sign = "Signed-off-by: towpath <towpath@example.com>"
	for name, tt := range map[string]struct{ message, trailers, want string }{
		"a subject":                 {"ours", sign, "ours\n\n" + sign + "\n"},
		"a subject like a trailer":  {"fix: it", sign, "fix: it\n\n" + sign + "\n"},
		"a body":                    {"ours\n\nA body.", sign, "ours\n\nA body.\n\n" + sign + "\n"},
		"a body with a colon in it": {"ours\n\nIt is so: really.\nYes.", sign, "ours\n\nIt is so: really.\nYes.\n\n" + sign + "\n"},
		"trailers":                  {"ours\n\nA body.\n\nTowpath-Commit: status\nTowpath-Moved: 1\n", "Towpath-Commit: status\nTowpath-Moved: 1\n" + sign, "ours\n\nA body.\n\nTowpath-Commit: status\nTowpath-Moved: 1\n" + sign + "\n"},
		"a trailer of two lines":    {"ours\n\nTowpath-Tag: a\n  b\n", "Towpath-Tag: a b\n" + sign, "ours\n\nTowpath-Tag: a\n  b\n" + sign + "\n"},
		"an indented list":          {"ours\n\n  a: 1\n  b: 2\n", sign, "ours\n\n  a: 1\n  b: 2\n\n" + sign + "\n"},
		"signed off already":        {"ours\n\n" + sign + "\nTowpath-Commit: status\n", sign + "\nTowpath-Commit: status", "ours\n\n" + sign + "\nTowpath-Commit: status\n"},
		"signed off by somebody":    {"ours\n\nSigned-off-by: A <a@example.com>\n\n", "Signed-off-by: A <a@example.com>\n" + sign, "ours\n\nSigned-off-by: A <a@example.com>\n" + sign + "\n"},
		"spoken of":                 {"ours\n\nWe write\n" + sign + "\nbelow.\nSo\nit\nis.", sign, "ours\n\nWe write\n" + sign + "\nbelow.\nSo\nit\nis.\n\n" + sign + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(o *gogit.Options) { o.SignOff = true })
			_, err := s.store.Push(t.Context(), "main", s.snapshot(), gitstore.Commit{
				Message: tt.message, Author: bot, When: time.Unix(1.8e9, 0), Edits: []gitstore.Edit{{Path: "readme", Content: []byte("ours\n")}},
			})
			if err != nil {
				t.Fatal(err)
			}
			message := s.repo.Git("log", "-1", "--format=%B", "main")
			if diff := cmp.Diff(tt.want, message); diff != "" {
				t.Errorf("message (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.trailers, s.repo.GitInput(message, "interpret-trailers", "--parse")); diff != "" {
				t.Errorf("trailers (-want +got)\n%s", diff)
			}
			s.repo.Fsck()
		})
	}
	t.Run("beside a signature", func(t *testing.T) {
		needTool(t, "ssh-keygen", "openssh-client")
		dir := t.TempDir()
		public := newKey(t, filepath.Join(dir, "key"), "")
		s := newStage(t, signing(gogit.Signing{Format: "ssh", KeyFile: filepath.Join(dir, "key")}), func(o *gogit.Options) { o.SignOff = true })
		s.mustPush(s.snapshot(), 1)
		s.wantSeal(write(t, filepath.Join(dir, "signers"), bot.Email+" "+string(ssh.MarshalAuthorizedKey(public))), "G", "N")
		if got := s.repo.Git("log", "-1", "--format=%B", "main"); !strings.Contains(got, sign) {
			t.Errorf("not signed off: %q", got)
		}
	})
}

// Branches of our own hold signed commits, too, or are not made.
func TestReplacementIsSigned(t *testing.T) {
	needTool(t, "ssh-keygen", "openssh-client")
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	public := newKey(t, filepath.Join(dir, "later"), "")
	signers := write(t, filepath.Join(dir, "signers"), bot.Email+" "+string(ssh.MarshalAuthorizedKey(public)))
	s := newStage(t, signing(gogit.Signing{Format: "ssh", KeyFile: key}), func(o *gogit.Options) { o.SignOff = true })
	base := s.snapshot()
	replace := func(old gitstore.Rev, n int) (gitstore.Snapshot, error) {
		return s.store.Replace(t.Context(), "towpath/x", old, base, gitstore.Commit{
			Message: "ours", Author: bot, When: time.Unix(1.8e9, 0), Edits: []gitstore.Edit{{Path: "readme", Content: fmt.Appendf(nil, "%d\n", n)}},
		})
	}
	s.server.Log()
	_, err := replace("", 1) // fault: G-27
	s.wantError(err, gitstore.Unauthorized)
	if log := s.server.Log(); len(log) > 0 {
		t.Errorf("the server was asked: %+v", log)
	}
	write(t, key, contentOf(t, filepath.Join(dir, "later")))
	tip, err := replace("", 1)
	if err == nil {
		_, err = replace(tip.Rev(), 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := s.repo.Git("-c", "gpg.ssh.allowedSignersFile="+signers, "log", "--format=%G? %(trailers:key=Signed-off-by,valueonly)%s", "towpath/x", "^main"); got != "G towpath <towpath@example.com>\nours" {
		t.Errorf("got %q", got)
	}
	s.repo.Fsck()
}
