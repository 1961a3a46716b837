package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
)

// token writes a secret of its own to a file of the script, and into a variable: FILE VAR.
func (w *world) token(args []string) {
	raw := make([]byte, 32)
	rand.Read(raw)
	secret := hex.EncodeToString(raw)
	w.secrets = append(w.secrets, secret)
	w.ts.Check(os.WriteFile(w.ts.MkAbs(args[0]), []byte(secret+"\n"), 0o600))
	w.ts.Setenv(args[1], secret)
}

var hearing = regexp.MustCompile(`msg="serving webhooks" address=([0-9.:]+)`)

// hooksAt puts the address where a daemon takes webhooks into a variable: NAME VAR.
func (w *world) hooksAt(args []string) { w.ts.Setenv(args[1], w.hooksURL(args[0])) }

func (w *world) hooksURL(name string) string {
	log, _ := w.daemon(name).log.from(0)
	m := hearing.FindStringSubmatch(log)
	if m == nil {
		w.ts.Fatalf("the daemon %s takes no webhooks%s", name, w.daemonLogs())
	}
	return "http://" + m[1]
}

// post posts a JSON file of the script to a daemon, and prints status and body: NAME PATH FILE
// [BEARER].
func (w *world) post(args []string) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.hooksURL(args[0])+args[1], strings.NewReader(w.ts.ReadFile(args[2])))
	w.ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	if len(args) > 3 {
		req.Header.Set("Authorization", "Bearer "+args[3])
	}
	resp, err := http.DefaultClient.Do(req)
	w.ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.ts.Check(err)
	w.checkSecrets(args[2], string(body))
	w.print(fmt.Sprintf("%s\n%s", resp.Status, body))
}
