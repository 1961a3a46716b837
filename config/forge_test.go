package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForge(t *testing.T) {
	for src, want := range map[string]Forge{
		"forge: {kind: none}": {Kind: "none"},
		"forge: {kind: gitlab, api: 'https://git.example.com:8443/gitlab/api/v4', project: a/b/c, token-file: t, ca-file: c}": {
			Kind: "gitlab", API: "https://git.example.com:8443/gitlab/api/v4", Project: "a/b/c", TokenFile: "t", CAFile: "c",
		},
		"forge: {token-env: FORGE_TOKEN, api: 'http://127.0.0.1:3000/api/v1/'}": {TokenEnv: "FORGE_TOKEN", API: "http://127.0.0.1:3000/api/v1/"},
		"forge: {api: 'http://[::1]:3000/', project: a.b/c_d-e}":                {API: "http://[::1]:3000/", Project: "a.b/c_d-e"},
		"forge: {app: {id: 12, key-file: k.pem}}":                               {App: App{ID: 12, KeyFile: "k.pem"}},
		"forge: {kind: github, app: {id: 12, installation: 34, key-file: k}}":   {Kind: "github", App: App{ID: 12, Installation: 34, KeyFile: "k"}},
	} {
		o, problems := ParseOperator("operator.yaml", []byte(src+"\n"))
		if len(problems) > 0 {
			t.Errorf("%s: %v", src, problems)
			continue
		}
		o.Forge.At = Position{}
		if diff := cmp.Diff(want, o.Forge); diff != "" {
			t.Errorf("%s (-want +got):\n%s", src, diff)
		}
	}
}

func TestForgeProblems(t *testing.T) {
	for _, tt := range []struct{ keys, want, fix string }{
		{"kind: bitbucket", "1:15: forge.kind must be github or gitlab or gitea or none", "kind: github"},
		{"token: abc", "1:9: forge.token would be a secret in this file", "as token-file:"},
		{"token-file: a, token-env: B", "1:8: forge.token-file and forge.token-env are both there", "remove one"},
		{"token-file: a, app: {id: 1, key-file: b}", "1:8: forge.app and a token are both there", "remove the token"},
		{"token-env: A, app: {id: 1, key-file: b}", "1:8: forge.app and a token are both there", "remove the token"},
		{"kind: gitea, app: {id: 1, key-file: b}", "1:8: forge.app is GitHub's, and forge.kind is gitea", "forge.token-file"},
		{"app: {id: 1}", "1:14: forge.app.key-file is missing", "key-file:"},
		{"app: {key-file: a}", "1:14: forge.app.id is missing", "id:"},
		{"app: {id: Iv1.abc, key-file: a}", "1:19: forge.app.id must be a whole number", "range"},
		{"token-env: $TOKEN", "1:20: forge.token-env is not the name of a variable", "FORGE_TOKEN"},
		{"token-env: ghp-abc", "1:20: forge.token-env is not the name of a variable", "FORGE_TOKEN"},
		{"api: git.example.com", "1:14: forge.api is not the address of an API", "https://HOST/api/v4/"},
		{"api: 'ssh://git.example.com/'", "1:14: forge.api is not the address of an API", "https://HOST/api/v4/"},
		{"api: 'https://'", "1:14: forge.api is not the address of an API", "https://HOST/api/v4/"},
		{"api: 'https://u:p@git.example.com/'", "1:14: forge.api is not the address of an API", "https://HOST"},
		{"api: 'https://git.example.com/?a=b'", "1:14: forge.api is not the address of an API", "https://HOST"},
		{"api: 'http://git.example.com/'", "1:14: forge.api is plain http", "https://"},
		{"api: 'http://127.0.0.1.example.com/'", "1:14: forge.api is plain http", "https://"},
		{"project: name", "1:18: forge.project is not a repository as its forge calls it", "OWNER/NAME"},
		{"project: a/../b", "1:18: forge.project is not a repository", "OWNER/NAME"},
		{"project: 'a/b.git'", "1:18: forge.project is not a repository", ".git"},
		{"project: 'https://github.com/a/b'", "1:18: forge.project is not a repository", "without the host"},
		{"project: 'a//b'", "1:18: forge.project is not a repository", "OWNER/NAME"},
	} {
		o, problems := ParseOperator("operator.yaml", []byte("forge: {"+tt.keys+"}\n"))
		if len(problems) != 1 || o != nil {
			t.Errorf("%q: %d problems: %v", tt.keys, len(problems), problems)
			continue
		}
		if p := problems[0]; !strings.HasPrefix(p.String(), "operator.yaml:"+tt.want) || !strings.Contains(p.Fix, tt.fix) {
			t.Errorf("%q:\n got %s (fix: %s)\nwant %s (fix: %s)", tt.keys, p, p.Fix, tt.want, tt.fix)
		}
	}
}
