package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/sirupsen/logrus"

	"github.com/towpath/towpath/registry/integrated"
)

// layerMB is how large the one layer is of an image that is pushed whole.
const layerMB = 200

// layers are two registries on one file system: ours, and plain distribution.
type layers struct {
	dir         string
	ours, plain *dock
	n           int
}

func (l *layers) close() {
	if l != nil {
		l.ours.close()
		l.plain.close()
	}
}

func (b *bed) docked(ctx context.Context) (*layers, error) {
	if b.layers != nil {
		return b.layers, nil
	}
	b.layers = &layers{dir: filepath.Join(b.Dir, "layers")}
	var err error
	if b.layers.ours, err = dockOf(ctx, filepath.Join(b.layers.dir, "ours"), nil); err != nil {
		return nil, err
	}
	b.layers.plain, err = plainDock(ctx, filepath.Join(b.layers.dir, "plain"))
	return b.layers, err
}

// plainDock is distribution with what it comes with.
func plainDock(ctx context.Context, dir string) (*dock, error) {
	config := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem":  {"rootdirectory": dir},
		"redirect":    {"disable": true},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	config.HTTP.RelativeURLs = true
	config.HTTP.Secret = rand.Text()
	logrus.SetLevel(logrus.PanicLevel) // it logs every request, to a logger that is the process's
	app := handlers.NewApp(ctx, config)
	return moor(integrated.Server(app), "", app.Shutdown)
}

// pushLayer pushes an image whose layer nobody has.
func (b *bed) pushLayer(ctx context.Context) (s sample, err error) {
	l, err := b.docked(ctx)
	if err != nil {
		return s, err
	}
	l.n++
	layer := make([]byte, b.scaled(layerMB)<<20)
	if _, err := mathrand.NewChaCha8([32]byte{byte(l.n)}).Read(layer); err != nil {
		return s, err
	}
	image := pictureOf(layer)
	turn := func(d *dock) (float64, error) {
		syscall.Sync() // what was written before is nobody's to wait for now
		return timed(func() error { return d.push(ctx, fmt.Sprint("bench/image-", l.n), "latest", image) })
	}
	ours := func() (err error) {
		stop, err := profile(b.profileOf("push-200mb"))
		if err != nil {
			return err
		}
		defer stop()
		s.Towpath, err = turn(l.ours)
		return err
	}
	plain := func() (err error) {
		s.Floor, err = turn(l.plain)
		return err
	}
	first, then := ours, plain
	if l.n%2 == 0 { // who goes first may find the disk busier
		first, then = plain, ours
	}
	if err := errors.Join(first(), then()); err != nil {
		return s, err
	}
	s.Note = fmt.Sprintf("%d MB, %.0f MB/s", b.scaled(layerMB), float64(b.scaled(layerMB))/s.Towpath)
	return s, l.drop()
}

// drop makes room: what was pushed is not asked for again.
func (l *layers) drop() error {
	for _, blobs := range []string{"ours/blobs/docker/registry/v2/blobs", "plain/docker/registry/v2/blobs"} {
		if err := os.RemoveAll(filepath.Join(l.dir, blobs)); err != nil {
			return err
		}
	}
	return nil
}
