package main

import (
	"context"
	"strings"

	"github.com/towpath/towpath/gitstore"
)

// variableToken is Git's token where it stands in the environment, looked up for every
// conversation.
func variableToken(name string, getenv func(string) string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		token := strings.TrimSpace(getenv(name))
		if token == "" {
			return "", &gitstore.Error{Kind: gitstore.Unauthorized, What: "there is no token in the variable " + name,
				Fix: "put the token into " + name + ", or correct git.token-env in --config FILE"}
		}
		return token, nil
	}
}
