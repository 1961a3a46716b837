package gogit

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore"
)

// nameServer answers every question with a code, or not at all.
func nameServer(code byte, silent bool) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for {
				buf := make([]byte, 1500)
				n, err := theirs.Read(buf)
				if err != nil {
					return
				}
				if silent {
					continue
				}
				const head = 2                                         // the length, where the line is a stream
				buf[head+2], buf[head+3] = buf[head+2]|0x80, 0x80|code // an answer
				theirs.Write(buf[:n])
			}
		}()
		return ours, nil
	}}
}

// fault: G-02
func TestNameServer(t *testing.T) {
	// The package net reads the system's settings once, with a lock that must not be a bubble's.
	if _, err := nameServer(3, false).LookupHost(t.Context(), "git.example.com"); err == nil {
		t.Fatal("a name that is not there was found")
	}
	for name, c := range map[string]struct {
		code   byte
		silent bool
	}{"no such name": {code: 3}, "server failure": {code: 2}, "silence": {silent: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const patience = 300 * time.Millisecond
				s, err := Open(t.Context(), Options{
					Repo: "https://git.example.com/r", resolver: nameServer(c.code, c.silent),
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
				if took := time.Since(start); took > tries*patience {
					t.Errorf("%d tries took %s", tries, took)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if n := runtime.NumGoroutine(); n > before+5 {
					t.Errorf("%d goroutines, %d before", n, before)
				}
			})
		})
	}
}
