package config

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A Follow is a field that follows a tag although nothing in its file says so.
type Follow struct {
	At    Position
	Field yamledit.Selector
	From  imagestream.TagRef // without a namespace it is the file's
	Part  string             // of a single value: ref, name, tag, digest or tag@digest
	Form  string             // how a reference is written; empty: as reference-form has it
}

// Follow lists what the config says of the fields of a file of YAML or JSON, in its order.
func (r *Repository) Follow(path string) []Follow {
	f := &r.orDefault().file
	if len(f.Follow) == 0 || !isData(path) {
		return nil
	}
	var fields []Follow
	for i := range f.Follow {
		if anyMatch(f.Follow[i].Paths, path) {
			fields = append(fields, f.Follow[i].made)
		}
	}
	return fields
}

// Policy is the tag that an image policy of Flux ("namespace:name") stands for, where the
// config says one.
func (r *Repository) Policy(name string) (imagestream.TagRef, bool) {
	tag, ok := r.orDefault().file.ImagePolicies[name]
	return tag, ok
}

// Files and directories that tell machines what to run. Directories count in the root,
// files wherever they stand.
var (
	guardedDirs = []string{
		".buildkite", ".circleci", ".forgejo", ".gitea", ".github", ".gitlab", ".harness", ".semaphore", ".tekton", ".woodpecker",
	}
	guardedFiles = []string{
		".appveyor.yml", ".cirrus.yml", ".drone.yaml", ".drone.yml", ".gitlab-ci.yml", ".travis.yml", ".woodpecker.yaml", ".woodpecker.yml",
		"Jenkinsfile", "appveyor.yml", "azure-pipelines.yaml", "azure-pipelines.yml", "bitbucket-pipelines.yml",
		"buildspec.yaml", "buildspec.yml", "cloudbuild.json", "cloudbuild.yaml", "cloudbuild.yml",
	}
)

// Guarded reports whether a file tells machines what to run, so that nothing in it follows
// unless the config names it: a glob of include or a path of follow that matches, and
// begins with the very name of the directory, or ends with that of the file.
func (r *Repository) Guarded(path string) bool {
	dir, file := firstSegment(path), lastSegment(path)
	inDir, isFile := dir != path && slices.Contains(guardedDirs, dir), slices.Contains(guardedFiles, file)
	if !inDir && !isFile {
		return false
	}
	names := func(g Glob) bool {
		return (inDir && firstSegment(g.text) == dir || isFile && lastSegment(g.text) == file) && g.Match(path)
	}
	f := &r.orDefault().file
	return !slices.ContainsFunc(f.Include, names) &&
		!slices.ContainsFunc(f.Follow, func(e following) bool { return isData(path) && slices.ContainsFunc(e.Paths, names) })
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// isData reports whether a file is YAML or JSON, in which alone fields can be named.
func isData(file string) bool {
	switch path.Ext(file) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return lastSegment(file) == "Kustomization"
}

// A following is one entry of follow.
type following struct {
	At    Position
	Paths []Glob   `yaml:"paths" need:"true" max:"100"`
	Field selector `yaml:"field" need:"true"`
	From  tagRef   `yaml:"from" need:"true"`
	Part  string   `yaml:"part" oneof:"ref name tag digest tag@digest"`
	Form  string   `yaml:"form" oneof:"digest tag@digest tag"`
	made  Follow
}

// follow makes what the entry says of a file.
func (e *following) follow() {
	e.made = Follow{e.At, yamledit.Selector(e.Field), imagestream.TagRef(e.From), e.Part, e.Form}
}

// follows reports whether an entry names a file.
func (f *repositoryFile) follows(path string) bool {
	return len(f.Follow) > 0 && isData(path) &&
		slices.ContainsFunc(f.Follow, func(e following) bool { return anyMatch(e.Paths, path) })
}

// checkFollow says what an entry could never do.
func (d *decoder) checkFollow(e following) {
	if len(e.Paths) == 0 {
		d.add(e.At, "the entry of follow names no paths", `write paths: ["apps/*/kustomization.yaml"]`)
	}
	for _, g := range e.Paths {
		switch {
		case g.text == RepositoryFile:
			d.add(e.At, "follow names "+RepositoryFile+", which is never written", "name the files that hold images")
		case g.neverData():
			d.add(e.At, "follow names files that are neither YAML nor JSON, in which there are no fields",
				`write a marker above the line, # {"$imagestream": "team1/web:stable"}, and add the files to include`)
		}
	}
	if e.Form != "" && e.Part != "" && e.Part != "ref" {
		d.add(e.At, "form says how a reference is written, and part "+e.Part+" is none", "remove form, or part")
	}
}

// neverData reports whether nothing that a glob matches can be YAML or JSON, as far as its
// end shows.
func (g Glob) neverData() bool {
	last := lastSegment(g.text)
	tail := last[strings.LastIndexAny(last, wildcards)+1:]
	if path.Ext(tail) == "" && tail != last {
		return false // *, *file
	}
	return !isData(tail)
}

// A selector leads to a field.
type selector yamledit.Selector

func (s *selector) set(text string) error {
	read, err := yamledit.ParseSelector(text)
	if e, ok := err.(*yamledit.Error); ok {
		return &wrong{e.What, e.Fix}
	}
	*s = selector(read)
	return nil
}

// A tagRef names a tag of an image stream.
type tagRef imagestream.TagRef

func (r *tagRef) set(text string) error {
	read, err := imagestream.ParseTagRef(text)
	if err != nil {
		return &wrong{err.Error(), "write NAMESPACE/STREAM:TAG, such as team1/web:stable"}
	}
	*r = tagRef(read)
	return nil
}

// policies are the tags that image policies of Flux stand for.
type policies map[string]imagestream.TagRef

// A policyName is namespace:name.
type policyName string

var policyPattern = regexp.MustCompile(aPolicy)

func (p *policyName) set(text string) error {
	if !policyPattern.MatchString(text) {
		return &wrong{"is not an image policy", `write NAMESPACE:NAME, such as "flux-system:podinfo"`}
	}
	*p = policyName(text)
	return nil
}

func (ps *policies) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		d.add(at(n), key+" must be a mapping", `write a policy and its tag on each line: "flux-system:podinfo": apps/podinfo:stable`)
		return
	}
	*ps = policies{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		var name policyName
		var tag imagestream.TagRef
		k, value := n.Content[i], n.Content[i+1]
		d.word(k, "a key of "+key, &name)
		d.word(value, join(key, clip(k.Value)), (*tagRef)(&tag))
		(*ps)[string(name)] = tag
	}
}
