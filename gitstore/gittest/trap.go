package gittest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// A Trap is a server that must never see a secret: the test fails when one
// arrives in a request, plain, in base64, as Basic credentials, or escaped. It
// answers 404 to everybody.
type Trap struct {
	*httptest.Server
	Seen atomic.Int64 // requests that arrived
}

// NewTrap sets a trap for the password of a user.
func NewTrap(t testing.TB, user, password string) *Trap {
	t.Helper()
	secrets := []string{
		password,
		url.QueryEscape(password),
		base64.StdEncoding.EncodeToString([]byte(password)),
		base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
	}
	trap := &Trap{}
	trap.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trap.Seen.Add(1)
		dump, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Errorf("the trap cannot read a request: %v", err)
		}
		if slices.ContainsFunc(secrets, func(secret string) bool { return bytes.Contains(dump, []byte(secret)) }) {
			t.Errorf("a secret arrived at a stranger's server: %s %s", r.Method, r.URL.Path)
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(trap.Close)
	return trap
}

// Certificate makes a certificate that signs itself, for the names and
// addresses given, that is over at the time given.
func Certificate(t testing.TB, until time.Time, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"},
		NotBefore: until.AddDate(-1, 0, 0), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
