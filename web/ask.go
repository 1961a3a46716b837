package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	askTime  = 2 * time.Second
	askBytes = 64 << 20
)

// Ask reads the report of the daemon that serves base, such as
// http://127.0.0.1:8080, about the streams that are named, or all. It takes 2 s at most,
// follows no redirect and uses no proxy.
func Ask(ctx context.Context, base string, streams ...string) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	address := strings.TrimSuffix(base, "/") + "/status.json"
	if len(streams) > 0 {
		address += "?" + url.Values{"stream": streams}.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Report{}, err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return Report{}, err
	}
	defer resp.Body.Close()
	return read(resp)
}

// read is the report in an answer. Who answers is not known to be a daemon.
func read(resp *http.Response) (Report, error) {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return Report{}, fmt.Errorf("the answer is %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case kind != "application/json":
		return Report{}, fmt.Errorf("the answer is %q, and no report", kind)
	}
	var r Report
	if err := json.NewDecoder(io.LimitReader(resp.Body, askBytes)).Decode(&r); err != nil {
		return Report{}, fmt.Errorf("the answer is no report: %w", err)
	}
	if r.Revision == "" && r.Error == "" {
		return Report{}, errors.New("the answer is no report: it names no revision")
	}
	return r, nil
}
