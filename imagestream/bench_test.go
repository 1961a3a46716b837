package imagestream

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What a file of ten scheduled tags costs: to load, and to write. The JSON file says
// what the YAML of one item a tag says.
func BenchmarkLoad(b *testing.B) {
	one := recorded(b, tenTags, 1)
	for _, bb := range []struct{ name, src string }{
		{"spec", tenTags}, {"status-1", one}, {"status-10", recorded(b, tenTags, 10)}, {"JSON", recorded(b, tenTagsJSON, 1)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bb.src)))
			for b.Loop() {
				if docs, problems := Parse(parse(b, bb.src)); len(docs) != 1 || len(problems) > 0 {
					b.Fatal(problems)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, bb := range []struct {
		name, src string
		tags      int // that moved
	}{
		{"first", tenTags, 10}, {"one-of-10", recorded(b, tenTags, 1), 1}, {"one-of-10-JSON", recorded(b, tenTagsJSON, 1), 1},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bb.src)))
			for b.Loop() {
				write10(b, bb.src, bb.tags, 99)
			}
		})
	}
}

var tenTags, tenTagsJSON = func() (string, string) {
	var y, j strings.Builder
	y.WriteString("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: svc-00001\n  namespace: team-001\n  annotations:\n    note: first\nspec:\n  tags:\n")
	j.WriteString("{\n  \"apiVersion\": \"image.openshift.io/v1\",\n  \"kind\": \"ImageStream\",\n  \"metadata\": {\"name\": \"svc-00001\", \"namespace\": \"team-001\"},\n  \"spec\": {\n    \"tags\": [")
	for i := range 10 {
		fmt.Fprintf(&y, "  - name: v%d\n    from:\n      kind: DockerImage\n      name: quay.io/canal/svc-00001:v%d\n    importPolicy:\n      scheduled: true\n", i, i)
		fmt.Fprintf(&j, "%s\n      {\"name\": \"v%d\", \"from\": {\"kind\": \"DockerImage\", \"name\": \"quay.io/canal/svc-00001:v%d\"}, \"importPolicy\": {\"scheduled\": true}}", strings.Repeat(",", min(i, 1)), i, i)
	}
	return y.String(), j.String() + "\n    ]\n  }\n}\n"
}()

// recorded is a file after so many imports of every tag.
func recorded(b *testing.B, src string, imports int) string {
	for i := range imports {
		src = write10(b, src, 10, i)
	}
	return src
}

// write10 is what a file becomes when the first of its ten tags move, read, written and
// proven.
func write10(b *testing.B, src string, tags, image int) string {
	f := parse(b, src)
	docs, problems := Parse(f)
	if len(docs) != 1 || len(problems) > 0 {
		b.Fatal(problems)
	}
	o := Options{Now: noon.Add(time.Duration(image) * time.Hour)}
	var events []Event
	for i := range tags {
		from := fmt.Sprintf("quay.io/canal/svc-00001:v%d", i)
		digest := numbered(1000*i + image)
		events = append(events, Event{
			Tag:    fmt.Sprintf("v%d", i),
			Item:   &Item{Reference: "quay.io/canal/svc-00001@" + digest, Image: digest},
			Source: &Source{From: from, Mode: Legacy, Platform: "linux/amd64", Inputs: "00000001"},
		})
	}
	out, err := Write(f, []Update{{docs[0], docs[0].After(events, o), o}})
	if err != nil || string(out) == src {
		b.Fatal(err)
	}
	return string(out)
}
