package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/crypto/bcrypt"

	"github.com/towpath/towpath/registry/registrytest"
)

var docked = regexp.MustCompile(`(?:msg="serving a registry" address=|"msg":"serving a registry","address":")(https?)://([0-9.:]+)`)

// dock is where a daemon serves a registry.
func (w *world) dock(daemon string) (scheme, host string) {
	w.says(daemon, "serving a registry")
	log, _ := w.daemon(daemon).log.from(0)
	found := docked.FindAllStringSubmatch(log, -1)
	last := found[len(found)-1]
	return last[1], last[2]
}

// registryAt puts where a daemon serves a registry into a variable, and how into another: NAME
// VAR. In output it is registry.example.com.
func (w *world) registryAt(args []string) {
	scheme, host := w.dock(args[0])
	w.docks = append(w.docks, host)
	w.ts.Setenv(args[1], host)
	w.ts.Setenv(args[1]+"_SCHEME", scheme)
}

// client pushes, pulls or deletes as a user does, with a client library of others: HOST/REPO:TAG.
// It says the status and what the registry answers, where that is no success.
func (w *world) client(do func(name.Reference, ...remote.Option) error, ref string, login []string) string {
	parsed, err := name.ParseReference(ref, name.Insecure)
	w.ts.Check(err)
	trip := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // who it is says the password
	defer trip.CloseIdleConnections()
	options := []remote.Option{
		remote.WithContext(w.t.Context()), remote.WithTransport(trip), remote.WithRetryStatusCodes(http.StatusServiceUnavailable),
		remote.WithRetryBackoff(remote.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 6}), // while towpath starts
	}
	if len(login) > 0 {
		password, err := os.ReadFile(w.ts.MkAbs(login[1]))
		w.ts.Check(err)
		options = append(options, remote.WithAuth(&authn.Basic{Username: login[0], Password: strings.TrimSpace(string(password))}))
	}
	err = do(parsed, options...)
	answer := (*transport.Error)(nil)
	switch {
	case err == nil:
		return "done\n"
	case !errors.As(err, &answer):
		w.ts.Fatalf("%s: %v", ref, err)
	}
	text := fmt.Sprintf("%d\n", answer.StatusCode)
	for _, e := range answer.Errors {
		text += fmt.Sprintf("%s: %s\n", e.Code, e.Message)
	}
	return text
}

// pushes is HOST/REPO:TAG WORD [USER FILE].
func (w *world) pushes(args []string) {
	image := registrytest.NewImage(w.t, "", args[1])
	w.images.words[image.Digest] = args[1]
	w.print(w.client(image.Upload, args[0], args[2:]))
}

// pulls is HOST/REPO:TAG [USER FILE]. It reads all of the image, and says what it is.
func (w *world) pulls(args []string) { w.print(w.pulled(args)) }

// refuses waits until that is answered 401, as after a change of files.
func (w *world) refuses(args []string) {
	got := ""
	w.await(func() bool { got = w.pulled(args); return strings.HasPrefix(got, "401\n") }, func() string { return got })
}

func (w *world) pulled(args []string) string {
	is := ""
	said := w.client(func(ref name.Reference, options ...remote.Option) error {
		image, err := remote.Image(ref, options...)
		if err != nil {
			return err
		}
		layers, err := image.Layers()
		if err != nil {
			return err
		}
		for _, layer := range layers {
			content, err := layer.Compressed()
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, content); err != nil {
				return err
			}
			content.Close()
		}
		digest, err := image.Digest()
		if err != nil {
			return err
		}
		is = digest.String() + "\n"
		return nil
	}, args[0], args[1:])
	return is + said
}

// deletes is HOST/REPO:TAG [USER FILE].
func (w *world) deletes(args []string) {
	w.print(w.client(func(ref name.Reference, options ...remote.Option) error { return remote.Delete(ref, options...) }, args[0], args[1:]))
}

// htpasswd writes the password of a user as htpasswd -B does: FILE USER FILE-WITH-PASSWORD.
func (w *world) htpasswd(args []string) {
	password, err := os.ReadFile(w.ts.MkAbs(args[2]))
	w.ts.Check(err)
	hash, err := bcrypt.GenerateFromPassword(bytes.TrimSpace(password), bcrypt.MinCost)
	w.ts.Check(err)
	w.ts.Check(os.WriteFile(w.ts.MkAbs(args[0]), []byte(args[1]+":"+string(hash)+"\n"), 0o600))
}
