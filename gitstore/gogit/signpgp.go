package gogit

import (
	"bytes"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/packet"
)

// openPGP makes a seal of an OpenPGP key that is valid now and when the commits are made. Which of its
// keys signs is gpg's rule: the newest subkey that can and is valid, else the primary key.
func (s Signing) openPGP(key []byte, passphrase string, now time.Time) (seal, error) {
	owner, err := s.owner(key)
	if err != nil {
		return nil, err
	}
	signing, ok := owner.SigningKey(now)
	if !ok {
		return nil, s.invalid(owner, now)
	}
	private := signing.PrivateKey
	switch {
	case private == nil || private.Dummy():
		return nil, s.bad("lacks the secret part of the key that signs", "export it with the secret: gpg --armor --export-secret-keys KEYID")
	case private.Encrypted && passphrase == "":
		return nil, s.noPassphrase()
	case private.Encrypted:
		if err := private.Decrypt([]byte(passphrase)); err != nil {
			return nil, s.wrongPassphrase()
		}
	}
	config := &pgp.Config{Time: func() time.Time { return now }} // for which it chooses the same key
	return func(raw []byte, when time.Time) (string, error) {
		if _, ok := owner.SigningKeyById(when, signing.PublicKey.KeyId); !ok {
			return "", s.invalid(owner, when)
		}
		var buf bytes.Buffer
		if err := openpgp.ArmoredDetachSign(&buf, owner, bytes.NewReader(raw), config); err != nil {
			return "", s.bad("holds a key that signs nothing", "make another: gpg --quick-generate-key")
		}
		return buf.String(), nil
	}, nil
}

// owner is the one key, with its subkeys, of the file.
func (s Signing) owner(key []byte) (*openpgp.Entity, error) {
	var in io.Reader = bytes.NewReader(key)
	if block, err := armor.Decode(bytes.NewReader(key)); err == nil {
		in = block.Body
	}
	keys, err := openpgp.ReadKeyRing(in)
	switch {
	case err != nil || len(keys) == 0:
		return nil, s.bad("holds no OpenPGP key", "export one: gpg --armor --export-secret-keys KEYID")
	case len(keys) > 1:
		return nil, s.bad("holds several keys", "export the one that signs alone: gpg --armor --export-secret-keys KEYID")
	}
	return keys[0], nil
}

// invalid says why no key of the owner's signs at a time.
func (s Signing) invalid(owner *openpgp.Entity, at time.Time) error {
	const fix = "make a new key, or give this one more time (gpg --quick-set-expire), and export it there again"
	day := at.UTC().Format(time.DateOnly)
	self, id := owner.PrimarySelfSignature()
	switch {
	case owner.Revoked(at), id != nil && id.Revoked(at):
		return s.bad("holds a key that is revoked", "put a new one there, and make it known to those who check")
	case self == nil:
		return s.bad("holds a key that nobody's name is signed with", "export it again: gpg --armor --export-secret-keys KEYID")
	case owner.PrimaryKey.CreationTime.After(at), self.CreationTime.After(at):
		return s.bad("holds a key that is younger than "+at.UTC().Format(time.RFC3339), "correct the clock, or put an older key there")
	case owner.PrimaryKey.KeyExpired(self, at), self.SigExpired(at):
		return s.bad("holds a key that has expired by "+day, fix)
	}
	for _, sub := range owner.Subkeys {
		if sub.Sig.FlagsValid && sub.Sig.FlagSign {
			return s.bad("holds a key whose subkeys for signing are expired or revoked by "+day, fix)
		}
	}
	return s.bad("holds a key that is not meant for signing", "add a subkey that is: gpg --quick-add-key FINGERPRINT ed25519 sign")
}
