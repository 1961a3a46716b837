package hooks

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/towpath/towpath/registry"
)

// A Sighting is what one payload hints at: images that may have moved, or a branch.
type Sighting struct {
	Images []Image
	Branch bool // the watched repository may have moved
}

// An Image is a tag that was seen to move. Of its digest it is used only whether the
// registry serves it by now.
type Image struct {
	Repo   registry.Repo // canonical; its host is the receiver's where that names one
	Tag    string        // empty: any tag of the repository may have moved
	Digest string        // well formed, or empty where the vendor does not say
}

// A call is one delivery, as it came.
type call struct {
	header   http.Header
	query    url.Values
	body     []byte // raw: what is signed is these bytes; read and answer get a form's payload
	now      time.Time
	receiver Receiver // what was configured; its Host is also handed to read
	keys     *Keys    // of identity providers, for vouched
}

// A vendor is one kind of receiver: how it signs, and how it words its payloads.
type vendor struct {
	kind  string // of the path: /hooks/KIND/TOKEN
	title string // for people
	forge bool   // it tells of the branch, and of no images

	// signed reports whether a delivery was signed with a secret; nil where the vendor signs
	// nothing, so that the token of the path is all there is.
	signed func(c call, secret []byte) bool
	// shows are the headers by any of which a delivery is signed with a secret; there where signed is.
	shows func(secret []byte) []string
	// vouched is there in place of signed, or beside it, where a delivery comes with a token of
	// an identity provider: nil where it holds, errLater where the provider's keys are not at
	// hand so that the sender shall try again, any other error where it does not hold. It is
	// called before anything is parsed and answers without waiting for the network. The error
	// is logged and names no token.
	vouched func(ctx context.Context, c call) error
	// needs says what a receiver of this kind lacks in its config, with the line to write; nil:
	// nothing is needed but what every receiver has.
	needs func(r Receiver) error
	// delivery is the header with the delivery's id, by which one that came before is known.
	delivery string
	// form: the payload may come as the field payload of a form.
	form bool
	// read is what a payload hints at. Its host is that of the receiver's config, which may be
	// empty. An event of another kind is no Sighting and no error; nor is a name that no
	// registry can have, so that who posts learns nothing from it. An image that was pushed by
	// digest alone has no tag: it is dropped, for no tag moved.
	read func(c call, host string) (Sighting, error)
	// answer is what is said to a payload that wants an answer of its own (a handshake), as
	// JSON; nil and empty: 202.
	answer func(c call) []byte
	// setUp are the lines for a person at the vendor's side; url is that of the receiver.
	setUp func(url string) []string
}

// errLater is the answer 503: what is needed to judge a delivery is not at hand.
var errLater = errors.New("the keys of the identity provider are not at hand")

// vendors are all kinds: registries by registries.go and cloud.go, forges by forges.go.
func vendors() []vendor {
	all := forges()
	for i := range all {
		all[i].forge = true
	}
	return slices.Concat(registries(), cloud(), all)
}
