package hooks

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A Receiver is one address that one sender posts to.
type Receiver struct {
	Name string // for people, in logs
	Kind string // one of Kinds
	// Host is the registry whose pushes are told of, in canonical form. It goes before what a
	// payload says; empty, the payload's own is compared with.
	Host string
	// From are the addresses that may post; empty: any.
	From []netip.Prefix
	// Branch is the watched branch, for kinds of forges; empty: any push is a hint.
	Branch string
	// Audience, Issuer and Email are what a sender's identity token must say, for kinds that
	// come with one.
	Audience, Issuer, Email string

	// Secrets are those of now: it is asked at every delivery, so that what is rotated holds
	// at once. It must be quick and may be called by several goroutines. On an error the
	// receiver is closed until the next one.
	Secrets func() (Secrets, error)
}

// Secrets are what is known to the sender alone.
type Secrets struct {
	Token string   // of the path, 128 bits at least
	Keys  [][]byte // sign, or are sent in a header; two while one is rotated
}

const (
	tokenBits = 128
	maxToken  = 256
	maxKeys   = 2
)

// checkToken refuses what could be guessed. How random a text is cannot be seen; how random
// it can be at most, can.
func checkToken(token string) error {
	const fix = "write one made by `openssl rand -hex 32`"
	for _, r := range token {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", r) {
			return fmt.Errorf("the path token has characters other than letters, digits and - . _ ~; %s", fix)
		}
	}
	if len(token) > maxToken {
		return fmt.Errorf("the path token is longer than %d characters; %s", maxToken, fix)
	}
	if bits(token) < tokenBits {
		return fmt.Errorf("the path token is too easy to guess: it has less than %d bits; %s", tokenBits, fix)
	}
	return nil
}

// bits is how random a token can be at most: each character one of its alphabet, and no more
// of them than differ would make it.
func bits(token string) float64 {
	letters, different := 64.0, map[rune]bool{}
	for _, r := range token {
		different[r] = true
	}
	switch {
	case strings.Trim(token, "0123456789") == "":
		letters = 10
	case strings.Trim(token, "0123456789abcdef") == "", strings.Trim(token, "0123456789ABCDEF") == "":
		letters = 16
	case token == strings.ToLower(token), token == strings.ToUpper(token):
		letters = 32
	}
	if len(different) < 8 {
		letters = float64(len(different))
	}
	return float64(len(token)) * math.Log2(max(letters, 1))
}

// unreadable is the error of a file that may be readable later.
type unreadable struct{ error }

func (u *unreadable) Unwrap() error { return u.error }

// secrets are those of now, as far as they can be used: a token that holds, and keys that
// are not empty.
func (r *Receiver) secrets() (Secrets, error) {
	if r.Secrets == nil {
		return Secrets{}, fmt.Errorf("no secrets are configured; add path-token-file: FILE")
	}
	s, err := r.Secrets()
	if err != nil {
		return Secrets{}, &unreadable{err}
	}
	if err := checkToken(s.Token); err != nil {
		return Secrets{}, err
	}
	if len(s.Keys) > maxKeys {
		return Secrets{}, fmt.Errorf("it has %d secrets; leave one, or two while one is rotated", len(s.Keys))
	}
	s.Keys = slices.DeleteFunc(slices.Clone(s.Keys), func(k []byte) bool { return len(bytes.TrimSpace(k)) == 0 })
	return s, nil
}

// Sender is who sent a request, by address. What X-Forwarded-For says is believed as far as those
// are trusted who wrote it: each proxy appends whom it was called by, so it is read from its end.
// False where what they wrote is no address.
func Sender(r *http.Request, trusted []netip.Prefix) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for addr = addr.Unmap().WithZone(""); within(trusted, addr) && len(hops) > 0; hops = hops[:len(hops)-1] {
		hop := strings.TrimSpace(hops[len(hops)-1])
		if hop == "" && len(hops) == 1 {
			break // there was none
		}
		if addr, err = netip.ParseAddr(hop); err != nil {
			return netip.Addr{}, false
		}
		addr = addr.Unmap().WithZone("")
	}
	return addr, true
}

func within(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
