// Package giteatest starts a real Gitea for tests, on this machine alone, with users and
// repositories as a test wants them.
//
// It is for tests only, and for those that make test-forge runs: the server's program is
// what TOWPATH_GITEA names. It knows Gitea's command line, configuration and administration,
// and nothing of towpath.
package giteatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// Binary is the program that make test-forge has built; empty: tests are not to start any.
// What it serves beside stands in the directory static next to it.
func Binary() string { return os.Getenv("TOWPATH_GITEA") }

// A Server is a Gitea that runs.
type Server struct {
	URL   string // http://127.0.0.1:PORT
	Admin User

	dir     string
	process *exec.Cmd
	hold    io.Closer // while it is open the server runs: it ends with whoever started it
}

// A User is one of a Server's. Password and Token are made at run time.
type User struct{ Name, Password, Token string }

const (
	startTime = 90 * time.Second
	askTime   = 30 * time.Second
)

// Start starts a server that keeps everything in an empty directory.
func Start(dir string) (*Server, error) {
	binary, err := filepath.Abs(Binary())
	if err != nil || Binary() == "" {
		return nil, errors.New("TOWPATH_GITEA names no program: run make test-forge")
	}
	s := &Server{dir: dir, Admin: User{Name: "admin1", Password: rand.Text()}}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + address
	if err := s.configure(filepath.Join(filepath.Dir(binary), "static")); err != nil {
		return nil, err
	}
	if _, err := s.command(binary, "migrate"); err != nil {
		return nil, err
	}
	if _, err := s.command(binary, "admin", "user", "create", "--username", s.Admin.Name, "--password", s.Admin.Password,
		"--email", s.Admin.Name+"@example.test", "--admin", "--must-change-password=false"); err != nil {
		return nil, err
	}
	out, err := s.command(binary, "admin", "user", "generate-access-token", "--username", s.Admin.Name, "--token-name", "t", "--scopes", "all", "--raw")
	if err != nil {
		return nil, err
	}
	lines := strings.Fields(out)
	if len(lines) == 0 {
		return nil, errors.New("gitea made no token")
	}
	s.Admin.Token = lines[len(lines)-1]
	if err := s.run(binary); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// freeAddress is one that nobody listens on now. Gitea cannot choose one by itself.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *Server) config() string { return filepath.Join(s.dir, "custom", "conf", "app.ini") }

// configure writes the configuration. The server writes more secrets into it.
func (s *Server) configure(static string) error {
	who, err := user.Current()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(static, "templates")); err != nil {
		return fmt.Errorf("beside gitea stands no static/templates: run make test-forge: %w", err)
	}
	for _, dir := range []string{"custom/conf", "data", "repos", "log"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			return err
		}
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		return err
	}
	text := strings.NewReplacer("@USER@", who.Username, "@DIR@", s.dir, "@PORT@", port, "@STATIC@", static, "@SECRET@", rand.Text()).Replace(ini)
	return os.WriteFile(s.config(), []byte(text), 0o600)
}

const ini = `APP_NAME = test
RUN_USER = @USER@
RUN_MODE = prod
WORK_PATH = @DIR@

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = @PORT@
ROOT_URL = http://127.0.0.1:@PORT@/
DOMAIN = 127.0.0.1
STATIC_ROOT_PATH = @STATIC@
APP_DATA_PATH = @DIR@/data
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = @DIR@/data/gitea.db
LOG_SQL = false

[repository]
ROOT = @DIR@/repos
DEFAULT_BRANCH = main

[security]
INSTALL_LOCK = true
SECRET_KEY = @SECRET@

[service]
DISABLE_REGISTRATION = true

[log]
MODE = file
LEVEL = Warn
ROOT_PATH = @DIR@/log

[indexer]
ISSUE_INDEXER_TYPE = db

[cron]
ENABLED = false

[actions]
ENABLED = false

[packages]
ENABLED = false

[webhook]
ALLOWED_HOST_LIST = loopback
`

func (s *Server) environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C", "TZ=UTC",
		"GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true", // a container's only user often is
	}
}

// command runs the program to its end. What it was told stays out of errors: it holds passwords.
func (s *Server) command(binary string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--config", s.config(), "--work-path", s.dir}, args...)...)
	cmd.Env, cmd.Dir = s.environment(), s.dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("gitea %s: %w: %s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return string(out), nil
}

// run starts the server below a shell that ends it as soon as nobody holds the other end of its
// standard input, however that came.
func (s *Server) run(binary string) error {
	const script = `"$0" "$@" & server=$!; read never; kill $server; wait $server`
	out, err := os.Create(filepath.Join(s.dir, "log", "web.out"))
	if err != nil {
		return err
	}
	defer out.Close()
	s.process = exec.Command("sh", "-c", script, binary, "--config", s.config(), "--work-path", s.dir, "web")
	s.process.Env, s.process.Dir, s.process.Stdout, s.process.Stderr = s.environment(), s.dir, out, out
	hold, err := s.process.StdinPipe()
	if err != nil {
		return err
	}
	s.hold = hold
	if err := s.process.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(startTime); ; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get(s.URL + "/api/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			said, _ := os.ReadFile(out.Name())
			return fmt.Errorf("gitea was not up after %v: %v: %s", startTime, err, said)
		}
	}
	// Another program may have taken the port meanwhile: only this one knows the token.
	return s.Ask(s.Admin, http.MethodGet, "/user", nil, nil)
}

// Stop ends the server, and returns when it is gone.
func (s *Server) Stop() {
	if s.hold != nil {
		s.hold.Close()
		_ = s.process.Wait() // it was killed
		s.hold = nil
	}
}

// Ask sends a request to the API as a user, by token or, without one, by password. Send and
// into are JSON, or nil.
func (s *Server) Ask(as User, method, path string, send, into any) error {
	text, err := json.Marshal(send)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if as.Token != "" {
		req.Header.Set("Authorization", "token "+as.Token)
	} else {
		req.SetBasicAuth(as.Name, as.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}

// User makes a user, whose token may do what the scopes say: write:repository and
// write:issue are what towpath needs.
func (s *Server) User(name string, scopes ...string) (User, error) {
	u := User{Name: name, Password: rand.Text()}
	err := s.Ask(s.Admin, http.MethodPost, "/admin/users", map[string]any{
		"username": name, "email": name + "@example.test", "password": u.Password, "must_change_password": false,
	}, nil)
	if err != nil {
		return u, err
	}
	var made struct {
		Token string `json:"sha1"`
	}
	err = s.Ask(u, http.MethodPost, "/users/"+name+"/tokens", map[string]any{"name": "t", "scopes": scopes}, &made)
	u.Token = made.Token
	return u, err
}

// Repo makes a public repository of a user's, whose branch main has one commit, and lets others write to it.
func (s *Server) Repo(owner User, name string, writers ...string) error {
	err := s.Ask(s.Admin, http.MethodPost, "/admin/users/"+owner.Name+"/repos", map[string]any{"name": name, "auto_init": true, "default_branch": "main"}, nil)
	if err != nil {
		return err
	}
	for _, writer := range writers {
		err := s.Ask(s.Admin, http.MethodPut, "/repos/"+owner.Name+"/"+name+"/collaborators/"+writer, map[string]any{"permission": "write"}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// Git is where a repository is cloned from and pushed to; the token is the password, of any user.
func (s *Server) Git(owner, name string) string { return s.URL + "/" + owner + "/" + name + ".git" }
