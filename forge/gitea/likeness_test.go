package gitea

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// alike reports whether two recordings differ in nothing but what every Gitea makes up anew: ids, dates,
// packs, and what it works out of a pull request in its own time. The earlier one is as good then, and
// stays, so that a changed file is news.
func alike(was, now []byte) bool {
	a, okA := likeness(was)
	b, okB := likeness(now)
	return okA && okB && reflect.DeepEqual(a, b)
}

// likeness is a recording in which ids are numbers in the order of their first appearance: what was the same one
// is so still, whichever it is.
func likeness(recording []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(recording))
	d.UseNumber()
	var exchanges []any
	if d.Decode(&exchanges) != nil {
		return nil, false
	}
	seen := likener{}
	for i, e := range exchanges {
		if e, ok := e.(map[string]any); ok {
			raw, _ := e["Raw"].(string)
			e["Raw"] = lines(raw)
		}
		exchanges[i] = seen.like("", e)
	}
	return exchanges, true
}

// A likener knows which ids it has seen, and as the how-manieth of their kind.
type likener map[string]map[string]int

func (l likener) name(kind, id string) string {
	if l[kind] == nil {
		l[kind] = map[string]int{}
	}
	if _, ok := l[kind][id]; !ok {
		l[kind][id] = len(l[kind]) + 1
	}
	return fmt.Sprint(kind, " ", l[kind][id])
}

// workedOut are fields of a pull request that Gitea fills in a moment later than it answers.
var workedOut = map[string]bool{"mergeable": true, "additions": true, "deletions": true, "changed_files": true, "merge_base": true}

var (
	commitID  = regexp.MustCompile(`\b[0-9a-f]{40}\b`)
	date      = regexp.MustCompile(`\b2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)`)
	port      = regexp.MustCompile(`\bhttp://127\.0\.0\.1:\d+`)
	commentID = regexp.MustCompile(`\bissuecomment-\d+`)
)

// like is a value that stands under a name.
func (l likener) like(under string, value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			if id, ok := v[i].(json.Number); ok && under == "labels" {
				v[i] = l.name("label", id.String())
				continue
			}
			v[i] = l.like(under, v[i])
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			id, number := v[name].(json.Number)
			switch {
			case number && name == "id":
				v[name] = l.name(kind(under, v), id.String())
			case number && name == "repo_id":
				v[name] = l.name("repository", id.String())
			case workedOut[name]:
				delete(v, name)
			default:
				v[name] = l.like(name, v[name])
			}
		}
	case string:
		return l.text(v)
	}
	return value
}

// kind is what an object with an id is: each kind is counted by itself.
func kind(under string, object map[string]any) string {
	for _, k := range []struct{ field, kind string }{{"login", "user"}, {"full_name", "repository"}, {"color", "label"}, {"base", "pull request"}, {"issue_url", "comment"}} {
		if _, ok := object[k.field]; ok {
			return k.kind
		}
	}
	return under
}

func (l likener) text(s string) string {
	s = port.ReplaceAllString(date.ReplaceAllString(s, "date"), "port")
	s = commentID.ReplaceAllStringFunc(s, func(id string) string { return l.name("comment", id) })
	return commitID.ReplaceAllStringFunc(s, func(id string) string { return l.name("commit", id) })
}

// lines are what Git's protocol says, which comes in lines with their length before them. A pack is
// left out, and what is for people comes in pieces of any size.
func lines(raw string) any {
	answer, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		return raw
	}
	var said []any
	var data, progress strings.Builder
	for rest := string(answer); rest != ""; {
		size, err := strconv.ParseUint(rest[:min(4, len(rest))], 16, 16)
		size = max(size, 4) // shorter ones separate
		if err != nil || int(size) > len(rest) {
			return string(answer) // it is something else
		}
		line := rest[4:size]
		switch rest = rest[size:]; {
		case strings.HasPrefix(line, "\x01"):
			data.WriteString(line[1:])
		case strings.HasPrefix(line, "\x02"):
			progress.WriteString(line[1:])
		default:
			said = append(said, line)
		}
	}
	if text := data.String(); !strings.HasPrefix(text, "PACK") {
		said = append(said, text)
	}
	return append(said, progress.String())
}

// What a recording is compared with: a person's commit, a pull request of it, and Git's answers.
const was = `[
{"Who":"owner","Method":"GET","Path":"/api/v1/commits/1111111111111111111111111111111111111111/status","Status":200,"Header":{"Link":"</1111111111111111111111111111111111111111>"},
 "Answer":{"id":7,"head":{"ref":"a","sha":"1111111111111111111111111111111111111111","repo_id":3},"base":{"sha":"2222222222222222222222222222222222222222","repo_id":3},
  "mergeable":false,"additions":0,"closed_at":null,"created_at":"2026-11-22T03:49:24Z","labels":[{"id":4,"name":"images","color":"aabbcc"}],"user":{"id":1,"login":"bot"}}},
{"Who":"owner","Method":"POST","Path":"/labels","Send":{"labels":[4]},"Status":201,"Answer":[{"id":9,"html_url":"https://gitea.example/pulls/1#issuecomment-9","body":"Text."}]},
{"Who":"bot","Method":"POST","Path":"/git-upload-pack","Status":200,"Raw":"RAW"}
]`

// packed is an answer of Git's in which a word for people comes in pieces.
func packed(ref, pack string, pieces ...string) string {
	var out strings.Builder
	line := func(text string) { fmt.Fprintf(&out, "%04x%s", len(text)+4, text) }
	line(ref)
	out.WriteString("0001")
	line("\x01" + pack)
	for _, piece := range pieces {
		line("\x02" + piece)
	}
	out.WriteString("0000")
	return base64.StdEncoding.EncodeToString([]byte(out.String()))
}

func TestAlike(t *testing.T) {
	const one, two, three = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222", "3333333333333333333333333333333333333333"
	git := packed(one+" refs/heads/a", "PACK of a thing", "see http://127.0.0.1:1234/x", " and more\n")
	recorded := strings.Replace(was, "RAW", git, 1)
	for name, c := range map[string]struct {
		replace []string
		alike   bool
	}{
		"nothing":             {nil, true},
		"a commit id":         {[]string{one, three, git, packed(three+" refs/heads/a", "PACK of a thing", "see http://127.0.0.1:1234/x and more\n")}, true},
		"a date":              {[]string{"03:49:24Z", "08:00:43+01:00"}, true},
		"mergeable":           {[]string{`"mergeable":false,"additions":0`, `"mergeable":true,"additions":2`}, true},
		"a comment's number":  {[]string{"issuecomment-9", "issuecomment-12", `"id":9`, `"id":12`}, true},
		"a repository's id":   {[]string{`"repo_id":3`, `"repo_id":1`}, true},
		"a label's id":        {[]string{`"id":4`, `"id":1`, `"labels":[4]`, `"labels":[1]`}, true},
		"a pack":              {[]string{git, packed(one+" refs/heads/a", "PACK of another", "see http://127.0.0.1:99/x and", " more\n")}, true},
		"one head for both":   {[]string{two, one}, false},
		"another head":        {[]string{`"sha":"` + one, `"sha":"` + three}, false},
		"a fork's head":       {[]string{`"sha":"` + one + `","repo_id":3`, `"sha":"` + one + `","repo_id":5`}, false},
		"another label":       {[]string{`"labels":[4]`, `"labels":[5]`}, false},
		"it is over":          {[]string{`"closed_at":null`, `"closed_at":"2026-11-22T03:49:24Z"`}, false},
		"a number":            {[]string{"/pulls/1#", "/pulls/2#"}, false},
		"a status":            {[]string{`"Status":200,"Header"`, `"Status":404,"Header"`}, false},
		"a text":              {[]string{"Text.", "Words."}, false},
		"a field":             {[]string{`"closed_at":null,`, ""}, false},
		"a branch of Git":     {[]string{git, packed(one+" refs/heads/b", "PACK of a thing", "see http://127.0.0.1:1234/x and more\n")}, false},
		"a word of Git's":     {[]string{git, packed(one+" refs/heads/a", "PACK of a thing", "see http://127.0.0.1:1234/y and more\n")}, false},
		"a report, no pack":   {[]string{git, packed(one+" refs/heads/a", "000eunpack ok\n", "see http://127.0.0.1:1234/x and more\n")}, false},
		"what is no protocol": {[]string{git, base64.StdEncoding.EncodeToString([]byte("<html>"))}, false},
		"one request less": {[]string{`,
{"Who":"bot","Method":"POST","Path":"/git-upload-pack","Status":200,"Raw":"` + git + `"}`, ""}, false},
		"what is no recording": {[]string{"[\n", ""}, false},
	} {
		now := strings.NewReplacer(c.replace...).Replace(recorded)
		if (now == recorded) != (c.replace == nil) {
			t.Errorf("%s: nothing is replaced", name)
		}
		if got := alike([]byte(recorded), []byte(now)); got != c.alike {
			t.Errorf("%s: alike is %v, want %v", name, got, c.alike)
		}
	}
}
