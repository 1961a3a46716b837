package hooks

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/towpath/towpath/registry"
)

// registries are the kinds that tell of pushed images. A receiver's host goes before the one
// that a payload names; three vendors name none, so theirs needs one.
func registries() []vendor {
	const header = "header Authorization: Bearer and the text of the secret file"
	return []vendor{
		{kind: "distribution", title: "Docker Distribution", signed: inHeader, shows: byHeaders("Authorization"), read: readDistribution,
			setUp: lines("In the registry's config.yml, below notifications.endpoints:", "  - name: towpath", "    url: {url}", "    headers: {Authorization: [Bearer TEXT-OF-THE-SECRET-FILE]}", "    timeout: 5s", "    threshold: 3", "    backoff: 10s", "    ignore: {actions: [pull, mount]}")},
		{kind: "gitlab-registry", title: "GitLab's container registry", signed: inHeader, shows: byHeaders("Authorization"), read: readDistribution,
			setUp: lines("GitLab tells of no image by a project's webhook; whoever runs GitLab adds in gitlab.rb:", "  registry['notifications'] = [{'name' => 'towpath', 'url' => '{url}', 'headers' => {'Authorization' => ['Bearer TEXT-OF-THE-SECRET-FILE']}, 'timeout' => '5s', 'threshold' => 3, 'backoff' => '10s'}]", "On gitlab.com call a receiver of kind generic at the end of the pipeline.")},
		{kind: "dtr", title: "Mirantis Secure Registry (DTR)", read: readDTR,
			setUp: lines("Repository → Webhooks → New Webhook: Tag pushed to repository", "Webhook URL: {url}")},
		{kind: "dockerhub", title: "Docker Hub", read: readDockerHub,
			setUp: lines("Repository → Webhooks → New webhook", "Webhook URL: {url}", "Docker Hub signs nothing: the URL is the secret.")},
		{kind: "quay", title: "Quay", read: readQuay,
			setUp: lines("Repository → Settings → Events and Notifications → Create Notification: Push to Repository, Webhook POST", "Webhook URL: {url}", "Quay signs nothing: the URL is the secret.")},
		{kind: "harbor", title: "Harbor", signed: inHeader, shows: byHeaders("Authorization"), read: readHarbor,
			setUp: lines("Project → Webhooks → New Webhook: Notify Type http, Payload Format Default or CloudEvents, Event Type Artifact pushed", "Endpoint URL: {url}", "Auth Header: Bearer and the text of the secret file")},
		{kind: "ghcr", title: "GitHub Packages (ghcr.io)", signed: signedGitHub, shows: byHeaders("X-Hub-Signature-256"), delivery: "X-GitHub-Delivery", form: true, read: readGitHubPackage,
			setUp: lines("Repository or organisation → Settings → Webhooks → Add webhook", "Payload URL: {url}", "Content type: application/json", "Secret: the text of the secret file", "Events: Packages, Registry packages", "Only packages that are linked to a repository are told of.")},
		{kind: "gitea-packages", title: "Gitea or Forgejo packages", signed: ofPayload(signedGitea), shows: byHeaders(giteaHeaders...), delivery: "X-Gitea-Delivery", form: true, read: readGiteaPackage,
			setUp: lines("Owner or repository → Settings → Webhooks → Add Webhook → Gitea (Forgejo)", "Target URL: {url}", "HTTP Method: POST, Content Type: application/json", "Secret: the text of the secret file", "Trigger On: Custom Events → Package")},
		{kind: "acr", title: "Azure Container Registry", signed: inHeader, shows: byHeaders("Authorization"), read: readACR,
			setUp: lines("Registry → Webhooks → Add: Actions push", "Service URI: {url}", "Custom headers: Authorization: Bearer and the text of the secret file")},
		{kind: "ecr", title: "Amazon ECR by EventBridge", signed: inHeader, shows: byHeaders("Authorization"), read: readECR,
			setUp: lines("EventBridge → Connections: API key, name Authorization, value Bearer and the text of the secret file", "EventBridge → API destinations: POST, {url}", `EventBridge → Rules: {"source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": {"action-type": ["PUSH"], "result": ["SUCCESS"]}}, target the API destination`, "Events are sent unaltered: no input transformer.")},
		{kind: "jfrog", title: "JFrog Artifactory", signed: signedJFrog, shows: byHeaders("X-JFrog-Event-Auth"), needs: needsHost, read: readJFrog,
			setUp: lines("Administration → Platform Management → Webhooks → New: events Docker, Tag was pushed", "URL: {url}", "Secret token: the text of the secret file, used for payload signing", "No payload says by which host the images are pulled: the receiver needs a host.")},
		{kind: "nexus", title: "Sonatype Nexus 3", signed: signedNexus, shows: byHeaders("X-Nexus-Webhook-Signature"), delivery: "X-Nexus-Webhook-Delivery", needs: needsHost, read: readNexus,
			setUp: lines("Administration → System → Capabilities → Create: Webhook: Repository, the docker repository, event types component and asset", "URL: {url}", "Secret Key: the text of the secret file", "No payload says by which host the images are pulled: the receiver needs a host.")},
		{kind: "zot", title: "zot", signed: inHeader, shows: byHeaders("Authorization"), delivery: "Ce-Id", needs: needsHost, read: readZot,
			setUp: lines("In zot's configuration, below extensions.events.sinks:", `  {"type": "http", "address": "{url}", "timeout": "5s", "credentials": {"username": "towpath", "password": "TEXT-OF-THE-SECRET-FILE"}}`, "Or send the "+header+".", "No payload says by which host the images are pulled: the receiver needs a host.")},
		{kind: "aliyun", title: "Alibaba Cloud Container Registry", read: readAliyun,
			setUp: lines("Repository → Triggers → Create", "Trigger URL: {url}", "It signs nothing: the URL is the secret.")},
		{kind: "generic", title: "anything that can sign", signed: signedGeneric, shows: byHeaders("X-Signature", standardHeader), delivery: "Webhook-Id", read: readGeneric,
			setUp: lines(`POST {"image": "HOST/REPOSITORY", "tag": "TAG"} to {url}`, "with Content-Type: application/json and X-Signature: sha256= and the HMAC-SHA256 of the body in hex, by the text of the secret file (or Standard Webhooks' headers).", "  body='{\"image\": \"quay.io/team1/web\", \"tag\": \"1.4.3\"}'", `  curl -H 'Content-Type: application/json' -H "X-Signature: sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac "$(cat SECRET-FILE)" -r | cut -d' ' -f1)" -d "$body" {url}`)},
		{kind: "cdevents", title: "CDEvents", signed: signedGeneric, shows: byHeaders("X-Signature", standardHeader), delivery: "Webhook-Id", read: readCDEvent,
			setUp: lines("POST events dev.cdevents.artifact.published whose subject.id is a purl of type oci with repository_url and tag to {url}", "signed as for kind generic.")},
	}
}

// lines is text with the receiver's address where {url} stands.
func lines(text ...string) func(string) []string {
	return func(address string) []string {
		out := make([]string, len(text))
		for i, l := range text {
			out[i] = strings.ReplaceAll(l, "{url}", address)
		}
		return out
	}
}

// needsHost is for vendors whose payloads do not say where they come from.
func needsHost(r Receiver) error {
	if r.Host == "" {
		return errors.New("what it posts names no host that images are pulled by; add the line host: HOST, as streams name it")
	}
	return nil
}

// repository is the canonical name of what a payload names, by the receiver's host where it
// has one. It is only ever compared with names that streams have. Some senders write the
// path with the capitals of an account; registries have none.
func repository(host, said, path string) (registry.Repo, bool) {
	if host == "" {
		host = said
	}
	host, err := registry.ParseHost(host)
	if err != nil {
		return registry.Repo{}, false
	}
	path = lower(path)
	if host == registry.Hub && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	r := registry.Repo{Host: host, Path: path}
	return r, r.IsCanonical()
}

// lower changes ASCII alone: folding runes makes other letters to those of ASCII.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// hostOf is what stands before the first slash of host/path.
func hostOf(s string) string {
	host, _, _ := strings.Cut(s, "/")
	return host
}

// seen adds a pushed image, if it is one that a registry can have. Where there is no tag, or
// it is a digest as several vendors write it, it was pushed by digest alone.
func (s *Sighting) seen(r registry.Repo, ok bool, tag, digest string) {
	if registry.ValidDigest(tag) {
		tag, digest = "", tag
	}
	if !registry.ValidDigest(digest) {
		digest = ""
	}
	if ok && (registry.ValidTag(tag) || tag == "" && digest != "") {
		s.Images = append(s.Images, Image{Repo: r, Tag: tag, Digest: digest})
	}
}

// payload parses a body that must be an object.
func payload(c call) (node, error) {
	n, err := parse(c.body)
	if err == nil && !n.isObject() {
		err = missing("object")
	}
	return n, err
}

// readDistribution reads an envelope: events about whatever happened, most of them no push.
// One that cannot be understood is passed over: the registry sends an envelope that is
// refused again and again, and nothing after it.
func readDistribution(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	if !n.at("events").isList() {
		return Sighting{}, missing("list events")
	}
	var s Sighting
	for _, e := range n.at("events").list() {
		if e.at("action").text() == "push" {
			s.target(e, host)
		}
	}
	return s, nil
}

// target is an event of distribution's kind.
func (s *Sighting) target(e node, host string) {
	t := e.at("target")
	r, ok := repository(host, e.at("request", "host").text(), t.at("repository").text())
	s.seen(r, ok, t.at("tag").text(), t.at("digest").text())
}

func readDTR(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil || n.at("type").text() != "TAG_PUSH" {
		return Sighting{}, err
	}
	t := n.at("contents")
	if t.at("repository").text() == "" {
		return Sighting{}, missing("contents.repository")
	}
	var s Sighting
	r, ok := repository(host, hostOf(t.at("imageName").text()), t.at("namespace").text()+"/"+t.at("repository").text())
	s.seen(r, ok, t.at("tag").text(), t.at("digest").text())
	return s, nil
}

func readDockerHub(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	name := n.at("repository", "repo_name").text()
	if name == "" && n.at("repository", "name").text() != "" {
		name = n.at("repository", "namespace").text() + "/" + n.at("repository", "name").text()
	}
	if name == "" {
		return Sighting{}, missing("repository.repo_name")
	}
	var s Sighting
	r, ok := repository(host, registry.Hub, name)
	s.seen(r, ok, n.at("push_data", "tag").text(), "")
	return s, nil
}

// readQuay reads updated_tags, a list or, of older ones, a map with the tags as its keys.
// Other notifications have none.
func readQuay(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	tags := n.at("updated_tags").keys()
	slices.Sort(tags)
	for _, t := range n.at("updated_tags").list() {
		tags = append(tags, t.text())
	}
	if len(tags) == 0 {
		return Sighting{}, nil
	}
	said, path, _ := strings.Cut(n.at("docker_url").text(), "/")
	if path == "" {
		return Sighting{}, missing("docker_url")
	}
	var s Sighting
	r, ok := repository(host, said, path)
	for _, t := range tags {
		s.seen(r, ok, t, "")
	}
	return s, nil
}

// readHarbor reads both of its formats: what it calls event_data is data in CloudEvents.
func readHarbor(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	var data node
	switch n.at("type").text() {
	case "PUSH_ARTIFACT", "pushImage":
		data = n.at("event_data")
	case "harbor.artifact.pushed":
		data = n.at("data")
	default:
		return Sighting{}, nil
	}
	name := data.at("repository", "repo_full_name").text()
	if name == "" {
		return Sighting{}, missing("repository.repo_full_name")
	}
	var s Sighting
	for _, res := range data.at("resources").list() {
		r, ok := repository(host, hostOf(res.at("resource_url").text()), name)
		s.seen(r, ok, res.at("tag").text(), res.at("digest").text())
	}
	return s, nil
}

// readGitHubPackage reads the events package and registry_package. Of a version without a
// tag (an attestation, one entry of a list) the digest is all there is.
func readGitHubPackage(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	event := only(c.header, "X-Github-Event")
	action := n.at("action").text()
	if event != "package" && event != "registry_package" || action != "published" && action != "updated" {
		return Sighting{}, nil
	}
	p := n.at(event)
	if t := lower(p.at("package_type").text()); t != "container" && t != "docker" {
		return Sighting{}, nil
	}
	if p.at("name").text() == "" || p.at("owner", "login").text() == "" {
		return Sighting{}, missing(event + ".name or its owner.login")
	}
	v := p.at("package_version")
	said := "ghcr.io"
	if h, _, ok := strings.Cut(v.at("package_url").text(), "/"); ok {
		said = h
	}
	t := v.at("container_metadata", "tag")
	digest := t.at("digest").text()
	if digest == "" {
		digest = v.at("version").text()
	}
	var s Sighting
	r, ok := repository(host, said, p.at("owner", "login").text()+"/"+p.at("name").text())
	s.seen(r, ok, t.at("name").text(), digest)
	return s, nil
}

func readGiteaPackage(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	event := only(c.header, "X-Gitea-Event")
	if event == "" {
		event = only(c.header, "X-Forgejo-Event")
	}
	p := n.at("package")
	if event != "package" || n.at("action").text() != "created" || p.at("type").text() != "container" {
		return Sighting{}, nil
	}
	owner := p.at("owner", "login").text()
	if owner == "" {
		owner = p.at("owner", "username").text()
	}
	if owner == "" || p.at("name").text() == "" {
		return Sighting{}, missing("package.name or its owner.login")
	}
	said := ""
	if u, err := url.Parse(p.at("html_url").text()); err == nil {
		said = u.Host
	}
	var s Sighting
	r, ok := repository(host, said, owner+"/"+p.at("name").text())
	s.seen(r, ok, p.at("version").text(), "")
	return s, nil
}

func readACR(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil || n.at("action").text() != "push" {
		return Sighting{}, err
	}
	if n.at("target", "repository").text() == "" {
		return Sighting{}, missing("target.repository")
	}
	var s Sighting
	s.target(n, host)
	return s, nil
}

func readECR(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	d := n.at("detail")
	if n.at("source").text() != "aws.ecr" || n.at("detail-type").text() != "ECR Image Action" ||
		d.at("action-type").text() != "PUSH" || d.at("result").text() != "SUCCESS" {
		return Sighting{}, nil
	}
	if d.at("repository-name").text() == "" {
		return Sighting{}, missing("detail.repository-name")
	}
	region := n.at("region").text()
	said := n.at("account").text() + ".dkr.ecr." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		said += ".cn"
	}
	var s Sighting
	r, ok := repository(host, said, d.at("repository-name").text())
	s.seen(r, ok, d.at("image-tag").text(), d.at("image-digest").text())
	return s, nil
}

// byPaths is for products that serve one repository by its own host or port and also below
// its name on the common host, and do not say which: both are looked for.
func (s *Sighting) byPaths(host, repo, image, tag, digest string) {
	for _, path := range []string{image, repo + "/" + image} {
		r, ok := repository(host, "", path)
		s.seen(r, ok, tag, digest)
	}
}

// signedJFrog takes the HMAC of the body, or the secret itself: which one is sent is a switch
// at their side.
func signedJFrog(c call, secret []byte) bool {
	return signedHex(c, "X-JFrog-Event-Auth", "", sha256.New, secret) || same(only(c.header, "X-Jfrog-Event-Auth"), string(secret))
}

func readJFrog(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil || n.at("domain").text() != "docker" || n.at("event_type").text() != "pushed" {
		return Sighting{}, err
	}
	d := n.at("data")
	if d.at("image_name").text() == "" {
		return Sighting{}, missing("data.image_name")
	}
	var s Sighting
	s.byPaths(host, d.at("repo_key").text(), d.at("image_name").text(), d.at("tag").text(), "sha256:"+d.at("sha256").text())
	return s, nil
}

// signedNexus takes the HMAC of the body as it came, or without its white space, which is
// what Nexus says it signs. Nothing is read from it before.
func signedNexus(c call, secret []byte) bool {
	const header = "X-Nexus-Webhook-Signature"
	if signedHex(c, header, "", sha1.New, secret) {
		return true
	}
	var compact bytes.Buffer
	if json.Compact(&compact, c.body) != nil {
		return false
	}
	c.body = compact.Bytes()
	return signedHex(c, header, "", sha1.New, secret)
}

func readNexus(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if a := n.at("action").text(); err != nil || a != "CREATED" && a != "UPDATED" {
		return Sighting{}, err
	}
	var name, tag string
	switch only(c.header, "X-Nexus-Webhook-Id") {
	case "rm:repository:component":
		if n.at("component", "format").text() != "docker" {
			return Sighting{}, nil
		}
		name, tag = n.at("component", "name").text(), n.at("component", "version").text()
	case "rm:repository:asset":
		if n.at("asset", "format").text() != "docker" {
			return Sighting{}, nil
		}
		// v2/team1/web/manifests/1.4; a blob has no manifests
		name, tag, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(n.at("asset", "name").text(), "/"), "v2/"), "/manifests/")
	default:
		return Sighting{}, nil
	}
	if name == "" {
		return Sighting{}, missing("name of a component or asset")
	}
	var s Sighting
	s.byPaths(host, n.at("repositoryName").text(), name, tag, "")
	return s, nil
}

func readZot(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil || only(c.header, "Ce-Type") != "zotregistry.image.updated" {
		return Sighting{}, err
	}
	if n.at("name").text() == "" {
		return Sighting{}, missing("name")
	}
	var s Sighting
	r, ok := repository(host, "", n.at("name").text())
	s.seen(r, ok, n.at("reference").text(), n.at("digest").text())
	return s, nil
}

func readAliyun(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	if n.at("repository", "repo_full_name").text() == "" {
		return Sighting{}, missing("repository.repo_full_name")
	}
	var s Sighting
	said := "registry." + n.at("repository", "region").text() + ".aliyuncs.com"
	r, ok := repository(host, said, n.at("repository", "repo_full_name").text())
	s.seen(r, ok, n.at("push_data", "tag").text(), n.at("push_data", "digest").text())
	return s, nil
}

// signedGeneric takes X-Signature or Standard Webhooks; where both are there both are right.
func signedGeneric(c call, secret []byte) bool {
	ours, standard := len(c.header.Values("X-Signature")) > 0, len(c.header.Values(standardHeader)) > 0
	return (ours || standard) &&
		(!ours || signedSHA256("X-Signature")(c, secret)) &&
		(!standard || signedStandard(c, secret))
}

// readGeneric reads our own payload. Without a tag any tag of the repository may have moved.
func readGeneric(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil {
		return Sighting{}, err
	}
	if n.at("image").text() == "" {
		return Sighting{}, missing("image")
	}
	var s Sighting
	r, ok := named(host, n.at("image").text())
	tag, digest := n.at("tag").text(), n.at("digest").text()
	if ok && tag == "" && digest == "" {
		s.Images = append(s.Images, Image{Repo: r})
		return s, nil
	}
	s.seen(r, ok, tag, digest)
	return s, nil
}

// named is a repository whose name may start with its host.
func named(host, name string) (registry.Repo, bool) {
	said, path, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(said, ".:") && said != "localhost" {
		return repository(host, registry.Hub, name)
	}
	return repository(host, said, path)
}

// readCDEvent reads that an artifact was published, named by a purl:
//
//	pkg:oci/web@sha256%3A…?repository_url=quay.io/team1/web&tag=1.4
func readCDEvent(c call, host string) (Sighting, error) {
	n, err := payload(c)
	if err != nil || !strings.HasPrefix(n.at("context", "type").text(), "dev.cdevents.artifact.published.") {
		return Sighting{}, err
	}
	purl, query, _ := strings.Cut(n.at("subject", "id").text(), "?")
	if !strings.HasPrefix(purl, "pkg:oci/") {
		return Sighting{}, nil // a package of another kind
	}
	about, err := url.ParseQuery(query)
	if err != nil || about.Get("repository_url") == "" {
		return Sighting{}, missing("repository_url in subject.id")
	}
	_, version, _ := strings.Cut(purl, "@")
	digest, _ := url.PathUnescape(version)
	var s Sighting
	r, ok := named(host, about.Get("repository_url"))
	s.seen(r, ok, about.Get("tag"), digest)
	return s, nil
}
