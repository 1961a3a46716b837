package integrated

import (
	"os"
	"path/filepath"
	"testing"
)

// What does not open for want of its users makes no storage.
func TestNoStorageWithoutUsers(t *testing.T) {
	dir := t.TempDir()
	storage := filepath.Join(dir, "images")
	for _, rules := range []Rules{{UsersFile: filepath.Join(dir, "none")}, {Tokens: []Token{{"ci", filepath.Join(dir, "none")}}}} {
		if r, err := New(t.Context(), Options{Storage: storage, Rules: &rules}); err == nil {
			r.Close()
			t.Error("it opened")
		}
		if _, err := os.Stat(storage); !os.IsNotExist(err) {
			t.Errorf("the storage is there: %v", err)
		}
	}
}
