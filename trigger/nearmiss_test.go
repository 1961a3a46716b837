package trigger_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/trigger"
)

// What is nearly a marker or an annotation is told, with what was meant. What is one, is
// complained of elsewhere, or means something else, is not.
func TestNearMisses(t *testing.T) {
	for line, want := range map[string]string{
		`image: a # {"imagestream": "team1/web:stable"}`:                      `1:12 {"$imagestream": "team1/web:stable"}`,
		`image: a # {"$imageStream": "web:stable"}`:                           `1:12 {"$imagestream": "web:stable"}`,
		`image: a # {'$imagestream': 'web:stable', 'part': 'tag'}`:            `1:12 {"$imagestream": "web:stable"}`,
		`image: a # {$imagestream: web:stable}`:                               `1:12 {"$imagestream": "web:stable"}`,
		`image: a # $imagestream: web:stable`:                                 `1:12 {"$imagestream": "web:stable"}`,
		`image: a # {"$imagestreamtag": "web:stable"}`:                        `1:12 {"$imagestream": "web:stable"}`,
		`image: a # {"image-stream": "web"}`:                                  `1:12 {"$imagestream": "web"}`,
		`image: a # {"$imagePolicy": "flux-system:web:tag"}`:                  `1:12 {"$imagepolicy": "flux-system:web:tag"}`,
		`	// {"$imagestreams" = "web:1"}`:                                     `1:5 {"$imagestream": "web:1"}`,
		`    image.openshift.io/trigger: '[]'`:                                `1:5 image.openshift.io/triggers`,
		`metadata: {annotations: {"images.openshift.io/triggers": '[]'}}`:     `1:27 image.openshift.io/triggers`,
		`ü: {image.openshift.com/triggers: '[]'}`:                             `1:5 image.openshift.io/triggers`,
		`    towpath.dev/refrence-form: tag`:                                  `1:5 towpath.dev/reference-form`,
		`    towpath.io/reference-form: tag`:                                  `1:5 towpath.dev/reference-form`,
		`    Towpath.dev/reference-form : tag`:                                `1:5 towpath.dev/reference-form`,
		`image: a # {"$imagestream": "web:stable"}`:                           "",
		`image: a # "$imagestream": "web:stable"`:                             "",
		`image: a # {"$imagepolicy": "flux-system:web"}`:                      "",
		`image: {imageStream: web}`:                                           "",
		`image: "{'$imagestream': 'web:1'}"`:                                  "",
		`image: a # the imagestream: see there`:                               "",
		`image: a # {"$imagestream"} is how a marker begins`:                  "",
		`kind: ImageStream # the stream`:                                      "",
		`    image.openshift.io/triggers: '[]'`:                               "",
		`    towpath.dev/reference-form: tag`:                                 "",
		`    towpath.dev/min-age: 3d`:                                         "",
		`    image.openshift.io/docker-image: x`:                              "",
		`    # image.openshift.io/trigger: '[]'`:                              "",
		`    openshift.io/image.dockerRepositoryCheck: x`:                     "",
		`image: a # {"imagestream": "web:1"}` + strings.Repeat("-", 64<<10):   "",
		`description: set image.openshift.io/trigger or so, and reference it`: "",
	} {
		var got []string
		for _, p := range trigger.NearMisses([]byte(line + "\r\n")) {
			if !p.Note {
				t.Errorf("%s: %+v is no note", line, p)
			}
			got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Col, strings.TrimSuffix(strings.TrimPrefix(p.Fix, "did you mean "), "?")))
		}
		if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%.100s (-want +got):\n%s", line, diff)
		}
	}
}

// However many there are, only some are told.
func TestNearMissesAreBounded(t *testing.T) {
	src := strings.Repeat("a: b # {\"imagestream\": \"web:1\"}\n", 1000)
	if n := len(trigger.NearMisses([]byte(src))); n < 10 || n > 100 {
		t.Errorf("%d notes", n)
	}
}
