package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	platform = regexp.MustCompile(`^[a-z0-9_]{1,32}/[a-z0-9_]{1,32}(/[a-z0-9_.]{1,32})?$`)
	// architectures are called otherwise by compilers and kernels.
	architectures = map[string]string{
		"x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "aarch64": "arm64", "arm64v8": "arm64",
		"i386": "386", "i686": "386", "armhf": "arm/v7", "armv7": "arm/v7", "armv6": "arm/v6", "ppc64el": "ppc64le",
	}
)

// parsePlatforms reads a list; it comes back sorted, each platform once.
func parsePlatforms(text string) ([]string, *Error) {
	const most = 20
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		os, arch, slash := strings.Cut(part, "/")
		name, known := architectures[strings.ToLower(arch)]
		if bare, ok := architectures[strings.ToLower(part)]; ok && !slash {
			os, name, known = "linux", bare, true
		}
		switch {
		case known && len(os) <= 32:
			return nil, wrong("platforms", part, "is no platform", fmt.Sprintf("did you mean %q?", strings.ToLower(os)+"/"+name))
		case !platform.MatchString(part):
			return nil, wrong("platforms", part, "is no platform", "write os/architecture or os/architecture/variant, with commas between them: "+line("platforms", examples["platforms"]))
		}
		if all = append(all, plainPlatform(part)); len(all) > most {
			return nil, wrong("platforms", text, fmt.Sprintf("names more than %d platforms", most), "name those that the image runs on")
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// plainPlatform leaves out the variant that is meant without one.
func plainPlatform(text string) string {
	if os, ok := strings.CutSuffix(text, "/arm64/v8"); ok {
		return os + "/arm64"
	}
	return text
}

// offers reports whether one of the platforms serves the wanted one: without a variant
// each does.
func offers(offered []string, want string) bool {
	return slices.ContainsFunc(offered, func(have string) bool {
		have = plainPlatform(have)
		return have == want || strings.HasPrefix(have, want+"/")
	})
}
