package imagestream

import (
	"regexp"
	"strings"
)

// Patterns are read alike by Go and by JavaScript. Those of references are those of
// checkReference, in one piece.
var (
	repositoryPart = `(?:` + part(host) + `/)?` + part(component) + `(?:/` + part(component) + `)*`
	imagePart      = repositoryPart + `(?::` + part(tagName) + `)?(?:@sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128}))?`
)

const (
	// spanPart is what Go reads as a duration without sign. A range cannot be held by a
	// pattern.
	spanPart     = `(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+`
	platformPart = `[a-z0-9_]{1,32}/[a-z0-9_]{1,32}(?:/[a-z0-9_.]{1,32})?`
)

// part is a pattern without its ends.
func part(whole *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(whole.String(), "^"), "$")
}

// special holds, by the way to a field, what the API's types do not say.
var special = map[string]jsonSchema{
	"spec.dockerImageRepository": {
		"pattern": `^(?:` + repositoryPart + `)?$`, "patternErrorMessage": "write a repository without tag or digest: HOST/PATH",
		"description": "A repository whose tags are all imported, the best first up to tags-cap of .towpath.yaml. Asked again where the annotation towpath.dev/scheduled says so.",
		"examples":    []string{"quay.io/team1/web"},
	},
	"spec.tags": {"description": "The tags that are wanted. Each has a name of its own."},
	"spec.tags[].name": {
		"type": "string", "pattern": tagName.String(),
		"patternErrorMessage": "use at most 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'",
		"description":         "The tag's name. One that looks like a number stands in quotes.",
	},
	"spec.tags[].from": {
		"required":    []string{"kind", "name"},
		"description": "Where the image comes from. Without it, the tag is only pushed to.",
	},
	"spec.tags[].from.kind": {
		"type": "string", "enum": []string{DockerImage, ImageStreamTag, ImageStreamImage},
		"description": "DockerImage: an image of a registry. ImageStreamTag: a tag of a stream, which is followed. ImageStreamImage: an image that a stream has on record, which stays.",
	},
	"spec.tags[].from.name": {
		"type": "string", "minLength": 1,
		"description": "The image: HOST/PATH:TAG or HOST/PATH@sha256:…; with towpath.dev/policy the repository alone. Of a stream: TAG, STREAM:TAG or STREAM@sha256:….",
		"examples":    []string{"quay.io/team1/web:1.4"},
	},
	"spec.tags[].from.namespace": {"description": "The namespace of the stream; its own where left out."},
	"spec.tags[].reference":      {"description": "true takes from.name as it stands: nothing is asked, nothing imported."},
	"spec.tags[].generation":     {"description": "A counter of OpenShift's servers. towpath neither reads nor writes it."},
	"spec.tags[].importPolicy.scheduled": {
		"description": "true asks the registry again and again, each towpath.dev/interval or interval of .towpath.yaml.",
	},
	"spec.tags[].importPolicy.insecure": {
		"description": "true allows plain HTTP and unverified certificates, where the operator's configuration allows them for the host, too.",
	},
	"spec.tags[].importPolicy.importMode": {
		"enum":        []any{Legacy, PreserveOriginal, "", nil},
		"description": "Of an image for many platforms, Legacy records that of one platform, PreserveOriginal the whole list.",
	},
	"spec.tags[].referencePolicy.type": {
		"enum":        []any{"Source", "Local", "", nil},
		"description": "Source refers to the image where it came from, Local to the stream's own repository.",
	},
	"spec.tags[]":             tagForm(),
	"spec.tags[].annotations": tagAnnotationsForm(),
}

var namespaceForm = jsonSchema{
	"type": []string{"string", "null"}, "pattern": "^$|" + namespace.String(),
	"patternErrorMessage": "use at most 63 lower case letters, digits and '-', with a letter or digit at both ends",
}

// streamAnnotations and tagAnnotations are those that towpath reads.
var (
	streamAnnotations = map[string]jsonSchema{
		prefix + "scheduled": {
			"type": "string", "enum": []string{"true", "false"},
			"description": "\"true\" lists spec.dockerImageRepository again and again.",
		},
		prefix + "interval": intervalForm,
		prefix + "settle":   settleForm,
		annotationInsecure: {
			"type": []string{"string", "null"}, "examples": []string{"true"},
			"description": "\"true\" allows plain HTTP and unverified certificates for spec.dockerImageRepository, where the operator's configuration allows them for the host, too.",
		},
		annotationChecked: {"type": []string{"string", "null"}, "description": "When the repository's import last changed the stream. Written by towpath."},
	}
	tagAnnotations = map[string]jsonSchema{
		prefix + "policy": {
			"type": "string", "pattern": `^\s*(?:newest|(?:alphabetical|numerical)(?:\s*:\s*(?:asc|desc))?|semver\s*:\s*\S[\s\S]*)\s*$`,
			"patternErrorMessage": `write "semver:RANGE", "newest", "alphabetical:asc" or "numerical:asc" (or desc)`,
			"description":         "Which tag of the repository that from.name names is imported. semver:RANGE takes the highest version in the range, newest the image created last, alphabetical and numerical the last tag (asc) or the first (desc) by name or number.",
			"examples":            []string{"semver:>=1.4 <2", "semver:~1.4", "newest", "alphabetical:asc", "numerical:asc"},
		},
		prefix + "match": {
			"type": "string", "minLength": 1, "examples": []string{`^v?[0-9]+\.[0-9]+\.[0-9]+$`, `^main-[a-f0-9]+-(?P<ts>[0-9]+)$`},
			"description": "Only tags that this regular expression (RE2) finds something in are chosen from.",
		},
		prefix + "extract": {
			"type": "string", "minLength": 1, "examples": []string{"$ts", "$1"},
			"description": "What of a tag is compared: groups of towpath.dev/match.",
		},
		prefix + "ignore": {
			"type": "string", "minLength": 1, "examples": []string{"-(alpha|beta|rc)"},
			"description": "Tags that this regular expression (RE2) finds something in are passed over.",
		},
		prefix + "min-age": {
			"type": "string", "minLength": 1, "pattern": `^\s*(?:[0-9]{1,4}d)?(?:[-+]?0|[-+]?` + spanPart + `)?\s*$`,
			"patternErrorMessage": "write a number with its unit, such as 72h or 3d",
			"description":         "How old an image must be to be chosen, at most 366d; min-age of .towpath.yaml where left out.",
			"examples":            []string{"72h", "3d"},
		},
		prefix + "platforms": {
			"type": "string", "pattern": `^\s*` + platformPart + `(?:\s*,\s*` + platformPart + `)*\s*$`,
			"patternErrorMessage": "write os/architecture or os/architecture/variant, with commas between them",
			"description":         "The platforms that an image must have to be chosen.",
			"examples":            []string{"linux/amd64", "linux/amd64,linux/arm64"},
		},
		prefix + "allow-downgrade": {
			"type": "string", "pattern": `^\s*(?:true|false)\s*$`, "examples": []string{"true"},
			"patternErrorMessage": `write "true" or "false", in quotes`,
			"description":         "\"true\" lets the policy go below what is on record, where that is gone.",
		},
		prefix + "interval": intervalForm,
		prefix + "settle":   settleForm,
		annotationPreferArch: {
			"type": []string{"string", "null"}, "examples": []string{"amd64", "arm64"},
			"description": "The architecture that a Legacy import takes; platform of .towpath.yaml where left out.",
		},
		annotationPreferOS: {
			"type": []string{"string", "null"}, "examples": []string{"linux"},
			"description": "The operating system that a Legacy import takes; platform of .towpath.yaml where left out.",
		},
	}

	intervalForm = spanForm(`\+?`, "How often the registry is asked, 1s to 720h; interval of .towpath.yaml where left out.", "5m", "1h")
	settleForm   = spanForm(`[-+]?0|[-+]?`, "How long an image must stand unchanged before it is recorded, 0s to 720h: say, until all its platforms are pushed; settle of .towpath.yaml where left out.", "30m")
)

func spanForm(sign, description string, examples ...string) jsonSchema {
	return jsonSchema{
		"type": "string", "pattern": `^(?:` + sign + spanPart + `)$`,
		"patternErrorMessage": "write a number with its unit, such as 90s, 15m or 1h30m",
		"description":         description, "examples": examples,
	}
}
