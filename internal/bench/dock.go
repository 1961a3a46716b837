package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/towpath/towpath/registry/counter"
	"github.com/towpath/towpath/registry/integrated"
)

// A dock is a registry on loopback, and a client that pushes to it, over one connection and
// with a token.
type dock struct {
	server    *http.Server
	transport *http.Transport
	url       string
	token     string
	end       func() error // of the registry
}

// dockOf opens towpath's registry below a directory, on the disk and behind its gate.
func dockOf(ctx context.Context, dir string, guide integrated.Guide) (*dock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	token, file := rand.Text(), filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return nil, err
	}
	r, err := integrated.New(ctx, integrated.Options{
		Storage: filepath.Join(dir, "blobs"), Guide: guide,
		Rules: &integrated.Rules{
			Tokens: []integrated.Token{{Name: "bench", File: file}},
			Access: integrated.Access{Grants: []integrated.Grant{{
				Who: []string{"bench"}, Namespaces: []integrated.Pattern{all{}}, May: []integrated.Right{integrated.Pull, integrated.Push},
			}}},
		},
	})
	if err != nil {
		return nil, err
	}
	if g, ok := guide.(counter.Guide); ok {
		g.Reconciler.Arrivals = r
	}
	return moor(integrated.Server(r), token, r.Close)
}

// moor serves a registry, and ends it where that cannot be.
func moor(server *http.Server, token string, end func() error) (*dock, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, end())
	}
	go server.Serve(l)
	return &dock{server, &http.Transport{DisableCompression: true}, "http://" + l.Addr().String(), token, end}, nil
}

func (d *dock) close() error {
	if d == nil {
		return nil
	}
	d.transport.CloseIdleConnections()
	return errors.Join(d.server.Close(), d.end())
}

// all is every name.
type all struct{}

func (all) Match(string) bool { return true }

// A picture is an image to push: one layer, a configuration, and the manifest that names them.
type picture struct{ layer, config, manifest []byte }

const pictureType = "application/vnd.oci.image.manifest.v1+json"

func pictureOf(layer []byte) picture {
	p := picture{layer: layer}
	p.config = fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%q]}}`, sumOf(layer))
	p.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`, pictureType, sumOf(p.config), len(p.config), sumOf(layer), len(layer))
	return p
}

func sumOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// push pushes an image as docker does.
func (d *dock) push(ctx context.Context, repository, tag string, p picture) error {
	return errors.Join(d.blobs(ctx, repository, p), d.link(ctx, repository, tag, p))
}

func (d *dock) blobs(ctx context.Context, repository string, p picture) error {
	return errors.Join(d.blob(ctx, repository, p.layer), d.blob(ctx, repository, p.config))
}

// blob asks whether a blob is there, and sends it in one stream of chunks.
func (d *dock) blob(ctx context.Context, repository string, content []byte) error {
	digest := sumOf(content)
	base := d.url + "/v2/" + repository + "/blobs/"
	if _, err := d.ask(ctx, http.MethodHead, base+digest, nil, http.StatusNotFound); err != nil {
		return err
	}
	at, err := d.ask(ctx, http.MethodPost, base+"uploads/", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	if at, err = d.ask(ctx, http.MethodPatch, at, content, http.StatusAccepted); err != nil {
		return err
	}
	with := "?"
	if strings.Contains(at, "?") {
		with = "&"
	}
	_, err = d.ask(ctx, http.MethodPut, at+with+"digest="+digest, nil, http.StatusCreated)
	return err
}

// link pushes the manifest.
func (d *dock) link(ctx context.Context, repository, tag string, p picture) error {
	_, err := d.ask(ctx, http.MethodPut, d.url+"/v2/"+repository+"/manifests/"+tag, p.manifest, http.StatusCreated)
	return err
}

// ask sends a request, and returns where it is gone on with.
func (d *dock) ask(ctx context.Context, method, url string, body []byte, want int) (next string, err error) {
	var from io.Reader
	if body != nil {
		from = bytes.NewReader(body)
	}
	if method == http.MethodPatch {
		from = struct{ io.Reader }{from} // of no length that is known
	}
	req, err := http.NewRequestWithContext(ctx, method, url, from)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	if strings.Contains(req.URL.Path, "/manifests/") {
		req.Header.Set("Content-Type", pictureType)
	} else if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := d.transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	said, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s %s: %s: %.200s", method, req.URL.Path, res.Status, said)
	}
	res.Request = req
	if at, _ := res.Location(); at != nil {
		next = at.String()
	}
	return next, err
}
