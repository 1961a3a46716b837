// Package integrated is a container registry in the process: an http.Handler over
// the CNCF distribution project's own handlers, with its blobs in a directory or
// in memory. It knows neither streams nor Git; whoever serves it decides on
// addresses, TLS and who may come in.
package integrated

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // a driver makes itself known by being imported
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/sirupsen/logrus"
)

// Options of a Registry.
type Options struct {
	Storage string       // directory of the blobs, made when it is missing; empty keeps them in memory
	Logger  *slog.Logger // nil says nothing
}

// A Registry serves the OCI distribution API: push, pull, tags, deletion. It asks
// nobody who they are, answers with relative locations only (what a proxy's
// X-Forwarded headers claim is not used), and removes no upload that was
// broken off: that is for whoever prunes, with the daemon at rest.
type Registry struct {
	app *handlers.App
	log *logrus.Entry
}

// New opens a registry, which lives until Close; the context is for opening the
// storage. The error is about the directory.
func New(ctx context.Context, o Options) (r *Registry, err error) {
	storage := configuration.Storage{
		"delete":      {"enabled": true},
		"redirect":    {"disable": true},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}
	if o.Storage == "" {
		storage["inmemory"] = configuration.Parameters{}
	} else {
		if err := os.MkdirAll(o.Storage, 0o700); err != nil {
			return nil, fmt.Errorf("registry storage: %w", err)
		}
		storage["filesystem"] = configuration.Parameters{"rootdirectory": o.Storage}
	}
	config := &configuration.Configuration{Storage: storage}
	config.HTTP.RelativeURLs = true

	// NewApp panics where its configuration does not serve.
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("registry storage %s: %v", o.Storage, p)
		}
	}()
	entry := newEntry(o.Logger)
	return &Registry{app: handlers.NewApp(logged{ctx, entry}, config), log: entry}, nil
}

// ServeHTTP answers one request of the distribution API.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.app.ServeHTTP(w, req.WithContext(logged{req.Context(), r.log}))
}

// Close ends the registry. No request may be under way, and none may come after.
// Distribution leaves one goroutine behind, that of its notifications, which
// holds nothing; a process opens one registry.
func (r *Registry) Close() error { return r.app.Shutdown() }
