package github_test

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// The part of the hub that keeps Git objects does so in a real repository.

func (c *call) gitCommit() {
	sha := c.r.PathValue("sha")
	if _, err := c.git.Try("", "cat-file", "-e", sha+"^{commit}"); err != nil {
		c.refuse(404, "Not Found")
		return
	}
	c.answer(200, c.commitShape(sha))
}

func (c *call) commitShape(sha string) map[string]any {
	parents := []any{}
	for parent := range strings.FieldsSeq(c.git.Git("show", "-s", "--format=%P", sha)) {
		parents = append(parents, map[string]any{"sha": parent, "url": c.api() + "git/commits/" + parent})
	}
	return map[string]any{
		"sha": sha, "node_id": "C_" + sha[:8], "message": c.git.Git("show", "-s", "--format=%B", sha), "parents": parents,
		"tree":         map[string]any{"sha": c.git.Git("rev-parse", sha+"^{tree}"), "url": c.api() + "git/trees"},
		"author":       map[string]any{"name": "towpath[bot]", "email": "1+towpath[bot]@users.noreply.github.com", "date": "2026-11-21T10:00:00Z"},
		"verification": map[string]any{"verified": true, "reason": "valid"},
	}
}

func (c *call) gitTree() {
	sha := c.r.PathValue("sha")
	if c.r.URL.Query().Has("recursive") {
		c.t.Error("a whole tree is asked for")
	}
	all := []any{}
	for line := range strings.SplitSeq(strings.TrimSuffix(c.git.Git("ls-tree", "-z", sha), "\x00"), "\x00") {
		head, name, _ := strings.Cut(line, "\t")
		f := strings.Fields(head)
		all = append(all, map[string]any{"path": strings.ToValidUTF8(name, "\ufffd"), "mode": f[0], "type": f[1], "sha": f[2]})
	}
	c.answer(200, map[string]any{"sha": sha, "url": c.api() + "git/trees/" + sha, "tree": all, "truncated": false})
}

func (c *call) makeBlob() {
	var in struct{ Content, Encoding string }
	c.read(&in)
	raw, err := base64.StdEncoding.DecodeString(in.Content)
	if in.Encoding != "base64" || err != nil {
		c.t.Errorf("a blob arrives as %q: %v", in.Encoding, err)
	}
	sha := c.git.Blob(string(raw))
	c.answer(201, map[string]any{"sha": sha, "url": c.api() + "git/blobs/" + sha})
}

// makeTree has git put the entries over the base.
func (c *call) makeTree() {
	var in struct {
		Base string `json:"base_tree"`
		Tree []struct {
			Path, Mode, Type, SHA string
			Content               *string
		}
	}
	c.read(&in)
	var b strings.Builder
	fmt.Fprintf(&b, "commit refs/scratch/tree\ncommitter x <x@example.com> 0 +0000\ndata 0\nM 040000 %s \"\"\n", in.Base)
	for _, e := range in.Tree {
		if e.Content != nil {
			e.SHA = c.git.Blob(*e.Content)
		}
		fmt.Fprintf(&b, "M %s %s %s\n", e.Mode, e.SHA, strconv.Quote(e.Path))
	}
	c.git.GitInput(b.String(), "fast-import", "--quiet", "--force")
	sha := c.git.Git("rev-parse", "refs/scratch/tree^{tree}")
	c.git.Git("update-ref", "-d", "refs/scratch/tree")
	c.answer(201, map[string]any{"sha": sha, "url": c.api() + "git/trees/" + sha, "tree": []any{}, "truncated": false})
}

func (c *call) makeCommit() {
	var in struct {
		Message, Tree     string
		Parents           []string
		Author, Committer any
		Signature         *string
	}
	c.read(&in)
	if in.Author != nil || in.Committer != nil || in.Signature != nil {
		c.t.Errorf("the commit comes with %v, %v, %v: GitHub signs none of those", in.Author, in.Committer, in.Signature)
	}
	args := []string{"commit-tree", in.Tree}
	for _, p := range in.Parents {
		args = append(args, "-p", p)
	}
	sha := c.git.GitInput(in.Message, args...)
	c.answer(201, c.commitShape(sha))
}
