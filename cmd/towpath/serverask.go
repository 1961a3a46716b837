package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/towpath/towpath/gitstore"
)

const (
	connectTime  = 10 * time.Second
	importAsking = importTime + 20*time.Second
	importBytes  = 64 << 20
)

// importAt asks the daemon at a server for an import, and prints what it says.
func (a *app) importAt(ctx context.Context, server, tokenFile string, args []string) error {
	token, err := tokenFor(server, tokenFile)
	if err != nil {
		return err
	}
	var worst error
	for _, arg := range args {
		answer, code, err := askImport(ctx, server, token, arg)
		if err == nil && answer.Tags == nil && answer.Error == "" { // JSON, but not ours
			err = stranger(code, "that imports")
		}
		if err != nil {
			return unheard(server, err)
		}
		a.printAnswer(answer)
		switch {
		case code != http.StatusOK:
			return failed(hint{errors.New(firstOf(answer.Error, fmt.Sprintf("the daemon answers %d %s", code, http.StatusText(code)))), answer.Fix})
		case answer.Failed:
			worst = &exit{code: exitProblems}
		}
	}
	return worst
}

// tokenFor is the token that a person gives a daemon.
func tokenFor(server, tokenFile string) (string, error) {
	if err := checkTokenServer(server); err != nil {
		return "", err
	}
	if tokenFile == "" {
		return "", usage("%w", hint{errors.New("the daemon wants a token"), "give --token-file FILE: the file that import-token-file: of the daemon's config names, or a copy"})
	}
	token, err := readSecret(tokenFile)
	if err == nil {
		err = oneToken(tokenFile, token)
	}
	if err != nil {
		return "", usage("--token-file: %w", hint{err, "name a file with the daemon's token, and nothing else: the one that import-token-file: of its config names, or a copy"})
	}
	return token, nil
}

// oneToken refuses the text of a file that no header could carry, without repeating it.
func oneToken(file, text string) error {
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return fmt.Errorf("%s does not hold one token: it has several lines", file)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%s does not hold one token: there is a blank in it, or a character that no token has", file)
	}
	return nil
}

// stranger is the error where something answered that is not what was asked.
func stranger(code int, does string) error {
	return fmt.Errorf("the answer is %d %s, and none of a daemon %s", code, http.StatusText(code), does)
}

// unheard is the error where no daemon answered.
func unheard(server string, err error) error {
	return failed(hint{fmt.Errorf("the daemon at %s was not heard: %w", server, err), "name its --hooks-listen address, at which its log says that it is serving webhooks (--listen has another, for metrics and towpath status), see that it runs, and that its config has import-token-file:; the path of a proxy before it belongs to the URL, /import does not"})
}

func firstOf(text, other string) string {
	if text == "" {
		return other
	}
	return printable(text)
}

// printAnswer prints what towpath import prints.
func (a *app) printAnswer(answer importAnswer) {
	for _, r := range answer.Tags {
		if !r.unasked() {
			fmt.Fprint(a.stdout, r.text())
		}
	}
	for _, c := range answer.Commits {
		fmt.Fprintf(a.stdout, "%s %s\n", gitstore.Rev(printable(c.Rev)).Short(), printable(c.Subject))
	}
	for _, line := range answer.Notes {
		fmt.Fprintln(a.stdout, printable(line))
	}
	if answer.Error == "" {
		printFix(a.stdout, answer.Fix)
	}
	for _, r := range answer.Tags {
		if r.unasked() {
			fmt.Fprint(a.stdout, r.text())
		}
	}
	for _, line := range answer.Problems {
		fmt.Fprintln(a.stderr, printable(line))
	}
}

// askImport asks for one stream or tag.
func askImport(ctx context.Context, server, token, arg string) (answer importAnswer, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, importAsking)
	defer cancel()
	var parts []string
	for part := range strings.SplitSeq(arg, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	code, err = post(ctx, server, token, importPrefix+strings.Join(parts, "/"), "that imports", &answer)
	return answer, code, err
}

// post asks a daemon for something, and reads its answer. The token goes to that server and nowhere
// else: no redirect is followed, and no proxy used.
func post(ctx context.Context, server, token, what, does string, answer any) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(server, "/")+what, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: connectTime}).DialContext,
			TLSHandshakeTimeout: connectTime,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("it did not answer in time")
		}
		return 0, err
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
		return 0, stranger(resp.StatusCode, does)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, importBytes)).Decode(answer); err != nil {
		return 0, fmt.Errorf("the answer cannot be read: %w", err)
	}
	return resp.StatusCode, nil
}
