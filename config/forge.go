package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// A Forge says where proposals are reviewed, and as whom they are made. What is empty, the
// repository's URL says.
type Forge struct {
	At        Position
	Kind      string   `yaml:"kind" oneof:"github gitlab gitea none"` // none: branches are pushed, and that is all
	API       API      `yaml:"api"`
	Project   Project  `yaml:"project"`
	TokenFile File     `yaml:"token-file"`
	TokenEnv  Variable `yaml:"token-env"` // instead of TokenFile
	App       App      `yaml:"app"`       // instead of a token
	CAFile    File     `yaml:"ca-file"`   // PEM, beside the system's
}

// An App is a GitHub App as which towpath acts.
type App struct {
	ID           int  `yaml:"id" need:"true" min:"1" max:"9007199254740991"`
	Installation int  `yaml:"installation" min:"1" max:"9007199254740991"` // 0: that of the repository
	KeyFile      File `yaml:"key-file" need:"true"`                        // PEM
}

// checkForge says what contradicts itself in who makes proposals.
func (d *decoder) checkForge(f Forge) {
	token, isApp := f.TokenFile != "" || f.TokenEnv != "", f.App.ID != 0
	if f.TokenFile != "" && f.TokenEnv != "" {
		d.add(f.At, "forge.token-file and forge.token-env are both there", "remove one of the two")
	}
	if token && isApp {
		d.add(f.At, "forge.app and a token are both there", "remove the token; an app gets its own")
	}
	if isApp && f.Kind != "" && f.Kind != "github" {
		d.add(f.At, "forge.app is GitHub's, and forge.kind is "+f.Kind, "name a token as forge.token-file instead")
	}
}

// An API is the base URL of a forge's API. A token goes there: over https, or on this machine.
type API string

func (a *API) set(text string) error {
	const fix = "write https://HOST/PATH: https://api.github.com/, https://HOST/api/v3/ (GitHub Enterprise), https://HOST/api/v4/ (GitLab), https://HOST/api/v1/ (Gitea, Forgejo)"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || !forgeAPI.MatchString(text):
		return &wrong{"is not the address of an API", fix}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return &wrong{"is plain http, which would show the token to everybody on the way", "write https:// instead"}
	}
	*a = API(text)
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// A Project is the repository as its forge calls it: owner/name, or with the groups that
// it is in.
type Project string

func (p *Project) set(text string) error {
	dots := func(part string) bool { return part == "." || part == ".." }
	bad := !forgeProject.MatchString(text) || strings.HasSuffix(text, ".git")
	for part := range strings.SplitSeq(text, "/") {
		bad = bad || dots(part)
	}
	if bad {
		return &wrong{"is not a repository as its forge calls it", "write OWNER/NAME, at GitLab GROUP/SUBGROUP/NAME, without the host and without .git"}
	}
	*p = Project(text)
	return nil
}

// A Variable is the name of a variable of the environment. Its value is a secret.
type Variable string

func (v *Variable) set(text string) error {
	if !variableName.MatchString(text) {
		return &wrong{"is not the name of a variable", "write the name alone, such as FORGE_TOKEN; the secret itself stands in the environment"}
	}
	*v = Variable(text)
	return nil
}

var (
	forgeAPI     = regexp.MustCompile(anAPI)
	forgeProject = regexp.MustCompile(aProject)
	variableName = regexp.MustCompile(aVariable)
)
