package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// A token in the environment is Git's password, and looked up again for each conversation.
func TestTokenInTheEnvironment(t *testing.T) {
	repo := gittest.NewRepo(t, map[string]string{"readme": "Read me.\n"})
	server := gittest.Serve(t, repo)
	server.User = "x-access-token"
	environment := map[string]string{}
	op := config.DefaultOperator()
	op.Repo, op.Git.TokenEnv = server.Repo(repo), "GIT_TOKEN"
	a := &app{getenv: func(name string) string { return environment[name] }}
	store, err := gogit.Open(t.Context(), a.storeOptions(op, slog.New(slog.DiscardHandler), time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, token := range []string{"", server.Password() + "\n", " \n", server.Password()} {
		environment["GIT_TOKEN"] = token
		_, err := store.Snapshot(t.Context(), "main")
		if strings.TrimSpace(token) != "" {
			if err != nil {
				t.Errorf("%q: %v", token, err)
			}
			continue
		}
		if e := (*gitstore.Error)(nil); !errors.As(err, &e) || e.Kind != gitstore.Unauthorized || !strings.Contains(e.Fix, "git.token-env") || !strings.Contains(e.What, "GIT_TOKEN") {
			t.Errorf("%q: got %v", token, err)
		}
	}
}
