package hooks

import (
	"context"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/towpath/towpath/internal/serving"
)

// Limits of the server. Who can reach it can make it spend no more than this.
const (
	headerTime   = 5 * time.Second
	bodyTime     = 10 * time.Second // headers and body, and how long a connection may idle
	answerTime   = 90 * time.Second // an import waits for its answer for a minute
	shutdownTime = 5 * time.Second
	headerBytes  = 12 << 10 // net/http allows 4 KiB more
	maxConns     = 1024
)

// Serve answers requests on a listener until ctx ends; then it lets those in flight finish,
// at most 5 s. It closes the listener. The error is nil when ctx ended it.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       bodyTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       bodyTime, // it takes a place
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          log.New(silent{}, "", 0), // it would repeat what strangers send
	}
	return serving.Until(ctx, server, netutil.LimitListener(l, maxConns), shutdownTime)
}

type silent struct{}

func (silent) Write(p []byte) (int, error) { return len(p), nil }
