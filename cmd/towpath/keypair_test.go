package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issue writes a new certificate for 127.0.0.1 and its key, both as of a moment.
func issue(t testing.TB, name, certFile, keyFile string, at time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(at.UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if file == "" {
			continue
		}
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate that is renewed is shown from the next connection on; until its key is there, and
// while a file is away, the one before is.
func TestKeyPairIsRenewed(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	noon := time.Now().Truncate(time.Second)
	issue(t, "first", certFile, keyFile, noon)
	k, err := newKeyPair(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: k.of})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for conn, err := ln.Accept(); err == nil; conn, err = ln.Accept() {
			go func() {
				defer conn.Close()
				_ = conn.(*tls.Conn).Handshake()
			}()
		}
	}()
	shows := func(when, want string) {
		t.Helper()
		conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // the name is looked at below
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%s: %q is shown, want %q", when, got, want)
		}
	}
	shows("at first", "first")
	other := filepath.Join(dir, "other.key")
	issue(t, "second", certFile, other, noon.Add(time.Minute))
	shows("in the middle of a renewal", "first")
	if err := os.Rename(other, keyFile); err != nil {
		t.Fatal(err)
	}
	shows("renewed", "second")
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	shows("without a key", "second")

	if k, err := newKeyPair("", "", nil); k != nil || err != nil {
		t.Errorf("without files: %v, %v", k, err)
	}
	if _, err := newKeyPair(certFile, keyFile, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a key that is not there was taken")
	}
}

// A pair that stays unusable is told once, with how long there is to mend it; the moment in which a
// renewal has written one file of two is not.
func TestKeyPairTellsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, other := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "other.key")
	now := time.Now().Truncate(time.Second)
	issue(t, "first", certFile, keyFile, now)
	var log bytes.Buffer
	k, err := newKeyPair(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	until := k.validUntil()
	shows := func(name string, after time.Duration, want ...string) {
		t.Helper()
		now = now.Add(after)
		if got := k.at(now).Leaf.Subject.CommonName; got != name {
			t.Errorf("%q is shown, want %q", got, name)
		}
		if len(want) == 0 && log.Len() > 0 {
			t.Errorf("the log has %s", &log)
		}
		for _, text := range want {
			if !strings.Contains(log.String(), text) || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("the log has %q, want %q once", &log, text)
			}
		}
		log.Reset()
	}
	shows("first", time.Hour)
	issue(t, "second", certFile, other, now)
	shows("first", 0)
	shows("first", 9*time.Second)
	if err := os.Rename(other, keyFile); err != nil {
		t.Fatal(err)
	}
	shows("second", 5*time.Second, "level=INFO", "a renewed certificate", "valid-until=")
	shows("second", time.Hour)

	if err := os.WriteFile(keyFile, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	shows("second", 0)
	shows("second", 10*time.Second, "level=WARN", "cannot be used", "valid-until="+until[:10], keyFile)
	shows("second", time.Hour)
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	shows("second", time.Hour) // a change of its own
	shows("second", time.Hour, "level=WARN", "no such file")
	shows("second", time.Hour)
	issue(t, "third", certFile, keyFile, now.Add(time.Minute))
	shows("third", time.Hour, "level=INFO", "a renewed certificate")
}
