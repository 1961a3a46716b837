package gitlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// failed is why something was not done. What GitLab says is wire's, without the token.
func (f *Forge) failed(doing string, resp *gl.Response, err error) error {
	if resp == nil || resp.Response == nil || resp.StatusCode < 400 {
		err = wire.AsError(f.origin, err)
		if e, ok := err.(*forge.Error); ok {
			e.What = oneLine(doing) + ": " + e.What
		}
		return err
	}
	said := sayings(err)
	e := wire.Refusal(resp.Response, said)
	e.Forge, e.What = f.origin, oneLine(doing)+": "+e.What
	if strings.Contains(said, "not allowed for moved projects") {
		e.Kind, e.Fix = forge.NotFound, wire.FixMoved
		return e
	}
	switch e.Kind {
	case forge.Unauthorized:
		e.Fix = "the operator's: the token is wrong, expired or revoked: give towpath an access token of " + f.project + " with the role Developer and the scope api"
	case forge.Forbidden:
		e.Fix = f.fixRole()
		if strings.Contains(said, "insufficient_scope") {
			e.Fix = "the operator's: the token's scope is too small: give towpath an access token of " + f.project + " with the scope api"
		}
	case forge.NotFound:
		e.Fix = "the operator's: see that " + f.project + " is the project's whole path, and that the token's user is a member of it (role Developer, scope api); GitLab shows nothing to others"
	}
	return e
}

func (f *Forge) fixRole() string {
	return "the operator's: give the token's user the role Developer in " + f.project + ", and the token the scope api"
}

func (f *Forge) invalid(what string) *forge.Error {
	return &forge.Error{
		Kind: forge.Invalid, Forge: f.origin, What: what, Fix: "the operator's: see that this is the address of GitLab's API (https://gitlab.example/api/v4/), and what stands between",
	}
}

// sayings are the texts of an answer of any of GitLab's shapes:
//
//	{"message": "405 Method Not Allowed"}
//	{"message": ["Another open merge request already exists for this source branch: !5"]}
//	{"message": {"title": ["can't be blank"]}}
//	{"error": "insufficient_scope", "error_description": "The request requires higher privileges …", "scope": "api"}
func sayings(err error) string {
	var refused *gl.ErrorResponse
	if !errors.As(err, &refused) {
		return ""
	}
	var fields map[string]any
	if json.Unmarshal(refused.Body, &fields) != nil {
		return ""
	}
	var said []string
	for _, name := range []string{"message", "error", "error_description"} {
		said = append(said, texts(fields[name])...)
	}
	return strings.Join(said, "; ")
}

func texts(value any) (all []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, each := range v {
			all = append(all, texts(each)...)
		}
	case map[string]any:
		for name, each := range v {
			for _, text := range texts(each) {
				all = append(all, fmt.Sprintf("%s %s", name, text))
			}
		}
		slices.Sort(all)
	}
	return all
}

// oneLine makes a branch's name or a word of GitLab's fit for an error.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s)
}
