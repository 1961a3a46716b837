package gogit

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
)

// nameServer answers every question with a code, or not at all.
func nameServer(t *testing.T, code byte, silent bool) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if silent || n < 12 {
				continue
			}
			buf[2], buf[3] = buf[2]|0x80, 0x80|code // an answer
			server.WriteTo(buf[:n], from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// fault: G-02
func TestNameServer(t *testing.T) {
	for name, c := range map[string]struct {
		code   byte
		silent bool
	}{"no such name": {code: 3}, "server failure": {code: 2}, "silence": {silent: true}} {
		t.Run(name, func(t *testing.T) {
			const patience = 300 * time.Millisecond
			s, err := Open(t.Context(), Options{
				Repo: "https://git.example.com/r", resolver: nameServer(t, c.code, c.silent),
				Deadlines: Deadlines{Connect: patience},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			before := runtime.NumGoroutine()
			start := time.Now()
			const tries = 5
			for range tries {
				_, err := s.Snapshot(t.Context(), "main")
				var e *gitstore.Error
				if !errors.As(err, &e) || e.Kind != gitstore.Unreachable || e.Fix == "" {
					t.Errorf("got %v", err)
				}
			}
			if took := time.Since(start); took > 4*tries*patience {
				t.Errorf("%d tries took %s", tries, took)
			}
			for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+5; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}
