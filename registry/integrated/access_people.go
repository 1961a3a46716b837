package integrated

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"
)

// A Token is a robot's: its name, and the file that holds its secret.
type Token struct{ Name, File string }

const (
	leastSecret    = 20     // characters of a token
	mostCost       = 14     // of a bcrypt hash: about a second
	mostUsers      = 10_000 // lines of a users file
	remembered     = 10_000 // passwords that were checked
	waitForCheck   = 64     // passwords that wait to be checked
	waitForClient  = 8      // of those, of one address
	checkedAtOnce  = 1      // bcrypt takes a core, and others need the rest
	longestForHash = 72     // bytes of a password that bcrypt looks at
)

// people are who may log in. Their files are read again when they change.
type people struct {
	users  *watched[roll] // nil: no file
	tokens []*watched[[sha256.Size]byte]
	names  []string // of the tokens
	key    []byte   // of the hashes by which passwords are remembered

	slots chan struct{} // of passwords that wait, or are being checked
	check chan struct{} // of those that are being checked
	once  singleflight.Group

	mu       sync.Mutex
	verdicts *lru[[sha256.Size]byte, bool] // by a hash of name, password and the hash they are checked against
	waiting  map[string]int                // slots, by client
}

// A roll is the users of a file.
type roll struct {
	hashes map[string][]byte // bcrypt, by name
	// dearest is the hash that takes longest to check. Names that are not there are checked
	// against it, so that how long it takes does not tell.
	dearest []byte
}

// newPeople reads the files; the error says which is wrong, and what to do.
func newPeople(usersFile string, tokens []Token, now time.Time, log *slog.Logger) (*people, error) {
	p := &people{
		key:      make([]byte, 32),
		slots:    make(chan struct{}, waitForCheck),
		check:    make(chan struct{}, checkedAtOnce),
		verdicts: newLRU[[sha256.Size]byte, bool](remembered),
		waiting:  map[string]int{},
	}
	_, _ = rand.Read(p.key) // never fails
	if usersFile != "" {
		p.users = &watched[roll]{path: usersFile, parse: parseUsers, log: log, opens: "its users", keeps: true}
		if err := p.users.open(now); err != nil {
			return nil, err
		}
	}
	for _, t := range tokens {
		w := &watched[[sha256.Size]byte]{path: t.File, parse: parseToken, log: log, opens: "its token"}
		if err := w.open(now); err != nil {
			return nil, fmt.Errorf("token %s: %w", t.Name, err)
		}
		p.tokens, p.names = append(p.tokens, w), append(p.names, t.Name)
	}
	return p, p.distinct(now)
}

// distinct says which names or tokens are there twice: then nobody knows who comes.
func (p *people) distinct(now time.Time) error {
	users := p.userTable(now).hashes
	secrets, names := map[[sha256.Size]byte]string{}, map[string]bool{}
	for i, t := range p.tokens {
		secret, name := t.value, p.names[i]
		if _, user := users[name]; user || names[name] {
			return fmt.Errorf("the name %s is there twice, among users and tokens; give one of them another name", name)
		}
		if other := secrets[secret]; other != "" {
			return fmt.Errorf("the tokens %s and %s are the same; make one of them anew: openssl rand -hex 32 > %s", other, name, t.path)
		}
		secrets[secret], names[name] = name, true
	}
	return nil
}

// known reports whether anybody may log in at all, by the configuration.
func (p *people) known() bool { return p.users != nil || len(p.tokens) > 0 }

func (p *people) userTable(now time.Time) roll {
	if p.users == nil {
		return roll{}
	}
	users, _ := p.users.get(now)
	return users
}

// has reports whether a user or a token is called so.
func (p *people) has(name string, now time.Time) bool {
	_, user := p.userTable(now).hashes[name]
	return user || slices.Contains(p.names, name)
}

// who is the principal of a name and secret that a client sends. A token is a robot whatever the
// name.
func (p *people) who(ctx context.Context, client, name, secret string, now time.Time) (principal, *refusal) {
	if robot := p.robot(secret, now); robot != "" {
		return principal{name: robot}, nil
	}
	users := p.userTable(now)
	if len(users.hashes) == 0 || name == "" || len(secret) > longestForHash {
		return principal{}, wrongPassword()
	}
	hash, there := users.hashes[name]
	if !there {
		hash = users.dearest
	}
	right, bad := p.checked(ctx, client, name, secret, hash)
	if bad != nil {
		return principal{}, bad
	}
	if !right || !there {
		return principal{}, wrongPassword()
	}
	return principal{name: name}, nil
}

// robot is the name of the token's owner, or empty. It looks at all of them, always.
func (p *people) robot(secret string, now time.Time) string {
	sum, found := sha256.Sum256([]byte(secret)), ""
	for i, t := range p.tokens {
		if want, open := t.get(now); subtle.ConstantTimeCompare(sum[:], want[:]) == 1 && open && found == "" {
			found = p.names[i]
		}
	}
	return found
}

// checked reports whether a password fits a hash. What was checked once is remembered
// together with the hash, so a new password in the file ends the old one at once.
func (p *people) checked(ctx context.Context, client, name, secret string, hash []byte) (bool, *refusal) {
	id := p.idOf(name, secret, hash)
	p.mu.Lock()
	right, known := p.verdicts.get(id)
	p.mu.Unlock()
	if known {
		return right, nil
	}
	if !p.reserve(client) {
		return false, later(http.StatusTooManyRequests, "too many passwords wait to be checked; try again in a moment", 5*time.Second)
	}
	done := p.once.DoChan(string(id[:]), func() (any, error) {
		p.check <- struct{}{}
		defer func() { <-p.check }()
		right := bcrypt.CompareHashAndPassword(hash, []byte(secret)) == nil
		p.mu.Lock()
		defer p.mu.Unlock()
		p.verdicts.put(id, right)
		return right, nil
	})
	select {
	case r := <-done:
		p.free(client)
		return r.Val.(bool), nil
	case <-ctx.Done():
		// The check goes on, and its place is taken until it ends: who hangs up gains nothing.
		go func() {
			<-done
			p.free(client)
		}()
		return false, later(http.StatusTooManyRequests, "the client left before its password was checked", time.Second)
	}
}

// reserve takes a slot for a client, if there is one. No client has all of them: who sends wrong
// passwords without end keeps nobody else out.
func (p *people) reserve(client string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting[client] >= waitForClient {
		return false
	}
	select {
	case p.slots <- struct{}{}:
		p.waiting[client]++
		return true
	default:
		return false
	}
}

func (p *people) free(client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	<-p.slots
	if p.waiting[client]--; p.waiting[client] == 0 {
		delete(p.waiting, client)
	}
}

// idOf is a hash of a name and password that says nothing to who does not have the key.
func (p *people) idOf(name, secret string, hash []byte) (id [sha256.Size]byte) {
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%d %s %d %s %s", len(name), name, len(secret), secret, hash)
	mac.Sum(id[:0])
	return id
}

// parseUsers reads an htpasswd file. The error tells the line, and no hash.
func parseUsers(src []byte) (roll, error) {
	users, most := roll{hashes: map[string][]byte{}}, 0
	lines := bufio.NewScanner(bytes.NewReader(src))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if !ok || !isUser(name) {
			return roll{}, fmt.Errorf("line %d is not NAME:HASH; write it with: htpasswd -B FILE NAME", n)
		}
		cost, err := bcrypt.Cost([]byte(hash))
		switch {
		case err != nil || !isBcrypt(hash):
			return roll{}, fmt.Errorf("line %d: the password of %s is not hashed with bcrypt; write it with: htpasswd -B FILE %s", n, name, name)
		case cost > mostCost:
			return roll{}, fmt.Errorf("line %d: the hash of %s costs 2^%d steps for each login; write it with: htpasswd -B -C 10 FILE %s", n, name, cost, name)
		case users.hashes[name] != nil:
			return roll{}, fmt.Errorf("line %d: the user %s is there twice; remove one of the lines", n, name)
		case len(users.hashes) == mostUsers:
			return roll{}, fmt.Errorf("line %d: there are more than %d users; use tokens for machines", n, mostUsers)
		}
		users.hashes[name] = []byte(hash)
		if cost > most {
			users.dearest, most = []byte(hash), cost
		}
	}
	if err := lines.Err(); err != nil {
		return roll{}, err
	}
	return users, nil
}

// isUser reports whether a name can stand in rules: nothing that hides in a log, and not *.
func isUser(name string) bool {
	return name != "" && len(name) <= 128 && name != "*" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-") == ""
}

// isBcrypt reports whether a hash is whole: the kind, the cost, 22 and 31 characters.
func isBcrypt(hash string) bool {
	return len(hash) == 60 && (strings.HasPrefix(hash, "$2y$") || strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$"))
}

// parseToken is the hash of the secret in a file.
func parseToken(src []byte) ([sha256.Size]byte, error) {
	secret := strings.TrimSpace(string(src))
	if len(secret) < leastSecret || len(secret) > longestToken || strings.ContainsAny(secret, " \t\r\n") {
		return [sha256.Size]byte{}, fmt.Errorf("it does not hold one token of %d to %d characters; write one with: openssl rand -hex 32 > FILE", leastSecret, longestToken)
	}
	return sha256.Sum256([]byte(secret)), nil
}

const longestToken = 1024

// missing reports whether a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
