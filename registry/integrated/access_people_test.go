package integrated

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// hashed is a line of an htpasswd file.
func hashed(t *testing.T, name, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return name + ":" + string(hash) + "\n"
}

// A file of users that is no such thing is refused, with the line and what to do, and without
// what it holds.
func TestUsersFile(t *testing.T) {
	good := hashed(t, "alice", rand.Text())
	hash := strings.TrimSpace(strings.TrimPrefix(good, "alice:"))
	for src, want := range map[string]string{
		"": "", "\n# nobody yet\n": "", good: "", "  " + good + "\r\n": "",
		strings.Replace(good, "$2a$", "$2y$", 1):                 "", // as htpasswd writes it
		"bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n":                "line 1: the password of bob is not hashed with bcrypt; write it with: htpasswd -B FILE bob",
		good + "bob:$apr1$x$y\n":                                 "line 2: the password of bob is not hashed with bcrypt; write it with: htpasswd -B FILE bob",
		"bob:secret\n":                                           "line 1: the password of bob is not hashed with bcrypt; write it with: htpasswd -B FILE bob",
		"bob:" + hash[:59] + "\n":                                "line 1: the password of bob is not hashed with bcrypt; write it with: htpasswd -B FILE bob",
		"bob:" + strings.Replace(hash, "$04$", "$31$", 1) + "\n": "line 1: the hash of bob costs 2^31 steps for each login; write it with: htpasswd -B -C 10 FILE bob",
		"secret\n":         "line 1 is not NAME:HASH; write it with: htpasswd -B FILE NAME",
		":" + hash + "\n":  "line 1 is not NAME:HASH; write it with: htpasswd -B FILE NAME",
		"*:" + hash + "\n": "line 1 is not NAME:HASH; write it with: htpasswd -B FILE NAME",
		good + good:        "line 2: the user alice is there twice; remove one of the lines",
	} {
		_, err := parseUsers([]byte(src))
		if got := text(err); got != want {
			t.Errorf("%q: got %q, want %q", src, got, want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzUsersFile(f *testing.F) {
	f.Add([]byte("alice:$2y$10$" + strings.Repeat("a", 53) + "\n"))
	f.Add([]byte("# nobody\n\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="))
	f.Fuzz(func(t *testing.T, src []byte) {
		users, err := parseUsers(src)
		if err != nil && users.hashes != nil {
			t.Errorf("users beside an error: %v", err)
		}
		for name, hash := range users.hashes {
			cost, err := bcrypt.Cost(hash)
			if !isUser(name) || len(hash) != 60 || err != nil || cost > mostCost {
				t.Errorf("%q %q was taken", name, hash)
			}
		}
	})
}

// Rules that do not say who somebody is are refused at start.
func TestPeopleThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	secret := rand.Text()
	users := write(t, dir, "users", hashed(t, "alice", rand.Text()))
	one, same := write(t, dir, "one", secret), write(t, dir, "same", " "+secret+"\n")
	short, two, empty := write(t, dir, "short", "19 characters, only"), write(t, dir, "two", secret+"\n"+secret), write(t, dir, "empty", "")
	for name, c := range map[string]struct {
		users  string
		tokens []Token
		want   string
	}{
		"one":         {users, []Token{{"robot", one}}, ""},
		"the same":    {"", []Token{{"a", one}, {"b", same}}, "the tokens a and b are the same"},
		"a name":      {"", []Token{{"a", one}, {"a", users}}, "the name a is there twice"},
		"a user":      {users, []Token{{"alice", one}}, "the name alice is there twice"},
		"short":       {"", []Token{{"a", short}}, "openssl rand -hex 32"},
		"two":         {"", []Token{{"a", two}}, "openssl rand -hex 32"},
		"empty":       {"", []Token{{"a", empty}}, "openssl rand -hex 32"},
		"no token":    {"", []Token{{"a", filepath.Join(dir, "none")}}, "none"},
		"no users":    {filepath.Join(dir, "none"), nil, "none"},
		"a directory": {dir, nil, "directory"},
	} {
		_, err := newPeople(c.users, c.tokens, time.Now(), slog.New(slog.DiscardHandler))
		if got := text(err); c.want == "" && err != nil || !strings.Contains(got, c.want) || strings.Contains(got, secret) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// Files are read again when they change. A file that is gone opens nothing, a token's that is
// broken neither; a broken file of users leaves what was. The log says so once.
func TestFilesReadAgain(t *testing.T) {
	dir, was, is := t.TempDir(), rand.Text(), rand.Text()
	token, fresh := rand.Text(), rand.Text()
	users, file := write(t, dir, "users", hashed(t, "alice", was)), write(t, dir, "token", token)
	var log bytes.Buffer
	now := time.Now()
	p, err := newPeople(users, []Token{{"robot", file}}, now, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	who := func(name, secret string) string {
		t.Helper()
		got, _ := p.who(t.Context(), "here", name, secret, now)
		return got.name
	}
	check := func(what string, want map[string]string) {
		t.Helper()
		for secret, name := range want {
			if got := who("alice", secret); got != name {
				t.Errorf("%s: got %q, want %q", what, got, name)
			}
		}
	}
	replace := func(file, text string) {
		t.Helper()
		if err := os.Rename(write(t, dir, "next", text), file); err != nil {
			t.Fatal(err)
		}
	}
	check("at first", map[string]string{was: "alice", token: "robot", is: "", fresh: ""})
	replace(users, hashed(t, "alice", is))
	replace(file, fresh)
	check("within a second", map[string]string{was: "alice", token: "robot", is: ""})
	now = now.Add(lookAgain)
	check("then", map[string]string{was: "", is: "alice", token: "", fresh: "robot"})
	replace(users, "alice:secret\n")
	replace(file, "short")
	log.Reset()
	for range 3 {
		now = now.Add(lookAgain)
		check("broken", map[string]string{is: "alice", fresh: "", "secret": "", "short": ""})
	}
	if got := log.String(); strings.Count(got, "level=WARN") != 2 || !strings.Contains(got, "htpasswd -B FILE alice") || strings.Contains(got, ":secret") {
		t.Errorf("the log has:\n%s", got)
	}
	if err := errors.Join(os.Remove(users), os.Remove(file)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookAgain)
	log.Reset()
	check("gone", map[string]string{is: "", fresh: ""})
	if got := log.String(); !strings.Contains(got, "its users cannot log in until it is right") || !strings.Contains(got, "its token cannot log in until it is right") {
		t.Errorf("the log has:\n%s", got)
	}
	replace(file, "short again")
	replace(users, "alice:secret\n")
	now = now.Add(lookAgain)
	check("gone, and then broken", map[string]string{is: "", fresh: "", "short again": ""})
	replace(users, hashed(t, "alice", is))
	now = now.Add(lookAgain)
	check("users back", map[string]string{is: "alice", fresh: ""})
	replace(file, fresh)
	replace(users, "")
	now = now.Add(lookAgain)
	check("back, and no users any more", map[string]string{is: "", fresh: "robot"})
}

// A secret that was replaced within one tick of a coarse clock, by another of the same length, opens
// nothing any more; and what was emptied in its place neither.
func TestSecretsReplacedInPlace(t *testing.T) {
	t.Parallel()
	old, next := rand.Text(), rand.Text()
	for name, text := range map[string]string{"same tick": next, "emptied": "", "made too short": "revoked"} {
		file := write(t, t.TempDir(), "token", old)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		now := info.ModTime()
		p, err := newPeople("", []Token{{"robot", file}}, now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if p.robot(old, now) != "robot" {
			t.Errorf("%s: it did not open before", name)
		}
		write(t, "", file, text)
		if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(lookAgain)
		if p.robot(old, now) != "" || name == "same tick" && p.robot(next, now) != "robot" {
			t.Errorf("%s: the old token still opens", name)
		}
	}
}

// A name that is not there takes as long as the dearest that is, however cheap that is.
func TestUnknownNamesTakeAsLong(t *testing.T) {
	t.Parallel()
	of := func(cost int) string {
		hash, err := bcrypt.GenerateFromPassword([]byte(rand.Text()), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	}
	for _, costs := range [][]int{{4}, {4, 6, 5}, {5}} {
		var src strings.Builder
		for i, cost := range costs {
			fmt.Fprintf(&src, "u%d:%s\n", i, of(cost))
		}
		file := write(t, t.TempDir(), "users", src.String())
		p, err := newPeople(file, nil, time.Now(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if _, bad := p.who(t.Context(), "here", "nobody", "x", now); bad == nil {
			t.Error("nobody was let in")
		}
		dearest := p.userTable(now).dearest
		if cost, err := bcrypt.Cost(dearest); err != nil || cost != slices.Max(costs) {
			t.Errorf("%v: checked at %d, %v", costs, cost, err)
		}
		if _, checked := p.verdicts.get(p.idOf("nobody", "x", dearest)); !checked {
			t.Errorf("%v: an unknown name was not checked against anything that takes its time", costs)
		}
	}
	// The password of that hash is not one for every name.
	password := rand.Text()
	p, err := newPeople(write(t, t.TempDir(), "users", hashed(t, "alice", password)), nil, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if who, bad := p.who(t.Context(), "here", "nobody", password, time.Now()); bad == nil {
		t.Errorf("got %+v", who)
	}
}

// One address with wrong passwords leaves others their places.
func TestPasswordsOfOneAddress(t *testing.T) {
	t.Parallel()
	password := rand.Text()
	p, err := newPeople(write(t, t.TempDir(), "users", hashed(t, "alice", password)), nil, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p.check <- struct{}{} // the checks stand still
	gone, leave := context.WithCancel(t.Context())
	leave()
	turned := 0
	for range 2 * waitForCheck {
		if _, bad := p.who(gone, "address 203.0.113.7", "nobody", rand.Text(), now); bad.after == 5*time.Second {
			turned++
		}
	}
	if turned != 2*waitForCheck-waitForClient {
		t.Errorf("%d turned away", turned)
	}
	let := make(chan principal)
	go func() {
		who, _ := p.who(t.Context(), "address 198.51.100.1", "alice", password, now)
		let <- who
	}()
	<-p.check
	if who := <-let; who.name != "alice" {
		t.Errorf("from another address, with the right password: %+v", who)
	}
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		p.mu.Lock()
		left := len(p.waiting) + len(p.slots)
		p.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d places are taken for ever", left)
		}
	}
}

// A flood of wrong passwords is turned away while few are checked; who was let in before is let
// in all the while.
func TestFloodOfPasswords(t *testing.T) {
	dir, password := t.TempDir(), rand.Text()
	p, err := newPeople(write(t, dir, "users", hashed(t, "alice", password)), nil, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if who, bad := p.who(t.Context(), "here", "alice", password, now); bad != nil || who.name != "alice" {
		t.Fatalf("got %v, %v", who, bad)
	}
	p.check <- struct{}{} // the checks stand still
	gone, leave := context.WithCancel(t.Context())
	leave() // these clients do not wait for their answers, and still take places
	var turned, waiting atomic.Int32
	var all sync.WaitGroup
	for n := range 10 * waitForCheck {
		all.Go(func() {
			_, bad := p.who(gone, fmt.Sprint(n), "alice", rand.Text(), now)
			if bad == nil || bad.status != http.StatusTooManyRequests || bad.after == 0 {
				t.Errorf("got %+v", bad)
			}
			if bad.after == 5*time.Second {
				turned.Add(1)
			} else {
				waiting.Add(1)
			}
		})
	}
	all.Wait()
	if turned.Load() != 9*waitForCheck || waiting.Load() != waitForCheck {
		t.Errorf("%d turned away, %d wait", turned.Load(), waiting.Load())
	}
	if who, bad := p.who(t.Context(), "here", "alice", password, now); bad != nil || who.name != "alice" {
		t.Errorf("got %v, %v", who, bad)
	}
	<-p.check
}

// A password of more than bcrypt looks at is none, so that its beginning is not enough.
func TestLongPassword(t *testing.T) {
	dir, password := t.TempDir(), strings.Repeat(rand.Text(), 3)[:longestForHash]
	p, err := newPeople(write(t, dir, "users", hashed(t, "alice", password)), nil, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]string{password: "alice", password + "x": "", password[:71]: ""} {
		if who, _ := p.who(t.Context(), "here", "alice", secret, time.Now()); who.name != want {
			t.Errorf("%d characters: got %q", len(secret), who.name)
		}
	}
}

// What was checked is remembered up to a number, without the password.
func TestRemembered(t *testing.T) {
	l := newLRU[int, bool](2)
	l.put(1, true)
	l.put(2, false)
	l.get(1)
	l.put(3, true)
	if _, there := l.get(2); there || l.order.Len() != 2 || len(l.at) != 2 {
		t.Error("what was used longest ago is still there")
	}
	if value, there := l.get(1); !there || !value {
		t.Error("what was used is gone")
	}
}
