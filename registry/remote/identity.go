package remote

import (
	"crypto/sha256"
	"encoding/binary"
)

// An identity is who we are to a registry. Nil is nobody: we ask anonymously.
type identity struct {
	kind          string // how it is spoken of: "the credential of team1"
	namespace     string // of the stream it may speak for; keeps tokens of namespaces apart
	username      string
	password      string
	identityToken string     // exchanged for access tokens; the password is not used then
	registryToken string     // an access token as it stands
	sum           identityID // of all but kind; newIdentity sets it
	account       identityID // of the secrets alone; the same
}

// An identityID tells identities apart where a secret must not be kept. Zero is
// nobody.
type identityID [16]byte

func (i *identity) id() identityID {
	if i == nil {
		return identityID{}
	}
	return i.sum
}

// sumUp sets what id and login return. Nothing may change afterwards.
func (i *identity) sumUp() {
	i.account = sumOf(i.username, i.password, i.identityToken, i.registryToken)
	i.sum = sumOf(i.namespace, string(i.account[:]))
}

func sumOf(parts ...string) identityID {
	var text []byte
	for _, part := range parts {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return identityID(sum[:])
}

// login tells accounts apart as id does identities, whichever namespace asks with
// them.
func (i *identity) login() identityID {
	if i == nil {
		return identityID{}
	}
	return i.account
}

// asked says on whose behalf a question was asked.
func (i *identity) asked() string {
	if i == nil {
		return "asked anonymously"
	}
	return "asked with " + i.kind
}

// String and GoString keep the secrets out of whatever is printed.
func (i *identity) String() string   { return i.asked() }
func (i *identity) GoString() string { return i.asked() }
