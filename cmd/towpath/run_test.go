package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// A file that names a storage serves it, as the flag alone does; where nothing says from where,
// nobody has to guess why none is served.
func TestRunServesStorage(t *testing.T) {
	for _, tt := range []struct {
		file, flag, storage, want string
	}{
		{"{storage: blobs}", "", "", "127.0.0.1:5000"},
		{"{storage-driver: {s3: {region: r, bucket: b}}}", "", "", "127.0.0.1:5000"},
		{"{storage: blobs, listen: 127.0.0.1:5001}", "", "", "127.0.0.1:5001"},
		{"{storage: blobs, listen: 127.0.0.1:5001}", "127.0.0.1:5002", "", "127.0.0.1:5002"},
		{"{listen: 127.0.0.1:5001}", "", "", "127.0.0.1:5001"},
		{"{users-file: users}", "", "", ""},
		{"{users-file: users}", "", "blobs", "127.0.0.1:5000"},
	} {
		op, problems := config.ParseOperator("operator.yaml", []byte("registry: "+tt.file+"\n"))
		if len(problems) > 0 {
			t.Fatal(tt.file, problems)
		}
		if docks(op.Registry, tt.flag, tt.storage) {
			dockAt(&op.Registry, tt.flag, tt.storage)
		}
		if string(op.Registry.Listen) != tt.want {
			t.Errorf("%s, %q, %q: listens at %q, want %q", tt.file, tt.flag, tt.storage, op.Registry.Listen, tt.want)
		}
	}
	op, _ := config.ParseOperator("operator.yaml", []byte("registry: {users-file: users}\n"))
	var log bytes.Buffer
	a := &app{log: slog.New(slog.NewTextHandler(&log, nil))}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &reconcile.Reconciler{Store: memory.New(nil), Branch: "main", Reader: &registrymemory.Registry{}}
	if err := a.runOn(ctx, r, &bulletin{catalog: r.Catalog}, op); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "none is served") {
		t.Error("nobody hears that none is served:\n" + log.String())
	}
}
