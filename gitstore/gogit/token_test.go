package gogit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

func fixed(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func TestTokenAskedFor(t *testing.T) {
	asking := func(ask func(context.Context) (string, error)) func(*gogit.Options) {
		return func(o *gogit.Options) { o.Username, o.PasswordFile, o.Token = "", "", ask }
	}
	t.Run("again for every conversation", func(t *testing.T) {
		repo := gittest.NewRepo(t, map[string]string{"app/stream.yaml": "status: 0\n", "app/deploy.yaml": "image: 0\n"})
		server := gittest.Serve(t, repo)
		server.User = "x-access-token"
		now := server.Password()
		s := onStage(t, repo, server, asking(func(context.Context) (string, error) { return now, nil }))
		base := s.snapshot()
		now = "fake-" + rand.Text()
		_, err := s.push(base, 1)
		if e := s.wantError(err, gitstore.Unauthorized); strings.Contains(fmt.Sprintf("%v %+v", e, *e), now) {
			t.Errorf("the error tells the token: %v", e)
		}
		server.SetPassword(now)
		s.mustPush(base, 1)
	})
	t.Run("of a user who is named", func(t *testing.T) {
		repo := gittest.NewRepo(t, map[string]string{"readme": "Read me.\n"})
		server := gittest.Serve(t, repo)
		s := onStage(t, repo, server, asking(fixed(server.Password())), func(o *gogit.Options) { o.Username = server.User })
		s.snapshot()
	})
	t.Run("and what the server repeats of it is not told", func(t *testing.T) {
		token := "fake-" + rand.Text()
		s := newStage(t, asking(fixed(token)))
		s.server.Fail(-1, gittest.Any, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "%s may not, nor %s", token, r.Header.Get("Authorization"))
		})
		_, err := s.store.Snapshot(t.Context(), "main")
		e := s.wantError(err, gitstore.Denied)
		if text := fmt.Sprintf("%v %+v", e, *e); strings.Contains(text, token) || !strings.Contains(text, "[secret]") {
			t.Errorf("got %s", text)
		}
	})
	refused := &gitstore.Error{Kind: gitstore.Denied, What: "the app is suspended", Fix: "resume it"}
	for name, tt := range map[string]struct {
		ask  func(context.Context) (string, error)
		want gitstore.Kind
	}{
		"an error":             {func(context.Context) (string, error) { return "", errors.New("the key is gone") }, gitstore.Unauthorized},
		"an explained one":     {func(context.Context) (string, error) { return "", refused }, gitstore.Denied},
		"the network's":        {func(ctx context.Context) (string, error) { return "", context.DeadlineExceeded }, gitstore.Unreachable},
		"an empty token":       {fixed(""), gitstore.Unauthorized},
		"a token of two lines": {fixed("fake\nfake"), gitstore.Unauthorized},
	} {
		t.Run("but there is "+name, func(t *testing.T) {
			s := newStage(t, asking(tt.ask))
			_, err := s.store.Snapshot(t.Context(), "main")
			s.wantError(err, tt.want)
			if log := s.server.Log(); len(log) > 0 {
				t.Errorf("the server was asked: %+v", log)
			}
		})
	}
}
