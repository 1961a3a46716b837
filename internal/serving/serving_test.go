package serving

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A request under way at the end of the context is answered; one that takes longer than the grace
// is cut off.
func TestUntil(t *testing.T) {
	for _, tt := range []struct {
		name     string
		grace    time.Duration
		answered bool
	}{
		{"in time", time.Minute, true},
		{"too late", time.Nanosecond, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			entered, release := make(chan struct{}), make(chan struct{})
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				if tt.answered {
					<-release
				} else {
					<-r.Context().Done() // it is the connection that ends
				}
				io.WriteString(w, "done")
			})}
			server.RegisterOnShutdown(func() { close(release) })
			ended := make(chan error, 1)
			go func() { ended <- Until(ctx, server, l, tt.grace) }()
			got := make(chan error, 1)
			go func() {
				res, err := http.Get("http://" + l.Addr().String())
				if err == nil {
					_, err = io.ReadAll(res.Body)
					res.Body.Close()
				}
				got <- err
			}()
			<-entered
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("ended with %v", err)
			}
			if err := <-got; (err == nil) != tt.answered {
				t.Errorf("the request ended with %v", err)
			}
			if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
				t.Error("it listens still")
			}
		})
	}
}

func TestUntilItFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Until(t.Context(), &http.Server{}, l, time.Minute); err == nil {
		t.Error("no error")
	}
}
