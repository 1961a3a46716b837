package trigger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// workload is an object with an annotation and two lists of containers.
func workload(kind, annotation string) string {
	spec := "  template:\n    spec:\n      initContainers:\n      - name: prepare\n        image: ' '\n      containers:\n" +
		"      - name: web  # serves\n        image: quay.io/canal/web:1 # by hand\n      - name: side\n        image: \"side:1\"\n      - name: bare\n"
	if kind == "CronJob" {
		spec = "  jobTemplate:\n    spec:\n" + strings.ReplaceAll("\n"+spec, "\n  ", "\n      ")[1:]
	}
	return "apiVersion: apps/v1\nkind: " + kind + "\nmetadata:\n  name: locks\n  namespace: canal\n  annotations:\n    image.openshift.io/triggers: " +
		annotation + "\nspec:\n" + spec
}

// template is a template of one object.
func template(o string) string {
	return "kind: Template\napiVersion: v1\nobjects:\n- " + strings.ReplaceAll(strings.TrimSpace(o), "\n", "\n  ") + "\n"
}

func one(name, fieldPath, more string) string {
	return `{"from":{"kind":"ImageStreamTag","name":"` + name + `"},"fieldPath":"` + strings.ReplaceAll(fieldPath, `"`, `\"`) + `"` + more + `}`
}

// brief is a site in a line: container, what it follows, what it holds, where.
func brief(s Site) string {
	paused := ""
	if s.Paused {
		paused = " paused"
	}
	return fmt.Sprintf("%s/%s/%s/%s follows %s, holds %q at %d:%d%s",
		s.ID.Kind, s.ID.Namespace, s.ID.Name, s.ID.Container, s.Follows, s.Places[0].Value, s.Line, s.Col, paused)
}

func briefs(sites []Site) string {
	var b strings.Builder
	for _, s := range sites {
		fmt.Fprintln(&b, brief(s))
	}
	return b.String()
}

func lines(problems []imagestream.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%d:%d: %s", p.Line, p.Col, p.What)
		if p.Note {
			b.WriteString(" (note)")
		}
		if p.Fix != "" {
			b.WriteString("; " + p.Fix)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func parse(t *testing.T, src string) *yamledit.File {
	t.Helper()
	f, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, src)
	}
	return f
}

const podPath = "spec.template.spec."

func TestFind(t *testing.T) {
	single := func(entries ...string) string { return "'[" + strings.Join(entries, ",") + "]'" }
	web := one("barge:stable", podPath+`containers[?(@.name=="web")].image`, "")
	tests := []struct {
		name, src       string
		sites, problems string
	}{
		{"by name", workload("Deployment", single(web)), "Deployment/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 16:16\n", ""},
		{"by index", workload("StatefulSet", single(one("barge:stable", podPath+"containers[1].image", ""))),
			"StatefulSet/canal/locks/side follows barge:stable, holds \"side:1\" at 18:16\n", ""},
		{"of init containers, whichever list is named", workload("DaemonSet", single(one("barge:stable", podPath+`containers[?(@.name=="prepare")].image`, ""))),
			"DaemonSet/canal/locks/prepare follows barge:stable, holds \" \" at 13:16\n", ""},
		{"of init containers by index", workload("Deployment", single(one("barge:stable", podPath+"initContainers[0].image", ""))),
			"Deployment/canal/locks/prepare follows barge:stable, holds \" \" at 13:16\n", ""},
		{"a cron job", workload("CronJob", single(one("barge:stable", "spec.jobTemplate.spec.template.spec.containers[0].image", ""))),
			"CronJob/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 18:20\n", ""},
		{"no image yet", workload("Deployment", single(one("barge:stable", podPath+"containers[2].image", ""))),
			"Deployment/canal/locks/bare follows barge:stable, holds \"\" at 19:9\n", ""},
		{"paused", workload("Deployment", single(one("barge:stable", podPath+"containers[0].image", `,"paused":true`))),
			"Deployment/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 16:16 paused\n", ""},
		{"no tag is latest", workload("Deployment", single(one("barge:", podPath+"containers[0].image", ""))),
			"Deployment/canal/locks/web follows barge:latest, holds \"quay.io/canal/web:1\" at 16:16\n", ""},
		{"another namespace", workload("Deployment", `'[{"from":{"kind":"ImageStreamTag","name":"barge:1","namespace":"yard","apiVersion":""},"fieldPath":"spec.template.spec.containers[0].image"}]'`),
			"Deployment/canal/locks/web follows yard/barge:1, holds \"quay.io/canal/web:1\" at 16:16\n", ""},
		{"several", workload("Deployment", single(web, one("tug:1", podPath+"containers[1].image", ""))),
			"Deployment/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 16:16\nDeployment/canal/locks/side follows tug:1, holds \"side:1\" at 18:16\n", ""},
		{"of what never changes", workload("ReplicaSet", single(web)), "ReplicaSet/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 16:16\n", ""},
		{"in a block", workload("Deployment", "|\n      [\n        "+web+"\n      ]"),
			"Deployment/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 19:16\n", ""},
		{"in a List", "kind: List\napiVersion: v1\nitems:\n- kind: Service\n- " + strings.ReplaceAll(strings.TrimSpace(workload("Deployment", single(web))), "\n", "\n  "),
			"Deployment/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 20:18\n", ""},
		{"none", workload("Deployment", `""`), "", ""},
		{"an empty list", workload("Deployment", `"[]"`), "", ""},
		{"null", workload("Deployment", "null"), "", ""},

		{"a build config", workload("BuildConfig", single(web)), "", "7:34: a BuildConfig and an ImageStream follow by what stands in their spec: this annotation is not read (note)\n"},
		{"in a template", template(workload("Deployment", single(web))), "", "1:1: a template is read when somebody has processed it: its triggers are left alone (note)\n"},
		{"in a template with a stream", template(workload("Deployment", single(web))) + "- kind: ImageStream\n", "", ""},
		{"in a template without triggers", template(workload("Deployment", `""`)), "", ""},
		{"placeholders", workload("Deployment", strings.Replace(single(web), "barge", "${NAME}", 1)), "",
			"7:34: placeholders stand in this object: its triggers are left alone until something has filled them in (note)\n"},
		{"no name", strings.Replace(workload("Deployment", single(web)), "  name: locks\n", "", 1), "",
			"6:34: a Deployment with triggers has no name; give it one below metadata: name: web\n"},
		{"YAML in place of JSON", workload("Deployment", "\n    - from: x"), "",
			"8:5: the triggers are YAML; their annotation is a string; write them as JSON text: image.openshift.io/triggers: '[{…}]'\n"},
		{"bad JSON", workload("Deployment", "'[{]'"), "",
			"7:34: the triggers are not well-formed JSON: invalid character ']' looking for beginning of object key string; write a JSON list: [{…}]\n"},
		{"bad JSON in a block", workload("Deployment", "|\n      [\n        {]\n      ]"), "",
			"9:1: the triggers are not well-formed JSON: invalid character ']' looking for beginning of object key string; write a JSON list: [{…}]\n"},
		{"an object", workload("Deployment", "'{}'"), "", "7:34: the triggers are a JSON object, not a list of objects; write a JSON list: [{…}]\n"},
		{"paused as text", workload("Deployment", single(one("barge:stable", podPath+"containers[0].image", `,"paused":"true"`))), "",
			"7:34: paused of a trigger is a string, not true or false; \"paused\": true, without quotes\n"},
		{"a number as name", workload("Deployment", `'[{"from":{"name":12}}]'`), "", "7:34: from.name of a trigger is a number, not a string; write it in quotes\n"},
		{"a fieldPath twice", workload("Deployment", single(web, web, one("tug:1", podPath+"containers[1].image", ""))), "",
			"7:34: two triggers have the fieldPath spec.template.spec.containers[?(@.name==\"web\")].image: none of this object's is used; remove one of them\n"},
		{"an image twice", workload("Deployment", single(web, one("tug:1", podPath+"containers[0].image", ""), one("tug:1", podPath+"containers[1].image", ""))),
			"Deployment/canal/locks/side follows tug:1, holds \"side:1\" at 18:16\n",
			"16:16: two triggers rewrite this image: neither is used; remove one of them\n"},
		{"each for itself", workload("Deployment", single(web, one("tug:1", podPath+"containers[9].image", ""))),
			"Deployment/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 16:16\n",
			"7:34: fieldPath \"spec.template.spec.containers[9].image\": there are not that many containers; \"fieldPath\": \"spec.template.spec.containers[?(@.name==\\\"web\\\")].image\"\n"},
		{"the line of a trigger in a block", workload("Deployment", "|\n      [\n        "+web+",\n        "+one("tug", podPath+"containers[1].image", "")+"\n      ]"),
			"Deployment/canal/locks/web follows barge:stable, holds \"quay.io/canal/web:1\" at 20:16\n",
			"10:1: a trigger follows \"tug\", which is no tag of a stream; \"name\": \"STREAM:TAG\"\n"},
		{"another from", workload("Deployment", `'[{"from":{"kind":"DockerImage","name":"a:b"},"fieldPath":"x"}]'`), "",
			"7:34: a trigger follows the kind \"DockerImage\"; \"kind\": \"ImageStreamTag\"\n"},
		{"an apiVersion", workload("Deployment", `'[{"from":{"kind":"ImageStreamTag","name":"a:b","apiVersion":"v1"},"fieldPath":"x"}]'`), "",
			"7:34: a trigger whose from has an apiVersion is never watched; remove \"apiVersion\" from \"from\"\n"},
		{"two tags", workload("Deployment", single(one("a:b:c", podPath+"containers[0].image", ""))), "",
			"7:34: a trigger follows \"a:b:c\", which is no tag of a stream; \"name\": \"STREAM:TAG\"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sites, problems := Find(parse(t, tt.src))
			if diff := cmp.Diff(tt.sites, briefs(sites)); diff != "" {
				t.Errorf("sites (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.problems, lines(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSelectorsAreExact: what looks right and does not work in OpenShift does not
// work here either, and the line that works is said.
func TestSelectorsAreExact(t *testing.T) {
	for _, path := range []string{
		podPath + `containers[?(@.name=='side')].image`, podPath + `containers[@name=="side"].image`, podPath + `containers.[1].image`,
		podPath + `containers[?(@.name == "side")].image`, podPath + `containers[?(@.name=="side")].image.x`, podPath + `containers[?(@.name=="side")]`,
		podPath + `containers[-1].image`, podPath + `containers[].image`, podPath + `volumes[0].image`, "spec.containers[?(@.name==\"side\")].image",
		podPath + `containers[?(@.name=="side2")].image`, podPath + `containers[99999999999999999999].image`, "", "image",
	} {
		src := workload("Deployment", `'[`+one("barge:1", path, "")+`]'`)
		if strings.Contains(path, "'") {
			src = workload("Deployment", `'[`+strings.ReplaceAll(one("barge:1", path, ""), "'", "''")+`]'`)
		}
		sites, problems := Find(parse(t, src))
		if len(sites) > 0 || len(problems) != 1 {
			t.Errorf("%s: got sites %v and problems\n%swant one problem", path, sites, lines(problems))
			continue
		}
		name := "web"
		if strings.Contains(path, "side") {
			name = "side"
		}
		if want := `"fieldPath": "spec.template.spec.containers[?(@.name==\"` + name + `\")].image"`; problems[0].Fix != want {
			t.Errorf("%s: got fix %s, want %s", path, problems[0].Fix, want)
		}
	}
}

func TestRewrite(t *testing.T) {
	const image = "quay.io/canal/barge@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	src := "# before\n---\n" + workload("Deployment", "'["+strings.Join([]string{
		one("barge:1", podPath+"containers[0].image", ""), one("barge:1", podPath+"initContainers[0].image", ""),
		one("barge:1", podPath+"containers[1].image", ""), one("barge:1", podPath+"containers[2].image", ""),
	}, ",")+"]'")
	want := strings.NewReplacer(
		"image: ' '", "image: '"+image+"'",
		"image: quay.io/canal/web:1 # by hand", "image: "+image+" # by hand",
		`image: "side:1"`, `image: "`+image+`"`,
		"- name: bare\n", "- name: bare\n        image: "+image+"\n",
	).Replace(src)
	f := parse(t, src)
	sites, problems := Find(f)
	if len(sites) != 4 || len(problems) > 0 {
		t.Fatalf("got sites\n%sand problems\n%s", briefs(sites), lines(problems))
	}
	var rewrites []Rewrite
	for _, s := range sites {
		rewrites = append(rewrites, Rewrite{Site: s, Image: ParseImage(image)})
	}
	got, err := Rewritten(f.Src, As{}, rewrites...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	again, _ := Find(parse(t, string(got)))
	for _, s := range again {
		if !s.Has(ParseImage(image), ByDigest) {
			t.Errorf("after the rewrite: %s", brief(s))
		}
	}
}

func TestHas(t *testing.T) {
	a, b := "@sha256:"+strings.Repeat("a", 64), "@sha256:"+strings.Repeat("b", 64)
	for _, tt := range []struct {
		current, image string
		want           bool
	}{
		{"quay.io/canal/barge" + a, "quay.io/canal/barge" + a, true},
		{"mirror.test/barge:1" + a, "quay.io/canal/barge" + a, true},
		{"quay.io/canal/barge" + b, "quay.io/canal/barge" + a, false},
		{"quay.io/canal/barge:1", "quay.io/canal/barge" + a, false},
		{"quay.io/canal/barge:1", "quay.io/canal/barge:1", true},
		{"quay.io/canal/barge:1", "quay.io/canal/barge:2", false},
		{"quay.io/canal/barge" + a, "quay.io/canal/barge:1", false},
		{" ", "quay.io/canal/barge" + a, false},
		{"", "", true},
	} {
		s := Site{Places: []Place{{Part: Ref, Value: tt.current}}}
		if got := s.Has(ParseImage(tt.image), ByDigest); got != tt.want {
			t.Errorf("Has(%q, %q) = %t, want %t", tt.current, tt.image, got, tt.want)
		}
	}
}
