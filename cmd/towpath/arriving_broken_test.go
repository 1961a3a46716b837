package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/counter"
	"github.com/towpath/towpath/registry/integrated"
	registrymemory "github.com/towpath/towpath/registry/memory"
	"github.com/towpath/towpath/registry/registrytest"
)

// Good was recorded, then bad; a person put the stream back on good. A push of a third image is killed
// between its mark and its link: nobody pushed bad again, and the person's word stands.
func TestRollbackOutlivesAPushThatNeverCame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "storage")
	store := memory.New(map[string]string{".towpath.yaml": "version: 1\nregistry:\n  host: registry.example:5000\n  streams: {team1: streams}\n"})
	store.Now = time.Now
	r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: gitstore.Person{Name: "t", Email: "t@localhost"}}
	open := func() *integrated.Registry {
		reg, err := integrated.New(t.Context(), integrated.Options{Storage: dir, Guide: counter.Guide{Reconciler: r}})
		if err != nil {
			t.Fatal(err)
		}
		r.Arrivals = reg
		return reg
	}
	is := func(want string) {
		t.Helper()
		for range 3 {
			if _, err := r.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.Shelf().Tags(counter.StreamOf("team1/web"))["stable"]; got != want {
			t.Errorf("the tag is %s, want %s", got, want)
		}
	}
	reg := open()
	for range 2 {
		if _, err := r.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(reg)
	push := func(word string) string {
		digest := registrytest.Push(t, server.Listener.Addr().String(), "team1/web:stable", word)
		is(digest)
		return digest
	}
	good := push("good")
	text := store.Tree("main")["streams/web.yaml"]
	push("bad")
	store.Edit("main", "back to good", func(tree memory.Tree) { tree["streams/web.yaml"] = text })
	is(good)
	server.Close()
	reg.Close()
	sum := sha256.Sum256([]byte("team1/web:stable"))
	mark, err := json.Marshal(map[string]any{"repository": "team1/web", "tag": "stable", "digest": "sha256:" + strings.Repeat("c", 64), "at": time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "towpath/arrivals", hex.EncodeToString(sum[:])), mark, 0o600); err != nil {
		t.Fatal(err)
	}
	reg = open()
	defer reg.Close()
	is(good)
}
