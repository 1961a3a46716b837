package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// namespaceWord stands for the namespace in the paths of a directory.
const namespaceWord = "{namespace}"

// namespaceName is the form of a namespace's name: it has no slash and no dot, so
// that it is one name in a directory and plain text in a glob.
var namespaceName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// loginFiles are the names under which secrets hold logins. Nothing else in the
// directory is opened.
var loginFiles = []string{".dockerconfigjson", ".dockercfg", "config.json"}

const maxNamespaces = 5000

// A directory holds the logins of many namespaces, as Kubernetes mounts secrets:
//
//	team1/.dockerconfigjson          one secret
//	team2/pull/.dockerconfigjson     several, each in a directory of its own
//	team2/legacy/.dockercfg
//	team3 -> ..data/team3            as a projected volume has it
//
// What a namespace may use is found by listing the directory, never by looking
// for a name that an author wrote, and no link leads out of a namespace's own
// directory. A file that cannot be read any more leaves its last logins; one that
// was removed, none.
type directory struct {
	name  string
	paths []string // globs with namespaceWord
	log   *slog.Logger

	last map[string][]login // by file: as it was last read well
	told map[string]string  // by file or directory: the trouble that was logged last
}

// scan reads the whole directory. It fails where that cannot be listed; the
// trouble of one namespace is logged and leaves the others alone. One scan runs at
// a time. What is missing is looked for twice: it may have been swapped while it
// was read.
func (d *directory) scan() ([]holder, error) {
	holders, there, err := d.read()
	if err == nil && d.misses(there) {
		holders, there, err = d.read()
	}
	if err != nil {
		return nil, err
	}
	d.forget(there)
	return holders, nil
}

// read is one walk through the directory. There are the names of what it met.
func (d *directory) read() (holders []holder, there map[string]bool, err error) {
	root, err := os.OpenRoot(d.name)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	there = map[string]bool{}
	names, err := d.directories(root, "", there)
	if err != nil {
		return nil, nil, err
	}
	if len(names) > maxNamespaces {
		return nil, nil, fmt.Errorf("%s: more than %d namespaces", d.name, maxNamespaces)
	}
	for _, name := range names {
		if !namespaceName.MatchString(name) {
			d.trouble(name, errors.New("the directory's name is no namespace's, so nobody can use it"))
			continue
		}
		holders = append(holders, holder{namespace: name, paths: d.pathsOf(name), logins: d.namespace(root, name, there)})
	}
	return holders, there, nil
}

func (d *directory) misses(there map[string]bool) bool {
	for key := range d.last {
		if !there[key] {
			return true
		}
	}
	return false
}

// pathsOf are the globs of a namespace.
func (d *directory) pathsOf(namespace string) []string {
	globs := make([]string, len(d.paths))
	for i, p := range d.paths {
		globs[i] = strings.ReplaceAll(p, namespaceWord, namespace)
	}
	return globs
}

// namespace reads the logins of one namespace.
func (d *directory) namespace(root *os.Root, name string, there map[string]bool) []login {
	own, err := root.OpenRoot(name)
	if err != nil {
		d.trouble(name, err)
		return d.lastBelow(name, there)
	}
	defer own.Close()
	secrets, err := d.directories(own, name, there)
	if err != nil {
		d.trouble(name, err)
		return d.lastBelow(name, there)
	}
	var logins []login
	found := false
	for _, dir := range append([]string{"."}, secrets...) {
		for _, file := range loginFiles {
			if ls, ok := d.file(own, name, path.Join(dir, file), there); ok {
				found, logins = true, append(logins, ls...)
			}
		}
	}
	if found {
		delete(d.told, name)
	} else {
		d.trouble(name, fmt.Errorf("none of %s in it", strings.Join(loginFiles, ", ")))
	}
	return logins
}

// file reads one file; false where there is none.
func (d *directory) file(own *os.Root, name, file string, there map[string]bool) ([]login, bool) {
	logins, err := readSecret(own, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	key := name + "/" + file
	there[key] = true
	if err != nil {
		d.trouble(key, err)
		return d.last[key], true
	}
	d.last[key] = logins
	delete(d.told, key)
	return logins, true
}

func readSecret(own *os.Root, file string) ([]login, error) {
	info, err := own.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its other end
		return nil, errors.New("no regular file")
	}
	body, err := readMounted(own.Open, file)
	if err != nil {
		return nil, err
	}
	return readLogins(file, body)
}

// lastBelow is what was last read of a namespace whose directory cannot be.
func (d *directory) lastBelow(name string, there map[string]bool) []login {
	var logins []login
	for _, key := range slices.Sorted(maps.Keys(d.last)) {
		if strings.HasPrefix(key, name+"/") {
			there[key] = true
			logins = append(logins, d.last[key]...)
		}
	}
	return logins
}

// trouble logs once what is wrong with a file or directory.
func (d *directory) trouble(key string, err error) {
	if d.told[key] != err.Error() {
		d.told[key] = err.Error()
		d.log.Warn("credentials that cannot be read, the last ones stand", "directory", d.name, "of", key, "err", err)
	}
}

// forget drops what is there no more.
func (d *directory) forget(there map[string]bool) {
	for key := range d.last {
		if !there[key] {
			delete(d.last, key)
		}
	}
	for key := range d.told {
		if !there[key] {
			delete(d.told, key)
		}
	}
}

// directories are those in a root by name, in order, links to some included.
// Names that begin with a dot are the mounting's own.
func (d *directory) directories(root *os.Root, of string, there map[string]bool) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		info, err := root.Stat(name)
		switch key := path.Join(of, name); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil: // a link that leads out of the directory, above all
			there[key] = true
			d.trouble(key, err)
		case info.IsDir():
			there[key] = true
			names = append(names, name)
		}
	}
	return names, nil
}
