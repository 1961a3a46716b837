package wire

import (
	"context"
	"net"
	"net/http"
)

// Dialling makes a client's connections by dial, so that its time can be virtual.
func Dialling(c *http.Client, dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	c.Transport.(*line).next.(*http.Transport).DialContext = dial
}
