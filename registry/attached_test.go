package registry_test

import (
	"strings"
	"testing"

	"github.com/towpath/towpath/registry"
)

func TestAttached(t *testing.T) {
	short, long := strings.Repeat("0a", 32), strings.Repeat("f9", 64)
	for tag, want := range map[string]string{
		"sha256-" + short:           "sha256:" + short,
		"sha256-" + short + ".sig":  "sha256:" + short,
		"sha256-" + short + ".att":  "sha256:" + short,
		"sha256-" + short + ".sbom": "sha256:" + short,
		"sha512-" + long:            "sha512:" + long,
		"sha512-" + long + ".sig":   "sha512:" + long,

		"": "", "latest": "", "1.0.sig": "", "sha256": "", "sha256-": "", "sha256-.sig": "",
		"sha256-" + short[1:]:                "",
		"sha256-" + long:                     "",
		"sha512-" + short:                    "",
		"sha256-" + short + ".":              "",
		"sha256-" + short + ".sig.old":       "",
		"sha256-" + short + ".pub":           "",
		"sha256-" + strings.ToUpper(short):   "",
		"sha384-" + strings.Repeat("0a", 48): "",
	} {
		got, ok := registry.Attached(tag)
		if got != want || ok != (want != "") {
			t.Errorf("%q is about %q, %v; want %q", tag, got, ok, want)
		}
	}
}

func FuzzAttached(f *testing.F) {
	for _, seed := range []string{"latest", "sha256-" + strings.Repeat("0a", 32), "sha256-" + strings.Repeat("0a", 32) + ".sig", "sha512-" + strings.Repeat("f", 128) + ".sbom", "sha256-.att"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		digest, ok := registry.Attached(tag)
		if ok != (digest != "") || ok && (!registry.ValidDigest(digest) || !strings.HasPrefix(tag, strings.Replace(digest, ":", "-", 1))) {
			t.Errorf("%q is about %q, %v", tag, digest, ok)
		}
	})
}
