package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/spf13/cobra"

	"github.com/towpath/towpath/examples"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/counter"
	"github.com/towpath/towpath/registry/integrated"
)

// demoPatience is how long the demo waits for a commit.
const demoPatience = 20 * time.Second

func newDemo(a *app) *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use: "demo", Short: "See it work, on this machine alone", Args: cobra.NoArgs,
		Long: `Make a bare Git repository from examples/quickstart and a registry on loopback, push an
image, and run the daemon over both: first the status commit, then the trigger commit. Push
a newer image under the same tag, and watch both again. At last push an image that no stream
names to towpath's own registry, and see its stream appear. Everything is removed at the
end, unless --keep leaves it running to play with.`,
		Example: "  towpath demo\n  towpath demo --keep",
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave it running until interrupted")
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := os.MkdirTemp("", "towpath-demo-")
		if err != nil {
			return failed(err)
		}
		defer os.RemoveAll(dir)
		d := demo{out: a.stdout, dir: dir, repo: filepath.Join(dir, "streams.git"), commits: make(chan reconcile.Report, 16)}
		return failed(d.play(c.Context(), a, keep))
	}
	return c
}

// demo is a repository, a registry and a daemon with a registry of its own, all on this machine.
type demo struct {
	out        io.Writer
	dir, repo  string
	host, conf string
	own        net.Listener          // of the daemon's registry
	commits    chan reconcile.Report // of passes that committed
}

func (d *demo) play(ctx context.Context, a *app, keep bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped, err := d.serveRegistry(ctx)
	if err != nil {
		return err
	}
	defer stopped()
	if d.own, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	defer d.own.Close()
	if err := d.makeRepository(); err != nil {
		return err
	}
	d.say("A bare Git repository with an image stream and a Deployment that follows it: %s", d.repo)
	d.say("A registry: http://%s", d.host)
	digest, err := push(d.host+"/team1/web:1.4", "the first build")
	if err != nil {
		return err
	}
	d.say("Pushed %s/team1/web:1.4, which is %s", d.host, shortDigest(digest))

	ended, err := d.startDaemon(ctx, a)
	if err != nil {
		return err
	}
	d.say("Started the daemon. It asks the registry, and commits:")
	if err := d.watch(ctx, ended, reconcile.TriggerCommit); err != nil {
		return err
	}
	if digest, err = push(d.host+"/team1/web:1.4", "a newer build"); err != nil {
		return err
	}
	d.say("Pushed a newer image under the same tag: %s. The daemon notices:", shortDigest(digest))
	if err := d.watch(ctx, ended, reconcile.TriggerCommit); err != nil {
		return err
	}
	if _, err = push(d.own.Addr().String()+"/demo/api:1.0", "another program"); err != nil {
		return err
	}
	d.say("Pushed %s/demo/api:1.0 to towpath's own registry. No stream names it, so it makes one, at once:", d.own.Addr())
	if err := d.watch(ctx, ended, reconcile.StatusCommit); err != nil {
		return err
	}
	if keep {
		d.invite()
		<-ctx.Done()
	} else {
		d.say("That is all: Git holds what runs, and why. Next: towpath demo --keep, or your own repository (README.md).")
	}
	cancel()
	return <-ended
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, "==> "+format+"\n", args...) }

func (d *demo) serveRegistry(ctx context.Context) (stop func(), err error) {
	reg, err := integrated.New(ctx, integrated.Options{})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.host = ln.Addr().String()
	srv := &http.Server{Handler: reg, ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(ln)
	return func() { srv.Close(); reg.Close() }, nil
}

// makeRepository fills a bare repository with the quickstart, and writes the
// operator's config for this machine's registry.
func (d *demo) makeRepository() error {
	var files []gitstore.Edit
	err := fs.WalkDir(examples.Quickstart, "quickstart", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		src, err := examples.Quickstart.ReadFile(path)
		text := strings.ReplaceAll(string(src), examples.QuickstartHost, d.host)
		if e.Name() == reconcile.ConfigPath {
			text += fmt.Sprintf("registry: # towpath's own\n  host: %s\n  streams: {demo: streams} # where a first push makes a stream\n", d.own.Addr())
		}
		files = append(files, gitstore.Edit{Path: strings.TrimPrefix(path, "quickstart/"), Content: []byte(text)})
		return err
	})
	if err != nil {
		return err
	}
	you := gitstore.Person{Name: "You", Email: "you@localhost"}
	if err := gogit.Init(d.repo, "main", gitstore.Commit{Edits: files, Message: "our streams and deployments", Author: you, When: time.Now()}); err != nil {
		return err
	}
	d.conf = filepath.Join(d.dir, "operator.yaml")
	conf := fmt.Sprintf("repo: %s\nregistries:\n  - host: %q\n    insecure: true\n", d.repo, d.host)
	return os.WriteFile(d.conf, []byte(conf), 0o600)
}

// push puts a small image into a registry, and returns its digest.
func push(reference, content string) (string, error) {
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return "", err
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), types.OCILayer))
	if err == nil {
		img, err = mutate.CreatedAt(img, v1.Time{Time: time.Now()})
	}
	if err == nil {
		err = ggcr.Write(ref, img)
	}
	if err != nil {
		return "", err
	}
	digest, err := img.Digest()
	return digest.String(), err
}

// startDaemon runs what towpath run runs, with a registry. The channel gets its end.
func (d *demo) startDaemon(ctx context.Context, a *app) (<-chan error, error) {
	run := *a
	run.configFile, run.repo, run.branch, run.cacheDir, run.logLevel = d.conf, "", "", "", "warn"
	r, _, err := run.open(ctx)
	if err != nil {
		return nil, err
	}
	says := narrator{log: run.log, said: map[string]bool{}, told: map[string]bool{}}
	r.Passed = func(rep reconcile.Report) {
		says.pass(rep)
		if len(rep.Commits) > 0 {
			d.commits <- rep
		}
	}
	own, err := integrated.New(ctx, integrated.Options{Guide: counter.Guide{Reconciler: r}, Logger: run.log})
	if err != nil {
		return nil, errors.Join(err, r.Store.Close())
	}
	r.Arrivals = own
	dock := dock{own, d.own}
	ended := make(chan error, 1)
	go func() {
		defer r.Store.Close()
		err := runBeside(ctx, r.Run, []server{{d.own, dock.serve}})
		ended <- errors.Join(err, own.Close())
	}()
	return ended, nil
}

// watch prints commits until one of a kind came.
func (d *demo) watch(ctx context.Context, ended <-chan error, kind reconcile.CommitKind) error {
	patience := time.NewTimer(demoPatience)
	defer patience.Stop()
	for {
		select {
		case rep := <-d.commits:
			if d.show(rep, kind) {
				return nil
			}
		case err := <-ended:
			return fmt.Errorf("the daemon ended: %w", err)
		case <-patience.C:
			return fmt.Errorf("no commit within %s; run again with TOWPATH_LOG_LEVEL=debug", demoPatience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// show prints a pass's commits, and reports whether one of a kind was among them.
func (d *demo) show(rep reconcile.Report, kind reconcile.CommitKind) (seen bool) {
	for i, c := range rep.Commits {
		fmt.Fprintf(d.out, "\n%s %s\n", c.Rev.Short(), c.Subject)
		for _, line := range strings.SplitAfter(diffOf(rep.Planned[i]), "\n") {
			if line != "" {
				fmt.Fprint(d.out, "    ", line)
			}
		}
		seen = seen || c.Kind == kind
	}
	fmt.Fprintln(d.out)
	return seen
}

func (d *demo) invite() {
	d.say("Everything stays up until Ctrl-C. Play with it:")
	fmt.Fprintf(d.out, `    git clone %[1]s            edit streams/ or deploy/, commit and push
    git -C %[1]s log -p main   what towpath did
    crane push --insecure image.tar %[2]s/team1/web:1.4   or docker, podman, skopeo: any client
    crane push --insecure image.tar %[4]s/demo/NAME:TAG   towpath's own registry: it makes the stream
    towpath status --sites --config %[3]s
`, d.repo, d.host, d.conf, d.own.Addr())
}
