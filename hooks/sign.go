package hooks

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// window is how far the clock of a sender may be off.
const window = 5 * time.Minute

// only is the one value of a header; of two one would be checked and another used.
func only(h http.Header, name string) string {
	if vs := h.Values(name); len(vs) == 1 {
		return vs[0]
	}
	return ""
}

// same compares secrets without telling by time how much of them is right, or how long
// they are.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func sum(h func() hash.Hash, secret []byte, parts ...[]byte) []byte {
	m := hmac.New(h, secret)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// signedHex reports whether a header is prefix and the body's HMAC in hex, in lower case as
// all vendors write it.
func signedHex(c call, header, prefix string, h func() hash.Hash, secret []byte) bool {
	return same(only(c.header, header), prefix+hex.EncodeToString(sum(h, secret, c.body)))
}

// signedSHA256 is X-Hub-Signature-256 and its like: sha256= and the HMAC.
func signedSHA256(header string) func(c call, secret []byte) bool {
	return func(c call, secret []byte) bool { return signedHex(c, header, "sha256=", sha256.New, secret) }
}

// signedGitHub wants the signature by SHA-256. The one by SHA-1 is not enough; but where it
// is there too it must be right.
func signedGitHub(c call, secret []byte) bool {
	if len(c.header.Values("X-Hub-Signature")) > 0 && !signedHex(c, "X-Hub-Signature", "sha1=", sha1.New, secret) {
		return false
	}
	return signedHex(c, "X-Hub-Signature-256", "sha256=", sha256.New, secret)
}

// giteaHeaders are those of signatures by SHA-256 that Gitea and Forgejo send; one is enough.
var giteaHeaders = []string{"X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature", "X-Hub-Signature-256"}

// signedGitea takes the signatures of Gitea and Forgejo, each that is there: one at least,
// and all right.
func signedGitea(c call, secret []byte) bool {
	signed := false
	for _, s := range []struct {
		header, prefix string
		hash           func() hash.Hash
	}{
		{"X-Gitea-Signature", "", sha256.New},
		{"X-Forgejo-Signature", "", sha256.New},
		{"X-Gogs-Signature", "", sha256.New},
		{"X-Hub-Signature-256", "sha256=", sha256.New},
		{"X-Hub-Signature", "sha1=", sha1.New},
	} {
		if len(c.header.Values(s.header)) == 0 {
			continue
		}
		if !signedHex(c, s.header, s.prefix, s.hash, secret) {
			return false
		}
		signed = signed || s.prefix != "sha1="
	}
	return signed
}

// inHeader is for vendors that sign nothing but send a fixed header: the secret is all of
// Authorization, or its bearer token, or the password of basic authentication.
func inHeader(c call, secret []byte) bool {
	got := only(c.header, "Authorization")
	if same(got, string(secret)) {
		return true
	}
	scheme, rest, _ := strings.Cut(got, " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		return same(rest, string(secret))
	case "basic":
		pair, err := base64.StdEncoding.DecodeString(rest)
		_, password, ok := strings.Cut(string(pair), ":")
		return err == nil && ok && same(password, string(secret))
	}
	return false
}

// standardHeader is where Standard Webhooks has the signature.
const standardHeader = "Webhook-Signature"

// signedStandard is Standard Webhooks: webhook-signature is a list of v1,BASE64 over
// id.timestamp.body; any that is right will do, and other versions (v1a is of public keys)
// do not count. The timestamp is within five minutes of now.
func signedStandard(c call, secret []byte) bool {
	id, stamp := only(c.header, "Webhook-Id"), only(c.header, "Webhook-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || id == "" || c.now.Sub(time.Unix(seconds, 0)).Abs() > window {
		return false
	}
	want := "v1," + base64.StdEncoding.EncodeToString(sum(sha256.New, standardKey(secret), []byte(id+"."+stamp+"."), c.body))
	ok := false
	for s := range strings.FieldsSeq(only(c.header, standardHeader)) {
		ok = same(s, want) || ok
	}
	return ok
}

// standardKey is what whsec_BASE64 stands for.
func standardKey(secret []byte) []byte {
	if text, ok := strings.CutPrefix(string(secret), "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(text); err == nil && len(key) > 0 {
			return key
		}
	}
	return secret
}
