package trigger

import "github.com/towpath/towpath/yamledit"

// What a comment says that is a marker:
//
//	image: quay.io/canal/web:1.4 # {"$imagestream": "team1/web:stable"}
//	tag: "1.4" # {"$imagestream": "web:stable", "part": "tag"}
//	image: ghcr.io/canal/web:1.4 # {"$imagepolicy": "flux-system:web"}
const (
	markerKey = `"$imagestream"`
	policyKey = `"$imagepolicy"` // Flux's
)

// markers finds what comments of a file of YAML make follow.
func (f *finding) markers(file *yamledit.File) {}
