package hooks

import (
	"fmt"
	"slices"
	"strings"
)

// A Fault is what is wrong with a receiver, and what to write.
type Fault struct {
	Hook string // name of the receiver
	Key  string // of its config, that it is about; empty: the receiver
	What string
	Fix  string
}

func (f *Fault) Error() string { return "hook " + f.Hook + ": " + f.What }

// faultOf takes apart an error that says after a semicolon what to write.
func faultOf(hook, key string, err error) *Fault {
	what, fix, _ := strings.Cut(err.Error(), "; ")
	return &Fault{Hook: hook, Key: key, What: what, Fix: fix}
}

// Faults are what the config of a receiver alone shows, given the keys that are written there:
// secrets are not asked for. New finds the rest.
func Faults(r Receiver, keys []string) []*Fault {
	v, ok := kindOf(r.Kind)
	if !ok {
		return []*Fault{unknownKind(r)}
	}
	var faults []*Fault
	idle := func(why string, all ...string) {
		for _, key := range all {
			if slices.Contains(keys, key) {
				faults = append(faults, &Fault{r.Name, key, key + " does nothing here: " + v.title + " " + why, "remove " + key + ":"})
			}
		}
	}
	if v.forge {
		idle("tells that the branch moved, and of no images", "host", "namespaces", "paths")
	} else {
		idle("tells of images, and of no branch", "branch")
	}
	if v.vouched == nil {
		idle("shows no identity token", "audience", "issuer", "email")
	}
	switch secret := slices.Contains(keys, "secret-files"); {
	case v.signed == nil:
		idle("signs nothing", "secret-files")
	case v.vouched == nil && !secret:
		faults = append(faults, &Fault{r.Name, "secret-files", v.title + " signs what it sends, or sends a secret along, and none is named", "add secret-files: [FILE], with a FILE that openssl rand -hex 32 wrote"})
	}
	if v.needs != nil {
		if err := v.needs(r); err != nil {
			faults = append(faults, faultOf(r.Name, "", err))
		}
	}
	return faults
}

func unknownKind(r Receiver) *Fault {
	return &Fault{r.Name, "kind", fmt.Sprintf("there is no kind %q", r.Kind), "write one of " + strings.Join(Kinds(), ", ")}
}

func kindOf(kind string) (vendor, bool) {
	all := vendors()
	if i := slices.IndexFunc(all, func(v vendor) bool { return v.kind == kind }); i >= 0 {
		return all[i], true
	}
	return vendor{}, false
}
