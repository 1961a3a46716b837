package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/towpath/towpath/imagestream"
)

// stream is the text of a stream: about 20 KB with a history of ten.
func (r repo) stream(i int) []byte { return r.streamOf(i, cmp.Or(r.Seed.Tags, tagsOfEach)) }

func (r repo) streamOf(i, tags int) []byte {
	host, schedule := "quay.example.com", ""
	if r.Seed.Host != "" {
		host, schedule = r.Seed.Host, "      insecure: true\n      scheduled: true\n"
	}
	repository := host + "/" + repositoryOf(i)
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: svc-%05d\n  namespace: team-%03d\n  annotations:\n    note: first\nspec:\n  tags:\n", i, i/perDir)
	for tag := range tags {
		fmt.Fprintf(&b, "  - name: \"%s\"\n    from:\n      kind: DockerImage\n      name: %s:%s\n    importPolicy:\n      importMode: Legacy\n%s    referencePolicy:\n      type: Source\n", tagName(tag), repository, tagName(tag), schedule)
	}
	if r.Seed.History == 0 {
		return []byte(b.String())
	}
	b.WriteString("status:\n  tags:\n")
	for tag := range tags {
		fmt.Fprintf(&b, "  - tag: \"%s\"\n    items:\n", tagName(tag))
		for item := range r.Seed.History {
			digest := fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Append(nil, i, tag, item)))
			if item == 0 && r.Seed.Host != "" {
				_, digest = manifest(repositoryOf(i), tagName(tag), 0)
			}
			created := when.Add(-time.Duration(item) * 24 * time.Hour).Format(time.RFC3339)
			fmt.Fprintf(&b, "    - created: \"%s\"\n      dockerImageReference: %s@%s\n      image: %s\n", created, repository, digest, digest)
		}
		b.WriteString(sourceLines(repository + ":" + tagName(tag)))
	}
	return []byte(b.String())
}

// sourceLines are the conditions of a tag whose record is that of a reference.
func sourceLines(reference string) string {
	const mode, platform = imagestream.Legacy, "linux/amd64"
	from := imagestream.From{Kind: imagestream.DockerImage, Name: reference}
	source := imagestream.Source{From: reference, Mode: mode, Platform: platform, Inputs: from.Inputs(mode, platform)}
	return fmt.Sprintf("    conditions:\n    - type: towpath.dev/Source\n      status: \"True\"\n      lastTransitionTime: \"%s\"\n      reason: Resolved\n      message: %s\n", when.Format(time.RFC3339), source)
}

func pathOf(i int) string { return fmt.Sprintf("teams/team-%03d/svc-%05d.yaml", i/perDir, i) }

func repositoryOf(i int) string { return fmt.Sprintf("team-%03d/svc-%05d", i/perDir, i) }

func tagName(i int) string { return fmt.Sprint("1.", i) }
