package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/towpath/towpath/internal/authorities"
)

// An Endpoint is where a receiver listens. Files are read for each event, so that what was
// replaced counts at once.
type Endpoint struct {
	URL       string // http or https
	URLFile   string // instead of URL: where it is a secret
	CAFile    string // PEM, beside the system's certificates
	UserAgent string
}

// bounds of an exchange.
const (
	maxFile    = 64 << 10 // bytes of a secret's file
	maxAnswer  = 64 << 10 // bytes of an answer, which nobody reads
	handshake  = 10 * time.Second
	maxWait    = time.Hour // that a receiver may ask for
	maxHeaders = 64 << 10
)

// newClient follows no redirect: what is sent, and with which secret, is for one address alone.
func newClient(caFile string) (*http.Client, error) {
	roots, err := authorities.Read(caFile)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			DialContext:         (&net.Dialer{Timeout: handshake}).DialContext,
			TLSHandshakeTimeout: handshake, ResponseHeaderTimeout: attempt, MaxResponseHeaderBytes: maxHeaders,
			IdleConnTimeout: time.Minute, MaxIdleConns: 4,
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		},
	}, nil
}

// address is where to send to.
func (p Endpoint) address() (*url.URL, error) {
	text, where := p.URL, "the URL of the receiver"
	if p.URLFile != "" {
		var err error
		if text, err = readSecret(p.URLFile); err != nil {
			return nil, err
		}
		where = p.URLFile
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, &Error{What: where + " is no address of a receiver", Fix: "write https://HOST/PATH, without a user"}
	}
	return u, nil
}

// readSecret reads a file that holds one secret, on one line.
func readSecret(file string) (string, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxFile {
		err = errors.New("it is too large")
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(file)
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(raw), "\ufeff"))
	switch {
	case err != nil:
		return "", &Error{What: fmt.Sprintf("a secret cannot be read: %v", err), Fix: "check that " + file + " is mounted and readable"}
	case text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", &Error{What: file + " does not hold one secret alone", Fix: "write it into the file, on one line"}
	}
	return text, nil
}

// post sends a body. No error of it names the address, whose path may be a secret, or what hidden has.
func (p Endpoint) post(ctx context.Context, client *http.Client, to *url.URL, body []byte, header http.Header, hidden ...string) error {
	hidden = append(hidden, to.String(), to.RequestURI(), to.EscapedPath(), to.Path, to.RawQuery)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return &Error{What: "the request cannot be made: " + redacted(err, hidden)}
	}
	req.Header = header
	if p.UserAgent != "" {
		req.Header.Set("User-Agent", p.UserAgent)
	}
	resp, err := client.Do(req)
	if err != nil {
		return &Error{What: to.Hostname() + ": " + redacted(err, hidden), Fix: "see whether the receiver is up, and the way to it"}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // so that the connection is used again
	return judge(to.Hostname(), resp, time.Now())
}

// judge is what an answer means; its text is for nobody.
//
//	2xx                    taken
//	408, 425, 429, 5xx     tried again
//	3xx                    given up: nothing is sent to other addresses
//	anything else          given up
func judge(host string, resp *http.Response, now time.Time) error {
	e := &Error{What: fmt.Sprintf("%s answered %d", host, resp.StatusCode), RetryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		e.Fix = "see what the receiver says of it"
	case code >= 300 && code < 400:
		e.Final, e.Fix = true, "name the address that this one leads to; no redirect is followed"
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound, code == http.StatusGone:
		e.Final, e.Fix = true, "check the receiver's URL, and its secret or token"
	default:
		e.Final, e.Fix = true, "see what the receiver says of it"
	}
	return e
}

// retryAfter reads a header; 0: it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(n, 0), int(maxWait/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxWait)
	}
	return 0
}

// redacted is the cause of a failure on one line, without what nobody may read.
func redacted(err error, hidden []string) string {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err // the rest of it is the address
	}
	text := err.Error()
	hidden = slices.DeleteFunc(slices.Clone(hidden), func(s string) bool { return len(s) < 2 })
	slices.SortFunc(hidden, func(a, b string) int { return len(b) - len(a) })
	for _, h := range hidden {
		for _, form := range []string{h, url.QueryEscape(h), url.PathEscape(h)} {
			text = strings.ReplaceAll(text, form, "[secret]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

// isOpen reports whether everybody on the way can read what is sent.
func isOpen(to *url.URL) bool {
	addr, err := netip.ParseAddr(to.Hostname())
	return to.Scheme == "http" && to.Hostname() != "localhost" && !(err == nil && addr.Unmap().IsLoopback())
}
