package trigger

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/towpath/towpath/imagestream"
)

// The markers of Flux name an image policy, and what of its image stands there:
//
//	{"$imagepolicy": "flux-system:web"}         name:tag, with the digest where the policy reflects it
//	{"$imagepolicy": "flux-system:web:tag"}
//	{"$imagepolicy": "flux-system:web:name"}    registry and repository
//	{"$imagepolicy": "flux-system:web:digest"}  sha256:…

var (
	policyNamespace = regexp.MustCompile(`^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$`)
	policyName      = regexp.MustCompile(`^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$`)
)

// followPolicy reads NAMESPACE:NAME and the part, if there is one. The policy stands for the tag
// latest of a stream of its name.
func (m *marker) followPolicy(text string) *fault {
	namespace, rest, _ := strings.Cut(text, ":")
	name, part, hasPart := strings.Cut(rest, ":")
	if !policyNamespace.MatchString(namespace) || !policyName.MatchString(name) {
		return &fault{fmt.Sprintf("%.300q, which the marker follows, names no image policy", text), `write {"$imagepolicy": "NAMESPACE:NAME"}`}
	}
	if hasPart {
		if m.part, m.said = Part(part), true; m.part != Tag && m.part != Name && m.part != Digest {
			return &fault{fmt.Sprintf("Flux knows no part %.40q of an image", part), fmt.Sprintf(`write {"$imagepolicy": "%s:%s:tag"}, or :name, or :digest, or none of them`, namespace, name)}
		}
	}
	m.policy = namespace + ":" + name
	m.follows = imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace, Name: name}, Tag: "latest"}
	return nil
}

// fluxStyle is how Flux writes a reference in the place of another: by its tag, and with the
// digest where it has written one.
func fluxStyle(value string) Style {
	if strings.Contains(value, "@") {
		return ByTagDigest
	}
	return ByTag
}
