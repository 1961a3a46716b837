package config

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOperator(t *testing.T) {
	src := `
repo: ssh://git@git.example.com/manifests.git
git: {ssh-key-file: key, known-hosts-file: /etc/known_hosts, token-env: GIT_TOKEN, sign-off: true, signing: {format: openpgp, key-file: s, passphrase-file: p}}
credentials:
  - {file: a.json, paths: ["a/**"]}
  - {file: b.json, hosts: [quay.io, "[::1]:5000"], namespaces: ["b-*"], paths: ["b/**"]}
  - {directory: /run/secrets, paths: ["tenants/{namespace}/**", "a/b/{namespace}/*.yaml"]}
registries:
  - {host: "127.0.0.1:5000", insecure: true, requests-per-second: 0.5}
  - {host: docker.io, client-cert-file: c.pem, client-key-file: k.pem, proxy: true}
mirrors:
  - {prefix: docker.io/library, at: ["127.0.0.1:5000/hub", mirror.test]}
  - {prefix: quay.io, at: [mirror.test/quay/a_b], upstream: false}
allowed-registries: [quay.io, docker.io/library, "*.example.com:5000"]
blocked-registries: [quay.io/unsafe]
proxy: {url: "http://proxy.test:3128", no-proxy: [a.test, .b.test, "c.test:443", 10.0.0.0/8, 192.168.0.1, "fd00::/8", "::1", "[::1]:80"], username-file: u, password-file: p}
docker-config: false
listen: ":8080"
poll: 5s
`
	got, problems := ParseOperator("operator.yaml", []byte(src))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := DefaultOperator()
	want.Repo = "ssh://git@git.example.com/manifests.git"
	want.Git.SSHKeyFile, want.Git.KnownHostsFile = "key", "/etc/known_hosts"
	want.Git.TokenEnv, want.Git.SignOff = "GIT_TOKEN", true
	want.Git.Signing = Signing{Format: "openpgp", KeyFile: "s", PassphraseFile: "p"}
	want.Credentials = []Credential{
		{File: "a.json", Paths: globs("a/**")},
		{File: "b.json", Hosts: []Host{"quay.io", "[::1]:5000"}, Namespaces: globs("b-*"), Paths: globs("b/**")},
		{Directory: "/run/secrets", Paths: globs("tenants/{namespace}/**", "a/b/{namespace}/*.yaml")},
	}
	want.Registries = []Registry{
		{Host: "127.0.0.1:5000", Insecure: true, RequestsPerSecond: 0.5},
		{Host: "docker.io", ClientCertFile: "c.pem", ClientKeyFile: "k.pem", Proxy: true},
	}
	no := false
	want.Mirrors = []Mirror{
		{Prefix: "docker.io/library", At: []Prefix{"127.0.0.1:5000/hub", "mirror.test"}},
		{Prefix: "quay.io", At: []Prefix{"mirror.test/quay/a_b"}, Upstream: &no},
	}
	want.Allowed, want.Blocked = []Area{"quay.io", "docker.io/library", "*.example.com:5000"}, []Area{"quay.io/unsafe"}
	want.Proxy = Proxy{
		URL: "http://proxy.test:3128", UsernameFile: "u", PasswordFile: "p",
		NoProxy: []Bypass{"a.test", ".b.test", "c.test:443", "10.0.0.0/8", "192.168.0.1", "fd00::/8", "::1", "[::1]:80"},
	}
	want.Docker = false
	want.Listen, want.Poll = ":8080", 5*time.Second
	opts := []cmp.Option{
		cmp.Comparer(func(a, b Glob) bool { return a == b }),
		cmp.Transformer("anywhere", func(Position) bool { return true }),
	}
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// One host has one name, however it is written.
func TestHostHasOneName(t *testing.T) {
	for written, want := range map[string]string{
		"quay.io:443": "quay.io", "quay.io:444": "quay.io:444", "docker.io:443": "docker.io",
		"localhost:443": "localhost", "registry:443": "registry:443", "127.0.0.1:443": "127.0.0.1",
		"[0::1]:443": "[::1]", "[0::1]": "[::1]", "[2001:db8::00a]:5000": "[2001:db8::a]:5000",
	} {
		var h Host
		if err := h.set(written); err != nil || string(h) != want {
			t.Errorf("%s: got %s, %v; want %s", written, h, err, want)
		}
		var a Area
		if err := a.set(written + "/b"); err != nil || string(a) != want+"/b" {
			t.Errorf("%s/b: got %s, %v; want %s/b", written, a, err, want)
		}
	}
}

func TestOperatorEmpty(t *testing.T) {
	got, problems := ParseOperator("operator.yaml", nil)
	if diff := cmp.Diff(DefaultOperator(), got, cmp.Transformer("anywhere", func(Position) bool { return true })); diff != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
}

func TestOperatorProblems(t *testing.T) {
	for _, tt := range []struct{ src, want, fix string }{
		{"repository-url: x\n", "1:1: repository-url is not a known key", "known here"},
		{"rep: x\n", "1:1: rep is not a known key", "did you mean repo?"},
		{"repo: https://u:p@h/x\n", "1:1: repo holds a user name or password", "git.password-file"},
		{"repo: HTTPS://tok@h/x\n", "1:1: repo holds a user name or password", "git.password-file"},
		{"repo: ssh://git:p@h/x\n", "1:1: repo holds a user name or password", "git.password-file"},
		{"git: {token: abc}\n", "1:7: git.token would be a secret in this file", "as token-file:"},
		{"git: {password: abc}\n", "1:7: git.password would be a secret in this file", "as password-file:"},
		{"git: {ssh-passphrase: abc}\n", "1:7: git.ssh-passphrase would be a secret", "as ssh-passphrase-file:"},
		{"git: {ssh_private_key: abc}\n", "1:7: git.ssh_private_key would be a secret", "git.token-file"},
		{"git: {token_file: abc}\n", "1:7: git.token_file is not a known key", "did you mean token-file?"},
		{"token: abc\n", "1:1: token would be a secret in this file", "git.token-file"},
		{"credentials: [{file: a, password: abc}]\n", "1:25: credentials[0].password would be a secret", "as file:"},
		{"git: {token-file: a, password-file: b, username: c}\n", "1:6: git.token-file and git.password-file are both there", "remove one"},
		{"git: {token-env: A, token-file: b}\n", "1:6: git.token-env and a file with a token or password are both there", "remove one"},
		{"git: {token-env: A, password-file: b, username: c}\n", "1:6: git.token-env and a file with a token or password are both there", "remove one"},
		{"git: {token-env: $A}\n", "1:18: git.token-env is not the name of a variable", "the name alone"},
		{"git: {signing: {format: x509, key-file: a}}\n", "1:25: git.signing.format must be ssh or openpgp", "format: ssh"},
		{"git: {signing: {format: ssh}}\n", "1:16: git.signing.key-file is missing", "key-file:"},
		{"git: {signing: {key-file: a}}\n", "1:16: git.signing.format is missing", "format:"},
		{"git: {signing: {format: ssh, key-file: a, passphrase: b}}\n", "1:43: git.signing.passphrase would be a secret", "as passphrase-file:"},
		{"git: {sign-off: yes please}\n", "1:17: git.sign-off must be true or false", "sign-off: true"},
		{"git: {commits: github}\n", "1:16: git.commits must be git or forge", "commits: git"},
		{"git: {commits: forge, signing: {format: ssh, key-file: a}}\n", "1:6: git.signing and git.commits: forge are both there", "remove git.signing"},
		{"git: {commits: forge}\nforge: {kind: gitea}\n", "1:6: git.commits: forge is GitHub's, and forge.kind is gitea", "commits: git"},
		{"git: {username: a, username-file: b}\n", "1:6: git.username and git.username-file are both there", "remove one"},
		{"git: {password-file: b}\n", "1:6: git.password-file has no user name", "git.username"},
		{"git: {ssh-passphrase-file: b}\n", "1:6: git.ssh-passphrase-file has no key", "git.ssh-key-file"},
		{"git: {author: {name: 'a <b>'}}\n", "1:22: git.author.name cannot stand in a commit", "< and >"},
		{"git: {author: {email: \"a\\nb\"}}\n", "1:23: git.author.email holds a control character", "one line"},
		{"credentials: [{hosts: [a]}]\n", "1:15: the credential has neither file nor directory", "directory:"},
		{"credentials: [{file: a, directory: b, paths: ['{namespace}/**']}]\n", "1:15: the credential has a file and a directory", "two credentials"},
		{"credentials: [{directory: b}]\n", "1:15: the credential has a directory and no paths", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['tenants/**']}]\n", "1:15: a path of the credential has no part {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['{namespace}*/**']}]\n", "1:15: a path of the credential has no part {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['**/{namespace}/**']}]\n", "1:15: a path of the credential has a wildcard before {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['*/{namespace}/**']}]\n", "1:15: a path of the credential has a wildcard before {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['{a,**}/{namespace}/**']}]\n", "1:15: a path of the credential has a wildcard before {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['x**/{namespace}/**']}]\n", "1:15: a path of the credential has a wildcard before {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['[a-z]/{namespace}/**']}]\n", "1:15: a path of the credential has a wildcard before {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['te?ants/{namespace}/**']}]\n", "1:15: a path of the credential has a wildcard before {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{directory: b, paths: ['\\**/{namespace}/**']}]\n", "1:15: a path of the credential has a wildcard before {namespace}", "tenants/{namespace}/**"},
		{"credentials: [{file: b, paths: ['{namespace}/**']}]\n", "1:15: {namespace} stands for something beside directory only", "write the paths out"},
		{"credentials: [{file: a, paths: [a]}, {file: b}]\n", "1:38: the credential has no paths", "paths:"},
		{"credentials: [{file: a, hosts: [https://quay.io/]}]\n", "1:33: credentials[0].hosts[0] is not a registry host alone", "write quay.io"},
		{"credentials: [{file: a, hosts: [Quay.IO]}]\n", "1:33: credentials[0].hosts[0] is not a registry host alone", "write quay.io"},
		{"credentials: [{file: a, hosts: [quay.io/team]}]\n", "1:33: credentials[0].hosts[0] is not a registry host", "without scheme, user or path"},
		{"credentials: [{file: a, hosts: ['quay.io:x']}]\n", "1:33: credentials[0].hosts[0] is not a registry host", "without"},
		{"credentials: [{file: a, hosts: ['docker.io@evil.test']}]\n", "1:33: credentials[0].hosts[0] is not a registry host", "without"},
		{"credentials: [{file: a, hosts: ['docker.io.']}]\n", "1:33: credentials[0].hosts[0] is not a registry host", "without"},
		{"credentials: [{file: a, hosts: [index.docker.io]}]\n", "1:33: credentials[0].hosts[0] is a name of Docker Hub", "write docker.io"},
		{"credentials: [{file: a, hosts: ['*.example.com']}]\n", "1:33: credentials[0].hosts[0] is not a registry host", "without"},
		{"registries: [{host: a}, {host: a}]\n", "1:25: registry a is there twice", "join"},
		{"registries: [{host: quay.io}, {host: 'quay.io:443'}]\n", "1:31: registry quay.io is there twice", "join"},
		{"registries: [{host: '[::1]:5000'}, {host: '[0::1]:5000'}]\n", "1:36: registry [::1]:5000 is there twice", "join"},
		{"registries: [{host: 'registry-1.docker.io:443'}]\n", "1:21: registries[0].host is a name of Docker Hub", "write docker.io"},
		{"blocked-registries: ['*.x.test', 'index.docker.io:443/library']\n", "1:34: blocked-registries[1] is not a registry", "Docker Hub is docker.io"},
		{"registries: [{insecure: true}]\n", "1:14: registries[0].host is missing", "host:"},
		{"registries: [{host: a, client-cert-file: c}]\n", "1:14: one of client-cert-file and client-key-file is missing", "both"},
		{"registries: [{host: a, client-key: c}]\n", "1:24: registries[0].client-key would be a secret", "as client-key-file:"},
		{"mirrors: [{at: [a]}]\n", "1:11: mirrors[0].prefix is missing", "prefix:"},
		{"mirrors: [{prefix: a}]\n", "1:11: mirrors[0].at is missing", "at:"},
		{"mirrors: [{prefix: a, at: []}]\n", "1:11: the entry names no mirrors", "at: ["},
		{"mirrors: [{prefix: a, at: [b]}, {prefix: a, at: [c]}]\n", "1:33: mirrors of a are there twice", "join"},
		{"mirrors: [{prefix: a.test/x, at: [b]}, {prefix: 'a.test:443/x', at: [c]}]\n", "1:40: mirrors of a.test/x are there twice", "join"},
		{"mirrors: [{prefix: 'a.test:443', at: [a.test]}]\n", "1:11: a.test mirrors itself", "another place"},
		{"mirrors: [{prefix: a/b, at: [a/b]}]\n", "1:11: a/b mirrors itself", "another place"},
		{"mirrors: [{prefix: 'a/b/', at: [c]}]\n", "1:20: mirrors[0].prefix is not the path of repositories", "whole parts"},
		{"mirrors: [{prefix: a/B, at: [c]}]\n", "1:20: mirrors[0].prefix is not the path of repositories", "lower case"},
		{"mirrors: [{prefix: a, at: ['https://c']}]\n", "1:28: mirrors[0].at[0] is not a registry", "HOST/PATH"},
		{"mirrors: [{prefix: a, at: [index.docker.io]}]\n", "1:28: mirrors[0].at[0] is not a registry", "docker.io"},
		{"mirrors: [{prefix: a, at: [b], upstream: maybe}]\n", "1:42: mirrors[0].upstream must be true or false", "quotes"},
		{"allowed-registries: []\n", "1:1: allowed-registries is empty", "remove the line"},
		{"blocked-registries: []\n", "1:1: blocked-registries is empty", "remove the line"},
		{"allowed-registries: ['*']\n", "1:22: allowed-registries[0] is not a registry", "*.DOMAIN"},
		{"allowed-registries: ['a.*.test']\n", "1:22: allowed-registries[0] is not a registry", "*.DOMAIN"},
		{"blocked-registries: ['quay.io/*']\n", "1:22: blocked-registries[0] is not a registry", "*.DOMAIN"},
		{"proxy: {no-proxy: [a]}\n", "1:8: proxy.url is missing", "url:"},
		{"proxy: {url: 'http://u:p@proxy:3128'}\n", "1:14: proxy.url holds a user name or password", "proxy.password-file"},
		{"proxy: {url: 'u:p@proxy:3128'}\n", "1:14: proxy.url is not the URL of a proxy", "http://HOST:PORT"},
		{"proxy: {url: 'ftp://proxy'}\n", "1:14: proxy.url is not the URL of a proxy", "http://HOST:PORT"},
		{"proxy: {url: 'http://proxy/x'}\n", "1:14: proxy.url is not the URL of a proxy", "without a path"},
		{"proxy: {url: 'http://proxy', no-proxy: ['10.0.0.0/99']}\n", "1:41: proxy.no-proxy[0] is not what can be asked without a proxy", "10.0.0.0/8"},
		{"proxy: {url: 'http://proxy', password-file: p}\n", "1:8: one of proxy.username-file and proxy.password-file is missing", "both"},
		{"proxy: {url: 'http://proxy', password: p}\n", "1:30: proxy.password would be a secret", "as password-file:"},
		{"registries: [{host: a, concurrency: 0}]\n", "1:37: registries[0].concurrency must be a whole number from 1 to 256", "range"},
		{"registries: [{host: a, requests-per-second: .nan}]\n", "1:45: registries[0].requests-per-second must be a number from 0.01", "range"},
		{"registries: [{host: a, requests-per-second: '5'}]\n", "1:45: registries[0].requests-per-second must be a number", "range"},
		{"listen: 8080\n", "1:9: listen must be text", "quotes"},
		{"listen: localhost\n", "1:9: listen is not an address", "127.0.0.1:8080"},
		{"listen: 'localhost:99999'\n", "1:9: listen is not an address", "127.0.0.1:8080"},
		{"hooks-listen: 8081\n", "1:15: hooks-listen must be text", "quotes"},
		{"listen: ':8081'\nhooks-listen: ':8081'\n", "1:1: listen and hooks-listen are the same address", "a port of its own"},
		{"import-token: abc\n", "1:1: import-token would be a secret in this file", "as import-token-file:"},
		{"hooks-url: hooks.example\n", "1:12: hooks-url is not a URL", "https://HOST"},
		{"hooks-url: 'https://u:p@hooks.example'\n", "1:12: hooks-url is not a URL", "without a user"},
		{"hooks: [{name: a, kind: quay}]\n", "1:9: hooks[0].path-token-file is missing", "path-token-file:"},
		{"hooks: [{name: a, path-token-file: b}]\n", "1:9: hooks[0].kind is missing", "kind:"},
		{"hooks: [{name: 'a b', kind: quay, path-token-file: b}]\n", "1:16: hooks[0].name is not a name", "quay-team1"},
		{"hooks: [{name: a, kind: Quay, path-token-file: b}]\n", "1:25: hooks[0].kind is not a kind", "docs/webhooks.md"},
		{"hooks: [{name: a, kind: quay, path-token-file: b, secret: c}]\n", "1:51: hooks[0].secret would be a secret", "name that file here as secret-files: [FILE]"},
		{"hooks: [{name: a, kind: quay, path-token-file: b, token: c}]\n", "1:51: hooks[0].token would be a secret", "name that file here as path-token-file:"},
		{"hooks: [{name: a, kind: quay, path-token-file: b, secret-files: [a, b, c]}]\n", "1:65: hooks[0].secret-files has 3 entries", "remove some"},
		{"hooks: [{name: a, kind: quay, path-token-file: b, from: [10.1.0.0/8]}]\n", "1:58: hooks[0].from[0] has bits behind its range", "10.0.0.0/8"},
		{"hooks: [{name: a, kind: quay, path-token-file: b, from: [example.com]}]\n", "1:58: hooks[0].from[0] is no address", "10.0.0.0/8"},
		{"hooks: [{name: a, kind: quay, path-token-file: b, paths: ['{namespace}/**']}]\n", "1:9: {namespace} stands for nothing here", "write the paths out"},
		{"hooks: [{name: a, kind: quay, path-token-file: b}, {name: a, kind: quay, path-token-file: c}]\n", "1:52: hook a is there twice", "name of its own"},
		{"hooks: [{name: a, kind: pubsub, path-token-file: b, email: e}]\n", "1:9: the hook has no audience", "audience:"},
		{"hooks: [{name: a, kind: pubsub, path-token-file: b, audience: c, issuer: 'http://issuer.example'}]\n", "1:74: hooks[0].issuer is plain http", "https://"},
		{"trusted-proxies: ['::ffff:10.0.0.0/104']\n", "1:19: trusted-proxies[0] is no address", "10.0.0.0/8"},
		{"poll: 10ms\n", "1:7: poll must be a duration from 1s to 24h", "15m"},
		{"log-level: trace\n", "1:12: log-level must be info or debug or warn or error", "log-level: info"},
		{"log-format: xml\n", "1:13: log-format must be text or json", "log-format: text"},
		{"limits: {pushes-per-hour: -1}\n", "1:27: limits.pushes-per-hour must be a whole number from 1 to 3600", "range"},
		{"cache-dir: [a]\n", "1:12: cache-dir must be text", "one value"},
	} {
		o, problems := ParseOperator("conf/operator.yaml", []byte(tt.src))
		if len(problems) != 1 || o != nil {
			t.Errorf("%q: %d problems: %v", tt.src, len(problems), problems)
			continue
		}
		p := problems[0]
		if !strings.HasPrefix(p.String(), "conf/operator.yaml:"+tt.want) || !strings.Contains(p.Fix, tt.fix) {
			t.Errorf("%q:\n got %s (fix: %s)\nwant %s (fix: %s)", tt.src, p, p.Fix, tt.want, tt.fix)
		}
	}
}

// A secret that stands where none belongs is in no problem.
func TestSecretsAreNotTold(t *testing.T) {
	canary := fmt.Sprintf("canary-%x-not-a-secret", rand.Uint64())
	for _, src := range []string{
		"token: %s\n",
		"git: {token: %s}\n",
		"git: {password: [%s]}\n",
		"git: %s\n",
		"credentials: %s\n",
		"credentials: [{file: [%s]}]\n",
		"credentials: [{file: a, hosts: ['https://u:%s@quay.io']}]\n",
		"repo: https://u:%s@git.example.com/a\n",
		"poll: %s\n",
		"listen: %s\n",
		"log-level: %s\n",
		"registries: [{host: 'a b %s'}]\n",
		"proxy: {url: 'http://u:%s@proxy:3128'}\n",
		"proxy: {url: '%s@proxy:3128'}\n",
		"proxy: {url: 'http://proxy', no-proxy: ['%s@x']}\n",
		"mirrors: [{prefix: 'u:%s@quay.io', at: [a]}]\n",
		"mirrors: [{prefix: a, at: ['u:%s@quay.io']}]\n",
		"allowed-registries: ['u:%s@quay.io']\n",
		"limits: {pushes-per-hour: %s}\n",
		"git: {token-file: '%s\n",
		"git:\n  token: %s: %[1]s\n",
		"%s\ntoken: a\n",
		"git: {token: *%s}\n",
		"git: {token-env: '%s'}\n",
		"git: {signing: {format: %s, key-file: a}}\n",
		"git: {signing: {format: ssh, key-file: a, passphrase: %s}}\n",
		"git: {signing: {format: ssh, key: %s}}\n",
		"git: {commits: %s}\n",
		"forge: {token: %s}\n",
		"forge: {token-env: '%s'}\n",
		"forge: {api: 'https://u:%s@git.example/'}\n",
		"forge: {api: 'https://git.example/?private_token=%s'}\n",
		"forge: {project: '%s@x'}\n",
		"forge: {kind: %s}\n",
		"forge: {app: {id: %s}}\n",
		"forge: {app: {private-key: %s}}\n",
	} {
		_, problems := ParseOperator("operator.yaml", fmt.Appendf(nil, src, canary))
		if len(problems) == 0 {
			t.Errorf("%q: no problem", src)
		}
		for _, p := range problems {
			if strings.Contains(p.What+p.Fix, canary) {
				t.Errorf("%q: the problem tells the secret: %s (fix: %s)", src, p, p.Fix)
			}
		}
	}
}

// In reaches every file that the configuration can name.
func TestIn(t *testing.T) {
	o := &Operator{Credentials: make([]Credential, 2), Registries: make([]Registry, 2)}
	files := filesOf(reflect.ValueOf(o).Elem())
	for i, f := range files {
		*f = File(fmt.Sprintf("f%d", i))
	}
	dir := t.TempDir()
	o.In(dir)
	for i, f := range files {
		if want := filepath.Join(dir, fmt.Sprintf("f%d", i)); string(*f) != want {
			t.Errorf("%s, want %s", *f, want)
		}
	}
	before := *o
	o.In("elsewhere")
	if diff := cmp.Diff(before.Git.TokenFile, o.Git.TokenFile); diff != "" {
		t.Errorf("an absolute name moved: %s", diff)
	}
	empty := DefaultOperator()
	empty.In(dir)
	if empty.CacheDir != "" || empty.Git.TokenFile != "" {
		t.Error("a name that was not there appeared")
	}
}

func filesOf(v reflect.Value) []*File {
	if f, ok := v.Addr().Interface().(*File); ok {
		return []*File{f}
	}
	var files []*File
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				files = append(files, filesOf(v.Field(i))...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			files = append(files, filesOf(v.Index(i))...)
		}
	}
	return files
}

func FuzzParseOperator(f *testing.F) {
	f.Add("git: {token-file: a}\ncredentials: [{file: a, hosts: [quay.io]}]\n")
	f.Fuzz(func(t *testing.T, src string) {
		o, problems := ParseOperator("o.yaml", []byte(src))
		if (o == nil) != (len(problems) > 0) {
			t.Errorf("%v with %d problems", o, len(problems))
		}
		for _, p := range problems {
			if p.Fix == "" || p.What == "" || p.Line < 1 {
				t.Errorf("problem without line or fix: %+v", p)
			}
		}
	})
}
