package gogit_test

import (
	"bytes"
	"crypto/rand"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
)

// A pgpKey is what a test says of a key that it makes.
type pgpKey struct {
	made       time.Time     // zero: years before anything is signed
	life       time.Duration // of the primary key; 0: for ever
	subkey     bool          // that signs in the primary key's place
	subkeyLife time.Duration
	passphrase string
}

var longAgo = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)

func (k pgpKey) config(life time.Duration) *pgp.Config {
	at := k.made
	if at.IsZero() {
		at = longAgo
	}
	return &pgp.Config{Time: func() time.Time { return at }, KeyLifetimeSecs: uint32(life.Seconds()), Algorithm: pgp.PubKeyAlgoEdDSA}
}

// entity makes the key; then may change it before it is locked.
func (k pgpKey) entity(t *testing.T, then ...func(*openpgp.Entity)) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity(bot.Name, "", bot.Email, k.config(k.life))
	if err == nil && k.subkey {
		err = e.AddSigningSubkey(k.config(k.subkeyLife))
	}
	if err != nil {
		t.Fatal(err)
	}
	if k.subkey { // the primary key certifies only, as gpg makes them
		for _, id := range e.Identities {
			id.SelfSignature.FlagSign = false
			if err := id.SelfSignature.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, k.config(k.life)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range then {
		f(e)
	}
	if k.passphrase != "" {
		if err := e.EncryptPrivateKeys([]byte(k.passphrase), nil); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// exported is a key as a file, in armor.
func exported(t *testing.T, kind string, write func(*bytes.Buffer) error) string {
	t.Helper()
	var raw, text bytes.Buffer
	if err := write(&raw); err != nil {
		t.Fatal(err)
	}
	w, err := armor.Encode(&text, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(raw.Bytes())
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.String() + "\n"
}

func secretOf(t *testing.T, keys ...*openpgp.Entity) string {
	return exported(t, openpgp.PrivateKeyType, func(b *bytes.Buffer) error {
		for _, e := range keys {
			if err := e.SerializePrivateWithoutSigning(b, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func publicOf(t *testing.T, e *openpgp.Entity) string {
	return exported(t, openpgp.PublicKeyType, func(b *bytes.Buffer) error { return e.Serialize(b) })
}

// trustGPG lets git check OpenPGP signatures.
func (s *stage) trustGPG(public string) {
	s.Helper()
	needTool(s.T, "gpg", "gnupg")
	home := filepath.Join(filepath.Dir(s.repo.Dir), ".gnupg") // of the HOME that git runs in
	writeIn(s.T, home, "public.asc", public)
	cmd := exec.CommandContext(s.Context(), "gpg", "--homedir", home, "--batch", "--quiet", "--no-autostart", "--import", filepath.Join(home, "public.asc"))
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("gpg: %v: %s", err, out)
	}
}

// signature takes a commit apart: what was signed, and with what.
func (s *stage) signature(rev string) (signed, armored string) {
	raw := s.repo.Git("cat-file", "commit", rev) + "\n"
	head, message, _ := strings.Cut(raw, "\n\n")
	head, armored, _ = strings.Cut(head, "\ngpgsig ")
	return head + "\n\n" + message, strings.ReplaceAll(armored, "\n ", "\n")
}

func TestSignedWithOpenPGP(t *testing.T) {
	passphrase := "fake-" + rand.Text()
	for name, k := range map[string]pgpKey{
		"a primary key":            {},
		"a subkey":                 {subkey: true},
		"a passphrase":             {passphrase: passphrase},
		"a subkey's passphrase":    {subkey: true, passphrase: passphrase},
		"a key that expires later": {life: 50 * 365 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			key := k.entity(t)
			o := gogit.Signing{Format: "openpgp", KeyFile: write(t, filepath.Join(dir, "key.asc"), secretOf(t, key))}
			if k.passphrase != "" {
				o.PassphraseFile = write(t, filepath.Join(dir, "passphrase"), k.passphrase)
			}
			s := newStage(t, signing(o))
			if _, err := s.twoCommits(s.snapshot()); err != nil {
				t.Fatal(err)
			}
			for _, rev := range []string{"main", "main~1"} {
				signed, armored := s.signature(rev)
				if _, err := openpgp.CheckArmoredDetachedSignature(openpgp.EntityList{key}, strings.NewReader(signed), strings.NewReader(armored), nil); err != nil {
					t.Errorf("%s: %v", rev, err)
				}
				if _, err := openpgp.CheckArmoredDetachedSignature(openpgp.EntityList{key}, strings.NewReader(signed+"x"), strings.NewReader(armored), nil); err == nil {
					t.Errorf("%s: any text has that signature", rev)
				}
			}
			s.trustGPG(publicOf(t, key))
			s.wantSeal("/dev/null", "U", "U", "N")
			s.wantLog("ours 2", "ours 1", "first")
		})
	}
	t.Run("without armor", func(t *testing.T) {
		var raw bytes.Buffer
		if err := (pgpKey{}).entity(t).SerializePrivateWithoutSigning(&raw, nil); err != nil {
			t.Fatal(err)
		}
		s := newStage(t, signing(gogit.Signing{Format: "openpgp", KeyFile: write(t, filepath.Join(t.TempDir(), "key.gpg"), raw.String())}))
		s.mustPush(s.snapshot(), 1)
	})
}

// A gpgHome is where gpg keeps keys that it made, each under a passphrase.
type gpgHome struct {
	*testing.T
	dir, passphrase string
}

func newGPGHome(t *testing.T) gpgHome {
	t.Helper()
	needTool(t, "gpg", "gnupg")
	h := gpgHome{t, t.TempDir(), "fake-" + rand.Text()}
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", h.dir, "--kill", "all").Run() })
	return h
}

func (h gpgHome) gpg(args ...string) string {
	h.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", h.dir, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase-fd", "0"}, args...)...)
	cmd.Stdin = strings.NewReader(h.passphrase)
	out, err := cmd.Output()
	if err != nil {
		h.Fatalf("gpg %v: %v", args, err)
	}
	return string(out)
}

// generate makes a key and a subkey.
func (h gpgHome) generate(use, subkey, subkeyUse string) {
	h.Helper()
	h.gpg("--quick-generate-key", bot.Name+" <"+bot.Email+">", "ed25519", use, "never")
	for line := range strings.Lines(h.gpg("--with-colons", "--list-keys")) {
		if f, ok := strings.CutPrefix(line, "fpr:"); ok {
			h.gpg("--quick-add-key", strings.Trim(f, ":\n"), subkey, subkeyUse, "1y")
			return
		}
	}
	h.Fatal("gpg lists no key")
}

// signing exports the key.
func (h gpgHome) signing(export string) gogit.Signing {
	h.Helper()
	dir := h.TempDir()
	return gogit.Signing{
		Format: "openpgp", KeyFile: write(h.T, filepath.Join(dir, "key.asc"), h.gpg("--armor", export)),
		PassphraseFile: write(h.T, filepath.Join(dir, "passphrase"), h.passphrase+"\n"),
	}
}

// pushNow pushes a commit of this moment.
func (s *stage) pushNow() error {
	_, err := s.store.Push(s.Context(), "main", s.snapshot(), gitstore.Commit{
		Message: "ours", Author: bot, When: time.Now(), Edits: []gitstore.Edit{{Path: "readme", Content: []byte("ours\n")}},
	})
	return err
}

// A key that gpg made and exported works, too, with the secret of its subkey alone.
func TestSignedWithGPGsKey(t *testing.T) {
	t.Parallel() // it waits for gpg
	h := newGPGHome(t)
	h.generate("cert", "ed25519", "sign")
	for _, export := range []string{"--export-secret-keys", "--export-secret-subkeys"} {
		s := newStage(t, signing(h.signing(export)))
		s.trustGPG(h.gpg("--armor", "--export"))
		if err := s.pushNow(); err != nil {
			t.Fatalf("%s: %v", export, err)
		}
		s.wantSeal("/dev/null", "U", "N")
	}
}

// fault: G-27
func TestSecretThatWasNotExported(t *testing.T) {
	t.Parallel() // it waits for gpg
	h := newGPGHome(t)
	h.generate("sign", "cv25519", "encr")
	bad := badKey{"", h.signing("--export-secret-subkeys"), "lacks the secret part"}
	s := newStage(t, signing(bad.signing))
	wantUnsigned(s, s.pushNow(), bad)
	s.wantLog("first")
}

func badPGPKeys(t *testing.T) []badKey {
	t.Helper()
	dir, passphrase := t.TempDir(), "fake-"+rand.Text()
	file := func(name, content string) string { return write(t, filepath.Join(dir, name), content) }
	locked := file("locked", secretOf(t, pgpKey{passphrase: passphrase}.entity(t)))
	plain := pgpKey{}.entity(t)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	revoke := func(e *openpgp.Entity) { must(e.RevokeKey(pgp.KeyRetired, "", pgpKey{}.config(0))) }
	revokeSubkey := func(e *openpgp.Entity) {
		must(e.RevokeSubkey(&e.Subkeys[1], pgp.KeyCompromised, "", pgpKey{}.config(0)))
	}
	day := 24 * time.Hour
	bad := func(name, says, key, passphraseFile string) badKey {
		return badKey{"openpgp: " + name, gogit.Signing{Format: "openpgp", KeyFile: key, PassphraseFile: passphraseFile}, says}
	}
	made := func(name, says string, e *openpgp.Entity) badKey {
		return bad(name, says, file(strings.ReplaceAll(name, " ", "-"), secretOf(t, e)), "")
	}
	ssh := filepath.Join(dir, "ssh")
	newKey(t, ssh, "")
	return []badKey{
		bad("missing", "no such file", filepath.Join(dir, "none"), ""),
		bad("empty", "is empty", file("empty", ""), ""),
		bad("public", "public key", file("public", publicOf(t, plain)), ""),
		bad("of the other sort", "no OpenPGP key", ssh, ""),
		bad("broken", "no OpenPGP key", file("broken", secretOf(t, plain)[:200]), ""),
		bad("its passphrase is not named", "no passphrase file", locked, ""),
		bad("its passphrase is wrong", "not opened", locked, file("wrong", "fake-"+rand.Text())),
		bad("its passphrase is missing", "passphrase file", locked, filepath.Join(dir, "gone")),
		bad("two keys", "several keys", file("two", secretOf(t, plain, pgpKey{}.entity(t))), ""),
		made("expired", "has expired", pgpKey{life: day}.entity(t)),
		made("expired with its subkey left", "has expired", pgpKey{life: day, subkey: true}.entity(t)),
		made("its subkey expired", "subkeys for signing are expired or revoked", pgpKey{subkey: true, subkeyLife: day}.entity(t)),
		made("revoked", "is revoked", pgpKey{}.entity(t, revoke)),
		made("revoked with its subkey left", "is revoked", pgpKey{subkey: true}.entity(t, revoke)),
		made("its subkey revoked", "subkeys for signing are expired or revoked", pgpKey{subkey: true}.entity(t, revokeSubkey)),
		made("younger than now", "is younger", pgpKey{made: time.Now().Add(30 * day)}.entity(t)),
		made("younger than the commit", "is younger", pgpKey{made: time.Date(2026, 2, 4, 0, 0, 0, 0, time.UTC)}.entity(t)),
		made("good for the commit alone", "has expired", pgpKey{made: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), life: 7 * day}.entity(t)),
		made("not for signing", "not meant for signing", pgpKey{subkey: true}.entity(t, func(e *openpgp.Entity) { e.Subkeys = e.Subkeys[:1] })),
	}
}
