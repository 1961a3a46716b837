package integrated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/azure" // a driver makes itself known by being imported
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/gcs"
	"github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"
)

// A Driver is one of distribution's own for storage that is elsewhere. Its parameters are
// distribution's: https://distribution.github.io/distribution/storage-drivers/.
type Driver struct {
	Name       string // s3, gcs or azure
	Parameters map[string]any
}

// Drivers are the names that a Driver may have.
func Drivers() []string { return []string{"azure", "gcs", "s3"} }

// storage is where a registry keeps what it has.
type storage struct {
	storagedriver.StorageDriver
	alone     bool // no other process writes there while this one does
	free      func() (int64, error)
	leftovers []string // of the system's files: what to remove once the registry serves
	remove    func(leftover string) error
}

// openStorage opens what the options name.
func openStorage(ctx context.Context, o Options) (storage, error) {
	switch {
	case o.Driver != nil && o.Storage != "":
		return storage{}, errors.New("registry storage: both a directory and a driver are named; name one")
	case o.Driver != nil:
		return openDriver(ctx, *o.Driver)
	case o.Storage != "":
		return openFiles(o.Storage, system{})
	}
	return storage{StorageDriver: inmemory.New(), alone: true}, nil
}

func openFiles(root string, files files) (storage, error) {
	d, leftovers, err := openDirectory(root, files)
	if err != nil {
		return storage{}, fmt.Errorf("registry storage: %w", err)
	}
	return storage{
		StorageDriver: d, alone: true, leftovers: leftovers, remove: files.RemoveAll,
		free: func() (int64, error) { return files.Free(d.root) },
	}, nil
}

// openDriver's error may quote what the operator wrote, but for the values: some are secrets.
func openDriver(ctx context.Context, o Driver) (s storage, err error) {
	if !slices.Contains(Drivers(), o.Name) {
		return storage{}, fmt.Errorf("registry storage: no driver is called %q; there are %q", o.Name, Drivers())
	}
	makeOursKnown()
	d, err := factory.Create(ctx, o.Name, o.Parameters)
	if err != nil {
		return storage{}, fmt.Errorf("registry storage: %s: %w", o.Name, err)
	}
	return storage{StorageDriver: d}, nil
}

// ours is under what name distribution's handlers find a storage that is open already. They
// take drivers by name only, from a list that is global to the process.
const ours = "towpath"

var makeOursKnown = sync.OnceFunc(func() { factory.Register(ours, opened{}) })

type opened struct{}

func (opened) Create(_ context.Context, parameters map[string]any) (storagedriver.StorageDriver, error) {
	d, ok := parameters["driver"].(storagedriver.StorageDriver)
	if !ok {
		return nil, errors.New("no storage was opened")
	}
	return d, nil
}

// configured is how distribution's handlers are told of it.
func configured(d storagedriver.StorageDriver) *configuration.Configuration {
	makeOursKnown()
	config := &configuration.Configuration{Storage: configuration.Storage{
		ours:          {"driver": d},
		"delete":      {"enabled": true},
		"redirect":    {"disable": true},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}}, // see storageclean.go
	}}
	config.HTTP.RelativeURLs = true
	config.Catalog.MaxEntries, config.Tags.MaxTags = mostListed, mostListed
	return config
}

// keepUploads is how long an upload is kept that nobody goes on with, where nothing else is said.
const keepUploads = 7 * 24 * time.Hour
