package trigger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// What can be which part of an image, by the part's first letter; a capital one may be another
// word as well, where no key says that it is an image.
func TestFits(t *testing.T) {
	parts := []Part{Ref, Name, Tag, Digest, TagDigest}
	for value, want := range map[string]string{
		"":                       "rntd@",
		" ":                      "rntd@",
		"nginx":                  "RNt@",
		"quay.io/canal/web":      "rn",
		"quay.io/canal/web:1":    "r",
		"localhost:5000/web":     "rn",
		"localhost:5000/web:1.4": "r",
		"web:1@sha256:0000":      "r",
		"web@sha512:00":          "r@",
		"docker://web:1":         "r",
		"docker://nginx":         "rn",
		"oci://quay.io/web":      "rn",
		"1.4":                    "t@",
		"v1.4.0-alpine":          "RNt@",
		"20260101":               "t@",
		"1.4@sha256:0000":        "@",
		"sha256:0000":            "d",
		"sha256:":                "d",
		"latest":                 "RNt@",
		"Latest":                 "t@",
		"IfNotPresent":           "",
		"Always":                 "",
		"always":                 "",
		"Never":                  "",
		"true":                   "",
		"False":                  "",
		"hunter2":                "RNt@",
		"hunter+2":               "",
		"actions/checkout@v4":    "",
		"gitlab.com/x/y@1.0":     "",
		"Org/Web":                "",
		"quay.io/Canal/web:1":    "",
		"/bin/web":               "",
		"./web":                  "",
		"web/":                   "",
		"a//b":                   "",
		"https://canal.test/a":   "",
		"8080:80":                "",
		"127.0.0.1:80":           "",
		"12:30:00":               "",
		"a:b:c":                  "",
		"web:":                   "",
		"web@":                   "",
		"web:-1":                 "",
		"a@sha256:0@sha256:0":    "",
		"wéb":                    "",
		"a b":                    "",
	} {
		got := ""
		for i, p := range parts {
			sign := "rntd@"[i : i+1]
			if p.isWord(value, "x") {
				sign = strings.ToUpper(sign)
			}
			if p.fits(value) {
				got += sign
			}
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	for _, tt := range []struct {
		part Part
		keys string
		want bool
	}{
		{Ref, "image Image IMAGE", false},
		{Ref, "imageName tag container name uses x", true},
		{Name, "image repository newName IMAGE_NAME name webRepo", false},
		{Name, "tag pullPolicy x", true},
		{Tag, "tag x", false},
	} {
		for key := range strings.FieldsSeq(tt.keys) {
			if got := tt.part.isWord("nginx", key); got != tt.want {
				t.Errorf("%s behind %s: got %v", tt.part, key, got)
			}
		}
	}
}

// Any reference, and each part of one, fits as what it is.
func TestLawFits(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	for range 2000 {
		i := Image{
			Name:   pick("quay.io/", "localhost:5000/", "", "x-y.test:1/", "A.test/") + pick("canal/", "a/b/", "a__b/", "0/") + pick("web", "we.b", "w-e--b", "w_b1"),
			Tag:    pick("1", "1.4", "v1.4.0-rc.1", "latest", "A", "_x", strings.Repeat("a", 128)),
			Digest: pick("sha256:", "sha512:") + strings.Repeat(pick("0", "a"), 64),
		}
		for _, p := range []Part{Name, Tag, Digest, TagDigest} {
			if v, _ := i.part(p, ""); !p.fits(v) {
				t.Fatalf("seed %d: %q is no %s", seed, v, p)
			}
		}
		for _, by := range []Style{ByDigest, ByTagDigest, ByTag} {
			if v, _ := i.Reference(by); !Ref.fits(v) || Ref.isWord(v, "") {
				t.Fatalf("seed %d: %q is no reference", seed, v)
			}
		}
	}
}

// What has come to stand where an image stood is not moved: the line of the marker, for what the
// person can write.
//
// fault: C-19
func TestStrayMarkers(t *testing.T) {
	for _, tt := range []struct{ part, line, fix string }{
		{"tag", "pullPolicy: IfNotPresent", "blank"},
		{"ref", "imagePullPolicy: Always", "blank"},
		{"ref", "image: Always", "blank"},
		{"name", "imagePullPolicy: Never", "blank"},
		{"digest", "secret: hunter2", "blank"},
		{"tag", "uses: actions/checkout@v4", "blank"},
		{"tag", "uses: docker://alpine:3", "blank"},
		{"ref", "uses: actions/checkout@v4", "blank"},
		{"ref", "ports: 8080:80", "blank"},
		{"ref", "container: golang", "NAME:TAG"},
		{"ref", "- nginx", "NAME:TAG"},
		{"name", "pull: web", "docker.io/library/NAME"},
	} {
		src := fmt.Sprintf("a:\n# {\"$imagestream\": \"web:1\", \"part\": %q}\n%s\n", tt.part, tt.line)
		sites, problems := Find(parse(t, strings.Replace(src, "a:\n", "", 1)))
		if len(sites) > 0 || len(problems) != 1 || problems[0].Note || !strings.Contains(problems[0].Fix, tt.fix) {
			t.Errorf("%s of %s: got sites\n%sand problems\n%swant one with %q", tt.part, tt.line, briefs(sites), lines(problems), tt.fix)
		}
	}
	for _, tt := range []struct{ part, line, fix string }{
		{"ref", "image = var.image", "in quotes"},
		{"ref", "image = docker_image.nginx.image_id", "in quotes"},
		{"tag", "tag = var.tag", "in quotes"},
		{"tag", "tag = 1.4", "in quotes"},
		{"tag", "tag: 1.4", "in quotes"},
		{"tag", "- 2026-01-02", "in quotes"},
		{"tag", "tag: true", "mark a "},
		{"ref", `image = local.images["web"]`, "mark a "},
		{"ref", `image = local.images["team1/web"]`, "mark a "},
		{"ref", `variable "x" {`, "NAME:TAG"},
		{"ref", "fi", "NAME:TAG"},
		{"ref", "done", "NAME:TAG"},
		{"ref", "make", "NAME:TAG"},
		{"ref", "WORKDIR", "mark a "},
		{"ref", `CMD ["/bin/web"]`, "mark a "},
		{"ref", `CMD ["bin/web"]`, "mark a "},
		{"ref", `ENTRYPOINT ["bin/web"]`, "mark a "},
		{"ref", `HEALTHCHECK --interval=1m CMD ["bin/web"]`, "mark a "},
		{"ref", `HEALTHCHECK CMD ["bin/web"]`, "mark a "},
		{"ref", `ONBUILD RUN ["bin/web"]`, "mark a "},
		{"digest", "SECRET=hunter2", "mark a "},
		{"ref", "MODE=production", "NAME:TAG"},
		{"ref", "DEBUG=yes", "NAME:TAG"},
		{"ref", "RUN curl -X POST --data foo=bar", "NAME:TAG"},
		{"ref", "uses: actions/checkout@v4", "mark a "},
		{"name", `x = "web"`, "docker.io/library/NAME"},
		{"tag", "FROM web:1", `remove "part"`},
		{"ref", "FROM scratch", "stage"},
	} {
		src := fmt.Sprintf("# {\"$imagestream\": \"web:1\", \"part\": %q}\n%s\n", tt.part, tt.line)
		sites, problems := FindText([]byte(src))
		if len(sites) > 0 || len(problems) != 1 || problems[0].Note || !strings.Contains(problems[0].Fix, tt.fix) {
			t.Errorf("%s of text %s: got sites\n%sand problems\n%swant one with %q", tt.part, tt.line, briefs(sites), lines(problems), tt.fix)
		}
	}
}

// What people write is taken: a name without a registry where only an image can stand.
func TestImagesByOneWord(t *testing.T) {
	for _, tt := range []struct{ part, line string }{
		{"ref", "image: nginx"}, {"ref", "image: 'nginx'"}, {"ref", "uses: docker://nginx"}, {"name", "name: web"}, {"name", "repository: web"}, {"name", "newName: \"web\""},
		{"tag", "tag: stable"}, {"tag@digest", "value: 1.4"}, {"tag", "- v1"},
	} {
		src := fmt.Sprintf("# {\"$imagestream\": \"web:1\", \"part\": %q}\n%s\n", tt.part, tt.line)
		if sites, problems := Find(parse(t, src)); len(sites) != 1 || len(problems) > 0 {
			t.Errorf("%s: got %d sites and problems\n%s", src, len(sites), lines(problems))
		}
		if sites, problems := FindText([]byte(src)); (len(sites) != 1 || len(problems) > 0) && !strings.Contains(tt.line, "1.4") && !strings.Contains(tt.line, "docker:") {
			t.Errorf("text %s: got %d sites and problems\n%s", src, len(sites), lines(problems))
		}
	}
}

// A new value that would be a number on its line, or a date, is not written without quotes.
func TestTextKeepsItsType(t *testing.T) {
	for _, tt := range []struct{ line, tag, want string }{
		{"tag: v1.4", "1.10", ""},
		{"tag: v1.4", "2026-01-02", ""},
		{"tag: v1.4", "1e3", ""},
		{"tag: v1.4", "1.10.2", "tag: 1.10.2"},
		{"tag: v1.4", "v1.5", "tag: v1.5"},
		{"- v1.4", "15", ""},
		{"tag: \"1.4\"", "1.10", "tag: \"1.10\""},
		{"tag = \"1.4\"", "1.10", "tag = \"1.10\""},
		{"TAG=1.4", "1.10", "TAG=1.10"},
		{"TAG := v1.4", "1.10", "TAG := 1.10"},
		{"ARG TAG=1.4", "15", "ARG TAG=15"},
		{"v1.4", "1.10", "1.10"},
	} {
		src := "# {\"$imagestream\": \"web:1\", \"part\": \"tag\"}\n"
		sites, problems := FindText([]byte(src + tt.line + "\n"))
		if len(sites) != 1 || len(problems) > 0 {
			t.Errorf("%s: got %d sites and problems\n%s", tt.line, len(sites), lines(problems))
			continue
		}
		out, err := Rewritten([]byte(src+tt.line+"\n"), As{Text: true}, Rewrite{Site: sites[0], Image: Image{Name: "web", Tag: tt.tag}, Style: ByTag})
		refused := (*yamledit.Refused)(nil)
		if tt.want == "" && (!errors.As(err, &refused) || !strings.Contains(refused.Fix, "with the quotes")) || tt.want != "" && string(out) != src+tt.want+"\n" {
			t.Errorf("%s with %s: got %q, %v", tt.line, tt.tag, out, err)
		}
	}
}

// A name of a stage stands for what the stage is built from.
func TestStages(t *testing.T) {
	const mark = "# {\"$imagestream\": \"go:1\"}\n"
	for _, tt := range []struct {
		name, src string
		want      []string
		problems  int
	}{
		{"a stage", "FROM golang:1 AS build\n" + mark + "FROM build AS final\n", nil, 1},
		{"in other letters", "from golang:1 as Build\n" + mark + "FROM bUILD\n", nil, 1},
		{"of a copy", "FROM golang:1 AS build\n" + mark + "COPY --from=build a b\n", nil, 1},
		{"of a mount", "FROM golang:1 AS build\n" + mark + "RUN --mount=from=build,target=/a b\n", nil, 1},
		{"of lines", "FROM --platform=x \\\n golang:1 \\\n# x\n\n  AS build\n" + mark + "FROM build\n", nil, 1},
		{"of a marked line", mark + "FROM golang:1 AS build\n" + mark + "FROM build\n", []string{"golang:1"}, 1},
		{"with Windows' ends of lines", "FROM golang:1 AS build\r\n" + mark + "FROM build\r\n", nil, 1},
		{"a stage of its own name", mark + "FROM golang AS golang\n", []string{"golang"}, 0},
		{"a stage below", mark + "FROM build\nFROM golang:1 AS build\n", []string{"build"}, 0},
		{"an image beside", "FROM golang:1 AS build\n" + mark + "FROM build:1\n", []string{"build:1"}, 0},
		{"spoken of", "# FROM golang:1 AS build\nRUN x AS build\n" + mark + "FROM build\n", []string{"build"}, 0},
		{"a long line", "FROM golang:1 \\\n" + strings.Repeat("x", maxLine+1) + " AS build\nRUN x AS build\n" + mark + "FROM build\n", []string{"build"}, 0},
		{"scratch", mark + "FROM scratch\n", nil, 1},
	} {
		sites, problems := FindText([]byte(tt.src))
		var got []string
		for _, s := range sites {
			got = append(got, s.Current())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || len(problems) != tt.problems {
			t.Errorf("%s: problems\n%s(-want +got):\n%s", tt.name, lines(problems), diff)
		}
		for _, p := range problems {
			if !strings.Contains(p.What, "names a stage") {
				t.Errorf("%s: got problem %s", tt.name, p.What)
			}
		}
	}
}
