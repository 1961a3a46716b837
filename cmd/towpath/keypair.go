package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A keyPair is a certificate and its key, read again when their files change, so that a
// renewed certificate needs no restart.
type keyPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu    sync.Mutex
	seen  editions
	pair  *tls.Certificate
	doubt doubt
}

// edition tells one content of a file from another; that of none is zero.
type edition struct {
	mod  time.Time
	size int64
}

// editions are those of the certificate and of the key.
type editions [2]edition

// A doubt is a change of the files that cannot be used.
type doubt struct {
	of    editions
	since time.Time // when it was first seen; zero: there is no doubt
	said  bool
}

// renewing is how long a renewal may take, of which one file comes after the other.
const renewing = 10 * time.Second

// newKeyPair reads the files; nil where there are none.
func newKeyPair(certFile, keyFile string, log *slog.Logger) (*keyPair, error) {
	if certFile == "" {
		return nil, nil
	}
	k := &keyPair{certFile: certFile, keyFile: keyFile, log: log}
	now, err := k.editions()
	if err == nil {
		err = k.read(now)
	}
	return k, err
}

// of is the certificate for a handshake.
func (k *keyPair) of(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.at(time.Now()), nil }

// at is the certificate as the files have it. While they do not fit each other, as in the
// middle of a renewal, the one before holds; where that lasts, the log says so.
func (k *keyPair) at(now time.Time) *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, err := k.editions()
	if err == nil && found == k.seen {
		k.doubt = doubt{}
		return k.pair
	}
	if err == nil {
		err = k.read(found)
	}
	if err != nil {
		k.hesitate(found, err, now)
		return k.pair
	}
	k.doubt = doubt{}
	k.log.Info("the registry shows a renewed certificate", "cert-file", k.certFile, "valid-until", k.validUntil())
	return k.pair
}

// hesitate takes in that the files cannot be used, and says so once of each change.
func (k *keyPair) hesitate(found editions, err error, now time.Time) {
	if k.doubt.since.IsZero() || k.doubt.of != found {
		k.doubt = doubt{of: found, since: now}
	}
	if k.doubt.said || now.Sub(k.doubt.since) < renewing {
		return
	}
	k.doubt.said = true
	k.log.Warn("the registry's certificate or key changed and cannot be used; the one before is shown on", "error", err, "valid-until", k.validUntil(),
		"fix", "write a certificate into "+k.certFile+" and the key that belongs to it into "+k.keyFile+", both PEM; they are read again by themselves")
}

// validUntil is the end of the certificate that is shown.
func (k *keyPair) validUntil() string { return k.pair.Leaf.NotAfter.UTC().Format(time.RFC3339) }

// editions are what the files are now. The error is of one that is not there.
func (k *keyPair) editions() (found editions, err error) {
	for i, file := range []string{k.certFile, k.keyFile} {
		info, bad := os.Stat(file)
		if bad != nil {
			err = bad
			continue
		}
		found[i] = edition{info.ModTime(), info.Size()}
	}
	return found, err
}

func (k *keyPair) read(found editions) error {
	pair, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
	if err != nil {
		return err
	}
	k.pair, k.seen = &pair, found
	return nil
}
