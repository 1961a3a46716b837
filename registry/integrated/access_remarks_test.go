package integrated

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What can be so and hardly is meant is said at the start.
func TestRemarks(t *testing.T) {
	users := map[string][]byte{"alice": nil}
	for name, c := range map[string]struct {
		rules Rules
		want  []string // that remarks begin with
	}{
		"nobody":                   {Rules{}, nil},
		"delete, and nobody":       {Rules{Delete: true}, []string{"the registry has delete: true, and nobody"}},
		"users without access":     {Rules{UsersFile: "f"}, []string{"the registry has users or tokens, and none"}},
		"tokens without access":    {Rules{Tokens: []Token{{"ci", "f"}}}, []string{"the registry has users or tokens, and none"}},
		"users, and anybody pulls": {Rules{UsersFile: "f", Access: Access{Anonymous: []Pattern{glob("*")}}}, nil},
		"all are known": {Rules{UsersFile: "f", Delete: true, Tokens: []Token{{"ci", "f"}},
			Access: Access{Grants: []Grant{{Who: []string{"alice", "ci", "*"}}}}}, nil},
		"strangers": {Rules{UsersFile: "f", Access: Access{Grants: []Grant{{Who: []string{"alice", "mallory"}}, {Who: []string{"bob", "mallory"}}}}},
			[]string{"access below registry: names who is no user and has no token: bob, mallory"}},
	} {
		of := users
		if c.rules.UsersFile == "" {
			of = nil
		}
		var got []string
		for i, r := range c.rules.remarks(of) {
			if !strings.HasSuffix(r.fix, ", and restart towpath") {
				t.Errorf("%s: the file is read at the start, and the fix is %q", name, r.fix)
			}
			if i < len(c.want) && strings.HasPrefix(r.what, c.want[i]) && r.fix != "" {
				r.what = c.want[i]
			}
			got = append(got, r.what)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	var log bytes.Buffer
	r, err := New(t.Context(), Options{Rules: &Rules{Delete: true}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "delete: true") {
		t.Errorf("the log has\n%s", &log)
	}
}
