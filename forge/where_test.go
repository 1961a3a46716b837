package forge_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
)

func TestLocate(t *testing.T) {
	type place struct{ Web, Kind, API, Project string }
	for address, want := range map[string]place{
		"https://github.com/owner/name":                {"https://github.com/owner/name", "github", "https://api.github.com/", "owner/name"},
		"https://github.com/owner/name.git":            {"https://github.com/owner/name", "github", "https://api.github.com/", "owner/name"},
		"HTTPS://GitHub.com/Owner/Name/":               {"https://github.com/Owner/Name", "github", "https://api.github.com/", "Owner/Name"},
		"http://github.com/owner/name":                 {"https://github.com/owner/name", "github", "https://api.github.com/", "owner/name"},
		"https://github.com/owner/name/tree/main/a/b":  {"https://github.com/owner/name", "github", "https://api.github.com/", "owner/name"},
		"git@github.com:owner/name.git":                {"https://github.com/owner/name", "github", "https://api.github.com/", "owner/name"},
		"ssh://git@ssh.github.com:443/owner/name.git":  {"https://github.com/owner/name", "github", "https://api.github.com/", "owner/name"},
		"https://acme.ghe.com/owner/name":              {"https://acme.ghe.com/owner/name", "github", "https://api.acme.ghe.com/", "owner/name"},
		"git@github.acme.example:owner/name.git":       {"https://github.acme.example/owner/name", "github", "https://github.acme.example/api/v3/", "owner/name"},
		"https://gitlab.com/group/sub/deep/name.git":   {"https://gitlab.com/group/sub/deep/name", "gitlab", "https://gitlab.com/api/v4/", "group/sub/deep/name"},
		"git@gitlab.com:group/sub/name.git":            {"https://gitlab.com/group/sub/name", "gitlab", "https://gitlab.com/api/v4/", "group/sub/name"},
		"https://gitlab.com/group/name/-/tree/main":    {"https://gitlab.com/group/name", "gitlab", "https://gitlab.com/api/v4/", "group/name"},
		"https://gitlab.acme.example:8443/g/name":      {"https://gitlab.acme.example:8443/g/name", "gitlab", "https://gitlab.acme.example:8443/api/v4/", "g/name"},
		"ssh://git@code.gitlab2.example:2222/g/n.git":  {"https://code.gitlab2.example/g/n", "gitlab", "https://code.gitlab2.example/api/v4/", "g/n"},
		"https://codeberg.org/owner/name":              {"https://codeberg.org/owner/name", "gitea", "https://codeberg.org/api/v1/", "owner/name"},
		"https://gitea.com/owner/name":                 {"https://gitea.com/owner/name", "gitea", "https://gitea.com/api/v1/", "owner/name"},
		"http://gitea:3000/owner/name.git":             {"http://gitea:3000/owner/name", "gitea", "http://gitea:3000/api/v1/", "owner/name"},
		"https://forgejo.example/sub/owner/name.git":   {"https://forgejo.example/sub/owner/name", "gitea", "https://forgejo.example/sub/api/v1/", "owner/name"},
		"ssh://forgejo@forgejo.example/owner/name.git": {"https://forgejo.example/owner/name", "gitea", "https://forgejo.example/api/v1/", "owner/name"},
		"https://git.example/owner/name":               {"https://git.example/owner/name", "", "", "owner/name"},
		"http://127.0.0.1:3000/owner/name.git":         {"http://127.0.0.1:3000/owner/name", "", "", "owner/name"},
		"https://example.gitlab/owner/name":            {"https://example.gitlab/owner/name", "", "", "owner/name"},
		"https://gist.github.com/owner/name":           {"https://gist.github.com/owner/name", "", "", "owner/name"},
		"https://git.sr.ht/~owner/name":                {"https://git.sr.ht/~owner/name", "", "", "~owner/name"},
	} {
		p, ok := forge.Locate(address)
		if !ok {
			t.Errorf("Locate(%q) found nothing", address)
			continue
		}
		if diff := cmp.Diff(want, place{p.Web(), p.Kind, p.API(), p.Project()}); diff != "" {
			t.Errorf("Locate(%q) (-want +got):\n%s", address, diff)
		}
	}
}

func TestLocateTakesNothingThatIsNotPlainlyAnAddress(t *testing.T) {
	for _, address := range hostile() {
		if p, ok := forge.Locate(address); ok {
			t.Errorf("Locate(%q) = %+v", address, p)
		}
	}
}

func hostile() []string {
	return []string{
		"", "/", "owner/name", "github.com/owner/name", "//github.com/owner/name", "file:///srv/git/owner/name.git",
		"../owner/name.git", "/srv/git/owner/name.git", "javascript:alert(1)//x/y", "javascript://github.com/owner/name",
		"x@javascript:alert(1)/y", "data:text/html,x/y", "ftp://github.com/owner/name", "git@github.com/owner/name",
		"https://user@github.com/owner/name", "https://user:word@github.com/owner/name", "https://github.com@evil.example/owner/name",
		"ssh://git:word@github.com/owner/name", "ssh://g t@github.com/owner/name", "ssh://@github.com/owner/name", "@github.com:owner/name",
		"https://github.com/owner/name\n", "https://github.com/owner\n/name", "https://github.com/owner/name?x=y", "https://github.com/owner/name#x",
		"https://github.com/owner/../name", "https://github.com/../owner/name", "https://git.example/owner/./name", "https://github.com/owner//name",
		"https://git.example/owner/%2e%2e/name", "https://github.com/owner/na me", "https://github.com/owner/na)me", "https://github.com/owner/na]me",
		`https://github.com/owner/na"me`, "https://github.com/owner/na'me", "https://github.com/owner/<b>", "https://github.com/owner/na`me",
		`https://github.com\owner\name`, `https://github.com/owner/na\me`, "https://github.com/owner/na|me", "https://github.com/owner/näme",
		"https://gıthub.com/owner/name", "https://github.com/owner/na\u202eme", "https://github.com/owner/\xffname", "https://github.com/owner",
		"https://github.com/owner/.git", "https://git.example/owner/name.git.git", "https://github.com/owner/", "https://github.com/a/b/c", "https://github..com/owner/name",
		"https://.github.com/owner/name", "https://github.com./owner/name", "https://-x.example/owner/name", "https:///owner/name",
		"https://[::1]:3000/owner/name", "https://git.example:/owner/name", "https://git.example:0/owner/name", "https://git.example:65536/owner/name",
		"https://git.example:+80/owner/name", "https://git.example:080/owner/name", "https://git_x.example/owner/name", " https://github.com/owner/name",
		"https://github.com/owner/name.git/..", "https://" + strings.Repeat("a", 64) + ".example/owner/name", "https://" + strings.Repeat("abcdefghi.", 26) + "example/owner/name", "https://git.example/owner/" + strings.Repeat("n", 300),
		"https://git.example/" + strings.Repeat("n/", 2000) + "n",
	}
}

func TestPagesOfAPlace(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/o/n": `
			https://github.com/o/n/compare/main...towpath/a
			https://github.com/o/n/compare/main...towpath/a?expand=1
			https://github.com/o/n/commit/0123abc`,
		"https://codeberg.org/o/n": `
			https://codeberg.org/o/n/compare/main...towpath/a
			https://codeberg.org/o/n/compare/main...towpath/a
			https://codeberg.org/o/n/commit/0123abc`,
		"https://gitlab.com/g/s/n": `
			https://gitlab.com/g/s/n/-/compare/main...towpath/a
			https://gitlab.com/g/s/n/-/merge_requests/new?merge_request%5Bsource_branch%5D=towpath%2Fa&merge_request%5Btarget_branch%5D=main
			https://gitlab.com/g/s/n/-/commit/0123abc`,
		"git@bitbucket.org:o/n.git": `
			https://bitbucket.org/o/n/branches/compare/towpath%2Fa%0Dmain
			https://bitbucket.org/o/n/pull-requests/new?source=towpath%2Fa&dest=main
			https://bitbucket.org/o/n/commits/0123abc`,
		"https://git.example/o/n": "",
	} {
		p := located(t, address)
		got := strings.Fields(strings.Join([]string{p.Compare("main", "towpath/a"), p.Propose("main", "towpath/a"), p.Commit("0123abc")}, " "))
		if diff := cmp.Diff(strings.Fields(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
}

func TestRefsAreEscapedOrRefused(t *testing.T) {
	p := located(t, "https://github.com/o/n")
	for ref, want := range map[string]string{
		"v1.2.3":   "v1.2.3",
		"a/b_c-d":  "a/b_c-d",
		"a)b":      "a%29b",
		`a"<b>'`:   "a%22%3Cb%3E%27",
		"a|b`c]":   "a%7Cb%60c%5D",
		"50%":      "50%25",
		"a+b&c=d#": "a%2Bb%26c%3Dd%23",
		"é":        "%C3%A9",

		"": "", "a..b": "", "../x": "", "a/../b": "", "./a": "", "a//b": "", "/a": "", "a/": "", "a.": "", ".a": "", "stranger:main": "",
		"a b": "", "a\nb": "", "a\x00": "", "a\x7f": "", "\xff": "", "a~1": "", "a^": "", "a@{1}": "", `a\b`: "", strings.Repeat("a", 513): "",
	} {
		from, to := "", ""
		if want != "" {
			from, to = p.Web()+"/compare/"+want+"...main", p.Web()+"/compare/main..."+want
		}
		if diff := cmp.Diff([]string{from, to}, []string{p.Compare(ref, "main"), p.Compare("main", ref)}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", ref, diff)
		}
		if got := p.Propose(ref, "main") + p.Propose("main", ref); (got == "") != (want == "") {
			t.Errorf("Propose with %q = %q", ref, got)
		}
	}
	for _, rev := range []string{"", "main", "0123ab", "0123abg", "0123abc/", strings.Repeat("a", 65)} {
		if got := p.Commit(rev); got != "" {
			t.Errorf("Commit(%q) = %q", rev, got)
		}
	}
}

func located(t *testing.T, address string) forge.Place {
	t.Helper()
	p, ok := forge.Locate(address)
	if !ok {
		t.Fatalf("Locate(%q) found nothing", address)
	}
	return p
}

// Whatever is put in, what comes out is empty or a link to the host that the address
// names, without a character that ends a link in Markdown or an attribute in HTML.
func FuzzWhere(f *testing.F) {
	for _, address := range append(hostile(), "https://github.com/o/n.git", "git@gitlab.com:g/s/n", "ssh://git@codeberg.org:22/o/n", "http://bitbucket.org/o/n") {
		f.Add(address, "main", "towpath/a")
	}
	f.Fuzz(func(t *testing.T, address, from, to string) {
		p, ok := forge.Locate(address)
		if !ok {
			return
		}
		if again, ok := forge.Locate(p.Web()); !ok || again.Path != p.Path || again.Host != p.Host {
			t.Errorf("Locate(%q) = %+v, but of its page %+v, %v", address, p, again, ok)
		}
		for _, kind := range []string{p.Kind, "", "github", "gitlab", "gitea"} {
			p.Kind = kind
			for _, link := range []string{p.Web(), p.API(), p.Compare(from, to), p.Propose(from, to), p.Commit(from)} {
				inert(t, p, link)
			}
		}
	})
}

func inert(t *testing.T, p forge.Place, link string) {
	t.Helper()
	if link == "" {
		return
	}
	for i := range len(link) {
		if c := link[i]; !strings.ContainsRune("-._~/:?&=%", rune(c)) && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			t.Errorf("%q holds %q", link, c)
		}
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "" ||
		u.Host != p.Host && u.Host != "api."+p.Host {
		t.Errorf("%q leads elsewhere than %+v: %v", link, p, err)
		return
	}
	if parts := strings.Split(u.Path, "/"); slices.Contains(parts, "..") || slices.Contains(parts, ".") {
		t.Errorf("%q goes up", link)
	}
}
