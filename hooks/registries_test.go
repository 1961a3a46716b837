package hooks

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const (
	digestA = "sha256:457f4aa83fc9a6663ab9d1b0a6e2dce25a12a943ed5bf2c1747c58d48bbb4917"
	digestB = "sha256:c766679d161d4ffe3dc4503b4c9f90b978f0d363fcedb02d1ae0cd271e645c0a"
)

// A sample is a payload as its vendor words it.
type sample struct {
	kind, file, host string
	header           map[string]string
	want             []Image
}

func image(repo, tag, digest string) Image {
	host, path, _ := strings.Cut(repo, "/")
	return Image{Repo: registry.Repo{Host: host, Path: path}, Tag: tag, Digest: digest}
}

var (
	gitHub        = map[string]string{"X-GitHub-Event": "package", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
	gitHubOther   = map[string]string{"X-GitHub-Event": "registry_package", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0959"}
	gitea         = map[string]string{"X-Gitea-Event": "package", "X-GitHub-Event": "package", "X-Gitea-Delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473"}
	nexus         = map[string]string{"X-Nexus-Webhook-Id": "rm:repository:component", "X-Nexus-Webhook-Delivery": "7f4a6dde"}
	nexusAsset    = map[string]string{"X-Nexus-Webhook-Id": "rm:repository:asset", "X-Nexus-Webhook-Delivery": "7f4a6ddf"}
	zot           = map[string]string{"Ce-Type": "zotregistry.image.updated", "Ce-Source": "zotregistry.dev", "Ce-Id": "b2c1", "Ce-Specversion": "1.0"}
	cloudEvents   = map[string]string{"Content-Type": "application/cloudevents+json"}
	distributions = map[string]string{"Content-Type": "application/vnd.docker.distribution.events.v2+json"}
)

// samples are one payload at least of each kind of registries.
func samples() []sample {
	pushed := []Image{image("registry.example:5000/team1/web", "", digestB), image("registry.example:5000/team1/web", "1.4.3", digestA), image("registry.example:5000/team1/api", "edge", digestB)}
	quayTags := []Image{image("quay.io/team1/web", "latest", ""), image("quay.io/team1/web", "1.4.3", "")}
	return []sample{
		{"distribution", "distribution", "", distributions, pushed},
		{"gitlab-registry", "distribution", "registry.gitlab.example", distributions, []Image{image("registry.gitlab.example/team1/web", "", digestB), image("registry.gitlab.example/team1/web", "1.4.3", digestA), image("registry.gitlab.example/team1/api", "edge", digestB)}},
		{"dtr", "dtr", "", nil, []Image{image("dtr.example/team1/web", "1.4.3", digestA)}},
		{"dockerhub", "dockerhub", "", nil, []Image{image("docker.io/team1/web", "1.4.3", "")}},
		// fault: W-20
		{"quay", "quay", "", nil, quayTags},
		{"quay", "quay-map", "", nil, []Image{quayTags[1], quayTags[0]}},
		{"harbor", "harbor", "", nil, []Image{image("harbor.example/team1/web", "1.4.3", digestA), image("harbor.example/team1/web", "latest", digestA)}},
		// fault: W-21
		{"harbor", "harbor-cloudevents", "", cloudEvents, []Image{image("harbor.example/team1/web", "1.4.3", digestA), image("harbor.example/team1/web", "", digestB)}},
		{"ghcr", "ghcr-untagged", "", gitHub, []Image{image("ghcr.io/team1/web", "", digestA)}},
		{"ghcr", "ghcr", "", gitHub, []Image{image("ghcr.io/team1/web", "1.4.3", digestA)}},
		{"ghcr", "ghcr-registry", "containers.github.example", gitHubOther, []Image{image("containers.github.example/team1/tools/web", "edge", digestA)}},
		{"gitea-packages", "gitea-packages", "", gitea, []Image{image("gitea.example:3000/team1/tools/web", "1.4.3", "")}},
		{"acr", "acr", "", nil, []Image{image("team1.azurecr.io/team1/web", "1.4.3", digestA)}},
		{"ecr", "ecr", "", nil, []Image{image("123456789012.dkr.ecr.us-west-2.amazonaws.com/team1/web", "1.4.3", digestA)}},
		{"jfrog", "jfrog", "team1.jfrog.example", nil, []Image{image("team1.jfrog.example/team1/web", "1.4.3", digestA), image("team1.jfrog.example/docker-local/team1/web", "1.4.3", digestA)}},
		{"nexus", "nexus", "nexus.example:8083", nexus, []Image{image("nexus.example:8083/team1/web", "1.4.3", ""), image("nexus.example:8083/docker-hosted/team1/web", "1.4.3", "")}},
		{"nexus", "nexus-asset", "nexus.example:8083", nexusAsset, []Image{image("nexus.example:8083/team1/web", "edge", ""), image("nexus.example:8083/docker-hosted/team1/web", "edge", "")}},
		{"zot", "zot", "zot.example", zot, []Image{image("zot.example/team1/web", "1.4.3", digestA)}},
		{"aliyun", "aliyun", "", nil, []Image{image("registry.cn-hangzhou.aliyuncs.com/team1/web", "1.4.3", digestA)}},
		{"generic", "generic", "", nil, []Image{image("quay.io/team1/web", "1.4.3", digestA)}},
		{"cdevents", "cdevents", "", nil, []Image{image("quay.io/team1/web", "1.4.3", digestA)}},
	}
}

func (s sample) body(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", s.file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s sample) head() http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for k, v := range s.header {
		h.Set(k, v)
	}
	return h
}

func vendorOf(t testing.TB, kind string) vendor {
	t.Helper()
	for _, v := range vendors() {
		if v.kind == kind {
			return v
		}
	}
	t.Fatalf("no kind %s", kind)
	return vendor{}
}

// What each registry posts is what was pushed.
func TestRegistries(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.kind+"/"+s.file+"/"+s.host, func(t *testing.T) {
			got, err := vendorOf(t, s.kind).read(call{header: s.head(), body: s.body(t), now: noon}, s.host)
			if diff := cmp.Diff(Sighting{Images: s.want}, got); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Every kind has a sample, a name, and lines for a person with the address.
func TestKinds(t *testing.T) {
	sampled := map[string]bool{}
	for _, s := range samples() {
		sampled[s.kind] = true
	}
	for _, v := range registries() {
		text := strings.Join(v.setUp("https://towpath.example/x"), "\n")
		if !sampled[v.kind] || v.title == "" || !strings.Contains(text, "https://towpath.example/x") && v.kind != "gitlab-registry" || strings.Contains(text, "{url}") {
			t.Errorf("%s: sampled %v, title %q, to set up:\n%s", v.kind, sampled[v.kind], v.title, text)
		}
	}
	kinds := Kinds()
	if len(slices.Compact(slices.Clone(kinds))) != len(kinds) {
		t.Errorf("a kind is there twice: %v", kinds)
	}
}

// read is what a kind makes of a text.
func read(t *testing.T, kind, host, body string, header map[string]string) (Sighting, error) {
	t.Helper()
	return vendorOf(t, kind).read(call{header: sample{header: header}.head(), body: []byte(body), now: noon}, host)
}

// The receiver's host goes before the payload's; what is pushed by digest has no tag; other
// words of the vendors.
func TestSpellings(t *testing.T) {
	mirror := "mirror.example"
	for _, tt := range []struct {
		kind, host, body string
		header           map[string]string
		want             []Image
	}{
		{"dockerhub", "", `{"repository":{"name":"redis","namespace":"library"},"push_data":{"tag":"7"}}`, nil, []Image{image("docker.io/library/redis", "7", "")}},
		{"dockerhub", mirror, `{"repository":{"repo_name":"a/b"},"push_data":{"tag":"7"}}`, nil, []Image{image("mirror.example/a/b", "7", "")}},
		{"quay", mirror, `{"docker_url":"quay.io/a/b","updated_tags":["1"]}`, nil, []Image{image("mirror.example/a/b", "1", "")}},
		{"harbor", "", `{"type":"PUSH_ARTIFACT","event_data":{"resources":[{"digest":"` + digestA + `","resource_url":"h.example/a/b@` + digestA + `"}],"repository":{"repo_full_name":"a/b"}}}`, nil, []Image{image("h.example/a/b", "", digestA)}},
		{"ghcr", "", `{"action":"published","package":{"name":"my-service","package_type":"docker","owner":{"login":"myorg"},"package_version":{"name":"latest","container_metadata":{"tag":{"name":"latest"}}}}}`, gitHub, []Image{image("ghcr.io/myorg/my-service", "latest", "")}},
		{"gitea-packages", mirror, `{"action":"created","package":{"owner":{"username":"a"},"type":"container","name":"b","version":"` + digestA + `"}}`, map[string]string{"X-Forgejo-Event": "package"}, []Image{image("mirror.example/a/b", "", digestA)}},
		{"ecr", "", `{"detail-type":"ECR Image Action","source":"aws.ecr","account":"1","region":"cn-north-1","detail":{"result":"SUCCESS","repository-name":"a","action-type":"PUSH","image-tag":"1"}}`, nil, []Image{image("1.dkr.ecr.cn-north-1.amazonaws.com.cn/a", "1", "")}},
		{"zot", mirror, `{"name":"a/b","reference":"` + digestA + `","digest":"` + digestA + `"}`, zot, []Image{image("mirror.example/a/b", "", digestA)}}, // fault: W-21
		{"jfrog", mirror, `{"domain":"docker","event_type":"pushed","data":{"repo_key":"k","image_name":"a","tag":"` + digestB + `"}}`, nil, []Image{image("mirror.example/a", "", digestB), image("mirror.example/k/a", "", digestB)}},
		{"generic", mirror, `{"image":"web","tag":"1"}`, nil, []Image{image("mirror.example/web", "1", "")}},
		{"generic", mirror, `{"image":"quay.io/a/web","tag":"1"}`, nil, []Image{image("mirror.example/a/web", "1", "")}},
		{"generic", "", `{"image":"a/web"}`, nil, []Image{image("docker.io/a/web", "", "")}},
		{"generic", "", `{"image":"registry-1.docker.io/redis","tag":"7"}`, nil, []Image{image("docker.io/library/redis", "7", "")}},
		{"aliyun", "", `{"repository":{"repo_full_name":"namespace/repoTest","region":"cn-hangzhou"},"push_data":{"tag":"latest"}}`, nil, []Image{image("registry.cn-hangzhou.aliyuncs.com/namespace/repotest", "latest", "")}},
		{"cdevents", "", `{"context":{"type":"dev.cdevents.artifact.published.0.3.0"},"subject":{"id":"pkg:oci/web@` + strings.Replace(digestA, ":", "%3A", 1) + `?repository_url=quay.io/a/web"}}`, nil, []Image{image("quay.io/a/web", "", digestA)}},
	} {
		got, err := read(t, tt.kind, tt.host, tt.body, tt.header)
		if diff := cmp.Diff(Sighting{Images: tt.want}, got); err != nil || diff != "" {
			t.Errorf("%s %s: %v, (-want +got):\n%s", tt.kind, tt.body, err, diff)
		}
	}
}

// fault: W-25. Deletes, pulls, scans, charts, pings: nothing was pushed, so nothing is seen.
func TestNothingWasPushed(t *testing.T) {
	for _, tt := range []struct {
		kind, host, body string
		header           map[string]string
	}{
		{"distribution", "", `{"events":[{"action":"delete","target":{"repository":"a/b","tag":"1","digest":"` + digestA + `"},"request":{"host":"r.example"}}]}`, nil},
		{"dtr", "", `{"type":"TAG_DELETE","contents":{"namespace":"a","repository":"b","tag":"1","imageName":"d.example/a/b:1"}}`, nil},
		{"quay", "", `{"docker_url":"quay.io/a/b","deleted_tags":["1"]}`, nil},
		{"quay", "", `{"docker_url":"quay.io/a/b","updated_tags":[]}`, nil},
		{"harbor", "", `{"type":"DELETE_ARTIFACT","event_data":{"resources":[{"tag":"1","resource_url":"h.example/a/b:1"}],"repository":{"repo_full_name":"a/b"}}}`, nil},
		{"harbor", "", `{"type":"harbor.artifact.deleted","data":{"resources":[{"tag":"1","resource_url":"h.example/a/b:1"}],"repository":{"repo_full_name":"a/b"}}}`, cloudEvents},
		{"harbor", "", `{"type":"SCANNING_COMPLETED","event_data":{"resources":[{"tag":"1"}],"repository":{"repo_full_name":"a/b"}}}`, nil},
		{"harbor", "", `{"type":"%s","event_data":{"resources":[]}}`, nil},
		{"ghcr", "", `{"zen":"Keep it logically awesome.","hook_id":1}`, map[string]string{"X-GitHub-Event": "ping"}},
		{"ghcr", "", `{"action":"deleted","package":{"name":"b","package_type":"container","owner":{"login":"a"}}}`, gitHub},
		{"ghcr", "", `{"action":"published","package":{"name":"b","package_type":"npm","owner":{"login":"a"}}}`, gitHub},
		{"gitea-packages", "", `{"action":"deleted","package":{"owner":{"login":"a"},"type":"container","name":"b","version":"1","html_url":"https://g.example/a"}}`, gitea},
		{"gitea-packages", "", `{"action":"created","package":{"owner":{"login":"a"},"type":"npm","name":"b","version":"1","html_url":"https://g.example/a"}}`, gitea},
		{"acr", "", `{"action":"delete","target":{"repository":"a","digest":"` + digestA + `"},"request":{"host":"a.azurecr.io"}}`, nil},
		{"acr", "", `{"action":"ping"}`, nil},
		{"acr", "", `{"action":"chart_push","target":{"repository":"a","tag":"1"},"request":{"host":"a.azurecr.io"}}`, nil},
		{"ecr", "", `{"detail-type":"ECR Image Action","source":"aws.ecr","account":"1","region":"us-west-2","detail":{"result":"SUCCESS","repository-name":"a","action-type":"DELETE","image-tag":"1"}}`, nil},
		{"ecr", "", `{"detail-type":"ECR Image Action","source":"aws.ecr","account":"1","region":"us-west-2","detail":{"result":"FAILURE","repository-name":"a","action-type":"PUSH","image-tag":"1"}}`, nil},
		{"jfrog", "j.example", `{"domain":"docker","event_type":"deleted","data":{"image_name":"a","tag":"1"}}`, nil},
		{"jfrog", "j.example", `{"domain":"npm","event_type":"pushed","data":{"image_name":"a","tag":"1"}}`, nil},
		{"jfrog", "j.example", `{"error":"invalid value \"invalidpath\" in payload's data.path field"}`, nil},
		{"nexus", "n.example", `{"action":"DELETED","component":{"format":"docker","name":"a","version":"1"}}`, nexus},
		{"nexus", "n.example", `{"action":"CREATED","component":{"format":"maven2","name":"a","version":"1"}}`, nexus},
		{"nexus", "n.example", `{"action":"CREATED","asset":{"format":"docker","name":"v2/-/blobs/` + digestA + `"}}`, nexusAsset},
		{"nexus", "n.example", `{"action":"CREATED","audit":{}}`, map[string]string{"X-Nexus-Webhook-Id": "rm:audit"}},
		{"zot", "z.example", `{"name":"a","reference":"1"}`, map[string]string{"Ce-Type": "zotregistry.image.deleted"}},
		{"zot", "z.example", `{"name":"a"}`, map[string]string{"Ce-Type": "zotregistry.repository.created"}},
		{"cdevents", "", `{"context":{"type":"dev.cdevents.artifact.deleted.0.1.0"},"subject":{"id":"pkg:oci/web?repository_url=quay.io/a/web&tag=1"}}`, nil},
		{"cdevents", "", `{"context":{"type":"dev.cdevents.artifact.published.0.3.0"},"subject":{"id":"pkg:golang/web"}}`, nil},
	} {
		got, err := read(t, tt.kind, tt.host, tt.body, tt.header)
		if diff := cmp.Diff(Sighting{}, got); err != nil || diff != "" {
			t.Errorf("%s %s: %v, (-want +got):\n%s", tt.kind, tt.body, err, diff)
		}
	}
}

// fault: W-15, W-19. A name, tag or digest that no registry can have is nothing, and no
// error that would tell a sender something.
func TestNamesNobodyHas(t *testing.T) {
	for _, name := range []string{".*", "a/(b+)+$", "a/b|c", "a/../b", "/a", "a/", "a b", "a\x00", "é/b", "a/b:c", "a/b@" + digestA, "a/b?x=1", "http://a/b", "a/\u212a", strings.Repeat("a/", 200) + "b"} {
		for kind, body := range map[string]map[string]any{
			"distribution": {"events": []any{map[string]any{"action": "push", "target": map[string]any{"repository": name, "tag": "1"}, "request": map[string]any{"host": "r.example"}}}},
			"dockerhub":    {"repository": map[string]any{"repo_name": name}, "push_data": map[string]any{"tag": "1"}},
			"acr":          {"action": "push", "target": map[string]any{"repository": name, "tag": "1"}, "request": map[string]any{"host": "r.example"}},
			"generic":      {"image": "r.example/" + name, "tag": "1"},
		} {
			if got, err := read(t, kind, "", encode(t, body), nil); err != nil || len(got.Images) != 0 {
				t.Errorf("%s %q: %v, %v", kind, name, got, err)
			}
		}
	}
	for _, host := range []string{"", "evil host", "-", "user:pw@r.example", "r.example/x", "http://r.example", "10.0.0.1.", "[::1", "r.example:0"} {
		got, err := read(t, "acr", "", encode(t, map[string]any{"action": "push", "target": map[string]any{"repository": "a/b", "tag": "1"}, "request": map[string]any{"host": host}}), nil)
		if err != nil || len(got.Images) != 0 {
			t.Errorf("host %q: %v, %v", host, got, err)
		}
	}
	for _, tag := range []string{"", ".*", "-1", "1 2", "1\n2", "sha256:abc", "é", strings.Repeat("a", 129)} {
		got, err := read(t, "dockerhub", "", encode(t, map[string]any{"repository": map[string]any{"repo_name": "a/b"}, "push_data": map[string]any{"tag": tag}}), nil)
		if err != nil || len(got.Images) != 0 {
			t.Errorf("tag %q: %v, %v", tag, got, err)
		}
	}
	for _, digest := range []string{"", "sha256:abc", "md5:" + strings.Repeat("0", 32), strings.ToUpper(digestA), digestA + "\n"} {
		got, err := read(t, "generic", "", encode(t, map[string]any{"image": "r.example/a", "tag": "1", "digest": digest}), nil)
		if diff := cmp.Diff(Sighting{Images: []Image{image("r.example/a", "1", "")}}, got); err != nil || diff != "" {
			t.Errorf("digest %q: %v, (-want +got):\n%s", digest, err, diff)
		}
	}
}
