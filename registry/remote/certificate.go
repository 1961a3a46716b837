package remote

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// newPair is the client certificate of a registry; nil without one.
func newPair(certFile, keyFile string, log *slog.Logger) (*fresh[*tls.Certificate], error) {
	switch {
	case certFile == "" && keyFile == "":
		return nil, nil
	case certFile == "" || keyFile == "":
		return nil, errors.New("one of client-cert-file and client-key-file is missing: name both")
	}
	return newFresh("a client certificate", log, func() (*tls.Certificate, error) { return readPair(certFile, keyFile) })
}

// readPair reads a certificate and its key. While one of the two is swapped they
// do not fit each other.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	cert, err := readMounted(os.Open, certFile)
	if err != nil {
		return nil, fmt.Errorf("client-cert-file: %w", err)
	}
	key, err := readMounted(os.Open, keyFile)
	if err != nil {
		return nil, fmt.Errorf("client-key-file: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("client-cert-file %s and client-key-file %s: not a certificate and its key: write PEM", certFile, keyFile)
	}
	return &pair, nil
}

// offer hands a certificate to a server that asks for one.
func offer(pair *fresh[*tls.Certificate]) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.get(time.Now()), nil }
}
