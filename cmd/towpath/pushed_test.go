package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/towpath/towpath/registry/registrytest"
)

var docked = regexp.MustCompile(`(?:msg="serving a registry" address=|"msg":"serving a registry","address":")(https?)://([0-9.:]+)`)

// dock is where a daemon serves a registry.
func (w *world) dock(daemon string) string {
	w.says(daemon, "serving a registry")
	log, _ := w.daemon(daemon).log.from(0)
	found := docked.FindAllStringSubmatch(log, -1)
	return found[len(found)-1][2]
}

// registryAt puts where a daemon serves a registry into a variable: NAME VAR. In output it is
// registry.example.com.
func (w *world) registryAt(args []string) {
	w.docks = append(w.docks, w.dock(args[0]))
	w.ts.Setenv(args[1], w.docks[len(w.docks)-1])
}

// client pushes, pulls or deletes as a user does, with a client library of others: HOST/REPO:TAG.
// It prints the status and what the registry says, where that is no success.
func (w *world) client(do func(name.Reference, ...remote.Option) error, ref string, login []string) {
	parsed, err := name.ParseReference(ref, name.Insecure)
	w.ts.Check(err)
	trip := new(http.Transport)
	defer trip.CloseIdleConnections()
	options := []remote.Option{
		remote.WithContext(w.t.Context()), remote.WithTransport(trip), remote.WithRetryStatusCodes(http.StatusServiceUnavailable),
		remote.WithRetryBackoff(remote.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 6}), // while towpath starts
	}
	if len(login) > 0 {
		password, err := os.ReadFile(w.ts.MkAbs(login[1]))
		w.ts.Check(err)
		options = append(options, remote.WithAuth(&authn.Basic{Username: login[0], Password: string(password)}))
	}
	switch err := do(parsed, options...).(type) {
	case nil:
		w.print("done\n")
	case *transport.Error:
		w.print(fmt.Sprintf("%d\n", err.StatusCode))
		for _, e := range err.Errors {
			w.print(fmt.Sprintf("%s: %s\n", e.Code, e.Message))
		}
	default:
		w.ts.Fatalf("%s: %v", ref, err)
	}
}

// pushes is HOST/REPO:TAG WORD [USER FILE].
func (w *world) pushes(args []string) {
	image := registrytest.NewImage(w.t, "", args[1])
	w.images.words[image.Digest] = args[1]
	w.client(image.Upload, args[0], args[2:])
}

// pulls is HOST/REPO:TAG [USER FILE]. It reads all of the image, and prints what it is.
func (w *world) pulls(args []string) {
	w.client(func(ref name.Reference, options ...remote.Option) error {
		image, err := remote.Image(ref, options...)
		if err != nil {
			return err
		}
		layers, err := image.Layers()
		w.ts.Check(err)
		for _, layer := range layers {
			content, err := layer.Compressed()
			w.ts.Check(err)
			w.ts.Check(content.Close())
		}
		digest, err := image.Digest()
		w.ts.Check(err)
		w.print(digest.String() + "\n")
		return nil
	}, args[0], args[1:])
}

// deletes is HOST/REPO:TAG [USER FILE].
func (w *world) deletes(args []string) {
	w.client(func(ref name.Reference, options ...remote.Option) error { return remote.Delete(ref, options...) }, args[0], args[1:])
}
