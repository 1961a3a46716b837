package gogit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/towpath/towpath/gitstore"
)

// Signing names the key that commits are signed with; without a Format they are not. The
// files are read again for every push, so that a key swapped in place is picked up.
type Signing struct {
	Format         string // "ssh" or "openpgp"
	KeyFile        string // a private key: OpenSSH's or PEM; as gpg --export-secret-keys writes it, in armor or not
	PassphraseFile string // of the key, if it has one
}

const (
	formatSSH     = "ssh"
	formatOpenPGP = "openpgp"
)

// check says what is wrong with the options, whatever stands in the files.
func (s Signing) check() error {
	wrong := func(what, fix string) error {
		return &gitstore.Error{Kind: gitstore.Unsupported, What: what, Fix: fix}
	}
	switch {
	case s == Signing{}:
		return nil
	case s.Format != formatSSH && s.Format != formatOpenPGP:
		return wrong(fmt.Sprintf("commits cannot be signed in the format %.40q", s.Format), "name the format ssh or openpgp")
	case s.KeyFile == "":
		return wrong("commits are to be signed, and no key is named", "name the file of a private key as git.signing.key-file")
	}
	return nil
}

// seal returns what signs the commits of one push, nil where none is signed. The key is read
// for the first of them and forgotten with the last. now is asked beside the commit's own time:
// a key must be good at both.
func (s Signing) seal(now func() time.Time) seal {
	if s.Format == "" {
		return nil
	}
	var sign seal
	return func(raw []byte, when time.Time) (string, error) {
		var err error
		if sign == nil {
			if sign, err = s.open(now()); err != nil {
				return "", err
			}
		}
		return sign(raw, when)
	}
}

func (s Signing) open(now time.Time) (seal, error) {
	key, err := smallFile("signing key", s.KeyFile)
	if err != nil {
		return nil, s.unsigned(err.Error(), "mount a private key there that towpath's user can read")
	}
	key = bytes.TrimPrefix(key, []byte("\ufeff"))
	var passphrase string
	if s.PassphraseFile != "" {
		if passphrase, err = secretFile("signing key's passphrase", s.PassphraseFile); err != nil {
			return nil, s.unsigned(err.Error(), "write the passphrase of "+s.KeyFile+" into "+s.PassphraseFile+", on one line")
		}
	}
	if err := s.looksRight(key); err != nil {
		return nil, err
	}
	if s.Format == formatSSH {
		return s.openSSH(key, passphrase)
	}
	return s.openPGP(key, passphrase, now)
}

// looksRight tells keys of the other sort, and public ones, which people take for theirs.
func (s Signing) looksRight(key []byte) error {
	text := strings.TrimSpace(string(key[:min(len(key), 100)]))
	pgp := strings.Contains(text, "BEGIN PGP ")
	switch {
	case text == "":
		return s.bad("is empty", "mount a private key there")
	case strings.Contains(text, "BEGIN PGP PUBLIC"), strings.Contains(text, "BEGIN PUBLIC KEY"),
		strings.HasPrefix(text, "ssh-"), strings.HasPrefix(text, "ecdsa-"), strings.HasPrefix(text, "sk-"):
		return s.bad("holds a public key", "put the private one there")
	case pgp && s.Format == formatSSH:
		return s.bad("holds an OpenPGP key", "write git.signing.format: openpgp, or put an ssh key there")
	case !pgp && strings.HasPrefix(text, "-----BEGIN ") && s.Format == formatOpenPGP:
		return s.bad("holds no OpenPGP key", "write git.signing.format: ssh, if it is an ssh key")
	}
	return nil
}

func (s Signing) openSSH(key []byte, passphrase string) (seal, error) {
	signer, err := ssh.ParsePrivateKey(key)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked) && passphrase == "":
		return nil, s.noPassphrase()
	case errors.As(err, &locked):
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(key, []byte(passphrase)); err != nil {
			return nil, s.wrongPassphrase()
		}
	case err != nil:
		return nil, s.bad("holds no private key in OpenSSH's or PEM form", "make one: ssh-keygen -t ed25519 -f "+s.KeyFile)
	}
	return func(raw []byte, _ time.Time) (string, error) {
		sig, err := sshsig.Sign(bytes.NewReader(raw), signer, sshsig.HashSHA512, "git")
		if err != nil {
			return "", s.bad("holds a key that signs nothing", "make another: ssh-keygen -t ed25519 -f "+s.KeyFile)
		}
		return string(sshsig.Armor(sig)), nil
	}, nil
}

// unsigned is why no commit is made. What it says of a key never comes from the key itself.
func (s Signing) unsigned(why, fix string) error {
	return &gitstore.Error{Kind: gitstore.Unauthorized, What: "no commit is made that cannot be signed: " + why,
		Fix: fix + "; git.signing.key-file is " + s.KeyFile}
}

func (s Signing) bad(why, fix string) error {
	return s.unsigned("the signing key file "+s.KeyFile+" "+why, fix)
}

func (s Signing) noPassphrase() error {
	return s.bad("needs a passphrase, and no passphrase file is named", "write it into a file, and name that as git.signing.passphrase-file")
}

func (s Signing) wrongPassphrase() error {
	return s.bad("is not opened by the passphrase in "+s.PassphraseFile, "correct the passphrase in that file, or the key")
}

// sealed puts a commit's signature behind its last header, where git looks for it.
func sealed(raw []byte, when time.Time, sign seal) ([]byte, error) {
	armor, err := sign(raw, when)
	if err != nil {
		return nil, err
	}
	head, message, _ := bytes.Cut(raw, []byte("\n\n"))
	var buf bytes.Buffer
	buf.Write(head)
	buf.WriteString("\ngpgsig " + strings.ReplaceAll(strings.TrimRight(armor, "\n"), "\n", "\n ") + "\n\n")
	buf.Write(message)
	return buf.Bytes(), nil
}
