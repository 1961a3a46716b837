package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// An identity is who we are to a registry. Nil is nobody: we ask anonymously.
type identity struct {
	kind          string // how it is spoken of: "the credential of team1"
	namespace     string // of the stream it may speak for; keeps tokens of namespaces apart
	username      string
	password      string
	identityToken string // exchanged for access tokens; the password is not used then
	registryToken string // an access token as it stands
}

// id tells identities apart where a secret must not be kept: "" for nobody.
func (i *identity) id() string {
	if i == nil {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{i.namespace, i.username, i.password, i.identityToken, i.registryToken}))
	return hex.EncodeToString(sum[:16])
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
