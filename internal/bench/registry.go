package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A fake is a registry that holds whatever it is asked for, wants a token for each
// repository, and takes its time. Fields are set before it serves.
type fake struct {
	host         string
	latency      time.Duration // of a manifest, and of a page of tags
	tokenLatency time.Duration
	tags         []string // of every repository, sorted

	generation atomic.Int64 // another one has other digests
	moves      sync.Map     // by repository:tag an *atomic.Int64: of that tag, beside
	heads      atomic.Int64
	tokens     atomic.Int64 // requests for one
	rest       atomic.Int64 // all others, but for pings
}

// counts are what a fake was asked.
type counts struct{ Heads, Tokens, Rest int64 }

func (c counts) minus(d counts) counts {
	return counts{c.Heads - d.Heads, c.Tokens - d.Tokens, c.Rest - d.Rest}
}

const pageOfTags = 1000

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ref, ofManifest := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	path = strings.TrimSuffix(path, "/tags/list")
	switch {
	case r.URL.Path == "/counts":
		json.NewEncoder(w).Encode(counts{f.heads.Load(), f.tokens.Load(), f.rest.Load()})
	case r.URL.Path == "/token":
		f.tokens.Add(1)
		time.Sleep(f.tokenLatency)
		fmt.Fprintf(w, `{"token":%q,"expires_in":3600}`, tokenOf(strings.TrimSuffix(strings.TrimPrefix(r.URL.Query().Get("scope"), "repository:"), ":pull")))
	case r.URL.Path == "/v2/":
		f.challenge(w)
	case r.Header.Get("Authorization") != "Bearer "+tokenOf(path):
		f.rest.Add(1)
		f.challenge(w)
	case ofManifest:
		f.manifest(w, r, path, ref)
	default:
		f.rest.Add(1)
		time.Sleep(f.latency)
		f.page(w, r)
	}
}

// tokenOf is what opens a repository, and no other.
func tokenOf(path string) string { return "not.a.secret." + strings.ReplaceAll(path, "/", ".") }

func (f *fake) challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="bench"`, f.host))
	w.WriteHeader(http.StatusUnauthorized)
}

func (f *fake) manifest(w http.ResponseWriter, r *http.Request, path, ref string) {
	if r.Method == http.MethodHead {
		f.heads.Add(1)
	} else {
		f.rest.Add(1)
	}
	time.Sleep(f.latency)
	body, digest := manifest(path, ref, f.generationOf(path, ref))
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Header().Set("Docker-Content-Digest", digest)
	w.Write(body)
}

// generationOf is that of a tag.
func (f *fake) generationOf(path, tag string) int64 {
	own, moved := f.moves.Load(path + ":" + tag)
	if !moved {
		return f.generation.Load()
	}
	return f.generation.Load() + own.(*atomic.Int64).Load()
}

// move gives one tag another digest, and says which generation it is now.
func (f *fake) move(path, tag string) int64 {
	own, _ := f.moves.LoadOrStore(path+":"+tag, new(atomic.Int64))
	return f.generation.Load() + own.(*atomic.Int64).Add(1)
}

// manifest is what a tag names.
func manifest(path, tag string, generation int64) (body []byte, digest string) {
	config := sha256.Sum256(fmt.Append(nil, path, ":", tag, " ", generation))
	body = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%x","size":2},"layers":[]}`, config)
	return body, fmt.Sprintf("sha256:%x", sha256.Sum256(body))
}

// page is up to a thousand of the tags, after the one that the client had last.
func (f *fake) page(w http.ResponseWriter, r *http.Request) {
	from := 0
	if last := r.URL.Query().Get("last"); last != "" {
		i, found := slices.BinarySearch(f.tags, last)
		if from = i; found {
			from++
		}
	}
	to := min(from+pageOfTags, len(f.tags))
	if to < len(f.tags) {
		w.Header().Set("Link", fmt.Sprintf(`<%s?n=%d&last=%s>; rel="next"`, r.URL.Path, pageOfTags, f.tags[to-1]))
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"name": "bench", "tags": f.tags[from:to]})
}

// listen serves f on loopback, and says where.
func (f *fake) listen() (*http.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.host = l.Addr().String()
	s := &http.Server{Handler: f}
	go s.Serve(l)
	return s, nil
}

// An upstream is a fake in a process of its own, so that nobody's processor time or
// memory has a registry's in it.
type upstream struct {
	host  string
	cmd   *exec.Cmd
	stdin io.Closer
}

const (
	upstreamName    = "upstream"
	upstreamLatency = 20 * time.Millisecond
)

// asked is the registry that the measures share, started when it is first needed.
func (b *bed) asked(ctx context.Context) (*upstream, error) {
	if b.registry != nil {
		return b.registry, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	u := &upstream{cmd: exec.CommandContext(ctx, self, upstreamName, fmt.Sprint(b.scaled(100)*pageOfTags))}
	u.cmd.Stderr = os.Stderr
	out, err := u.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if u.stdin, err = u.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := u.cmd.Start(); err != nil {
		return nil, err
	}
	b.registry = u
	if _, err = fmt.Fscanln(out, &u.host); err != nil {
		err = fmt.Errorf("the registry's process: %w", err)
	}
	return u, err
}

// close ends the process by its standard input, and waits for that.
func (u *upstream) close() {
	if u != nil {
		u.stdin.Close()
		u.cmd.Wait()
	}
}

// countsAt is what the registry at a host was asked so far.
func countsAt(ctx context.Context, host string) (c counts, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/counts", nil)
	if err != nil {
		return c, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer res.Body.Close()
	return c, json.NewDecoder(res.Body).Decode(&c)
}

// serveUpstream is the process: it serves until its standard input ends.
func serveUpstream(args []string, in io.Reader, out io.Writer) error {
	f := &fake{latency: upstreamLatency, tokenLatency: upstreamLatency}
	var n int
	if _, err := fmt.Sscan(args[0], &n); err != nil {
		return err
	}
	f.tags = manyTags(n)
	s, err := f.listen()
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = fmt.Fprintln(out, f.host)
	_, ended := io.Copy(io.Discard, in)
	return errors.Join(err, ended)
}

// manyTags are n tags: versions, some of them pre-releases, and builds that are none.
func manyTags(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf("%d.%d.%d", i/10_000, i/100%100, i%100)
		switch {
		case i%10 == 3:
			tags[i] += "-rc.1"
		case i%10 == 7:
			tags[i] = fmt.Sprint("build-", i)
		}
	}
	slices.Sort(tags)
	return tags
}
