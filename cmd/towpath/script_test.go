package main

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/towpath/towpath/examples"
)

var update = flag.Bool("update", false, "rewrite what the scripts compare with")

// TestMain makes the test binary the program itself where it is called by that
// name, so that scripts run real processes.
func TestMain(m *testing.M) {
	if os.Args[0] == "towpath" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestScripts plays the stories below testdata/script: the program as a process,
// against a repository that git made and a registry on loopback.
//
// A script finds itself in a directory with its own files, where 127.0.0.1:5000 is
// the registry; files that begin with "want" are for comparing. TOWPATH_CONFIG names operator.yaml, which allows that registry
// unless the script brings its own; TOWPATH_REPO names the repository once there is
// one. In what the program prints, digests carry the word that was pushed
// (sha256:one), and COMMIT, TIME and DATE stand for what is never the same twice.
// No output may hold a secret, or a character that commands a terminal; every command sees to that.
//
//	towpath ARGS…            runs the program, which must exit 0
//	exits CODE towpath ARGS… … with that code
//	daemon NAME ARGS…        starts towpath run in the background
//	says NAME REGEXP         waits until its log, from the last match on, matches
//	get NAME PATH            asks its --listen address; prints status and body
//	token FILE VAR           writes a new secret to a file, and into a variable
//	hooksat NAME VAR         puts the URL of its --hooks-listen address into a variable
//	post NAME PATH FILE [BEARER] posts a JSON file there; prints status and body
//	sigterm NAME [CODE]      SIGTERM; it must end within 10 s and exit 0, or with that code
//	kill9 NAME               SIGKILL
//
//	repo [DIR]               makes $repo, a bare repository, of a directory or of examples/NAME
//	streams N DIR            writes N files with a stream each
//	commit MESSAGE DIR       a person commits the files below DIR
//	hook NAME FILE           installs a shell script as a hook of $repo
//	waitlog N                waits until main has N commits, and fails where it has more
//	log                      prints the subjects on main, oldest first
//	show PATH                prints a file at the tip of main
//	moved                    prints the lines that the last commit on main changed
//
//	serve                    serves $repo at $url with git's http-backend, to the user towpath with
//	                         the password that is mounted in secrets/
//	password                 the server takes another password from now on
//	mount                    swaps the mounted password for the one that is right
//	fault N OP FAULT         the next N requests for OP meet a fault; see there
//	faulted                  waits until a request met it
//
//	push REPO:TAG WORD [AGE] pushes an image that WORD alone determines, or that says
//	                         that it was made so long ago
//	untag REPO:TAG           deletes a tag
//	registry HOW             down, up, html, hang, private (wants what pull.json holds);
//	                         asked waits for a request that hangs
//
//	serves NAME ARGS…        starts towpath registry in the background
//	registryat NAME VAR      puts where a daemon serves its registry into a variable
//	pushes HOST/REPO:TAG WORD [USER FILE] pushes with a client of others, and a password;
//	                         prints done, or the status and what is said
//	pulls HOST/REPO:TAG [USER FILE] the same; prints the digest
//	refuses HOST/REPO:TAG USER FILE waits until a pull is answered 401
//	deletes HOST/REPO:TAG [USER FILE]
//	htpasswd FILE USER FILE  writes the password in a file for a user
//
//	kubelet FILE NAME        starts the pod of a manifest as the daemon NAME, against $url
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireUniqueNames: true,
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"towpath": command(0, -1, func(w *world, args []string) { w.run("0", args) }),
			"exits":   command(2, -1, func(w *world, args []string) { w.run(args[0], args[2:]) }),
			"daemon":  command(1, -1, func(w *world, args []string) { w.start(args[0], append([]string{"run"}, args[1:]...)) }),
			"says":    command(2, 2, func(w *world, args []string) { w.says(args[0], args[1]) }),
			"get":     command(2, 2, func(w *world, args []string) { w.get(args[0], args[1]) }),
			"token":   command(2, 2, (*world).token),
			"hooksat": command(2, 2, (*world).hooksAt),
			"post":    command(3, 4, (*world).post),
			"sigterm": command(1, 2, (*world).sigterm),
			"kill9":   command(1, 1, func(w *world, args []string) { w.kill9(args[0]) }),

			"repo":    command(0, 1, (*world).makeRepo),
			"streams": command(2, 2, (*world).makeStreams),
			"commit":  command(2, 2, func(w *world, args []string) { w.git().Commit(w.files(args[1]), args[0]) }),
			"hook":    command(2, 2, func(w *world, args []string) { w.git().Hook(args[0], w.ts.ReadFile(args[1])) }),
			"waitlog": command(1, 1, (*world).waitLog),
			"log":     command(0, 0, (*world).printLog),
			"moved":   command(0, 0, (*world).printMoved),
			"show":    command(1, 1, func(w *world, args []string) { w.print(w.git().Read(args[0])) }),

			"serve":    command(0, 0, (*world).serve),
			"password": command(0, 0, (*world).changePassword),
			"mount":    command(0, 0, (*world).mount),
			"fault":    command(3, 4, (*world).fault),
			"faulted":  command(0, 0, (*world).faulted),

			"push":     command(2, 3, func(w *world, args []string) { w.images.push(w.t, args[0], args[1], args[2:]...) }),
			"untag":    command(1, 1, func(w *world, args []string) { w.images.untag(w.t, args[0]) }),
			"registry": command(1, 1, func(w *world, args []string) { w.images.mood(w.t, args[0]) }),

			"serves":     command(1, -1, func(w *world, args []string) { w.start(args[0], append([]string{"registry"}, args[1:]...)) }),
			"registryat": command(2, 2, (*world).registryAt),
			"pushes":     command(2, 4, (*world).pushes),
			"pulls":      command(1, 3, (*world).pulls),
			"refuses":    command(3, 3, (*world).refuses),
			"deletes":    command(1, 3, (*world).deletes),
			"htpasswd":   command(3, 3, (*world).htpasswd),

			"kubelet": command(2, 2, (*world).kubelet),
		},
	})
}

// worldKey finds the world of a script.
type worldKey struct{}

// command is a command of the scripts with so many arguments; -1 is any number.
func command(least, most int, do func(*world, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least || most >= 0 && len(args) > most {
			ts.Fatalf("this command cannot be used like that; see TestScripts")
		}
		w := ts.Value(worldKey{}).(*world)
		w.ts = ts
		do(w, args)
	}
}

// setup makes the world of one script.
func setup(env *testscript.Env) error {
	w := newWorld(env.T().(testing.TB), env.WorkDir)
	env.Values[worldKey{}] = w
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	if err := os.WriteFile(filepath.Join(env.WorkDir, "pull.json"), []byte(w.images.dockerConfig()), 0o600); err != nil {
		return err
	}
	config := filepath.Join(env.WorkDir, "operator.yaml")
	env.Setenv("TOWPATH_CONFIG", config)
	env.Vars = append(env.Vars, gitEnv...)
	if _, err := os.Stat(config); err != nil {
		text := "registries:\n  - host: " + examples.QuickstartHost + "\n    insecure: true\n"
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return w.expand()
}

// gitEnv is what git needs to be the same everywhere when a script runs it.
var gitEnv = []string{
	"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	"GIT_AUTHOR_NAME=A Person", "GIT_AUTHOR_EMAIL=person@example.com",
	"GIT_COMMITTER_NAME=A Person", "GIT_COMMITTER_EMAIL=person@example.com",
}

// expand puts the registry's address into the script's files, but for those that
// output is compared with.
func (w *world) expand() error {
	return filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), "want") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(src), examples.QuickstartHost, w.images.host)
		return os.WriteFile(path, []byte(text), 0o600)
	})
}
