package main

import (
	"os"
	"strings"
	"testing"

	"github.com/towpath/towpath/hooks"
)

// The document names every kind of sender.
func TestHooksDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range hooks.Kinds() {
		if !strings.Contains(string(doc), "`"+kind+"`") {
			t.Errorf("docs/webhooks.md does not name the kind %s", kind)
		}
	}
}
