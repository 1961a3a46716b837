package main

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/towpath/towpath/config"
)

// Whom the registry counts is said by proxies that the operator trusts, and by nobody else.
func TestRegistryClientBehindProxy(t *testing.T) {
	if clientBehind(nil) != nil {
		t.Error("proxies are trusted that nobody named")
	}
	op, problems := config.ParseOperator("operator.yaml", []byte("trusted-proxies: [10.0.0.0/8]\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	client := clientBehind(op.TrustedProxies)
	for remote, want := range map[string]string{"10.0.0.1:1": "203.0.113.7", "192.0.2.1:1": "192.0.2.1"} {
		r := httptest.NewRequest("GET", "/v2/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.7")
		if got, ok := client(r); !ok || got != netip.MustParseAddr(want) {
			t.Errorf("through %s: got %v, %v, want %s", remote, got, ok, want)
		}
	}
}
