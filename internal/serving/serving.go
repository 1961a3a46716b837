// Package serving ends servers in order. It knows listeners, and not what is served.
package serving

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Until serves on a listener until ctx ends; then it lets what is in flight finish, for grace at
// most, and cuts off the rest. It closes the listener. The error is nil when ctx ended it.
func Until(ctx context.Context, server *http.Server, l net.Listener, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	left, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(left); err != nil {
		server.Close()
	}
	<-failed
	return nil
}
