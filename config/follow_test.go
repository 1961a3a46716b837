package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/internal/spent"
	"github.com/towpath/towpath/yamledit"
)

func TestFollow(t *testing.T) {
	r := parse(t, `version: 1
include: ["streams/**"]
exclude: ["**/old/**"]
follow:
  - paths: ["apps/*/kustomization.yaml", "apps/web/Kustomization"]
    field: images[?(@.name=="web")]
    from: team1/web:stable
    form: tag@digest
  - {paths: ["apps/**"], field: image.tag, from: web, part: tag}
imagepolicies:
  "flux-system:podinfo": apps/podinfo:stable
  "a:b.c-d": podinfo
`)
	selector := func(text string) yamledit.Selector {
		s, err := yamledit.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tag := func(namespace, name, tag string) imagestream.TagRef {
		return imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace, Name: name}, Tag: tag}
	}
	entry := Follow{Position{5, 5}, selector(`images[?(@.name=="web")]`), tag("team1", "web", "stable"), "", "tag@digest"}
	value := Follow{Position{9, 5}, selector("image.tag"), tag("", "web", "latest"), "tag", ""}
	for path, want := range map[string][]Follow{
		"apps/web/kustomization.yaml": {entry, value},
		"apps/web/Kustomization":      {entry, value},
		"apps/a/b/kustomization.yaml": {value},
		"apps/values.json":            {value},
		"apps/main.tf":                nil,
		"apps/Dockerfile":             nil,
		"streams/web.yaml":            nil,
		"kustomization.yaml":          nil,
	} {
		if diff := cmp.Diff(want, r.Follow(path)); diff != "" {
			t.Errorf("Follow(%s) (-want +got):\n%s", path, diff)
		}
	}
	for path, want := range map[string]bool{
		"apps/web/kustomization.yaml": true,
		"apps/web/Kustomization":      true,
		"apps/main.tf":                false,
		"streams/main.tf":             true,
		"web.yaml":                    false,
		"apps/old/values.yaml":        false,
	} {
		if got := r.Included(path); got != want {
			t.Errorf("Included(%s) = %v", path, got)
		}
	}
	for name, want := range map[string]imagestream.TagRef{
		"flux-system:podinfo": tag("apps", "podinfo", "stable"), "a:b.c-d": tag("", "podinfo", "latest"), "podinfo": {}, "": {},
	} {
		if got, ok := r.Policy(name); got != want || ok != (want != imagestream.TagRef{}) {
			t.Errorf("Policy(%s) = %s, %v", name, got, ok)
		}
	}
	var none *Repository
	if _, ok := none.Policy("a:b"); ok || none.Follow("a.yaml") != nil || none.Guarded("a.yaml") {
		t.Error("without the file something follows")
	}
}

// fault: C-21
func TestGuarded(t *testing.T) {
	const all = `"**/*.{yaml,yml,json}", "**/{Dockerfile,Containerfile}*"`
	for _, tt := range []struct {
		src, path         string
		guarded, included bool
	}{
		{"", ".github/workflows/ci.yml", true, true},
		{"", ".github/dependabot.yml", true, true},
		{"", ".gitlab-ci.yml", true, true},
		{"", "services/web/.gitlab-ci.yml", true, true},
		{"", ".gitlab/ci/build.yml", true, true},
		{"", ".gitea/workflows/ci.yaml", true, true},
		{"", ".forgejo/workflows/ci.yaml", true, true},
		{"", ".circleci/config.yml", true, true},
		{"", "Jenkinsfile", true, false},
		{"", "azure-pipelines.yml", true, true},
		{"", "bitbucket-pipelines.yml", true, true},
		{"", "cloudbuild.yaml", true, true},
		{"", "buildspec.yml", true, true},
		{"", "services/web/buildspec.yaml", true, true},
		{"", ".harness/pipelines/web.yaml", true, true},
		{"", ".buildkite/pipeline.yml", true, true},
		{"", ".drone.yml", true, true},
		{"", ".drone.yaml", true, true},
		{"", ".woodpecker.yml", true, true},
		{"", ".woodpecker/web.yaml", true, true},
		{"", "harness/web.yaml", false, true},
		{"", "apps/web.yaml", false, true},
		{"", "github/workflows/ci.yml", false, true},
		{"", "apps/.github/workflows/ci.yml", false, true},
		{"", ".github", false, false},
		{"include: [" + all + "]", ".github/workflows/ci.yml", true, true},
		{"include: ['**']", ".github/workflows/ci.yml", true, true},
		{"include: ['.*/**']", ".github/workflows/ci.yml", true, true},
		{"include: ['{.github,apps}/**']", ".github/workflows/ci.yml", true, true},
		{"include: ['**/*.yml', '.github/workflows/*.yml']", ".github/workflows/ci.yml", false, true},
		{"include: ['**/*.yml', '.github/workflows/*.yml']", ".github/dependabot.yml", true, true},
		{"include: ['.github/**']", ".gitlab-ci.yml", true, false},
		{"include: ['.github/**']", ".github/sub/.gitlab-ci.yml", false, true},
		{"include: ['.gitlab-ci.yml']", ".gitlab-ci.yml", false, true},
		{"include: ['.gitlab-ci.yml']", "a/.gitlab-ci.yml", true, false},
		{"include: ['**/.gitlab-ci.yml']", "a/.gitlab-ci.yml", false, true},
		{"include: ['**/Jenkinsfile']", "Jenkinsfile", false, true},
		{"include: ['**/Jenkins*']", "Jenkinsfile", true, true},
		{"follow: [{paths: ['.github/workflows/*.yml'], field: jobs.a.container, from: a/b}]", ".github/workflows/ci.yml", false, true},
		{"follow: [{paths: ['**/*.yml'], field: jobs.a.container, from: a/b}]", ".github/workflows/ci.yml", true, true},
		{"include: ['a/**']\nfollow: [{paths: ['.gitlab-ci.yml'], field: image, from: a/b}]", ".gitlab-ci.yml", false, true},
		{"follow: [{paths: ['.github/**'], field: image, from: a/b}]", ".github/run.sh", true, false},
		{"include: ['**']", ".towpath.yaml", false, false},
	} {
		r := parse(t, "version: 1\n"+tt.src+"\n")
		if got := r.Guarded(tt.path); got != tt.guarded {
			t.Errorf("%s: Guarded(%s) = %v", tt.src, tt.path, got)
		}
		if got := r.Included(tt.path); got != tt.included {
			t.Errorf("%s: Included(%s) = %v", tt.src, tt.path, got)
		}
	}
}

// fault: C-21
func TestFollowProblems(t *testing.T) {
	for _, tt := range []struct{ entry, want, fix string }{
		{"{field: a, from: b}", "2:10: follow[0].paths is missing", "paths:"},
		{"{paths: [], field: a, from: b}", "2:10: the entry of follow names no paths", "paths: ["},
		{"{paths: [a.yaml], from: b}", "2:10: follow[0].field is missing", "field:"},
		{"{paths: [a.yaml], field: a}", "2:10: follow[0].from is missing", "from:"},
		{"{paths: [../a.yaml], field: a, from: b}", "2:19: follow[0].paths[0] never matches", "root"},
		{"{paths: [/a.yaml], field: a, from: b}", "2:19: follow[0].paths[0] never matches", "write a.yaml"},
		{"{paths: [a/../b.yaml], field: a, from: b}", "2:19: follow[0].paths[0] never matches", "root"},
		{"{paths: [.towpath.yaml], field: a, from: b}", "2:10: follow names .towpath.yaml, which is never written", "hold images"},
		{"{paths: ['**/*.tf'], field: a, from: b}", "2:10: follow names files that are neither YAML nor JSON", `{"$imagestream": "team1/web:stable"}`},
		{"{paths: [Jenkinsfile], field: a, from: b}", "2:10: follow names files that are neither YAML nor JSON", "include"},
		{"{paths: ['**/Dockerfile'], field: a, from: b}", "2:10: follow names files that are neither", "include"},
		{"{paths: ['**/Dockerfile*'], field: a, from: b}", "", ""},
		{"{paths: ['a/**', 'a/*', 'a/*file', '**/Kustomization', '*.{yaml,yml}', 'a.*'], field: a, from: b}", "", ""},
		{"{paths: [a.yaml], field: $.a, from: b}", "2:35: follow[0].field begins with $", "leave out $"},
		{"{paths: [a.yaml], field: 'a[?(@.b==''c'')]', from: b}", "2:35: follow[0].field has a filter whose value is not in double quotes", "==\"web\""},
		{"{paths: [a.yaml], field: [a], from: b}", "2:35: follow[0].field must be text", "field:"},
		{"{paths: [a.yaml], field: a, from: quay.io/canal/web:1}", "2:44: follow[0].from has no namespace before its slash", "team1/web:stable"},
		{"{paths: [a.yaml], field: a, from: 'web:'}", "2:44: follow[0].from has no tag", "team1/web:stable"},
		{"{paths: [a.yaml], field: a, from: b, part: image}", "2:53: follow[0].part must be ref or name", "part: ref"},
		{"{paths: [a.yaml], field: a, from: b, form: name}", "2:53: follow[0].form must be digest or", "form: digest"},
		{"{paths: [a.yaml], field: a, from: b, form: tag, part: tag}", "2:10: form says how a reference is written, and part tag is none", "remove"},
		{"{paths: [a.yaml], field: a, from: b, form: tag, part: ref}", "", ""},
		{"{paths: [a.yaml], fields: a, field: a, from: b}", "2:28: follow[0].fields is not a known key", "field?"},
	} {
		checkProblem(t, "version: 1\nfollow: ["+tt.entry+"]\n", tt.want, tt.fix)
	}
	for _, tt := range []struct{ src, want, fix string }{
		{"imagepolicies: [a]", "2:16: imagepolicies must be a mapping", "apps/podinfo:stable"},
		{"imagepolicies: {podinfo: a/b}", "2:17: a key of imagepolicies is not an image policy", "flux-system:podinfo"},
		{"imagepolicies: {'a:b:tag': a/b}", "2:17: a key of imagepolicies is not an image policy", "flux-system:podinfo"},
		{"imagepolicies: {'a:b': 'A/b'}", "2:24: imagepolicies.a:b has no namespace", "team1/web:stable"},
		{"imagepolicies: {'a:b': 1}", "2:24: imagepolicies.a:b must be text", "quotes"},
	} {
		checkProblem(t, "version: 1\n"+tt.src+"\n", tt.want, tt.fix)
	}
	_, problems := ParseRepository([]byte("version: 1\nfollow: [" + strings.Repeat("{paths: [a.yaml], field: a, from: b}, ", 1001) + "]\n"))
	if len(problems) != 1 || !strings.Contains(problems[0].What, "follow has 1001 entries; at most 1000") {
		t.Errorf("1001 entries: %v", problems)
	}
}

// checkProblem wants one problem with its fix, or none where want is empty.
func checkProblem(t *testing.T, src, want, fix string) {
	t.Helper()
	_, problems := ParseRepository([]byte(src))
	switch {
	case want == "" && len(problems) == 0:
	case len(problems) != 1 || want == "":
		t.Errorf("%q: %d problems: %v", src, len(problems), problems)
	case !strings.Contains(problems[0].String(), want) || !strings.Contains(problems[0].Fix, fix):
		t.Errorf("%q:\n got %s (fix: %s)\nwant %s (fix: %s)", src, problems[0], problems[0].Fix, want, fix)
	}
}

// Every file of a large repository is looked up in a long list of fields.
func TestFollowIsQuick(t *testing.T) {
	r := manyFollow(t)
	found := 0
	took := spent.CPU(t, func() {
		for _, p := range manyPaths() {
			found += len(r.Follow(p))
			r.Included(p)
		}
	})
	if took > 5*time.Second || found == 0 {
		t.Errorf("10,000 files by 100 entries took %s and found %d", took, found)
	}
}

func manyFollow(tb testing.TB) *Repository {
	src := "version: 1\ninclude: [streams/**]\nfollow:\n"
	for i := range 50 {
		src += fmt.Sprintf("  - {paths: ['apps/team%d/*/values.yaml'], field: image.tag, from: a/b%d, part: tag}\n", i, i)
		src += fmt.Sprintf("  - {paths: ['**/service%d/kustomization.yaml'], field: 'images[0]', from: a/b%d}\n", i, i)
	}
	r, problems := ParseRepository([]byte(src))
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	return r
}

func manyPaths() []string {
	paths := make([]string, 10_000)
	for i := range paths {
		paths[i] = fmt.Sprintf("apps/team%d/service%d/%s.yaml", i%60, i%97, []string{"values", "kustomization", "deployment"}[i%3])
	}
	return paths
}

func BenchmarkFollow(b *testing.B) {
	r, paths := manyFollow(b), manyPaths()
	for b.Loop() {
		for _, p := range paths {
			r.Included(p)
			r.Follow(p)
			r.Guarded(p)
		}
	}
}
