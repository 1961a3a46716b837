package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/registry/registrytest"
)

// A transit is a daemon with a registry of its own, whose streams are from another one
// that wants a password. The daemon has the password, and the clients have not.
type transit struct {
	t      *testing.T
	repo   *gittest.Repo
	up     *images
	front  *httptest.Server // the other registry, as streams name it
	log    *record
	url    string            // of our own registry
	tokens map[string]string // by name

	mu    sync.Mutex
	asked []string // paths at the other registry
}

func (h *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked = append(h.asked, r.URL.Path)
	h.mu.Unlock()
	h.up.ServeHTTP(w, r)
}

// fetched is how often a part of a path was asked of the other registry.
func (h *transit) fetched(part string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, path := range h.asked {
		if strings.Contains(path, part) {
			n++
		}
	}
	return n
}

// openTransit starts the daemon over files, in which FAR is the other registry. Before, images
// may be pushed there.
func openTransit(t *testing.T, files map[string]string, push func(host string)) *transit {
	h := &transit{t: t, up: newImages(t), log: &record{more: make(chan struct{})}, tokens: map[string]string{}}
	push(h.up.host)
	h.up.mood(t, "private")
	h.front = httptest.NewServer(h)
	t.Cleanup(h.front.Close)
	far := h.front.Listener.Addr().String()
	for path, text := range files {
		files[path] = strings.ReplaceAll(text, "FAR", far)
	}
	h.repo = gittest.NewRepo(t, files)

	dir := t.TempDir()
	secret := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	secret("secrets/team1/.dockerconfigjson", strings.ReplaceAll(h.up.dockerConfig(), h.up.host, far))
	for _, name := range []string{"one", "two", "both"} {
		h.tokens[name] = "fake-" + rand.Text() + rand.Text()
		secret("tokens/"+name, h.tokens[name])
	}
	config := secret("operator.yaml", fmt.Sprintf(`repo: %s
poll: 1s
registries: [{host: %q, insecure: true}]
credentials: [{directory: secrets, paths: ["{namespace}/**"]}]
registry:
  listen: 127.0.0.1:0
  tokens: [{name: one, file: tokens/one}, {name: two, file: tokens/two}, {name: both, file: tokens/both}]
  access:
    - {who: [one, both], namespaces: [team1], may: [pull, push]}
    - {who: [two, both], namespaces: [team2], may: [pull, push]}
`, h.repo.Dir, far))

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	args := []string{"run", "--config", config, "--registry-storage", filepath.Join(dir, "storage")}
	go func() { ended <- Main(ctx, args, h.log, h.log, func(string) string { return "" }) }()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("the daemon's exit code is %d", code)
		}
		text, _ := h.log.from(0)
		for _, s := range append([]string{h.up.password}, h.tokens["one"], h.tokens["two"], h.tokens["both"]) {
			if strings.Contains(text, s) {
				t.Error("the log holds a secret")
			}
		}
		if t.Failed() {
			t.Logf("the daemon:\n%s", text)
		}
	})
	h.url = h.says(`msg="serving a registry" address=(\S+)`)
	return h
}

// says waits for a line of the log, and returns what its group matches.
func (h *transit) says(pattern string) string {
	h.t.Helper()
	re, enough := regexp.MustCompile(pattern), time.After(patience)
	for {
		text, more := h.log.from(0)
		if m := re.FindStringSubmatch(text); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-more:
		case <-enough:
			h.t.Fatalf("the daemon does not say %s:\n%s", pattern, text)
		}
	}
}

// file waits until a file on main matches.
func (h *transit) file(path, pattern string) {
	h.t.Helper()
	re, tick, enough := regexp.MustCompile(pattern), time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		text := h.repo.Read(path)
		if re.MatchString(text) {
			return
		}
		select {
		case <-tick.C:
		case <-enough:
			log, _ := h.log.from(0)
			h.t.Fatalf("%s does not match %s:\n%s\n%s", path, pattern, text, log)
		}
	}
}

// ask asks our own registry with a token; it gives the status and the body.
func (h *transit) ask(who, method, path, body string, headers ...string) (*http.Response, string) {
	h.t.Helper()
	target := h.url + "/v2/" + path
	if strings.HasPrefix(path, "/") {
		target = h.url + path
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.SetBasicAuth("robot", h.tokens[who])
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range []string{h.up.password, h.front.Listener.Addr().String()} {
		if strings.Contains(string(got), s) {
			h.t.Errorf("%s %s tells %q: %s", method, path, s, got)
		}
	}
	return resp, string(got)
}

// want checks the status and a part of the body.
func (h *transit) want(status int, says, who, method, path, body string, headers ...string) string {
	h.t.Helper()
	resp, got := h.ask(who, method, path, body, headers...)
	if resp.StatusCode != status || !strings.Contains(got, says) {
		h.t.Errorf("%s: %s %s: got %d %.400q, want %d …%s…", who, method, path, resp.StatusCode, got, status, says)
	}
	return got
}

// layersOf are the digests that an image names.
func layersOf(t *testing.T, manifest []byte) (all []string) {
	t.Helper()
	type descriptor struct{ Digest string }
	var m struct {
		Config descriptor
		Layers []descriptor
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	for _, d := range append([]descriptor{m.Config}, m.Layers...) {
		all = append(all, d.Digest)
	}
	return all
}

const throughStream = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec:
  tags:
    - name: stable
      from: {kind: DockerImage, name: "FAR/inside/web:1.4"}
      importPolicy: {insecure: true, scheduled: true, importMode: PreserveOriginal}
      referencePolicy: {type: Local}
    - name: small
      from: {kind: DockerImage, name: "FAR/inside/web:small"}
      importPolicy: {insecure: true}
      referencePolicy: {type: Local}
`

const throughSite = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: team1
  annotations:
    image.openshift.io/triggers: '[{"from":{"kind":"ImageStreamTag","name":"web:stable"},"fieldPath":"spec.template.spec.containers[?(@.name==\"web\")].image"}]'
spec:
  template:
    spec:
      containers:
        - name: web
          image: " "
`

// A stream of another registry is pulled from ours: by who may pull in its namespace, with the
// namespace's credential, only what is on record, and once.
func TestPullThroughTheDaemon(t *testing.T) {
	index := registrytest.NewIndex(t, "inside/web:1.4", "one", "linux/amd64", "linux/arm64")
	small := registrytest.NewImage(t, "inside/web:small", "small")
	other := registrytest.NewImage(t, "inside/web:other", "other")
	h := openTransit(t, map[string]string{
		".towpath.yaml":     "version: 1\nregistry: {host: \"registry.test:5000\", streams: {\"team*\": \"{namespace}\"}}\n",
		"team1/web.yaml":    throughStream,
		"team1/deploy.yaml": throughSite,
	}, func(host string) {
		index.Push(t, host)
		small.Push(t, host)
		other.Push(t, host)
	})
	h.file("team1/deploy.yaml", `image: "registry\.test:5000/team1/web(:stable)?@`+index.Digest)
	h.file("team1/web.yaml", `image: `+small.Digest)

	// Who may not pull there has nothing fetched, and hears the same of what is there and what is not.
	before := h.fetched("/manifests/" + index.Digest)
	blobs := h.fetched("/blobs/")
	h.want(403, "DENIED", "two", "GET", "team1/web/manifests/stable", "")
	h.want(403, "DENIED", "two", "GET", "team1/web/manifests/"+index.Digest, "")
	h.want(403, "DENIED", "two", "GET", "team1/web/blobs/"+layersOf(t, small.Manifest)[0], "")
	h.want(404, "", "two", "GET", "team2/web/manifests/"+index.Digest, "")
	if got := h.fetched("/manifests/" + index.Digest); got != before || h.fetched("/blobs/") != blobs {
		t.Errorf("another namespace's token had something fetched: %q", h.asked)
	}

	// Nor is what is on no record fetched.
	h.want(404, "MANIFEST_UNKNOWN", "one", "GET", "team1/web/manifests/"+other.Digest, "")
	h.want(404, "", "one", "GET", "team1/web/manifests/other", "")
	h.want(404, "BLOB_UNKNOWN", "one", "GET", "team1/web/blobs/"+layersOf(t, other.Manifest)[1], "")
	if h.fetched(other.Digest) != 0 {
		t.Errorf("what is on no record was asked for: %q", h.asked)
	}

	// By tag and by digest, each platform with its layers, and each of them once.
	pull := func() {
		t.Helper()
		for _, ref := range []string{"stable", index.Digest} {
			h.want(200, string(index.Manifest), "one", "GET", "team1/web/manifests/"+ref, "")
		}
		for _, child := range index.Children {
			manifest := h.want(200, "", "one", "GET", "team1/web/manifests/"+child.Digest, "")
			for _, layer := range layersOf(t, []byte(manifest)) {
				h.want(200, "", "one", "GET", "team1/web/blobs/"+layer, "")
			}
		}
	}
	pull()
	n := h.fetched("/blobs/")
	h.up.mood(t, "down")
	pull()
	if got := h.fetched("/blobs/"); got != n {
		t.Errorf("kept blobs were fetched again: %d of them", got-n)
	}

	// What was not pulled before is not there while the other registry is away, and says so
	// without saying where that is, nor with what credential it was asked.
	h.want(502, "cannot be reached", "one", "GET", "team1/web/manifests/small", "")
	h.up.mood(t, "up")
	h.up.mood(t, "private")

	// A client is told that a layer is there, and pushes an image over it. Only then it is fetched.
	h.want(200, string(small.Manifest), "one", "GET", "team1/web/manifests/small", "")
	layers := layersOf(t, small.Manifest)
	for _, layer := range layers {
		h.want(200, "", "one", "HEAD", "team1/web/blobs/"+layer, "")
		if h.fetched("/blobs/"+layer) > 1 { // the configuration was read for the record
			t.Errorf("HEAD fetched %s", layer)
		}
	}
	mine := strings.Replace(string(small.Manifest), "{", `{"annotations":{"mine":"yes"},`, 1)
	h.want(201, "", "one", "PUT", "team1/web/manifests/mine", mine, "Content-Type", small.MediaType)
	h.up.mood(t, "down")
	for _, layer := range layers {
		h.want(200, "", "one", "GET", "team1/web/blobs/"+layer, "")
	}
	h.file("team1/web.yaml", `tag: mine`)
}

const lentStream = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: prod, namespace: NS}
spec:
  tags:
    - name: live
      from: {kind: ImageStreamTag, name: "web:1.0", namespace: team1}
      referencePolicy: {type: Local}
`

// A tag that follows one that was pushed to another stream is pulled from our own registry, which
// does not ask itself for it. Another namespace's record opens nothing.
func TestPullAliasesThroughTheDaemon(t *testing.T) {
	h := openTransit(t, map[string]string{
		".towpath.yaml":   "version: 1\nregistry: {host: \"registry.test:5000\", streams: {\"team*\": \"{namespace}\"}}\n",
		"team1/prod.yaml": strings.ReplaceAll(lentStream, "NS", "team1"),
		"team2/prod.yaml": strings.ReplaceAll(lentStream, "NS", "team2"),
	}, func(string) {})
	put := func(content string) string {
		resp, _ := h.ask("one", "POST", "team1/web/blobs/uploads/", "")
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
		h.want(201, "", "one", "PUT", resp.Header.Get("Location")+"&digest="+digest, content)
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}`, digest, len(content))
	}
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	image := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`, mediaType, put(`{"os":"linux","architecture":"amd64"}`), put("a layer"))
	h.want(201, "", "one", "PUT", "team1/web/manifests/1.0", image, "Content-Type", mediaType)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(image)))
	for _, path := range []string{"team1/prod.yaml", "team2/prod.yaml"} {
		h.file(path, `dockerImageReference: "?registry\.test:5000/team1/web@`+digest)
	}
	pull := func(who, repository string) {
		t.Helper()
		for _, ref := range []string{"live", digest} {
			h.want(200, image, who, "GET", repository+"/manifests/"+ref, "")
		}
		for _, layer := range layersOf(t, []byte(image)) {
			h.want(200, "", who, "GET", repository+"/blobs/"+layer, "")
		}
	}
	pull("one", "team1/prod")
	pull("both", "team2/prod")
	h.want(403, "pull team1/web@"+digest, "two", "GET", "team2/prod/manifests/live", "")
	h.want(404, "BLOB_UNKNOWN", "two", "GET", "team2/prod/blobs/"+layersOf(t, []byte(image))[1], "")
	h.want(200, `["team1/prod","team1/web"]`, "one", "GET", "_catalog", "")
	if h.fetched("") > 0 {
		t.Errorf("another registry was asked: %q", h.asked)
	}
}
