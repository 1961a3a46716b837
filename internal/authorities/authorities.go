// Package authorities reads whom to believe that they are who they say. It knows files, and not who asks.
package authorities

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Read gives the system's authorities and those of a PEM file; nil, which means the system's,
// without a file.
func Read(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca-file %s: no certificate in it: write PEM", file)
	}
	return pool, nil
}
