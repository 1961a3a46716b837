package gitea

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/towpath/towpath/forge/gitea/giteatest"
)

// A tape stands between a test and a Gitea. With a real one it carries requests there and keeps
// the answers in a file; without, it answers from the file, each answer once and to its own
// request, in whatever order those come. A request that is not on it fails the test.
type tape struct {
	*httptest.Server
	t    *testing.T
	file string
	real *giteatest.Server // nil: none

	mu       sync.Mutex
	who      map[string]string // by token
	played   []*exchange       // in the order of recording
	left     map[string][]*exchange
	requests map[string]int // by user agent
	secrets  []string
}

// An exchange is a request and its answer. Git's own protocol is kept in base64, its requests are not.
type exchange struct {
	Who, Method, Path string
	Send              json.RawMessage `json:",omitempty"`
	Status            int
	Header            map[string]string `json:",omitempty"`
	Answer            json.RawMessage   `json:",omitempty"`
	Raw               string            `json:",omitempty"`

	poll bool
}

func (e *exchange) key() string {
	return e.Who + " " + e.Method + " " + e.Path + " " + string(e.Send)
}

// newTape plays what was recorded under a test's name, or records it.
func newTape(t *testing.T, real *giteatest.Server) *tape {
	name := strings.NewReplacer("/", "_", " ", "-").Replace(t.Name())
	p := &tape{
		t: t, real: real, file: filepath.Join("testdata", "recorded", name+".json"),
		who: map[string]string{}, left: map[string][]*exchange{}, requests: map[string]int{},
	}
	if real == nil {
		p.load()
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.Server.Close()
		if real != nil && !t.Failed() {
			p.save()
		}
	})
	return p
}

func (p *tape) load() {
	text, err := os.ReadFile(p.file)
	if err != nil {
		p.t.Fatalf("no answers are recorded: run make test-forge: %v", err)
	}
	if err := json.Unmarshal(text, &p.played); err != nil {
		p.t.Fatal(err)
	}
	for _, e := range p.played {
		e.Send, e.Answer = compact(e.Send), compact(e.Answer)
		p.left[e.key()] = append(p.left[e.key()], e)
	}
}

// save writes what was recorded, an exchange on a line, and no secret. What says nothing new is
// not written.
func (p *tape) save() {
	var out bytes.Buffer
	for i, e := range p.played {
		line, err := json.Marshal(e)
		if err != nil {
			p.t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s%s", []string{"[\n", ",\n"}[min(i, 1)], line)
	}
	out.WriteString("\n]\n")
	for _, secret := range append(p.secrets, p.real.URL, strings.TrimPrefix(p.real.URL, "http://")) {
		if bytes.Contains(out.Bytes(), []byte(secret)) {
			p.t.Fatal("the recording holds a password, a token or a port")
		}
	}
	if was, err := os.ReadFile(p.file); err == nil && alike(was, out.Bytes()) {
		return
	}
	if err := os.MkdirAll(filepath.Dir(p.file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.file, out.Bytes(), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// user makes a user's credential known; without a real Gitea it is one that opens nothing.
func (p *tape) user(name string, u giteatest.User) giteatest.User {
	if p.real == nil {
		u = giteatest.User{Name: name, Token: rand.Text()}
	} else {
		p.secrets = append(p.secrets, u.Token, u.Password)
	}
	p.who[u.Token] = name
	return u
}

// poll is the header of a request that is repeated until its answer is the right one: the last
// is kept.
const poll = "X-Poll"

func (p *tape) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the client has gone
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests[req.UserAgent()]++
	e := &exchange{Who: p.asks(req), Method: req.Method, Path: req.URL.RequestURI(), poll: req.Header.Get(poll) != ""}
	if strings.HasPrefix(e.Path, "/api/") {
		e.Send = compact(body)
	}
	if p.real != nil {
		err = p.record(e, req, body)
	} else {
		err = p.play(e)
	}
	if err != nil {
		p.t.Error(err)
		http.Error(w, `{"message":"nothing is recorded"}`, http.StatusTeapot)
		return
	}
	for name, value := range e.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(e.Status)
	raw, _ := base64.StdEncoding.DecodeString(e.Raw)
	_, _ = w.Write(append(raw, e.Answer...))
}

// asks is the name of who asks.
func (p *tape) asks(req *http.Request) string {
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if _, password, ok := req.BasicAuth(); ok {
		token = password
	}
	if name := p.who[token]; name != "" || token == "" {
		return name
	}
	return "somebody else"
}

func (p *tape) play(e *exchange) error {
	queue := p.left[e.key()]
	if len(queue) == 0 {
		return fmt.Errorf("no answer is recorded, or none is left, for %.300s", e.key())
	}
	p.left[e.key()] = queue[1:]
	e.Status, e.Header, e.Answer, e.Raw = queue[0].Status, queue[0].Header, queue[0].Answer, queue[0].Raw
	return nil
}

func (p *tape) record(e *exchange, req *http.Request, body []byte) error {
	asked, err := http.NewRequestWithContext(req.Context(), req.Method, p.real.URL+e.Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for _, name := range []string{"Authorization", "Accept", "Content-Type", "Content-Encoding", "If-None-Match", "Git-Protocol", "User-Agent"} {
		if values := req.Header.Values(name); len(values) > 0 {
			asked.Header[name] = values
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(asked)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 500 {
		p.t.Logf("Gitea answers %d to %s: %s", resp.StatusCode, e.key(), answer)
	}
	e.Status, e.Header = resp.StatusCode, map[string]string{}
	clean := strings.NewReplacer(p.real.URL, "https://gitea.example")
	for _, name := range []string{"Content-Type", "X-Total-Count", "Link", "Etag", "Last-Modified", "Retry-After", "Www-Authenticate"} {
		if value := resp.Header.Get(name); value != "" {
			e.Header[name] = clean.Replace(value)
		}
	}
	if strings.HasPrefix(e.Path, "/api/") && json.Valid(answer) {
		e.Answer = pruned([]byte(clean.Replace(string(answer))))
	} else {
		e.Raw = base64.StdEncoding.EncodeToString(answer)
	}
	if last := len(p.played) - 1; e.poll && last >= 0 && p.played[last].poll && p.played[last].key() == e.key() {
		p.played = p.played[:last]
	}
	p.played = append(p.played, e)
	return nil
}

// pruned leaves out of an answer what is most of it and of no use: all but a few fields of the
// users and repositories that are part of everything.
func pruned(answer []byte) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil {
		return nil
	}
	out, _ := json.Marshal(prune(value))
	return out
}

func prune(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	case map[string]any:
		_, repository := v["clone_url"]
		_, user := v["login"]
		for name := range v {
			keep := true
			switch {
			case repository:
				keep = name == "id" || name == "name" || name == "full_name" || name == "owner" || strings.HasPrefix(name, "allow_") || name == "default_merge_style"
			case user:
				keep = name == "id" || name == "login"
			}
			if keep {
				v[name] = prune(v[name])
			} else {
				delete(v, name)
			}
		}
	}
	return value
}

func compact(text []byte) json.RawMessage {
	var out bytes.Buffer
	if len(text) == 0 || json.Compact(&out, text) != nil {
		return nil
	}
	return out.Bytes()
}
