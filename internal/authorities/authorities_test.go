package authorities

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	if pool, err := Read(""); pool != nil || err != nil {
		t.Errorf("without a file: %v, %v", pool, err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := Read(file); err == nil || !strings.HasPrefix(err.Error(), "ca-file: open ") {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(file, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || err.Error() != "ca-file "+file+": no certificate in it: write PEM" {
		t.Errorf("no certificate: %v", err)
	}
}
