package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a person or another program did meanwhile is not written over, and no write leaves
// anything beside the file.
func TestCheckoutWrite(t *testing.T) {
	tests := []struct {
		name      string
		meanwhile func(dir string) error
		want      string // part of the error
		left      map[string]string
	}{
		{"as it was", func(string) error { return nil }, "", map[string]string{"a/web.yaml": "new"}},
		{
			"saved by an editor", func(dir string) error { return os.WriteFile(filepath.Join(dir, "a/web.yaml"), []byte("own"), 0o600) },
			"changed meanwhile", map[string]string{"a/web.yaml": "own"},
		},
		{
			"removed", func(dir string) error { return os.Remove(filepath.Join(dir, "a/web.yaml")) },
			"changed meanwhile", map[string]string{},
		},
		{
			"a link to elsewhere", func(dir string) error {
				return move(filepath.Join(dir, "a/web.yaml"), filepath.Join(dir, "elsewhere"))
			},
			"symbolic link", map[string]string{"a/web.yaml": "old", "elsewhere": "old"},
		},
		{
			"a directory that is a link to elsewhere", func(dir string) error { return move(filepath.Join(dir, "a"), filepath.Join(dir, "b")) },
			"symbolic link", map[string]string{"b/web.yaml": "old"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a/web.yaml")
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o662); err != nil { // whatever the umask
				t.Fatal(err)
			}
			co := &checkout{disk: &disk{dir: dir}}
			before, err := co.readFile("a/web.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if err := test.meanwhile(dir); err != nil {
				t.Fatal(err)
			}
			err = co.write("a/web.yaml", before, []byte("new"))
			if test.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one about %q", err, test.want)
			}
			if diff := cmp.Diff(test.left, contents(t, dir)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if info, err := os.Lstat(path); test.want == "" && (err != nil || info.Mode() != 0o662) {
				t.Errorf("got %v and %v, want the mode that it had", info, err)
			}
		})
	}
}

// move puts a link where a file was.
func move(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return os.Symlink(to, from)
}

// contents are the files below a directory; those that are links count as what they lead to.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return err
		}
		src, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(src)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
