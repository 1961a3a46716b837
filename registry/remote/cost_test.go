package remote_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

const (
	costAtOnce       = 256
	costRepositories = 1000
)

// A cannedRegistry costs next to nothing: it takes a request for what its first
// bytes say, checks nothing and allocates nothing.
type cannedRegistry struct {
	host      string
	challenge []byte // of GET /v2/
	token     []byte // of GET /token
	image     []byte // of all else
}

func newCannedRegistry(b *testing.B) *cannedRegistry {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	c := &cannedRegistry{host: l.Addr().String()}
	const token = `{"token":"a.b.c","expires_in":3600}`
	c.challenge = fmt.Appendf(nil, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://%s/token\",service=\"bench\"\r\nContent-Length: 0\r\n\r\n", c.host)
	c.token = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(token), token)
	c.image = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 2\r\nDocker-Content-Digest: sha256:%s\r\nDate: Fri, 02 Jan 2026 15:04:05 GMT\r\n\r\n", ociImage, strings.Repeat("0", 64))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

// serve answers until the client hangs up.
func (c *cannedRegistry) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	if first, err := in.Peek(1); err != nil || first[0] == 0x16 { // a TLS handshake
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	for {
		answer := c.image
		for first := true; ; first = false {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if first && bytes.HasPrefix(line, []byte("GET /v2/ ")) {
				answer = c.challenge
			} else if first && bytes.HasPrefix(line, []byte("GET /token")) {
				answer = c.token
			}
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// spend calls ask b.N times for repository after repository, many at once, and
// reports the CPU of each call, the registry's part of it included.
func spend(b *testing.B, ask func(path, tag string) error) {
	paths := make([]string, costRepositories)
	for i := range paths {
		paths[i] = fmt.Sprintf("team%d/web", i)
	}
	for _, path := range paths { // connections and tokens are not what is measured
		if err := ask(path, "v0"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	used := cpuTime(b)
	var next atomic.Int64
	var group sync.WaitGroup
	for range costAtOnce {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := ask(paths[i%costRepositories], "v1"); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(cpuTime(b)-used)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHeadCost is what one HEAD costs when nothing is waited for, beside
// net/http with a token in its hand. The goal is 1.5 times its CPU.
func BenchmarkHeadCost(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		c := newCannedRegistry(b)
		transport := &http.Transport{MaxConnsPerHost: costAtOnce, MaxIdleConnsPerHost: costAtOnce, DisableCompression: true}
		defer transport.CloseIdleConnections()
		spend(b, func(path, tag string) error {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodHead, "http://"+c.host+"/v2/"+path+"/manifests/"+tag, nil)
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer a.b.c")
			resp, err := transport.RoundTrip(req)
			if err != nil {
				return err
			}
			io.Copy(io.Discard, resp.Body)
			return resp.Body.Close()
		})
	})
	b.Run("reader", func(b *testing.B) {
		c := newCannedRegistry(b)
		r := open(b, remote.Options{Hosts: map[string]remote.Host{c.host: {Insecure: true, Concurrency: costAtOnce}}})
		defer r.Close()
		spend(b, func(path, tag string) error {
			_, err := r.Head(b.Context(), registry.On{Insecure: true}, registry.Ref{Repo: registry.Repo{Host: c.host, Path: path}, Tag: tag})
			return err
		})
	})
}
