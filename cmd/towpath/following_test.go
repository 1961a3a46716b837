package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore/gittest"
)

// A harbour is a repository, a registry on loopback that stands for quay.io/team1, and
// the file that says so.
type harbour struct {
	t      *testing.T
	repo   *gittest.Repo
	images *images
	config string
}

func newHarbour(t *testing.T, files map[string]string) *harbour {
	h := &harbour{t, gittest.NewRepo(t, files), newImages(t), filepath.Join(t.TempDir(), "operator.yaml")}
	text := fmt.Sprintf("registries: [{host: %q, insecure: true}]\nmirrors: [{prefix: quay.io/team1, at: [%q], upstream: false}]\n", h.images.host, h.images.host+"/team1")
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// towpath runs a command, and wants an exit code.
func (h *harbour) towpath(code int, args ...string) (stdout, stderr string) {
	h.t.Helper()
	var out, log bytes.Buffer
	args = append(args, "--config", h.config, "--repo", h.repo.Dir)
	if got := Main(h.t.Context(), args, &out, &log, func(string) string { return "" }); got != code {
		h.t.Errorf("towpath %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), log.String())
	}
	return h.plain(out.String()), h.plain(log.String())
}

// plain has the words that images were pushed with in place of digests, short ones too.
func (h *harbour) plain(text string) string {
	for _, digest := range slices.Sorted(maps.Keys(h.images.words)) {
		word := "sha256:" + h.images.words[digest]
		text = strings.ReplaceAll(strings.ReplaceAll(text, digest, word), shortDigest(digest), word)
	}
	return text
}

// moved lists the lines that commits changed, as they are now, streams left out.
func (h *harbour) moved(since string) string {
	var b strings.Builder
	for line := range strings.Lines(h.repo.Git("diff", "-U0", since, "main", "--", ".", ":!streams")) {
		if file, ok := strings.CutPrefix(line, "+++ b/"); ok {
			b.WriteString(file)
		} else if text, ok := strings.CutPrefix(line, "+"); ok {
			b.WriteString("  " + strings.TrimLeft(text, " "))
		}
	}
	return h.plain(b.String())
}

func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == ".git" || e.Name() == "bin"):
			return fs.SkipDir
		case !e.Type().IsRegular():
			return nil
		}
		src, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(src)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// followed are the lines of examples/follow that follow, each after the first round.
const followed = `Dockerfile
  FROM quay.io/team1/go:1.26@sha256:go-one AS build
app.env
  WEB_IMAGE=quay.io/team1/web@sha256:web-one
  WEB_VERSION=1.4.0 # {"$imagestream": "web:stable", "part": "tag"}
charts/web/values.yaml
  tag: "1.4.0" # {"$imagestream": "web:stable", "part": "tag"}
  digest: "sha256:web-one" # {"$imagestream": "web:stable", "part": "digest"}
  image: quay.io/team1/web:1.4.0@sha256:web-one # {"$imagestream": "web:stable"}
compose.yaml
  image: quay.io/team1/web:1.4.0 # {"$imagestream": "web:stable", "form": "tag"}
deploy/report.yaml
  image: "quay.io/team1/web:1.4.0@sha256:web-one"
deploy/rollout.yaml
  image: "quay.io/team1/web@sha256:web-one"
deploy/web.yaml
  image: "quay.io/team1/web@sha256:web-one" # filled in by the first trigger commit
  image: "quay.io/team1/web@sha256:web-one"
flux/release.yaml
  tag: 1.4.0 # {"$imagepolicy": "flux-system:web:tag"}
  image: quay.io/team1/web:1.4.0 # {"$imagepolicy": "flux-system:web"}
json/values.json
  "tag": "1.4.0"
kustomize/prod/kustomization.yaml
  newTag: 1.4.0
kustomize/test/kustomization.yaml
  digest: "sha256:web-one" # {"$imagestream": "web:stable", "part": "digest"}
main.tf
  image  = "quay.io/team1/web@sha256:web-one" # {"$imagestream": "web:stable"}
openshift/bc.yaml
  name: quay.io/team1/go@sha256:go-one # {"$imagestream": "go:1"}
  lastTriggeredImageID: quay.io/team1/go@sha256:go-one
openshift/dc.yaml
  image: "quay.io/team1/web@sha256:web-one"
  lastTriggeredImage: quay.io/team1/web@sha256:web-one
settings.toml
  image = "quay.io/team1/web:1.4.0"
`

// examples/follow: every place in it moves with its tag, twice; nothing else does; and then
// nothing is left to do.
func TestFollowExample(t *testing.T) {
	h := newHarbour(t, filesBelow(t, "../../examples/follow"))
	want := followed
	for _, round := range []struct{ web, word string }{{"1.4.0", "one"}, {"1.5.0", "two"}} {
		before := h.repo.Tip()
		h.images.push(t, "team1/web:"+round.web, "web-"+round.word)
		h.images.push(t, "team1/go:1.26", "go-"+round.word)
		if _, log := h.towpath(exitDone, "run", "--once"); log != "" {
			t.Errorf("the run says\n%s", log)
		}
		if diff := cmp.Diff(strings.TrimSpace(want), h.moved(before)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if out, _ := h.towpath(exitDone, "plan"); !strings.Contains(out, "no changes: 2 streams, 2 tags, 20 sites at ") {
			t.Errorf("afterwards the plan is\n%s", out)
		}
		if out, _ := h.towpath(exitDone, "run", "--once"); out != "" {
			t.Errorf("a second run commits\n%s", out)
		}
		want = strings.NewReplacer("1.4.0", "1.5.0", "web-one", "web-two", "go-one", "go-two").Replace(want)
	}
}
