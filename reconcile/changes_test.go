package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What people change in the spec of a tag that has a record.

const webHead = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nspec:\n"

// a changer is a repository with the stream web.yaml, whose spec a person changes.
type changer struct {
	t        *testing.T
	registry registrymemory.Registry
	line     *reconcile.Reconciler
	store    *memory.Store
}

func newChanger(t *testing.T, registry, spec string, files map[string]string) *changer {
	c := &changer{t: t}
	c.set(registry)
	all := map[string]string{"web.yaml": webHead + spec}
	for path, content := range files {
		all[path] = content
	}
	c.line, c.store = asked(all, &c.registry)
	c.walk()
	return c
}

func (c *changer) set(lines string) {
	c.t.Helper()
	if err := c.registry.Set(lines); err != nil {
		c.t.Fatal(err)
	}
}

func (c *changer) walk() {
	c.t.Helper()
	if _, err := c.line.Settle(c.t.Context(), reconcile.Hint{Scheduled: true}); err != nil {
		c.t.Fatal(err)
	}
}

// change gives the stream another spec and keeps its status.
func (c *changer) change(spec string) {
	c.t.Helper()
	_, status, _ := strings.Cut(c.store.Tree("main")["web.yaml"].Content, "\nstatus:")
	c.store.Write("main", "a person's", map[string]string{"web.yaml": webHead + spec + "status:" + status})
	c.walk()
}

// image is what a tag of web has on record.
func (c *changer) image(tag string) string {
	for _, v := range c.line.Catalog().Tags() {
		if v.Tag.Tag == tag && v.Tag.Stream.Name == "web" && v.Item != nil {
			return v.Item.Image
		}
	}
	return ""
}

func (c *changer) want(tag, word string) {
	c.t.Helper()
	if got, want := c.image(tag), registrymemory.Digest(word); got != want {
		c.t.Errorf("on record for %s is %q, want %s", tag, got, want)
	}
}

const (
	from14    = "  tags:\n    - name: \"1.4\"\n      from: {kind: DockerImage, name: \"quay.io/team1/web:1.4\"}\n"
	stable    = "    - name: stable\n      from: {kind: %s, name: %q}\n"
	twoImages = "quay.io/team1/web:1.4 aaa\nquay.io/team1/web:1.5 bbb"
)

// A tag that followed another, or stood for itself, is imported when it is to be: its
// record is none that OpenShift left.
func TestAliasBecomesImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanger(t, twoImages, from14+fmt.Sprintf(stable, "ImageStreamTag", "1.4"), nil)
		c.want("stable", "aaa")
		c.change(from14 + fmt.Sprintf(stable, "DockerImage", "quay.io/team1/web:1.5"))
		c.want("stable", "bbb")
		c.change(from14 + fmt.Sprintf(stable, "ImageStreamTag", "1.4"))
		c.want("stable", "aaa")
		c.change(from14 + "    - name: stable\n      reference: true\n      from: {kind: DockerImage, name: \"quay.io/team1/web:1.5\"}\n")
		if got := c.image("stable"); got != "" {
			t.Errorf("a reference has the digest %s", got)
		}
		c.change(from14 + fmt.Sprintf(stable, "DockerImage", "quay.io/team1/web:1.5"))
		c.want("stable", "bbb")
	})
}

// The record of a tag that followed another, and that spec no longer names, does not
// stand for the import of the repository.
func TestOrphanHidesNoRepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanger(t, twoImages, from14+fmt.Sprintf(stable, "ImageStreamTag", "1.4"), nil)
		c.change("  dockerImageRepository: quay.io/team1/web\n")
		c.want("1.5", "bbb")
	})
}

// A site that a person put back stays, when the same digest comes from elsewhere.
func TestHeldWhateverTheRepository(t *testing.T) {
	for _, how := range []string{"import", "alias"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				both := from14 + "    - name: copy\n      from: {kind: DockerImage, name: \"mirror.example.com/team1/web:1.4\"}\n"
				first, second := fmt.Sprintf(stable, "DockerImage", "quay.io/team1/web:1.4"), fmt.Sprintf(stable, "DockerImage", "mirror.example.com/team1/web:1.4")
				if how == "alias" {
					first, second = fmt.Sprintf(stable, "ImageStreamTag", "1.4"), fmt.Sprintf(stable, "ImageStreamTag", "copy")
				}
				c := newChanger(t, "quay.io/team1/web:1.4 aaa\nmirror.example.com/team1/web:1.4 aaa", both+first, map[string]string{"deploy.yaml": webDeployment})
				if !strings.Contains(c.store.Tree("main")["deploy.yaml"].Content, registrymemory.Digest("aaa")) {
					t.Fatal("the site did not follow")
				}
				mine := strings.Replace(webDeployment, `" "`, `"quay.io/team1/web:old"`, 1)
				c.store.Write("main", "back to the old one", map[string]string{"deploy.yaml": mine})
				c.walk()
				c.change(both + second)
				if got := c.store.Tree("main")["deploy.yaml"].Content; got != mine {
					t.Errorf("the site was rewritten to the image that a person took back:\n%s", got)
				}
			})
		})
	}
}

// A person asks for one tag: no other stream is written, and no other tag of the
// stream is asked for.
func TestImportWritesWhatIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const repository = "  dockerImageRepository: quay.io/team1/web\n"
		c := newChanger(t, twoImages, repository+from14, nil)
		reference := strings.Replace(webHead, "name: web", "name: other", 1) + "  tags:\n    - name: x\n      reference: true\n      from: {kind: DockerImage, name: \"quay.io/x/y:1\"}\n"
		c.store.Write("main", "a person's", map[string]string{"other.yaml": reference})
		c.set("quay.io/team1/web:1.4 ccc\nquay.io/team1/web:1.5 ddd")
		h := reconcile.Hint{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Tag: "1.4", Force: true}
		c.line.Targets, c.line.Only = []reconcile.Hint{h}, reconcile.ImportOnly
		if _, err := c.line.Settle(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		c.want("1.4", "ccc")
		c.want("1.5", "bbb")
		if got := c.store.Tree("main")["other.yaml"].Content; got != reference {
			t.Errorf("another stream was written:\n%s", got)
		}
	})
}

// The record of a source cannot be written: what follows it keeps its own, in a chain
// and with its sites, instead of going to and fro.
func TestRefusedSourceMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ccc := registrymemory.Digest("ccc")
		base := strings.Replace(webHead, "name: web", "name: base", 1) + fmt.Sprintf(`  tags:
    - name: t0
      from: {kind: DockerImage, name: "quay.io/team1/base:t0"}
      importPolicy: {scheduled: true}
status:
  tags:
    - tag: t0
      items: &a
        - {created: "2000-01-01T00:00:00Z", dockerImageReference: "quay.io/team1/base@%s", image: "%s"}
    - tag: t1
      items: *a
`, ccc, ccc)
		web := webHead + fmt.Sprintf(stable, "ImageStreamTag", "next")
		web = strings.Replace(web, "spec:\n", "spec:\n  tags:\n    - name: next\n      from: {kind: ImageStreamTag, name: \"base:t0\"}\n", 1)
		w := start(t, map[string]string{"base.yaml": base, "web.yaml": web, "deploy.yaml": webDeployment}, func(w *walker) { w.set("quay.io/team1/base:t0 aaa") })
		w.after(3 * time.Hour)
		tree := w.store.Tree("main")
		if strings.Contains(tree["web.yaml"].Content, "sha256:aaa") || strings.Contains(tree["deploy.yaml"].Content, "sha256:aaa") {
			t.Errorf("what is not on record was followed:\n%s\n%s", tree["web.yaml"].Content, tree["deploy.yaml"].Content)
		}
		if all := w.subjects(); len(all) > 2 {
			t.Errorf("%d commits in 3 h, of which at most the first two have news:\n%s", len(all), strings.Join(all, "\n"))
		}
		w.end()
	})
}

// counted counts questions of an operation.
func counted(r *registrymemory.Registry, op string) *atomic.Int32 {
	var n atomic.Int32
	r.Hook = func(_ context.Context, c registrymemory.Call) error {
		if c.Op == op {
			n.Add(1)
		}
		return nil
	}
	return &n
}

// An old failure of a tag that is no longer listed does not keep an unscheduled
// repository being asked.
func TestOldFailureOfUnlistedTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lists *atomic.Int32
		w := start(t, map[string]string{"web.yaml": webHead + `  dockerImageRepository: quay.io/team1/many
status:
  tags:
    - tag: old
      items: null
      conditions:
        - {type: ImportSuccess, status: "False", lastTransitionTime: "1999-01-01T00:00:00Z", reason: NotFound, message: gone}
`}, func(w *walker) {
			w.set("quay.io/team1/many:good aaa")
			lists = counted(w.registry, "Tags")
		})
		w.after(48 * time.Hour)
		if n := lists.Load(); n > 2 {
			t.Errorf("an unscheduled repository was listed %d times in two days", n)
		}
		w.end()
	})
}

// An image that must settle is asked for when it is seen, and when it has settled.
func TestSettleAsksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(700 * time.Millisecond) // clocks show no whole seconds
		var heads *atomic.Int32
		w := start(t, map[string]string{"web.yaml": strings.Replace(webStream, "      importPolicy", "      annotations: {towpath.dev/settle: 30m, towpath.dev/interval: 24h}\n      importPolicy", 1)}, func(w *walker) {
			heads = counted(w.registry, "Head")
		})
		w.after(2 * time.Hour)
		w.wantCommits(1)
		if n := heads.Load(); n != 2 {
			t.Errorf("%d HEADs, want 2", n)
		}
		w.end()
	})
}

// What a policy would choose moves on while it fails: that is one failure.
func TestPolicyFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": webHead + "  tags:\n    - name: stable\n      from: {kind: DockerImage, name: quay.io/team1/nightly}\n      annotations: {towpath.dev/policy: numerical, towpath.dev/interval: 5m}\n"}, func(w *walker) {
			w.set("quay.io/team1/nightly:1 aaa")
			w.registry.Hook = func(_ context.Context, c registrymemory.Call) error {
				if c.Op == "Head" {
					return &registry.Error{Kind: registry.Forbidden, Message: "no"}
				}
				return nil
			}
		})
		for i := range 20 {
			w.after(10 * time.Minute)
			w.set(fmt.Sprintf("quay.io/team1/nightly:%d aaa", i+2))
		}
		w.wantCommits(1)
		w.end()
	})
}

// Nothing is remembered, and nothing told, of tags that nobody wants any more.
func TestForgetsWhatNobodyWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tags := func(from int) string {
			var b strings.Builder
			b.WriteString("  tags:\n")
			for i := range 5 {
				fmt.Fprintf(&b, "    - name: t%d\n      annotations: {towpath.dev/settle: 1h}\n      from: {kind: DockerImage, name: \"quay.io/team1/web:t%d\"}\n", from+i, from+i)
			}
			return b.String()
		}
		var lines strings.Builder
		for i := range 60 {
			fmt.Fprintf(&lines, "quay.io/team1/web:t%d aaa\n", i)
		}
		c := newChanger(t, lines.String(), tags(0), nil)
		c.line.Wait = false
		var rep reconcile.Report
		for i := range 10 {
			c.store.Write("main", "others", map[string]string{"web.yaml": webHead + tags(5*i)})
			var err error
			if rep, err = c.line.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if n := len(rep.Settling); n != 5 {
			t.Errorf("%d tags are said to settle, and 5 are wanted", n)
		}
		if n := reconcile.Remembered(c.line); n != 5 {
			t.Errorf("%d tags are remembered, and 5 are wanted", n)
		}
	})
}

// A Source without items, as a person left it, is no record.
func TestSourceWithoutItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanger(t, twoImages, from14, nil)
		content := c.store.Tree("main")["web.yaml"].Content
		head, rest, _ := strings.Cut(content, "      items:\n")
		_, conditions, _ := strings.Cut(rest, "      conditions:\n")
		c.store.Write("main", "a person's", map[string]string{"web.yaml": head + "      conditions:\n" + conditions})
		c.walk()
		c.want("1.4", "aaa")
	})
}
