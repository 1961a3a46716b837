package remote

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

// fault: H-02
func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"169.254.169.254": false, "fd00:ec2::254": false, "168.63.129.16": false, "100.100.100.200": false, "192.0.0.192": false, // metadata
		"127.0.0.1": false, "127.255.255.254": false, "::1": false, // loopback
		"0.0.0.0": false, "::": false, "0.1.2.3": false, // unspecified
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "fc00::1": false, "fd12::1": false, // private
		"169.254.0.1": false, "fe80::1": false, "fe80::1%lo": false, "fec0::1": false, // link-local
		"100.64.0.1": false, "100.127.255.255": false, "198.18.0.1": false, // carrier NAT, benchmarks
		"224.0.0.1": false, "239.255.255.250": false, "ff02::1": false, "255.255.255.255": false, "240.0.0.1": false, // multicast and above
		"::ffff:169.254.169.254": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::169.254.169.254": false, "::ffff:0:7f00:1": false, "::ffff:0:a9fe:a9fe": false, // IPv4 in IPv6
		"64:ff9b::a9fe:a9fe": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "2002:a9fe:a9fe::1": false, "2001:0:a9fe:a9fe::1": false,
		"8.8.8.8": true, "172.15.0.1": true, "172.32.0.1": true, "100.63.255.255": true, "100.128.0.1": true, "2606:4700::1111": true,
		"::ffff:8.8.8.8": true, "64:ff9b::808:808": true,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("public(%s) = %t, want %t", addr, got, want)
		}
	}
}

// fault: H-02
//
// What counts is the address at the moment of connecting: a name that was public
// before gets nobody further.
func TestDialRebinding(t *testing.T) {
	answers := []string{"203.0.113.1", "169.254.169.254"}
	var dialled []string
	n := network{
		resolve: func(context.Context, string) ([]netip.Addr, error) {
			next := netip.MustParseAddr(answers[0])
			answers = answers[1:]
			return []netip.Addr{next}, nil
		},
		dialer: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled = append(dialled, addr)
			a, b := net.Pipe()
			b.Close()
			return a, nil
		},
	}
	conn, err := n.dial(t.Context(), "tcp", "registry.test:443", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	_, err = n.dial(t.Context(), "tcp", "registry.test:443", nil)
	var private *privateError
	if !errors.As(err, &private) || len(dialled) != 1 {
		t.Errorf("the second time: dialled %v, error %v, want it refused", dialled, err)
	}
}

// fault: H-02
//
// Only the name that the operator gave may be private, and only with its port.
func TestDialNames(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	for _, c := range []struct {
		names []string
		ok    bool
	}{
		{nil, false},
		{[]string{"127.0.0.1:443"}, false},
		{[]string{"localhost:" + port}, false},
		{[]string{addr}, true},
	} {
		conn, err := network{}.dial(t.Context(), "tcp", addr, c.names)
		if (err == nil) != c.ok {
			t.Errorf("names %v: error %v, want ok %t", c.names, err, c.ok)
		}
		if err == nil {
			conn.Close()
		}
	}
}
