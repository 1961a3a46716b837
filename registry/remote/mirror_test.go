package remote_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

const mirrorV1 = "/v2/copies/team1/web/manifests/v1"

// copies are the mirrors of registry.test.
func copies(hosts ...string) []remote.Mirror {
	m := remote.Mirror{Prefix: "registry.test"}
	for _, h := range hosts {
		m.At = append(m.At, h+"/copies")
	}
	return []remote.Mirror{m}
}

// A mirror answers under its own name for the repository; the answer is under the
// one that was asked for.
func TestMirror(t *testing.T) {
	w := newWorld(t)
	w.addrs["mirror.test"] = addrs("10.0.0.8") // it needs no leave for that beside its name
	m := w.registry(t, "mirror.test")
	image := registrytest.NewImage(t, "copies/team1/web:v1", "web")
	image.Put(t, m)
	m.Tags("copies/team1/web", "v1", "v2")
	up := w.registry(t, "registry.test")
	r := w.reader(t, remote.Options{Mirrors: copies("mirror.test")}, "mirror.test", "registry.test")

	head, err := r.Head(t.Context(), team1, web("registry.test"))
	if err != nil || head.Digest != image.Digest || head.Mirror != "mirror.test" {
		t.Errorf("head: %v, %v", head, err)
	}
	detail, err := r.Detail(t.Context(), team1, web("registry.test"))
	if err != nil || detail.Digest != image.Digest || detail.Mirror != "mirror.test" {
		t.Errorf("detail: %v, %v", detail, err)
	}
	if _, err := r.Config(t.Context(), team1, web("registry.test").Repo, detail.Config); err != nil {
		t.Errorf("config: %v", err)
	}
	tags, err := r.Tags(t.Context(), team1, web("registry.test").Repo)
	if diff := cmp.Diff([]string{"v1", "v2"}, tags); err != nil || diff != "" {
		t.Errorf("tags: %v (-want +got):\n%s", err, diff)
	}
	if got := up.Paths(); len(got) > 0 {
		t.Errorf("the registry itself was asked %v", got)
	}
}

// Whatever a mirror cannot give, the registry itself is asked for; what is wrong with
// an answer is not passed over.
func TestMirrorHasNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string // empty: the registry itself is asked
	}{
		"NotFound":      {registrytest.Status(404), ""},
		"Unauthorized":  {registrytest.Status(401), ""},
		"Forbidden":     {registrytest.Status(403), ""},
		"RateLimited":   {registrytest.Status(429), ""},
		"InternalError": {registrytest.Status(500), ""},
		"web page":      {registrytest.Body("text/html", []byte("<html>")), ""},
		"a refusal":     {registrytest.Status(400), ""},
		"malformed":     {manifest(ociImage, "[]"), "the manifest is not well formed"},
		// fault: H-17
		"other bytes": {lying(webImage, digestOf("other")), "the manifest is not the one that the registry says it is"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, up := w.registry(t, "mirror.test"), w.registry(t, "registry.test")
			m.On("GET "+mirrorV1, c.answer)
			up.On("GET "+manifestV1, manifest(ociImage, webImage))
			r := w.reader(t, remote.Options{Mirrors: copies("mirror.test")}, "mirror.test", "registry.test")
			image, err := r.Detail(t.Context(), team1, web("registry.test"))
			if c.says != "" {
				failed(t, err, registry.Invalid, c.says)
				if says := err.Error(); !strings.Contains(says, "of the mirror mirror.test") || strings.Contains(says, "after") {
					t.Errorf("got %q, want who answered, and nobody else", says)
				}
				if n := count(up, "/v2/"); n > 0 {
					t.Errorf("the registry itself was asked %d times", n)
				}
			} else if err != nil || image.Digest != digestOf(webImage) || image.Mirror != "" {
				t.Errorf("got %v, %v", image, err)
			}
			if count(m, mirrorV1) == 0 {
				t.Error("the mirror was not asked")
			}
		})
	}
}

// An error is the last place's, under the name that was asked for. Which places were
// asked is for the log: what is recorded is the same, whatever mirrors an operator has.
func TestMirrorErrors(t *testing.T) {
	only := []remote.Mirror{{Prefix: "registry.test", At: []string{"mirror.test/copies"}, Only: true}}
	const message = "no such tag (asked anonymously)"
	for name, c := range map[string]struct {
		mirrors []remote.Mirror
		log     string
	}{
		"none":    {nil, ""},
		"one":     {copies("mirror.test"), "of registry.test, after mirror.test: "},
		"two":     {copies("down.test", "mirror.test"), "of registry.test, after down.test, mirror.test: "},
		"alone":   {only, "of the mirror mirror.test: "},
		"another": {[]remote.Mirror{{Prefix: "registry.test/team2", At: []string{"mirror.test"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.registry(t, "mirror.test")
			w.registry(t, "registry.test")
			r := w.reader(t, remote.Options{Mirrors: c.mirrors}, "mirror.test", "registry.test")
			for range 2 {
				_, err := r.Head(t.Context(), team1, web("registry.test"))
				var e *registry.Error
				if !errors.As(err, &e) || e.Message != message || e.Kind != registry.NotFound {
					t.Errorf("got %v\nwant %s", err, message)
				} else if want := "registry.test/team1/web:v1: " + message + ": " + c.log; !strings.HasPrefix(err.Error(), want) {
					t.Errorf("got %q\nwant %q…", err, want)
				}
			}
		})
	}
}

// What a mirror's error says with the mirror's name is for the log, too.
func TestMirrorIsNotNamed(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"web page":  registrytest.Body("text/html", []byte("<html>")),
		"500":       registrytest.Status(500),
		"malformed": manifest(ociImage, "[]"),
		"nothing":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			only := copies("mirror.test")
			only[0].Only = true
			if answer != nil {
				m := w.registry(t, "mirror.test")
				m.On("GET "+mirrorV1, answer)
			}
			for _, trusted := range [][]string{{"mirror.test"}, nil} { // and with a certificate that nobody knows
				r := w.reader(t, remote.Options{Mirrors: only}, trusted...)
				_, err := r.Detail(t.Context(), team1, web("registry.test"))
				var e *registry.Error
				if !errors.As(err, &e) || strings.Contains(e.Message, "mirror.test") || !strings.Contains(err.Error(), "of the mirror mirror.test") {
					t.Errorf("got %v, the message being %q", err, e.Message)
				}
			}
		})
	}
}

// A mirror that is down costs one question its deadline, not every one.
func TestMirrorIsDown(t *testing.T) {
	w := newWorld(t)
	w.place("mirror.test", "8443", "") // a name, and nothing on its port
	up := w.registry(t, "registry.test")
	up.On("GET "+manifestV1, manifest(ociImage, webImage))
	r := w.reader(t, remote.Options{Mirrors: copies("mirror.test")}, "registry.test")
	for range 10 {
		if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
			t.Fatal(err)
		}
	}
	tries := 0
	for _, addr := range w.dialled {
		if strings.HasPrefix(addr, w.addrs["mirror.test"][0].String()) {
			tries++
		}
	}
	if tries != 1 {
		t.Errorf("the mirror was dialled %d times, want once", tries)
	}
}

// fault: R-18
//
// A mirror that says something else than the registry can be told from it: the answer
// names the mirror, and the registry itself can be asked past it.
func TestMirrorSaysAnother(t *testing.T) {
	w := newWorld(t)
	m, up := w.registry(t, "mirror.test"), w.registry(t, "registry.test")
	stale := `{"schemaVersion":2,"mediaType":"` + ociImage + `","config":{},"layers":[],"annotations":{"stale":"yes"}}`
	m.On("GET "+mirrorV1, manifest(ociImage, stale))
	up.On("GET "+manifestV1, manifest(ociImage, webImage))
	r := w.reader(t, remote.Options{Mirrors: copies("mirror.test")}, "mirror.test", "registry.test")
	for _, ask := range []func(registry.On) (registry.Image, error){
		func(on registry.On) (registry.Image, error) { return r.Head(t.Context(), on, web("registry.test")) },
		func(on registry.On) (registry.Image, error) { return r.Detail(t.Context(), on, web("registry.test")) },
	} {
		got, err := ask(team1)
		if err != nil || got.Digest != digestOf(stale) || got.Mirror != "mirror.test" {
			t.Errorf("at first: %v, %v", got, err)
		}
		past := team1
		past.Upstream = true
		got, err = ask(past)
		if err != nil || got.Digest != digestOf(webImage) || got.Mirror != "" {
			t.Errorf("past the mirror: %v, %v", got, err)
		}
	}
}

// Where the registry itself is never asked, its mirrors answer in its place.
func TestMirrorAlone(t *testing.T) {
	w := newWorld(t)
	m, up := w.registry(t, "mirror.test"), w.registry(t, "registry.test")
	m.On("GET "+mirrorV1, manifest(ociImage, webImage))
	mirrors := copies("down.test", "mirror.test")
	mirrors[0].Only = true
	r := w.reader(t, remote.Options{Mirrors: mirrors}, "mirror.test", "registry.test")
	for _, upstream := range []bool{false, true} {
		on := team1
		on.Upstream = upstream
		if got, err := r.Head(t.Context(), on, web("registry.test")); err != nil || got.Mirror != "mirror.test" {
			t.Errorf("upstream %t: %v, %v", upstream, got, err)
		}
	}
	missing := web("registry.test")
	missing.Tag = "v2"
	_, err := r.Head(t.Context(), team1, missing)
	failed(t, err, registry.NotFound, "no such tag")
	if got := up.Paths(); len(got) > 0 {
		t.Errorf("the registry itself was asked %v", got)
	}
}

// Where the registry itself is never asked, it is not asked for what no mirror can
// have either.
func TestMirrorAloneCannotHaveIt(t *testing.T) {
	long := strings.Repeat("a", 120)
	for name, c := range map[string]struct {
		mirror remote.Mirror
		ask    string
		kind   registry.Kind
		says   string
	}{
		"no path left": {remote.Mirror{Prefix: "registry.test/team1/web", At: []string{"mirror.test"}}, "registry.test/team1/web:v1", registry.Forbidden, "none can have a repository of that name"},
		"too long":     {remote.Mirror{Prefix: "registry.test", At: []string{"mirror.test/" + long}}, "registry.test/x/" + long + "/" + long[:100] + ":v1", registry.Forbidden, "none can have a repository of that name"},
		"with a port":  {remote.Mirror{Prefix: "registry.test", At: []string{"mirror.test"}}, "registry.test:443/team1/web:v1", registry.NotFound, "no such tag"},
		"in capitals":  {remote.Mirror{Prefix: "registry.test", At: []string{"mirror.test"}}, "Registry.Test:443/team1/web:v1", registry.NotFound, "no such tag"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.registry(t, "mirror.test")
			up := w.registry(t, "registry.test")
			c.mirror.Only = true
			r := w.reader(t, remote.Options{Mirrors: []remote.Mirror{c.mirror}}, "mirror.test", "registry.test")
			ref, err := registry.ParseRef(c.ask)
			if err != nil {
				t.Fatal(err)
			}
			for _, upstream := range []bool{false, true} {
				on := team1
				on.Upstream = upstream
				_, err := r.Head(t.Context(), on, ref)
				failed(t, err, c.kind, c.says)
			}
			if got := up.Paths(); len(got) > 0 {
				t.Errorf("the registry itself was asked %.60q", got)
			}
		})
	}
}

// Each place sees its own credential and no other's.
func TestMirrorCredentials(t *testing.T) {
	w, ours, theirs := newWorld(t), secret(), secret()
	m, up := w.registry(t, "mirror.test"), w.registry(t, "registry.test")
	m.On("GET "+mirrorV1, basic(m, ours, registrytest.Status(404)))
	up.On("GET "+manifestV1, basic(up, theirs, manifest(ociImage, webImage)))
	r := w.reader(t, remote.Options{
		Mirrors: copies("mirror.test"),
		Credentials: []remote.Credential{
			{File: logins(t, map[string]string{"mirror.test": ours}), Paths: []string{"team1/**"}},
			{File: logins(t, map[string]string{"registry.test": theirs}), Paths: []string{"**"}},
		},
	}, "mirror.test", "registry.test")
	if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
	// Who has no login at the mirror goes there as nobody.
	shown := len(m.Requests())
	if _, err := r.Head(t.Context(), registry.On{Namespace: "team2", Path: "team2/a.yaml"}, web("registry.test")); err != nil {
		t.Error(err)
	}
	for _, req := range m.Requests()[shown:] {
		if v := req.Header.Get("Authorization"); v != "" {
			t.Errorf("for another team the mirror was shown %q", v)
		}
	}
	for s, other := range map[*registrytest.Script]string{m: theirs, up: ours} {
		for _, req := range s.Requests() {
			if _, shown, _ := (&http.Request{Header: req.Header}).BasicAuth(); shown == other {
				t.Errorf("%s was shown the other's password", req.Host)
			}
		}
	}
}

// A mirror over plain HTTP needs the operator's leave, not that of a tag whose
// author does not know of it. The registry itself needs both all the same.
func TestMirrorInsecure(t *testing.T) {
	w := newWorld(t)
	m := registrytest.NewScript(t)
	w.place("mirror.test", "5000", m.Host)
	m.On("GET "+mirrorV1, manifest(ociImage, webImage))
	plain := registrytest.NewScript(t)
	w.place("registry.test", "443", plain.Host)
	w.place("registry.test", "80", plain.Host)
	plain.On("GET "+manifestV1, manifest(ociImage, webImage))
	hosts := map[string]remote.Host{"registry.test": {Insecure: true}}
	r := w.reader(t, remote.Options{Mirrors: copies("mirror.test:5000"), Hosts: hosts})
	_, err := r.Head(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.TLS, "answered with plain HTTP")
	if got := append(m.Paths(), plain.Paths()...); len(got) > 0 {
		t.Errorf("asked %v", got)
	}
	hosts["mirror.test:5000"] = remote.Host{Insecure: true}
	r = w.reader(t, remote.Options{Mirrors: copies("mirror.test:5000"), Hosts: hosts})
	if got, err := r.Head(t.Context(), team1, web("registry.test")); err != nil || got.Mirror != "mirror.test:5000" {
		t.Errorf("got %v, %v", got, err)
	}
}

// Blocked and not allowed registries are not dialled; the name that was asked for
// counts, not its mirror's.
func TestReach(t *testing.T) {
	for name, c := range map[string]struct {
		o    remote.Options
		says string // empty: it is asked
	}{
		"allowed":           {remote.Options{Allowed: []string{"registry.test"}}, ""},
		"not allowed":       {remote.Options{Allowed: []string{"quay.io"}}, "registry.test/team1/web is not allowed: add registry.test to allowed-registries in the operator's config"},
		"blocked":           {remote.Options{Blocked: []string{"registry.test/team1"}}, "registry.test/team1/web is blocked: take it out of blocked-registries in the operator's config"},
		"allowed, blocked":  {remote.Options{Allowed: []string{"registry.test"}, Blocked: []string{"*.test"}}, "is blocked"},
		"mirror is not":     {remote.Options{Allowed: []string{"registry.test"}, Blocked: []string{"mirror.test"}, Mirrors: copies("mirror.test")}, ""},
		"mirror is no way":  {remote.Options{Allowed: []string{"mirror.test"}, Mirrors: copies("mirror.test")}, "is not allowed"},
		"past its mirrors":  {remote.Options{Blocked: []string{"registry.test"}, Mirrors: copies("mirror.test")}, "is blocked"},
		"other repository":  {remote.Options{Blocked: []string{"registry.test/team10"}}, ""},
		"other port":        {remote.Options{Allowed: []string{"registry.test:8443"}}, "is not allowed"},
		"its port, written": {remote.Options{Allowed: []string{"registry.test:443"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.registry(t, "registry.test")
			s.On("GET "+manifestV1, manifest(ociImage, webImage))
			r := w.reader(t, c.o, "registry.test")
			_, head := r.Head(t.Context(), team1, web("registry.test"))
			_, tags := r.Tags(t.Context(), team1, web("registry.test").Repo)
			if c.says == "" {
				if head != nil {
					t.Error(head)
				}
				return
			}
			failed(t, head, registry.Forbidden, c.says)
			failed(t, tags, registry.Forbidden, c.says)
			if len(w.dialled) > 0 {
				t.Errorf("dialled %v", w.dialled)
			}
		})
	}
}

// What is blocked is not had by its mirror's own name.
func TestReachOfMirrors(t *testing.T) {
	for ask, blocked := range map[string]string{
		"mirror.test/copies/evil/x":    "registry.test/evil/x is blocked",
		"mirror.test:443/hub/redis":    "docker.io/library/redis is blocked",
		"mirror.test/copies/team1/web": "",
		"mirror.test/evil/x":           "",
	} {
		w := newWorld(t)
		m := w.registry(t, "mirror.test")
		m.On("GET /v2/*", manifest(ociImage, webImage))
		r := w.reader(t, remote.Options{
			Mirrors: append(copies("mirror.test"), remote.Mirror{Prefix: "docker.io", At: []string{"mirror.test/hub"}}),
			Blocked: []string{"registry.test/evil", "docker.io/library"}, Allowed: []string{"mirror.test"},
		}, "mirror.test")
		ref, err := registry.ParseRef(ask)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Head(t.Context(), team1, ref)
		if blocked == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		failed(t, err, registry.Forbidden, blocked)
		if len(w.dialled) > 0 {
			t.Errorf("%s: dialled %v", ask, w.dialled)
		}
	}
}

// Where an allowed registry leads is not subject to the lists.
func TestReachOfAnswers(t *testing.T) {
	w := newWorld(t)
	s, login := w.registry(t, "registry.test"), w.registry(t, "login.test")
	login.On("/token", registrytest.JSON(map[string]string{"token": "a.b.c"}))
	s.On("GET "+manifestV1, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			challenge(`Bearer realm="https://login.test/token"`)(w, r)
			return
		}
		registrytest.Redirect(307, "https://login.test/blob")(w, r)
	})
	login.On("GET /blob", manifest(ociImage, webImage))
	r := w.reader(t, remote.Options{Allowed: []string{"registry.test"}, Blocked: []string{"login.test"}}, "registry.test")
	if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
	if got := login.Paths(); !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, "GET /token") }) {
		t.Errorf("asked %v", got)
	}
}

// What an operator wrote wrongly about reach is said at the start.
func TestReachErrors(t *testing.T) {
	for name, c := range map[string]struct {
		o    remote.Options
		says string
	}{
		"prefix":    {remote.Options{Mirrors: []remote.Mirror{{Prefix: "https://a"}}}, "mirrors[0]"},
		"path":      {remote.Options{Mirrors: []remote.Mirror{{Prefix: "a.test/b/", At: []string{"c.test"}}}}, "mirrors[0]"},
		"none":      {remote.Options{Mirrors: []remote.Mirror{{Prefix: "a.test"}}}, "a.test has no mirrors"},
		"itself":    {remote.Options{Mirrors: []remote.Mirror{{Prefix: "a.test", At: []string{"a.test"}}}}, "mirrors itself"},
		"no room":   {remote.Options{Mirrors: []remote.Mirror{{Prefix: "docker.io/library/redis", At: []string{"b.test"}}}}, "is one repository, and its mirror b.test names none"},
		"twice":     {remote.Options{Mirrors: []remote.Mirror{{Prefix: "a.test", At: []string{"b.test"}}, {Prefix: "A.test", At: []string{"c.test"}}}}, "mirrors[1]: a.test is there twice"},
		"allowed":   {remote.Options{Allowed: []string{"a.test", "*"}}, "allowed-registries[1]"},
		"blocked":   {remote.Options{Blocked: []string{"a.*.test"}}, "blocked-registries[0]"},
		"pair":      {remote.Options{Hosts: map[string]remote.Host{"a.test": {ClientCertFile: "x"}}}, "registry a.test: one of client-cert-file and client-key-file is missing"},
		"no pair":   {remote.Options{Hosts: map[string]remote.Host{"a.test": {ClientCertFile: "x", ClientKeyFile: "y"}}}, "client-cert-file: open x"},
		"both":      {remote.Options{Credentials: []remote.Credential{{File: "a", Directory: "b"}}}, "credentials[0]: neither or both"},
		"directory": {remote.Options{Credentials: []remote.Credential{{Directory: "nowhere", Paths: []string{"{namespace}/**"}}}}, "nowhere"},
		"no paths":  {remote.Options{Credentials: []remote.Credential{{Directory: t.TempDir()}}}, "any author could speak for any namespace"},
		"paths":     {remote.Options{Credentials: []remote.Credential{{Directory: t.TempDir(), Paths: []string{"tenants/x{namespace}/**"}}}}, "has no part {namespace}"},
		"proxy":     {remote.Options{Proxy: remote.Proxy{URL: "ftp://hunter2"}}, "a scheme that is not supported"},
		"its user":  {remote.Options{Proxy: remote.Proxy{URL: "http://u:hunter2@proxy.test"}}, "the URL holds a user or password"},
		"its login": {remote.Options{Proxy: remote.Proxy{URL: "http://proxy.test", PasswordFile: "x"}}, "one of username-file and password-file is missing"},
		"unread":    {remote.Options{Proxy: remote.Proxy{URL: "http://proxy.test", UsernameFile: "x", PasswordFile: "x"}}, "proxy: open x"},
		"no URL":    {remote.Options{Proxy: remote.Proxy{URL: "http://%hunter2"}}, "no URL of a proxy"},
	} {
		_, err := remote.New(c.o)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: got %v, want …%q… and no secret", name, err, c.says)
		}
	}
}
