package hooks

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
)

func isImage(i Image) bool {
	return i.Repo.IsCanonical() && (i.Tag == "" || registry.ValidTag(i.Tag)) && (i.Digest == "" || registry.ValidDigest(i.Digest))
}

// FuzzVendors gives any text to every kind: no panic, nothing slow, nothing but what a
// registry can have.
func FuzzVendors(f *testing.F) {
	headers := map[string]sample{}
	for _, s := range samples() {
		f.Add(s.kind, s.host, s.body(f))
		headers[s.kind] = s
	}
	for _, body := range []string{`null`, `{}`, `[]`, `{"events":null}`, `{"events":[null]}`, `{"updated_tags":{"a":1,"A":2}}`, `{"repository":null}`} {
		f.Add("quay", "", []byte(body))
	}
	f.Fuzz(func(t *testing.T, kind, host string, body []byte) {
		if len(body) > maxBody {
			return
		}
		for _, v := range registries() {
			if kind != "" && v.kind != kind {
				continue // the corpus is by kind; the empty kind is all
			}
			start := time.Now()
			s, err := v.read(call{header: headers[v.kind].head(), body: body, now: noon}, host)
			if took := time.Since(start); took > time.Second {
				t.Errorf("%s took %v", v.kind, took)
			}
			checkSighting(t, s, err)
			if v.signed != nil && v.signed(call{header: headers[v.kind].head(), body: body, now: noon}, []byte("a key nobody used")) {
				t.Errorf("%s: signed by nobody", v.kind)
			}
		}
	})
}

// FuzzParse: what is read is JSON, and encoding/json reads the same in it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",{"b":null}]}`, `{"tag":"a","TAG":"b"}`, `[[[[1]]]]`, `"\ud800"`, `1e999`, ` {} `, `{}{}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := parse(body)
		if err != nil {
			return
		}
		got, err := json.Marshal(n.v)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil && !json.Valid(body) {
			t.Fatalf("%q is read and is no JSON: %v", body, err)
		} else if err != nil {
			return // a number that no float holds
		}
		var again any
		if err := json.Unmarshal(got, &again); err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(v)
		if both, _ := json.Marshal(again); string(both) != string(want) {
			t.Errorf("%q: %s, want %s", body, both, want)
		}
	})
}
