package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
)

// A mount is a directory of secrets with a reader and a log, and a time that a test
// moves on.
type mount struct {
	t    *testing.T
	dir  string
	keys *keyring
	log  *bytes.Buffer
}

// newMount makes the directory with some files first.
func newMount(t *testing.T, files map[string]string) *mount {
	t.Helper()
	m := &mount{t: t, dir: t.TempDir(), log: new(bytes.Buffer)}
	for name, body := range files {
		m.write(name, body)
	}
	c := Credential{Directory: m.dir, Paths: []string{"tenants/{namespace}/**"}}
	var err error
	if m.keys, err = newKeyring([]Credential{c}, false, slog.New(slog.NewTextHandler(m.log, nil))); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *mount) write(name, body string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mount) link(to, name string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(to, path+".new"); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // as a kubelet swaps it
		m.t.Fatal(err)
	}
}

// later lets the next question look again.
func (m *mount) later() {
	for _, c := range m.keys.credentials {
		c.held.looked = time.Time{}
	}
}

// user is who asks quay.io for a namespace from a file; "" is nobody.
func (m *mount) user(namespace, path string) string {
	who, err := m.keys.choose(m.t.Context(), registry.On{Namespace: namespace, Path: path}, registry.Repo{Host: "quay.io", Path: "a/b"})
	if err != nil {
		m.t.Error(err)
	}
	if who == nil {
		return ""
	}
	return who.username
}

// team is who asks for a namespace from a file of its own, looking again first.
func (m *mount) team(namespace string) string {
	m.later()
	return m.user(namespace, "tenants/"+namespace+"/web.yaml")
}

func (m *mount) expect(namespace, want string) {
	m.t.Helper()
	if got := m.team(namespace); got != want {
		m.t.Errorf("%s is %q, want %q; the log:\n%s", namespace, got, want, m.log)
	}
}

// auths is a dockerconfigjson of a user at quay.io.
func auths(user string) string { return `{"auths":` + dockercfg(user) + `}` }

// dockercfg is the older form.
func dockercfg(user string) string {
	return fmt.Sprintf(`{"quay.io":{"username":%q,"password":"x"}}`, user)
}

// fault: C-26
//
// Each namespace has its own directory and its own part of the repository; no name
// that an author writes leads into another's.
func TestDirectory(t *testing.T) {
	m := newMount(t, map[string]string{
		"team1/.dockerconfigjson":        auths("one"),
		"team2/pull/.dockerconfigjson":   auths("two"),
		"team3/legacy/.dockercfg":        dockercfg("three"),
		"team4/config.json":              auths("four"),
		"team5/token":                    auths("no"), // no name that is read
		"team6/a/b/.dockerconfigjson":    auths("no"), // too deep
		"..2026_01_01/.dockerconfigjson": auths("no"),
		"a.b/.dockerconfigjson":          auths("no"), // no name of a namespace
		"UPPER/.dockerconfigjson":        auths("no"),
		".dockerconfigjson":              auths("no"), // nobody's
		"*/.dockerconfigjson":            auths("no"),
	})
	for _, c := range []struct{ namespace, path, want string }{
		{"team1", "tenants/team1/web.yaml", "one"},
		{"team1", "tenants/team1/deep/web.yaml", "one"},
		{"team2", "tenants/team2/web.yaml", "two"},
		{"team3", "tenants/team3/web.yaml", "three"},
		{"team4", "tenants/team4/web.yaml", "four"},
		{"team5", "tenants/team5/web.yaml", ""},
		{"team6", "tenants/team6/web.yaml", ""},
		// Says that it is another.
		{"team2", "tenants/team1/web.yaml", ""},
		{"team1", "tenants/team2/web.yaml", ""},
		{"team1", "tenants/team10/web.yaml", ""},
		{"team1", "other/team1/web.yaml", ""},
		{"", "tenants/team1/web.yaml", ""},
		// Names that are none.
		{"../team1", "tenants/../team1/web.yaml", ""},
		{"team2/../team1", "tenants/team2/../team1/web.yaml", ""},
		{"team2/pull", "tenants/team2/pull/web.yaml", ""},
		{".", "tenants/./web.yaml", ""},
		{"a.b", "tenants/a.b/web.yaml", ""},
		{"UPPER", "tenants/UPPER/web.yaml", ""},
		{"*", "tenants/*/web.yaml", ""},
		{"*", "tenants/team1/web.yaml", ""},
		{"{team1,team2}", "tenants/team1/web.yaml", ""},
		{"..2026_01_01", "tenants/..2026_01_01/web.yaml", ""},
	} {
		if got := m.user(c.namespace, c.path); got != c.want {
			t.Errorf("%s of %q is %q, want %q", c.path, c.namespace, got, c.want)
		}
	}
	for _, dir := range []string{"a.b", "team5", "team6", "UPPER"} {
		if strings.Count(m.log.String(), "of="+dir+" ") != 1 {
			t.Errorf("the log does not say once what is wrong with %s:\n%s", dir, m.log)
		}
	}
}

// fault: C-26
//
// No link leads out of a namespace's directory.
func TestDirectoryLinks(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(outside, []byte(auths("outside")), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMount(t, map[string]string{"team1/.dockerconfigjson": auths("one")})
	m.link("../team1/.dockerconfigjson", "team2/.dockerconfigjson")
	m.link(outside, "team3/.dockerconfigjson")
	m.link("../team1", "team4/pull")
	m.link(filepath.Dir(outside), "team5")
	m.link("loop", "team6/loop")
	for _, team := range []string{"team2", "team3", "team4", "team5", "team6"} {
		m.expect(team, "")
		if !strings.Contains(m.log.String(), "of="+team) {
			t.Errorf("the log says nothing of %s:\n%s", team, m.log)
		}
	}
	m.expect("team1", "one")
}

// A secret that is swapped, added or removed counts, in each way of mounting.
func TestDirectoryMounts(t *testing.T) {
	for name, swap := range map[string]func(m *mount, version, user string){
		"a file": func(m *mount, _, user string) { m.write("team1/.dockerconfigjson", auths(user)) },
		"a secret": func(m *mount, version, user string) {
			m.write("team1/.."+version+"/.dockerconfigjson", auths(user))
			m.link(".."+version, "team1/..data")
			m.link("..data/.dockerconfigjson", "team1/.dockerconfigjson")
		},
		"a secret of several": func(m *mount, version, user string) {
			m.write("team1/pull/.."+version+"/.dockerconfigjson", auths(user))
			m.link(".."+version, "team1/pull/..data")
			m.link("..data/.dockerconfigjson", "team1/pull/.dockerconfigjson")
		},
		"a projected volume": func(m *mount, version, user string) {
			m.write(".."+version+"/team1/.dockerconfigjson", auths(user))
			m.link(".."+version, "..data")
			m.link("..data/team1", "team1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMount(t, nil)
			m.expect("team1", "")
			swap(m, "one", "first")
			m.expect("team1", "first")
			swap(m, "two", "second")
			if got := m.user("team1", "tenants/team1/a.yaml"); got != "first" {
				t.Errorf("within %s of a look it is %q already", lookAgain, got)
			}
			m.expect("team1", "second")
			if err := os.RemoveAll(filepath.Join(m.dir, "team1")); err != nil {
				t.Fatal(err)
			}
			m.expect("team1", "")
			if log := m.log.String(); strings.Contains(log, "team1") {
				t.Errorf("the log is not quiet:\n%s", log)
			}
		})
	}
}

// fault: P-34
//
// What cannot be read leaves the last that could, with one warning; the others are
// read all the same.
func TestDirectoryTrouble(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"empty":         func(t *testing.T, path string) { overwrite(t, path, "") },
		"half written":  func(t *testing.T, path string) { overwrite(t, path, auths("half")[:30]) },
		"garbage":       func(t *testing.T, path string) { overwrite(t, path, "\x00\x01hunter2") },
		"another thing": func(t *testing.T, path string) { overwrite(t, path, `{"kind":"Secret"}`) },
		"a bad key":     func(t *testing.T, path string) { overwrite(t, path, `{"auths":{"u:hunter2@quay.io":{"auth":"YTpi"}}}`) },
		"too large":     func(t *testing.T, path string) { overwrite(t, path, auths(strings.Repeat("x", 1<<20))) },
		"a directory": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"a pipe": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no permission": func(t *testing.T, path string) {
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := os.ReadFile(path); err == nil { // we are root: nothing but a link out of the directory stops us
				if err := errors.Join(os.Remove(path), os.Symlink("/proc/1/mem", path)); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMount(t, map[string]string{"team1/.dockerconfigjson": auths("one"), "team2/.dockerconfigjson": auths("two")})
			spoil(t, filepath.Join(m.dir, "team1", ".dockerconfigjson"))
			m.write("team2/.dockerconfigjson", auths("new"))
			for range 3 {
				m.expect("team1", "one")
				m.expect("team2", "new")
			}
			if n := strings.Count(m.log.String(), "level=WARN"); n != 1 || strings.Contains(m.log.String(), "hunter2") {
				t.Errorf("%d warnings, want one and no secret:\n%s", n, m.log)
			}
			if err := os.RemoveAll(filepath.Join(m.dir, "team1")); err != nil {
				t.Fatal(err)
			}
			m.write("team1/.dockerconfigjson", "\ufeff"+strings.ReplaceAll(auths("again"), ",", ",\r\n")+"\r\n")
			m.expect("team1", "again")
		})
	}
}

func overwrite(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fault: P-34
//
// While the whole directory is away, what was read stands.
func TestDirectoryAway(t *testing.T) {
	m := newMount(t, map[string]string{"team1/.dockerconfigjson": auths("one")})
	if err := os.Rename(m.dir, m.dir+".away"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m.expect("team1", "one")
	}
	if n := strings.Count(m.log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, m.log)
	}
	if err := os.Rename(m.dir+".away", m.dir); err != nil {
		t.Fatal(err)
	}
	m.write("team1/.dockerconfigjson", auths("back"))
	m.expect("team1", "back")
}

// A healer puts a file back as soon as somebody complains that it is missing.
type healer struct {
	slog.Handler
	heal func()
}

func (h healer) Handle(context.Context, slog.Record) error {
	h.heal()
	return nil
}

// fault: P-34
//
// A secret that is swapped just while it is read is not taken for removed.
func TestDirectorySwappedUnderOurEyes(t *testing.T) {
	m := newMount(t, map[string]string{"team1/.dockerconfigjson": auths("one")})
	d := &directory{
		name: m.dir, paths: []string{"{namespace}"}, last: map[string][]login{}, told: map[string]string{},
		log: slog.New(healer{slog.NewTextHandler(m.log, nil), func() { m.write("team1/.dockerconfigjson", auths("two")) }}),
	}
	for i, want := range []string{"one", "two"} {
		if i > 0 {
			if err := os.Remove(filepath.Join(m.dir, "team1", ".dockerconfigjson")); err != nil {
				t.Fatal(err)
			}
		}
		held, err := d.scan()
		if err != nil || len(held) != 1 || len(held[0].logins) != 1 || held[0].logins[0].auth.Username != want {
			t.Errorf("got %v, %v, want the login of %s", held, err, want)
		}
	}
}

// fault: P-34
//
// A namespace whose directory cannot be opened keeps what was read of it, and nothing of
// another; one that was removed keeps nothing for the day that it comes back.
func TestDirectoryIsNotOpened(t *testing.T) {
	m := newMount(t, map[string]string{"team1/.dockerconfigjson": auths("one"), "team10/.dockerconfigjson": auths("ten")})
	d := &directory{name: m.dir, paths: []string{"{namespace}"}, last: map[string][]login{}, told: map[string]string{}, log: quiet}
	if _, err := d.scan(); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	root.Close() // as when there are no file descriptors left
	there := map[string]bool{}
	if got := d.namespace(root, "team1", there); len(got) != 1 || got[0].auth.Username != "one" {
		t.Errorf("got %v, want the login of one", got)
	}
	if d.forget(there); len(d.last) != 1 {
		t.Errorf("%d files are remembered, want one", len(d.last))
	}

	if err := os.RemoveAll(filepath.Join(m.dir, "team1")); err != nil {
		t.Fatal(err)
	}
	m.expect("team1", "")
	m.write("team1/.dockerconfigjson", "{")
	m.expect("team1", "")
}

// fault: P-34
func TestMountedSize(t *testing.T) {
	for n, fits := range map[int]bool{maxMounted: true, maxMounted + 1: false} {
		body, err := readMounted(os.Open, written(t, strings.Repeat("a", n)))
		if (err == nil) != fits || fits && len(body) != n {
			t.Errorf("%d bytes: got %d, %v", n, len(body), err)
		}
	}
}
