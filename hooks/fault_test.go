package hooks

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A key that does nothing for a kind is a fault, one that is missing too, and what a kind takes is
// none: of every kind.
func TestFaults(t *testing.T) {
	optional := []string{"secret-files", "host", "namespaces", "paths", "branch", "audience", "issuer", "email"}
	whole := Receiver{Name: "r", Host: "registry.example", Branch: "main", Audience: "a", Issuer: "https://issuer.example", Email: "e"}
	for _, v := range vendors() {
		takes := map[string]bool{"secret-files": v.signed != nil}
		images := !slices.ContainsFunc(forges(), func(f vendor) bool { return f.kind == v.kind })
		takes["host"], takes["namespaces"], takes["paths"], takes["branch"] = images, images, images, !images
		for _, key := range []string{"audience", "issuer", "email"} {
			takes[key] = v.kind == "pubsub" || v.kind == "event-grid"
		}
		r := whole
		r.Kind = v.kind
		if v.kind == "event-grid" {
			r.Email = ""
		}
		told := map[string]bool{}
		for _, f := range Faults(r, optional) {
			told[f.Key] = true
			if f.Fix != "remove "+f.Key+":" || !strings.Contains(f.What, v.title) {
				t.Errorf("%s: %v (fix: %s)", v.kind, f, f.Fix)
			}
		}
		for _, key := range optional {
			if told[key] == takes[key] {
				t.Errorf("%s: %s is a fault: %v", v.kind, key, told[key])
			}
		}
		bare := Faults(r, nil)
		if needs := v.signed != nil && v.vouched == nil; needs != (len(bare) == 1 && strings.Contains(bare[0].Fix, "add secret-files: [FILE]")) || !needs && len(bare) > 0 {
			t.Errorf("%s without any: %v", v.kind, bare)
		}
	}
	if f := Faults(Receiver{Name: "r", Kind: "jfrog"}, []string{"secret-files"}); len(f) != 1 || !strings.Contains(f[0].Fix, "add the line host: HOST") {
		t.Errorf("no host: %v", f)
	}
	if f := Faults(Receiver{Name: "r", Kind: "quai"}, nil); len(f) != 1 || !strings.Contains(f[0].Fix, "quay") {
		t.Errorf("an unknown kind: %v", f)
	}
}

// withFix is what New says of a receiver, and what to write.
func withFix(err error) error {
	if err == nil {
		return nil
	}
	f, ok := err.(*Fault)
	if !ok || f.Fix == "" {
		return errors.New("without a fix")
	}
	return errors.New(f.Error() + "; " + f.Fix)
}
