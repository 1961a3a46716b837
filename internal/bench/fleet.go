package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// A fleet is a repository of image streams, and of files that follow their tags by two
// sites each: Deployments by their annotation, DeploymentConfigs, and Helm values by
// comments. Some files follow the one tag that moves, the first of the first stream;
// the others follow what stays.
type fleet struct {
	repo
	Files  int
	Movers int    // of Files
	Spells string // what is written in place of sites; empty: nothing
}

// What may be written in place of sites: nothing is found then, and files without
// streams need not be parsed at all, or are.
const (
	unmentioned = "unmentioned"
	mentioned   = "mentioned"
)

const (
	fleetFiles   = 5000
	fleetStreams = 200
	fleetTags    = 5
)

// fleet is one on this bed's scale: so many sites follow the tag that moves.
func (b *bed) fleet(name string, moving int) fleet {
	r := repo{Dir: b.Dir, Name: name, Size: max(2, b.scaled(fleetStreams)), Seed: seed{History: history, Tags: fleetTags}}
	f := fleet{repo: r, Files: b.scaled(fleetFiles)}
	f.Movers = min(f.Files, b.scaled(moving/2))
	return f
}

// grown makes a fleet, once, with commits on top of its first.
func (b *bed) grown(ctx context.Context, f fleet, more ...revision) error {
	if _, made := b.sown[f.Name]; made {
		return nil
	}
	b.sown[f.Name] = f.repo
	if err := f.init(ctx); err != nil {
		return err
	}
	return f.filled(ctx, f.write(ctx, f.path(), "main", false, append([]revision{f.all}, more...)...))
}

// all is every file, as it is first.
func (f fleet) all(yield func(string, []byte) bool) {
	for i := range f.Size {
		if !yield(pathOf(i), f.stream(i)) {
			return
		}
	}
	for i := range f.Files {
		if !yield(f.appOf(i), f.file(i, digestOf(0, 0))) {
			return
		}
	}
}

// recorded is the first stream after its first tag moved.
func (f fleet) recorded(yield func(string, []byte) bool, digest string) bool {
	const items = "    items:\n"
	item := fmt.Sprintf("    - created: \"%s\"\n      dockerImageReference: %s\n      image: %s\n", when.Format(time.RFC3339), imageOf(0, digest), digest)
	return yield(pathOf(0), []byte(strings.Replace(string(f.stream(0)), items, items+item, 1)))
}

// followed are the files that follow that tag, after they were given its image.
func (f fleet) followed(yield func(string, []byte) bool, digest string) bool {
	for n := range f.Movers {
		if i := f.mover(n); !yield(f.appOf(i), f.file(i, digest)) {
			return false
		}
	}
	return true
}

// mover is the number of the nth file that follows the tag that moves: one of every sort.
func (f fleet) mover(n int) int {
	each := f.Files / f.Movers
	return n*each + n%each
}

// follows is what a site of a file follows.
func (f fleet) follows(i, site int) (stream, tag int) {
	each := f.Files / f.Movers
	if n := i / each; n < f.Movers && f.mover(n) == i {
		return 0, 0
	}
	return i % f.Size, 1 + (i/f.Size+site)%(fleetTags-1)
}

func (f fleet) appOf(i int) string {
	return fmt.Sprintf("apps/app-%03d/%s-%05d.yaml", i/perDir, sorts[i%len(sorts)].name, i)
}

// sorts are those of files, in the proportion in which they come.
var sorts = [10]struct{ name, text string }{
	{"config", deploymentConfig},
	{"values", helmValues}, {"values", helmValues}, {"values", helmValues},
	{"deployment", deployment}, {"deployment", deployment}, {"deployment", deployment},
	{"deployment", deployment}, {"deployment", deployment}, {"deployment", deployment},
}

// file is the text of a file whose sites hold the digest, if they follow the tag that moves.
func (f fleet) file(i int, digest string) []byte {
	words := []string{"NAME", fmt.Sprintf("app-%05d", i), "SPACE", fmt.Sprintf("app-%03d", i/perDir)}
	for site, key := range []string{"ONE", "TWO"} {
		stream, tag := f.follows(i, site)
		image := imageOf(stream, digest)
		if tag != 0 {
			image = imageOf(stream, digestOf(stream, tag))
		}
		namespace, name, _ := strings.Cut(repositoryOf(stream), "/")
		words = append(words, "IMAGE-"+key, image, "TAG-"+key, name+":"+tagName(tag), "FROM-"+key, namespace)
	}
	text := strings.NewReplacer(words...).Replace(sorts[i%len(sorts)].text)
	if f.Spells != "" {
		text = strings.NewReplacer("openshift.io/triggers", "openshift.io/watchers", "mageChange", "mageWatchd", "$imagestream", "$imagewaters").Replace(text)
	}
	if f.Spells == mentioned {
		text = "# No ImageStream is here.\n" + text
	}
	return []byte(text)
}

func imageOf(stream int, digest string) string {
	return "quay.example.com/" + repositoryOf(stream) + "@" + digest
}

// digestOf is what a tag is on record as, at first.
func digestOf(stream, tag int) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Append(nil, stream, tag, 0)))
}

const pod = `
    metadata:
      labels: {app: NAME}
    spec:
      serviceAccountName: NAME
      containers:
        - name: main
          image: IMAGE-ONE
          ports:
            - {name: http, containerPort: 8080}
          env:
            - name: LOG_LEVEL
              value: info
            - name: DATABASE_PASSWORD
              valueFrom:
                secretKeyRef: {name: NAME, key: password}
          readinessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {memory: 256Mi}
        - name: proxy
          image: IMAGE-TWO
          args: ["--upstream", "http://127.0.0.1:8080"]
          resources:
            requests: {cpu: 10m, memory: 32Mi}
`

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  namespace: SPACE
  labels: {app: NAME}
  annotations:
    note: first
    image.openshift.io/triggers: |-
      [{"from":{"kind":"ImageStreamTag","name":"TAG-ONE","namespace":"FROM-ONE"},"fieldPath":"spec.template.spec.containers[?(@.name==\"main\")].image"},
       {"from":{"kind":"ImageStreamTag","name":"TAG-TWO","namespace":"FROM-TWO"},"fieldPath":"spec.template.spec.containers[?(@.name==\"proxy\")].image"}]
spec:
  replicas: 2
  selector:
    matchLabels: {app: NAME}
  template:` + pod

const deploymentConfig = `apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata:
  name: NAME
  namespace: SPACE
  annotations:
    note: first
spec:
  replicas: 2
  selector: {app: NAME}
  triggers:
    - type: ConfigChange
    - type: ImageChange
      imageChangeParams:
        automatic: true
        containerNames: [main]
        from: {kind: ImageStreamTag, name: "TAG-ONE", namespace: FROM-ONE}
        lastTriggeredImage: IMAGE-ONE
    - type: ImageChange
      imageChangeParams:
        automatic: true
        containerNames: [proxy]
        from: {kind: ImageStreamTag, name: "TAG-TWO", namespace: FROM-TWO}
        lastTriggeredImage: IMAGE-TWO
  template:` + pod

const helmValues = `# Values of NAME in SPACE.
note: first
replicaCount: 2
main:
  image: IMAGE-ONE # {"$imagestream": "FROM-ONE/TAG-ONE"}
  resources:
    requests: {cpu: 100m, memory: 128Mi}
    limits: {memory: 256Mi}
  env:
    LOG_LEVEL: info
    UPSTREAM: http://127.0.0.1:8080
proxy:
  image: IMAGE-TWO # {"$imagestream": "FROM-TWO/TAG-TWO"}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
service:
  type: ClusterIP
  port: 80
ingress:
  enabled: true
  hosts:
    - host: NAME.example.com
      paths: [/]
autoscaling: {enabled: false}
nodeSelector: {}
tolerations: []
`
