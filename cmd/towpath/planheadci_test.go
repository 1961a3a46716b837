package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// A ciStep is what a job of examples/ci runs.
type ciStep struct {
	Uses, Run string
	With, Env map[string]any
}

// A ciFile is a workflow of GitHub.
type ciFile struct {
	Name        string
	Permissions map[string]string
	Jobs        map[string]struct{ Steps []ciStep }
}

// A ciJob is a job of GitLab.
type ciJob struct {
	Rules        []map[string]string
	Variables    map[string]string
	BeforeScript []string `json:"before_script"`
	Script       []string
}

func decoded[T any](t *testing.T, file string) (v T) {
	t.Helper()
	if err := yaml.Unmarshal(read(t, file), &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

const (
	ciWorkflows = "examples/ci/.github/workflows/"
	ciGitLab    = "examples/ci/.gitlab-ci.yml"
)

// runs are the commands of a workflow's one job, but for those that install towpath, which
// must name what there is.
func runs(t *testing.T, file string) (lines []string) {
	t.Helper()
	for _, job := range decoded[ciFile](t, ciWorkflows+file).Jobs {
		for _, step := range job.Steps {
			lines = append(lines, step.Run)
		}
	}
	return withoutInstalls(t, lines)
}

func withoutInstalls(t *testing.T, lines []string) (rest []string) {
	t.Helper()
	for _, line := range lines {
		if pkg, ok := strings.CutPrefix(line, "go install "); ok {
			installs(t, strings.TrimSuffix(pkg, "@latest"))
		} else if line != "" && !strings.HasPrefix(line, "apk add ") {
			rest = append(rest, line)
		}
	}
	return rest
}

// TestCIExamples runs the commands of examples/ci that check files.
func TestCIExamples(t *testing.T) {
	job := decoded[map[string]ciJob](t, ciGitLab)["towpath"]
	lines := append(runs(t, "towpath.yaml"), withoutInstalls(t, append(job.BeforeScript, job.Script...))...)
	for _, line := range lines {
		checks(t, line)
	}
	if len(lines) != 2 {
		t.Errorf("%d commands were run: %q", len(lines), lines)
	}
}

// Only the workflow that comments may write, and it checks out and runs nothing of the pull
// request; no expression of GitHub stands in a script, where it would be pasted in.
func TestCIRights(t *testing.T) {
	for file, want := range map[string]string{
		"towpath.yaml": "map[contents:read]", "towpath-plan.yaml": "map[contents:read]", "towpath-comment.yaml": "map[actions:read pull-requests:write]",
	} {
		workflow := decoded[ciFile](t, ciWorkflows+file)
		if got := fmt.Sprint(workflow.Permissions); got != want {
			t.Errorf("%s may %s, want %s", file, got, want)
		}
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: a script holds an expression: %s", file, step.Run)
				}
				if file == "towpath-comment.yaml" && (strings.Contains(step.Uses, "checkout") || strings.Contains(step.Run, "towpath ")) {
					t.Errorf("%s runs %s%s", file, step.Uses, step.Run)
				}
			}
		}
	}
	plan, comment := decoded[ciFile](t, ciWorkflows+"towpath-plan.yaml"), read(t, ciWorkflows+"towpath-comment.yaml")
	if !strings.Contains(string(comment), "workflows: ["+plan.Name+"]") {
		t.Errorf("no workflow waits for %q", plan.Name)
	}
}

// newMerge is a desk in a checkout as CI has it: a detached HEAD that is somebody's branch
// merged into main, or the branch itself, beside what main is at the origin.
func newMerge(t *testing.T, theirs string, merged bool) *desk {
	t.Helper()
	d := newDesk(t, goodStream)
	d.env = append(d.env, "ORIGIN="+filepath.Join(t.TempDir(), "origin.git"))
	d.sh(0, "git init -q -b main . && git add . && git commit -q -m base && git clone -q --bare . \"$ORIGIN\" && git remote add origin \"$ORIGIN\"")
	d.sh(0, "git checkout -q -b theirs")
	d.write("streams/more.yaml", theirs)
	d.sh(0, "git add . && git commit -q -m theirs")
	d.sh(0, "git checkout -q --detach main")
	if merged {
		d.sh(0, "git merge -q --no-ff -m merge theirs")
	} else {
		d.sh(0, "git checkout -q --detach theirs")
	}
	d.sh(0, "git fetch -q origin '+refs/heads/*:refs/remotes/origin/*'; git branch -q -D main theirs")
	return d
}

const (
	more      = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: more}\nspec: {tags: [{name: stable, from: {kind: ImageStreamTag, name: \"web:stable\"}}]}\n"
	moreWrong = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: more}\nspec: {tag: []}\n"
)

// The jobs that say what merging would do say it, fail where it brings problems, and only there.
func TestCIPlanExamples(t *testing.T) {
	gitlab := decoded[map[string]ciJob](t, ciGitLab)["towpath-plan"]
	for name, script := range map[string]string{
		"GitHub": strings.Join(runs(t, "towpath-plan.yaml"), "\n"),
		"GitLab": strings.Join(withoutInstalls(t, append(gitlab.BeforeScript, gitlab.Script...)), "\n"),
	} {
		for _, tt := range []struct {
			theirs, want string
			code         int
		}{
			{more, "merging this would change 1 tag", 0},
			{"# nothing\n", "merging this would change no image", 0},
			{moreWrong, "merging this would bring 1 problem", 1},
		} {
			d := newMerge(t, tt.theirs, name == "GitHub")
			summary := filepath.Join(t.TempDir(), "summary")
			d.env = append(d.env, "GITHUB_BASE_REF=main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main", "GITHUB_STEP_SUMMARY="+summary)
			out := d.sh(tt.code, script)
			text, _ := os.ReadFile(summary)
			if name == "GitLab" {
				text = []byte(out)
			}
			if !strings.Contains(string(text), "## towpath: "+tt.want+"\n") || !strings.Contains(string(text), planMark) {
				t.Errorf("%s: want %s, got\n%s\n%s", name, tt.want, text, out)
			}
		}
	}
}

// fakeGH answers what the example asks GitHub, for pull request 7 at the commit c0ffee. What
// --jq would take out of the answer is given at once.
const fakeGH = `#!/bin/sh
test "$1" = api || exit 9
case "$*" in
"api -X GET repos/team/streams/pulls -f state=open -f head=someone:branch --jq "*)
  if [ "$SHA" = c0ffee ]; then echo 7; fi ;;
"api --paginate repos/team/streams/issues/7/comments --jq "*)
  if [ -e comment ]; then echo 41; fi ;;
"api -X POST repos/team/streams/issues/7/comments -F body=@towpath.md --silent")
  test ! -e comment && cp towpath.md comment ;;
"api -X PATCH repos/team/streams/issues/comments/41 -F body=@towpath.md --silent")
  test -e comment && cp towpath.md comment ;;
*) echo "not known: $*" >&2; exit 9 ;;
esac
`

// One comment is made, and then kept up to date; what is about another commit is not posted.
func TestCICommentExample(t *testing.T) {
	script := strings.Join(runs(t, "towpath-comment.yaml"), "\n")
	d := newDesk(t, goodStream)
	d.write("bin/gh", fakeGH)
	env := func(sha string) []string {
		return append(d.env, "PATH="+filepath.Join(d.dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"), "GH_REPO=team/streams", "HEAD=someone:branch", "SHA="+sha)
	}
	for _, step := range []struct{ sha, text, want string }{{"another", "first", ""}, {"c0ffee", "first", "first"}, {"c0ffee", "second", "second"}, {"another", "third", "second"}} {
		d.write("towpath.md", step.text)
		d.env = env(step.sha)
		d.sh(0, script)
		if got, _ := os.ReadFile(filepath.Join(d.dir, "comment")); string(got) != step.want {
			t.Errorf("after %s of %s the comment is %q, want %q", step.text, step.sha, got, step.want)
		}
	}
}

// notes are those of a merge request at GitLab, as its API has them.
type notes struct {
	token string

	mu  sync.Mutex
	all []note
}

type note struct {
	ID     int            `json:"id"`
	Body   string         `json:"body"`
	Author map[string]int `json:"author"`
}

func (n *notes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	id := 0
	switch at := regexp.MustCompile(`^/api/v4/projects/3/merge_requests/5/notes(?:/(\d+))?$`).FindStringSubmatch(r.URL.Path); {
	case r.Header.Get("PRIVATE-TOKEN") != n.token:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/api/v4/user":
		fmt.Fprint(w, `{"id": 9, "username": "project_3_bot"}`)
	case at == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		json.NewEncoder(w).Encode(n.all)
	default:
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		r.ParseForm()
		fmt.Sscan(at[1], &id)
		for i := range n.all {
			if r.Method == http.MethodPut && n.all[i].ID == id && n.all[i].Author["id"] == 9 {
				n.all[i].Body = r.PostForm.Get("body")
				return
			}
		}
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		n.all = append(n.all, note{len(n.all) + 1, r.PostForm.Get("body"), map[string]int{"id": 9}})
		w.WriteHeader(http.StatusCreated)
	}
}

// One note is made and kept up to date, whatever others write.
func TestCINoteExample(t *testing.T) {
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("this test needs %s: apt-get install %[1]s", tool)
		}
	}
	job := decoded[map[string]ciJob](t, ciGitLab)["towpath-note"]
	script := strings.Join(withoutInstalls(t, append(job.BeforeScript, job.Script...)), "\n")
	n := &notes{token: "fake-" + fmt.Sprint(os.Getpid()), all: []note{{1, "mine " + planMark, map[string]int{"id": 2}}}}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	d := newDesk(t, goodStream)
	d.env = append(d.env, "CI_API_V4_URL="+server.URL+"/api/v4", "CI_MERGE_REQUEST_PROJECT_ID=3", "CI_MERGE_REQUEST_IID=5", "TOWPATH_NOTE_TOKEN="+n.token)
	for _, text := range []string{"first & second\n" + planMark + "\n", "third 100%\n" + planMark + "\n"} {
		d.write("towpath.md", text)
		if out := d.sh(0, script); strings.Contains(out, n.token) {
			t.Error("the token is printed")
		}
		if len(n.all) != 2 || n.all[1].Body != text || n.all[0].Body != "mine "+planMark {
			t.Errorf("after %q there are %+v", text, n.all)
		}
	}
}

// The commands of docs/checks.md say what the document says.
func TestChecksDocument(t *testing.T) {
	d := newMerge(t, more, true)
	d.sh(0, "git branch main origin/main && git branch theirs HEAD && git update-ref refs/pull/7/head HEAD")
	ran := 0
	for _, m := range blocks.FindAllStringSubmatch(string(read(t, "docs/checks.md")), -1) {
		for line := range strings.Lines(m[2]) {
			out := d.sh(exitChanges, line)
			if strings.Contains(line, "> towpath.md") {
				text, _ := os.ReadFile(filepath.Join(d.dir, "towpath.md"))
				out = string(text)
			}
			if !strings.Contains(out, "merging this would change 1 tag") {
				t.Errorf("%s: got\n%s", line, out)
			}
			ran++
		}
	}
	if ran != 3 {
		t.Errorf("%d commands were run", ran)
	}
	for _, said := range []string{fmt.Sprint(mostQuestions), span(longestCheck)[:1] + " minutes", thousands(markdownMost), planMark} {
		if !strings.Contains(string(read(t, "docs/checks.md")), said) {
			t.Errorf("the document does not say %s", said)
		}
	}
	text := string(read(t, "docs/checks.md"))
	fields, err := json.Marshal(outlook{}.json())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(fields), -1) {
		if !strings.Contains(text, "`"+m[1]+"`") && !strings.Contains(text, "`"+m[1]+"[]`") {
			t.Errorf("the document does not say what %s is", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("../../docs", m[1])); err != nil {
			t.Error(err)
		}
	}
}
