package reconcile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/trigger"
)

// Digests that differ in what is shown of them.
var (
	digestA = "sha256:" + strings.Repeat("a1b2", 16)
	digestB = "sha256:" + strings.Repeat("b3c4", 16)
)

func tagRef(text string) imagestream.TagRef {
	name, tag, _ := strings.Cut(text, ":")
	namespace, name, _ := strings.Cut(name, "/")
	return imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace, Name: name}, Tag: tag}
}

// changeOf gives a container of a Deployment, which held old, the image of a tag.
func changeOf(path, tag, old, source string) SiteChange {
	image := trigger.ParseImage(source)
	image.Digest = digestB
	site := &Site{Path: path, Settings: config.Default().For(path, "team1")}
	site.ID = trigger.ID{Kind: "Deployment", Namespace: "team1", Name: "web", Container: "app"}
	site.Follows = tagRef(tag)
	site.Places = []trigger.Place{{Part: trigger.Ref, Value: old}}
	return SiteChange{Site: site, Image: image, Source: source, Moved: true}
}

func messageOf(v voice, sites ...SiteChange) string {
	return Write{Kind: TriggerCommit, Sites: sites, voice: v}.message()
}

func subjectOf(v voice, sites ...SiteChange) string {
	subject, _, _ := strings.Cut(messageOf(v, sites...), "\n")
	return subject
}

func TestTriggerMessage(t *testing.T) {
	a := changeOf("deploy/web.yaml", "team1/web:prod", "quay.io/team1/web:1.4.2@"+digestA, "quay.io/team1/web:1.4.3")
	a.Site.Wish = trigger.ByTagDigest
	b := changeOf("kustomize/kustomization.yaml", "team1/web:prod", "", "quay.io/team1/web:1.4.3")
	b.Site.ID = trigger.ID{Kind: "Kustomization", Field: "images[web]"}
	b.Site.Places = []trigger.Place{{Part: trigger.Tag, Value: "1.4.2"}, {Part: trigger.Digest, Value: digestA}}
	c := changeOf("apps/db.yaml", "team1/db:15", "docker.io/library/postgres:15.2", "quay.io/team1/postgres:15.3")
	c.Site.ID.Name = "db"
	d := changeOf("build/Dockerfile", "team1/web:prod", "", "quay.io/team1/web:1.4.3")
	d.Site.ID = trigger.ID{Field: "team1/web:prod"}
	b.Site.ID.Namespace, d.Site.ID.Namespace = "team1", "team1"
	for _, of := range []*SiteChange{&a, &b, &d} {
		of.Labels = imagestream.Labels{Revision: "3f2c1d0", Source: "https://git.example/web", Version: "1.4.3"}
	}
	want := `team1: 2 tags moved (4 sites)

team1/db:15 is quay.io/team1/postgres:15.3, ` + digestB + `
team1/web:prod is quay.io/team1/web:1.4.3, ` + digestB + `, revision 3f2c1d0 (https://git.example/web)

site                                                     old                              new
apps/db.yaml Deployment team1/db, container app          docker.io/library/postgres:15.2  quay.io/team1/postgres@sha256:b3c4b3c4b3c4
build/Dockerfile team1/web:prod                          nothing                          quay.io/team1/web@sha256:b3c4b3c4b3c4
deploy/web.yaml Deployment team1/web, container app      1.4.2@sha256:a1b2a1b2a1b2        1.4.3@sha256:b3c4b3c4b3c4
kustomize/kustomization.yaml Kustomization, images[web]  1.4.2@sha256:a1b2a1b2a1b2        1.4.3@sha256:b3c4b3c4b3c4

Towpath-Commit: trigger
Towpath-Tag: team1/db:15
Towpath-Image: quay.io/team1/postgres@` + digestB + `
Towpath-Tag: team1/web:prod
Towpath-Image: quay.io/team1/web@` + digestB + `
`
	if d := cmp.Diff(want, messageOf(voice{}, c, d, a, b)); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestSubjects(t *testing.T) {
	of := func(namespace, tag, version string) SiteChange {
		c := changeOf(namespace+"/x.yaml", tag, "", "quay.io/team1/web:"+version)
		c.Site.ID.Namespace = namespace
		return c
	}
	long := strings.Repeat("very-", 30) + "long"
	for _, tt := range []struct {
		prefix string
		sites  []SiteChange
		want   string
	}{
		{"", []SiteChange{of("a", "a/web:prod", "1.4")}, "a/web:prod follows 1.4 (1 site)"},
		{"chore(deps): ", []SiteChange{of("a", "a/web:prod", "1.4")}, "chore(deps): a/web:prod follows 1.4 (1 site)"},
		{"", []SiteChange{of("a", "a/web:prod", "1.4"), of("b", "a/web:prod", "1.4")}, "a/web:prod follows 1.4 (2 sites)"},
		{"", []SiteChange{of("a", "a/web:prod", "1.4.3"), of("a", "a/web:next", "1.5")}, "a/web follows 1.5 and 1.4.3 (2 sites)"},
		{"", []SiteChange{of("a", "a/web:prod", "1.4"), of("a", "a/web:next", "1.4")}, "a/web follows 1.4 (2 sites)"},
		{"", []SiteChange{of("a", "a/web:1", "1"), of("a", "a/web:2", "2"), of("a", "a/web:3", "3"), of("a", "a/web:4", "4")}, "a/web: 4 tags moved (4 sites)"},
		{"", []SiteChange{of("a", "a/web:1", "1"), of("a", "b/db:1", "2")}, "a: 2 tags moved (2 sites)"},
		{"", []SiteChange{of("a", "a/web:1", "1"), of("b", "b/db:1", "2"), of("b", "b/db:1", "2")}, "2 tags moved in 2 namespaces (3 sites)"},
		{"", []SiteChange{of("a", "a/"+long+":prod", "1.4.3")}, "a/very-very-very-very-ver…-very-very-longprod follows 1.4.3 (1 site)"},
		{"", []SiteChange{of("a", "a/"+long+":prod", strings.Repeat("9", 60))}, "a/very-ver…-longprod follows " + strings.Repeat("9", 60) + " (1 site)"},
	} {
		got := subjectOf(voice{prefix: tt.prefix}, tt.sites...)
		want := strings.Replace(tt.want, "longprod", "long:prod", 1)
		if strings.Contains(want, "…") { // of what is shortened only the two ends and the length are said here
			head, _, _ := strings.Cut(want, "very")
			if !strings.HasPrefix(got, head) || !strings.Contains(got, "…") || !strings.Contains(got, "prod follows "+tt.sites[0].upstream()+" (1 site)") ||
				len(tt.sites[0].upstream()) < 20 && utf8.RuneCountInString(got) != aimedSubject {
				t.Errorf("got %q, want as %q", got, want)
			}
			continue
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTemplate(t *testing.T) {
	c := changeOf("x.yaml", "team1/web:prod", "", "quay.io/team1/web:1.4.3")
	const trailers = "\n\nTowpath-Commit: trigger\nTowpath-Tag: team1/web:prod\nTowpath-Image: quay.io/team1/web@"
	for _, tt := range []struct{ template, want string }{
		{"{subject}", "team1/web:prod follows 1.4.3 (1 site)"},
		{"deploy {version} of {stream} in {namespace}!\n\nTo {sites}.\n", "deploy 1.4.3 of team1/web in team1!\n\nTo 1 site."},
		{"a\nb\n\n\n\nc\n", "a\n\nb\n\nc"},
		{"{revision}\nbody", "team1/web:prod follows 1.4.3 (1 site)\n\nbody"},
		{"{{{tag}}}", "·team1/web:prod·"},
		{"x\n\nSigned-off-by: Mallory\nChange-Id : I0", "x\n\nSigned-off-by· Mallory\nChange-Id· I0"},
		{"x\n/merge\n  /approve\n@team, see #1 and GH-1\n---\n> y", "x\n\n·merge\n  ·approve\n·team, see ·1 and GH·1\n·--\n· y"},
		{"bump [skip ci]\n100% sure", "bump [skip ci]\n\n100% sure"},
	} {
		got := messageOf(voice{template: config.Template(tt.template)}, c)
		if want := tt.want + trailers + digestB + "\n"; got != want {
			t.Errorf("%q: want -, got +:\n%s", tt.template, cmp.Diff(want, got))
		}
	}
}

// What towpath cannot say in few lines it counts.
func TestMessageIsBounded(t *testing.T) {
	var sites []SiteChange
	for i := range 250 {
		c := changeOf(fmt.Sprintf("x%03d.yaml", i), fmt.Sprintf("team1/web:t%03d", i/2), "", "quay.io/team1/web:1")
		sites = append(sites, c)
	}
	m := messageOf(voice{}, sites...)
	for _, tt := range []struct {
		is   string
		want int
	}{{"Towpath-Tag: ", 20}, {"Towpath-Image: ", 20}, {"and 25 more\n", 1}, {"and 150 more\n", 1}, {" is quay.io", 100}, {".yaml Deployment", 100}} {
		if got := strings.Count(m, tt.is); got != tt.want {
			t.Errorf("%q stands in the message %d times, want %d", tt.is, got, tt.want)
		}
	}
	m = messageOf(voice{template: config.Template(strings.Repeat("{table}\n", 500))}, sites...)
	if len(m) > 2*longestFilled {
		t.Errorf("a message of %d bytes", len(m))
	}
}

// References are for machines: those that can be are as they were written.
func TestTrailersAreExact(t *testing.T) {
	for _, name := range []string{"quay.io/team1/web", "registry.team1.example:5000/a/b__c/d-e.f", "localhost:5000/x"} {
		c := changeOf("x.yaml", "team1/web:_x_", "", name+":v1_")
		m := messageOf(voice{}, c)
		for _, want := range []string{"\nTowpath-Tag: team1/web:_x_\n", "\nTowpath-Image: " + name + "@" + digestB + "\n"} {
			if !strings.Contains(m, want) {
				t.Errorf("%q is not in\n%s", want, m)
			}
		}
	}
}

// fault: H-20
func TestHostileTags(t *testing.T) {
	o := consult(t)
	for _, tag := range []string{
		"../../x", "-rf", strings.Repeat("x", 1<<20), "latest\nSigned-off-by: x", "\x1b[31mred", "\u202egnp.exe", "sha256:" + strings.Repeat("0", 64),
		"", "a\r\n\r\nTowpath-Tag: team1/web:other", "a\u2028b\u2029c\u0085d", "@team", "/merge", "#1", "x\x00y", "\u200b@team", "e\u0301\u0301\u0301\u0301\u0301\u0301",
	} {
		c := changeOf("x.yaml", "team1/web:prod", "quay.io/team1/web:"+tag, "quay.io/team1/web:"+tag)
		c.Site.Follows.Tag = tag
		c.Image.Tag = tag
		c.Site.Wish = trigger.ByTagDigest
		o.look(messageOf(voice{}, c), 1)
		o.look(messageOf(voice{template: "{tag} {version}\n\n{tag}: {image}\n{table}"}, c), 1)
	}
}

// fault: H-21
func TestHostileLabels(t *testing.T) {
	o := consult(t)
	for _, text := range hostile {
		c := changeOf("x.yaml", "team1/web:prod", "", "quay.io/team1/web:1")
		c.Labels = imagestream.Labels{Revision: text, Source: text, Version: text}
		o.look(messageOf(voice{}, c), 1)
		o.look(messageOf(voice{template: "{revision}\n\n{source}\n{version}"}, c), 1)
		o.look(statusMessageOf(text), 0)
	}
	long := changeOf("x.yaml", "team1/web:prod", "", "quay.io/team1/web:1")
	long.Labels.Source = strings.Repeat("x ", 1<<20)
	if m := messageOf(voice{}, long); len(m) > 2000 {
		t.Errorf("a message of %d bytes", len(m))
	}
}

var hostile = []string{
	"**bold**", "_it_", "[x](https://evil.example)", "![x](https://evil.example/x.png)", "<img src=x onerror=alert(1)>", "</details>", "&lt;b&gt;",
	"@team", "x @team", "fixes #1", "Closes: #1", "GH-1", "owner/repo#1", "owner/repo!1", "https://github.com/owner/repo/issues/1",
	"/merge", "\n/merge\n", "```\nx\n```", "\x1b]0;x\x07", "x\nCo-authored-by: a <a@example.com>", "\n\nTowpath-Tag: x", "---\nx", "# x", "> x", "- [ ] x",
	"\u2066x\u2069", "a\u0000b", "\xff\xfe", "[[wiki]]", "[skip ci]", "[skipci]", "=====", "1. x", "Signed-off-by: x", "scissors\n# ------ >8 ------", "~~x~~", "$1", "%1", "~bug", "&1",
}

func statusMessageOf(text string) string {
	s := &Stream{}
	s.Name = imagestream.Name{Namespace: text, Name: text}
	return Write{Kind: StatusCommit, voice: voice{prefix: text}, Streams: []StatusChange{{Stream: s, Events: []imagestream.Event{
		{Tag: text, Item: &imagestream.Item{Reference: text, Image: digestA}, Source: &imagestream.Source{From: text, Labels: imagestream.Labels{Version: text, Source: text}}},
		{Tag: text, Failure: &imagestream.Failure{Reason: string(registry.NotFound), Message: text}},
		{Tag: text},
	}}}}.message()
}

// Law: whatever others write, a message has the trailers that towpath writes, calls nobody,
// and means nothing else than it says.
func FuzzMessage(f *testing.F) {
	for i, text := range hostile {
		f.Add(text, hostile[(i+7)%len(hostile)], "{subject}\n\n{table}\n"+text+"{source}", text, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text, other, template, prefix string, many uint8) {
		said(consult(t), text, other, template, prefix, int(many%25))
	})
}

// The same law for texts that are put together of what is known to be live.
func TestLawMessages(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	pieces := append(strings.Split("@ # / : - _ ( ) [ ] ! ~ \n \r a B 7 é gh- GH-1 by: Key-by: sha256: @sha256:a {tag} {table} {source} {subject} issues/ 1 \u200b \u0301 \u3164 \u00a0 · …", " "), hostile...)
	text := func() string {
		var b strings.Builder
		for range r.IntN(6) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 10 {
		o := consult(t)
		for range 100 {
			said(o, text(), text(), text()+text()+text(), text(), r.IntN(3))
		}
	}
}

// said looks at what is said of sites and streams of which all is made of two texts.
func said(o *oracle, text, other, template, prefix string, more int) {
	o.t.Helper()
	var sites []SiteChange
	for i := range 1 + more {
		c := changeOf(text, "", other, text)
		c.Site.ID = trigger.ID{Kind: other, Namespace: text, Name: other, Container: text, Field: other}
		c.Site.Follows = imagestream.TagRef{Stream: imagestream.Name{Namespace: text, Name: other}, Tag: fmt.Sprint(text, i)}
		c.Image = trigger.Image{Name: text, Tag: other, Digest: digestB}
		c.Labels = imagestream.Labels{Revision: other, Source: text, Version: text}
		sites = append(sites, c)
	}
	tags := min(len(tagsOf(sites)), listedTags)
	o.look(messageOf(voice{}, sites...), tags)
	o.look(messageOf(voice{prefix: prefix, template: config.Template(template)}, sites...), tags)
	o.look(statusMessageOf(text), 0)
}

// live patterns call people, issues and machines.
var calls = regexp.MustCompile("(?im)" + strings.Join([]string{
	`^[ ]*/`, `^[ ]*[-+*=#>|] `, `^[ ]*(-|=|\*)+$`, // commands, lists, rules
	`(^|[^a-z0-9_])@`, `@($|[^s])`, `#`, `\bgh-[0-9]`, `[!&][a-z0-9]`, `(^|[^a-z0-9])[~%][a-z]`, `\$`, // people, issues
	`/(issues|pull|merge_requests)/[0-9]`,                              // issues
	"`", `\\`, `\]\(`, `\]:`, `!\[`, `\[\[`, `<[a-z/!?]`, `\*\*`, `~~`, // markup
}, "|"))

// keys of trailers, where they would stand in a body.
var keys = regexp.MustCompile(`(?im)^[ ]*[a-z0-9]+(-[a-z0-9]+)+ *:( |$)`)

// An oracle looks at messages: at their characters at once, at their trailers as git finds
// them in the end, in all of them with one call.
type oracle struct {
	t        testing.TB
	messages []string
	want     [][]string // the keys of their trailers
}

func consult(t testing.TB) *oracle {
	o := &oracle{t: t}
	t.Cleanup(o.askGit)
	return o
}

// look checks a message; it has the trailers of so many tags, or those of a status.
func (o *oracle) look(message string, tags int) {
	t := o.t
	t.Helper()
	for _, r := range message {
		if r != '\n' && (r != ' ' && unicode.IsSpace(r) || !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Bidi_Control)) {
			t.Fatalf("%+q is in the message %.2000q", r, message)
		}
	}
	if !utf8.ValidString(message) || !strings.HasSuffix(message, "\n") || strings.HasSuffix(message, "\n\n") {
		t.Fatalf("it is no text of lines: %.2000q", message)
	}
	lines := strings.Split(strings.TrimSuffix(message, "\n"), "\n")
	if lines[0] == "" || lines[1] != "" || utf8.RuneCountInString(lines[0]) > longestText {
		t.Fatalf("no subject, or more than one, in %.2000q", message)
	}
	end := len(lines) - 1
	for lines[end] != "" {
		end--
	}
	if call := calls.FindString(message); call != "" {
		t.Fatalf("%q is live in %.2000q", call, message)
	}
	if key := keys.FindString(strings.Join(lines[1:end], "\n")); key != "" {
		t.Fatalf("%q is taken for a trailer in %.2000q", key, message)
	}
	want := []string{"Towpath-Commit", "Towpath-Moved", "Towpath-Failing"}
	if tags > 0 {
		want = append(want[:1], slices.Repeat([]string{"Towpath-Tag", "Towpath-Image"}, tags)...)
	}
	o.messages, o.want = append(o.messages, message), append(o.want, want)
}

// askGit compares the trailers that git finds; where they are others it asks for each
// message.
func (o *oracle) askGit() {
	if o.t.Failed() {
		return
	}
	for _, divider := range []string{"--divider", "--no-divider"} {
		if slices.Equal(trailersOf(o.t, divider, o.messages...), slices.Concat(o.want...)) {
			continue
		}
		for i, m := range o.messages {
			if got := trailersOf(o.t, divider, m); !slices.Equal(got, o.want[i]) {
				o.t.Errorf("git finds the trailers %q, want %q, in %.2000q", got, o.want[i], m)
			}
		}
	}
}

// trailersOf are the keys of the trailers that git finds in messages.
func trailersOf(t testing.TB, divider string, messages ...string) []string {
	dir := t.TempDir()
	args := []string{"interpret-trailers", "--parse", divider}
	for i, m := range messages {
		name := fmt.Sprint(i)
		args = append(args, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(m), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := exec.Command("git", args...)
	git.Dir = dir
	git.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CEILING_DIRECTORIES="+dir)
	var stderr bytes.Buffer
	git.Stderr = &stderr
	out, err := git.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		key, _, _ := strings.Cut(line, ":")
		found = append(found, key)
	}
	return found
}
