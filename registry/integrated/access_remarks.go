package integrated

import (
	"maps"
	"slices"
	"strings"
)

// A remark is something in the rules that can be so, and hardly is meant.
type remark struct{ what, fix string }

// remarks are those on rules, of which some users are in their file.
func (r Rules) remarks(users map[string][]byte) []remark {
	var all []remark
	add := func(what, fix string) { all = append(all, remark{what, fix}) }
	known := slices.Collect(maps.Keys(users))
	for _, t := range r.Tokens {
		known = append(known, t.Name)
	}
	nobody := r.UsersFile == "" && len(r.Tokens) == 0
	if r.Delete && nobody {
		add("the registry has delete: true, and nobody may delete: it has no users", "write below registry: users-file: FILE or tokens:, and access: with may: [delete]"+Restarts)
	}
	if !nobody && len(r.Access.Grants) == 0 && len(r.Access.Anonymous) == 0 {
		add("the registry has users or tokens, and none may do anything", "write below registry: access: [{who: ['*'], namespaces: ['*'], may: [pull, push]}], or who and where they may"+Restarts)
	}
	var strangers []string
	for _, g := range r.Access.Grants {
		for _, who := range g.Who {
			if who != "*" && !slices.Contains(known, who) {
				strangers = append(strangers, who)
			}
		}
	}
	slices.Sort(strangers)
	if strangers = slices.Compact(strangers); len(strangers) > 0 {
		add("access below registry: names who is no user and has no token: "+strings.Join(strangers, ", "), "add the user with htpasswd -B FILE NAME; or correct who:, or write the token below tokens:"+Restarts)
	}
	return all
}

// remark says them in the log.
func (g *gate) remark() {
	users := g.people.userTable(g.now()).hashes
	for _, r := range g.rules.remarks(users) {
		g.log.Warn(r.what, "fix", r.fix)
	}
}
