package github

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	maxKeyFile = 64 << 10
	minKeyBits = 2048
)

// readKey reads an RSA key, as GitHub gives it (PKCS #1) or as other tools keep it
// (PKCS #8). Its errors say nothing of what is in the file.
func readKey(path string) (*rsa.PrivateKey, error) {
	raw, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("the App's private key %s cannot be read: %w", path, err)
	}
	block, _ := pem.Decode(bytes.TrimPrefix(raw, []byte("\ufeff")))
	if block == nil {
		return nil, fmt.Errorf("the App's private key %s is no PEM", path)
	}
	var key any
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("the App's private key %s is no unencrypted RSA key", path)
	}
	private, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok || private.N.BitLen() < minKeyBits {
		return nil, fmt.Errorf("the App's private key %s is no RSA key of %d bits or more", path, minKeyBits)
	}
	return private, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, reason(err)
	case len(raw) > maxKeyFile:
		return nil, errors.New("it is too large for a key")
	}
	return raw, nil
}

// reason is a file's error without its path, which is said already.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
