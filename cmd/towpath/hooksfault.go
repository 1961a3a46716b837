package main

import (
	"errors"
	"fmt"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/hooks"
	"github.com/towpath/towpath/imagestream"
)

// hookProblems are what the operator's file alone shows to be wrong with receivers. Package config,
// which reads the file, knows no kinds of them.
func hookProblems(path string, op *config.Operator) []imagestream.Problem {
	var problems []imagestream.Problem
	for i, r := range receiversOf(op) {
		at := op.Hooks[i].At
		for _, f := range hooks.Faults(r, keysOf(op.Hooks[i])) {
			problems = append(problems, imagestream.Problem{Path: path, Line: at.Line, Col: at.Col, What: f.Error(), Fix: f.Fix})
		}
	}
	return problems
}

// keysOf are the keys of a receiver, but for those that every one has, and from, which all take.
func keysOf(h config.Receiver) []string {
	var keys []string
	for _, k := range []struct {
		name  string
		there bool
	}{
		{"secret-files", len(h.SecretFiles) > 0}, {"host", h.Host != ""}, {"namespaces", h.Namespaces != nil}, {"paths", h.Paths != nil},
		{"branch", h.Branch != ""}, {"audience", h.Audience != ""}, {"issuer", h.Issuer != ""}, {"email", h.Email != ""},
	} {
		if k.there {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// hookFault is an error of hooks.New with the place in the operator's file that it is about.
func (a *app) hookFault(op *config.Operator, err error) error {
	f := (*hooks.Fault)(nil)
	if !errors.As(err, &f) {
		return hint{err, "correct hooks: in --config FILE, or the file that this is about"}
	}
	for _, h := range op.Hooks {
		if string(h.Name) != f.Hook {
			continue
		}
		if f.Key != "" {
			err = fmt.Errorf("hook %s: %s: %s", f.Hook, f.Key, f.What)
		}
		return hint{fmt.Errorf("%s:%d:%d: %w", a.configFile, h.At.Line, h.At.Col, err), f.Fix + inFile(h, f.Key)}
	}
	return hint{err, f.Fix}
}

// inFile says which file a fix is about.
func inFile(h config.Receiver, key string) string {
	switch {
	case key == "path-token-file":
		return "; the file is " + string(h.PathTokenFile)
	case key == "secret-files" && len(h.SecretFiles) > 0:
		return "; the file is " + string(h.SecretFiles[0])
	}
	return ""
}
