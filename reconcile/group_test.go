package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Law: however commits are grouped, worded and signed, the tree at the end of the chain is
// the same; each site stands in one commit, after the record that it follows.
func TestLawGroups(t *testing.T) {
	from, to := uint64(1), uint64(*seeds)
	if *seed != 0 {
		from, to = *seed, *seed
	}
	for s := from; s <= to; s++ {
		synctest.Test(t, func(t *testing.T) { groups(t, rand.New(rand.NewPCG(s, 20260502))) })
		if t.Failed() {
			t.Fatalf("the law breaks in the world of -seed=%d", s)
		}
	}
}

func groups(t *testing.T, r *rand.Rand) {
	files, registry := sitesWorld(t, r)
	var want map[string]string
	for _, group := range []string{"tag", "stream", "namespace", "all", ""} {
		files[reconcile.ConfigPath] = groupConfig(r, group)
		chain := planned(t, files, registry)
		if d := cmp.Diff(subjectsOf(chain), subjectsOf(planned(t, files, registry))); d != "" {
			t.Errorf("other commits from the same tree:\n%s", d)
		}
		tree := folded(t, files, chain)
		if want == nil {
			want = tree
		}
		if d := cmp.Diff(want, tree); d != "" {
			t.Errorf("by %q: another tree:\n%s", group, d)
		}
	}
}

// sitesWorld is a repository of streams and of sites in all sorts of files.
func sitesWorld(t *testing.T, r *rand.Rand) (map[string]string, *registrymemory.Registry) {
	registry := &registrymemory.Registry{}
	files := map[string]string{}
	var tags []string
	for _, stream := range []string{"team1/web", "team1/db", "team2/web"} {
		namespace, name, _ := strings.Cut(stream, "/")
		var b strings.Builder
		fmt.Fprintf(&b, "kind: ImageStream\napiVersion: image.openshift.io/v1\nmetadata: {name: %s, namespace: %s}\nspec:\n  tags:\n", name, namespace)
		for _, tag := range []string{"a", "b"} {
			fmt.Fprintf(&b, "    - name: %s\n      from: {kind: DockerImage, name: \"quay.io/%s:%s\"}\n", tag, stream, tag)
			tags = append(tags, stream+":"+tag)
			if err := registry.Set(fmt.Sprintf("quay.io/%s:%s %x", stream, tag, r.Uint32())); err != nil {
				t.Fatal(err)
			}
		}
		files["streams/"+namespace+"-"+name+".yaml"] = b.String()
	}
	for i := range 2 + r.IntN(5) {
		dir := []string{"a", "b", "c"}[r.IntN(3)]
		files[fmt.Sprintf("%s/d%d.yaml", dir, i)] = deploymentOf(r, i, tags)
		files[fmt.Sprintf("%s/values%d.yaml", dir, i)] = valuesOf(r, tags)
	}
	return files, registry
}

func deploymentOf(r *rand.Rand, i int, tags []string) string {
	var triggers, containers []string
	for j := range 1 + r.IntN(3) {
		namespace, tag, _ := strings.Cut(tags[r.IntN(len(tags))], "/")
		triggers = append(triggers, fmt.Sprintf(`{"from":{"kind":"ImageStreamTag","name":%q,"namespace":%q},"fieldPath":"spec.template.spec.containers[%d].image"}`, tag, namespace, j))
		containers = append(containers, fmt.Sprintf("        - {name: c%d, image: \" \"} # %d\n", j, j))
	}
	return fmt.Sprintf("kind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: d%d\n  namespace: team%d\n  annotations:\n    image.openshift.io/triggers: '[%s]'\nspec:\n  template:\n    spec:\n      containers:\n%s",
		i, 1+r.IntN(2), strings.Join(triggers, ","), strings.Join(containers, ""))
}

func valuesOf(r *rand.Rand, tags []string) string {
	var b strings.Builder
	for j := range 1 + r.IntN(4) {
		part := r.IntN(4)
		fmt.Fprintf(&b, "v%d:\n  image: %s # {\"$imagestream\": %q, \"part\": %q}\n", j, []string{"old", "old", "old", "sha256:0"}[part], tags[r.IntN(len(tags))], []string{"ref", "name", "tag", "digest"}[part])
	}
	return b.String()
}

// groupConfig groups everything alike or, without a group, each directory in a way of its own.
func groupConfig(r *rand.Rand, group string) string {
	if group != "" {
		return "version: 1\ndefaults: {group: " + group + "}\n"
	}
	var b strings.Builder
	b.WriteString("version: 1\nrules:\n")
	for _, dir := range []string{"a", "b", "c", "streams"} {
		fmt.Fprintf(&b, "  - paths: [\"%s/*1*\", \"%s/*2*\"]\n    group: %s\n", dir, dir, []string{"tag", "stream", "namespace", "all"}[r.IntN(4)])
		fmt.Fprintf(&b, "    prefix: %q\n    author: %q\n    template: %q\n", []string{"", "chore: "}[r.IntN(2)], []string{"", "A <a@team.example>"}[r.IntN(2)], []string{"", "{tag}\n\n{table}"}[r.IntN(2)])
	}
	return b.String()
}

// planned is the chain that a daemon would push.
func planned(t *testing.T, files map[string]string, registry *registrymemory.Registry) []reconcile.Write {
	line := &reconcile.Reconciler{
		Store: memory.New(files), Branch: "main", Reader: registry, Wait: true, Dry: true,
		Author: gitstore.Person{Name: "towpath", Email: "towpath@localhost"},
	}
	rep, err := line.Settle(context.Background(), reconcile.Hint{Scheduled: true})
	if err != nil || len(rep.Bad()) > 0 {
		t.Fatalf("%v, problems %v, with %s", err, rep.Bad(), files[reconcile.ConfigPath])
	}
	return rep.Planned
}

// folded is the tree at the end of a chain, without the config.
func folded(t *testing.T, files map[string]string, chain []reconcile.Write) map[string]string {
	tree := maps.Clone(files)
	delete(tree, reconcile.ConfigPath)
	seen := map[*reconcile.Site]bool{}
	triggers := false
	for _, w := range chain {
		triggers = triggers || w.Kind == reconcile.TriggerCommit
		if triggers && w.Kind == reconcile.StatusCommit {
			t.Errorf("%s comes after a trigger commit", w.Subject())
		}
		for _, e := range w.Commit.Edits {
			if before := string(w.Before[e.Path]); before != tree[e.Path] || before == string(e.Content) {
				t.Errorf("%s: %s is not built on what is below it, or changes nothing", w.Subject(), e.Path)
			}
			tree[e.Path] = string(e.Content)
		}
		for _, s := range w.Sites {
			if seen[s.Site] || !slices.Contains(w.Tags, s.Site.Follows) {
				t.Errorf("%s: %s moves twice, or in a commit that is about others", w.Subject(), s.Site.ID)
			}
			seen[s.Site] = true
		}
	}
	if len(seen) == 0 {
		t.Error("nothing follows")
	}
	return tree
}

func subjectsOf(chain []reconcile.Write) []string {
	var subjects []string
	for _, w := range chain {
		subjects = append(subjects, w.Commit.Author.Name+": "+w.Commit.Message)
	}
	return subjects
}

// Commits are in the name that the settings of their files give; a file of which only a
// Commits are by whom the settings of their files name, and apart from those of others.
func TestAuthors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files, registry := sitesWorld(t, rand.New(rand.NewPCG(1, 1)))
		files[reconcile.ConfigPath] = "version: 1\ndefaults: {author: \"Every One <all@team.example>\"}\nrules:\n  - {namespaces: [team2], author: \"\", prefix: \"two: \"}\n"
		all := gitstore.Person{Name: "Every One", Email: "all@team.example"}
		for _, w := range planned(t, files, registry) {
			want := all
			if strings.HasPrefix(w.Subject(), "two: ") {
				want = gitstore.Person{Name: "towpath", Email: "towpath@localhost"}
			}
			if w.Commit.Author != want {
				t.Errorf("%s is by %v, want %v", w.Subject(), w.Commit.Author, want)
			}
		}
	})
}
