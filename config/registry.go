package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// An integrated is the registry that belongs to the repository: what is pushed there goes on
// record here.
type integrated struct {
	Host    ownHost     `yaml:"host" need:"true"`
	Streams directories `yaml:"streams"`
}

// Registry is the host of the repository's own registry, as references name it; empty where
// there is none.
func (r *Repository) Registry() string { return string(r.orDefault().file.Registry.Host) }

// Directory is where the stream of a first push to a namespace gets its file; false where the
// namespace has none, so that only people add streams to it. Of the globs that match, the one
// with most bytes that are not wildcards decides, of equal ones the first.
func (r *Repository) Directory(namespace string) (dir string, ok bool) {
	d := r.orDefault().file.Registry.Streams.of(namespace)
	if d == nil {
		return "", false
	}
	return strings.ReplaceAll(string(d.dir), namespaceWord, namespace), true
}

// DirectoryLine is the line that says what Directory says; 0 where none does.
func (r *Repository) DirectoryLine(namespace string) int {
	if d := r.orDefault().file.Registry.Streams.of(namespace); d != nil {
		return d.line
	}
	return 0
}

// An ownHost is the host of a registry as the references of its images begin. They would
// be Docker Hub's if it did not look like a host.
type ownHost string

func (h *ownHost) set(text string) error {
	var host Host
	if err := host.set(text); err != nil {
		return err
	}
	switch {
	case host == "docker.io":
		return &wrong{"is Docker Hub, to which nobody pushes here", "write the name by which clients reach towpath's registry"}
	case !strings.ContainsAny(string(host), ".:") && host != "localhost":
		return &wrong{"would not be read as a host in " + string(host) + "/team1/web", "write a name with a dot or a port: " + string(host) + ":5000"}
	}
	*h = ownHost(host)
	return nil
}

// directories are where streams get their files, by globs of namespaces, in the file's order.
type directories []directory

type directory struct {
	glob Glob
	dir  streamsDir
	line int
}

func (ds directories) of(namespace string) (best *directory) {
	if (*label)(new(string)).set(namespace) != nil || namespace == "" {
		return nil
	}
	for i := range ds {
		if d := &ds[i]; d.glob.Match(namespace) && (best == nil || d.glob.literal > best.glob.literal) {
			best = d
		}
	}
	return best
}

func (ds *directories) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		d.add(at(n), key+" must be a mapping", `write a namespace and its directory on each line: team1: apps/team1/streams`)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		e := directory{line: k.Line}
		d.word(k, "a glob of "+key, &e.glob)
		d.word(value, join(key, clip(k.Value)), &e.dir)
		*ds = append(*ds, e)
	}
}

// A streamsDir is a directory of the repository, with {namespace} for the namespace.
type streamsDir string

func (s *streamsDir) set(text string) error {
	plain := strings.ReplaceAll(text, namespaceWord, "namespace")
	parts := strings.Split(plain, "/")
	unusable := func(part string) bool {
		return part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") || strings.TrimSpace(part) != part
	}
	switch {
	case len(text) > maxGlob:
		return &wrong{fmt.Sprintf("is a path of more than %d bytes", maxGlob), "write a shorter one"}
	case strings.ContainsAny(plain, `*?[]{}\`):
		return &wrong{"is one directory, not a pattern", "write the directory; {namespace} in it stands for the namespace"}
	case plain != "." && slices.ContainsFunc(parts, unusable):
		return &wrong{"is not a directory of the repository", "write it from the repository's root, such as apps/{namespace}/streams; . is the root itself"}
	case slices.Contains(guardedDirs, parts[0]):
		return &wrong{"is a directory whose files say what machines run", "name another directory"}
	}
	*s = streamsDir(text)
	return nil
}
