package remote

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
)

// fault: P-34
//
// While a certificate and its key are swapped one after the other, the last pair
// stands; one warning says so.
func TestPairIsSwapped(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	var certs, keys [][]byte
	for serial := range int64(2) {
		cert, key := newPEM(t, serial+1)
		certs, keys = append(certs, cert), append(keys, key)
	}
	write := func(path string, body []byte) {
		t.Helper()
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(certFile, certs[0])
	write(keyFile, keys[0])
	var log bytes.Buffer
	pair, err := newPair(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	serial := func() int64 { now = now.Add(lookAgain); return pair.get(now).Leaf.SerialNumber.Int64() }
	for _, step := range []struct {
		cert, key []byte
		want      int64
		warnings  int
	}{
		{certs[0], keys[0], 1, 0},
		{certs[1], keys[0], 1, 1},
		{certs[1], keys[0], 1, 1},
		{certs[1], keys[1][:40], 1, 1},
		{certs[1], keys[1], 2, 1},
		{certs[1], append([]byte("\ufeff"), bytes.ReplaceAll(keys[1], []byte("\n"), []byte("\r\n"))...), 2, 1},
		{nil, nil, 2, 2},
	} {
		write(certFile, step.cert)
		write(keyFile, step.key)
		if got := serial(); got != step.want {
			t.Errorf("got certificate %d, want %d", got, step.want)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != step.warnings {
			t.Errorf("%d warnings, want %d:\n%s", n, step.warnings, &log)
		}
	}
	if strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("the log holds a key:\n%s", &log)
	}
}

// newPEM is a pair whose certificate has a serial number.
func newPEM(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	secret, keyErr := x509.MarshalPKCS8PrivateKey(private)
	if err := errors.Join(err, keyErr); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// Whoever comes while somebody else reads takes the last value at once.
func TestFreshDoesNotWait(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	n := 0
	f, err := newFresh("x", quiet, func() (int, error) {
		if n++; n > 1 {
			close(inside)
			<-release
		}
		return n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(lookAgain)
	read := make(chan int)
	go func() { read <- f.get(later) }()
	<-inside
	if got := f.get(later); got != 1 {
		t.Errorf("meanwhile it is %d, want 1", got)
	}
	close(release)
	if got := <-read; got != 2 {
		t.Errorf("then it is %d, want 2", got)
	}
}

func TestReadLine(t *testing.T) {
	for body, want := range map[string]string{
		"hunter2": "hunter2", "hunter2\n": "hunter2", "hunter2\r\n": "hunter2", "\ufeffhunter2\n": "hunter2", " a b ": " a b ",
		"": "", "\n": "", "two\nlines\n": "", "a\x00b": "",
	} {
		path := written(t, body)
		got, err := readLine(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", body, got, err)
		}
	}
}

// A proxy over TLS is spoken to as one without, inside.
func TestProxyInsideTLS(t *testing.T) {
	ca := registrytest.NewCA(t)
	behind := registrytest.NewTLSScript(t, ca)
	behind.Manifest("team1/web", "v1", "application/vnd.oci.image.manifest.v1+json", []byte(`{"schemaVersion":2,"config":{},"layers":[]}`))
	front := registrytest.NewTLSScript(t, ca)
	front.On("CONNECT ", func(w http.ResponseWriter, r *http.Request) {
		server, err := net.Dial("tcp", behind.Host)
		if err != nil {
			t.Error(err)
			return
		}
		defer server.Close()
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			io.Copy(server, client)
			server.Close()
		}()
		io.Copy(client, server)
	})
	r, err := New(Options{
		Hosts: map[string]Host{"registry.test": {CAFile: ca.File(t), Proxy: true}},
		Proxy: Proxy{URL: "https://" + front.Host},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.proxy.roots = ca.Pool()
	ref := registry.Ref{Repo: registry.Repo{Host: "registry.test", Path: "team1/web"}, Tag: "v1"}
	if _, err := r.Head(t.Context(), registry.On{}, ref); err != nil {
		t.Error(err)
	}
	if got := front.Paths(); len(got) != 1 || got[0] != "CONNECT registry.test:443" {
		t.Errorf("the proxy was asked %v", got)
	}
}
