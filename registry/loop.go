package registry

import (
	"context"
	"errors"
)

// LoopHeader names those who fetch on behalf of others, each by a token of its own (RFC 8586). Who
// finds its own token there was asked by itself.
const LoopHeader = "Cdn-Loop"

type loopKey struct{}

// WithLoop is a context of fetches that are made for a request, with what its LoopHeader says.
func WithLoop(ctx context.Context, line string) context.Context {
	if line == "" {
		return ctx
	}
	return context.WithValue(ctx, loopKey{}, line)
}

// LoopOf is what the LoopHeader of a fetch says: who it is made for, and then who makes it.
func LoopOf(ctx context.Context, token string) string {
	if line, _ := ctx.Value(loopKey{}).(string); line != "" {
		return line + ", " + token
	}
	return token
}

// ErrLoop is the cause of an Error where a registry would have to ask itself.
var ErrLoop = errors.New("a registry would have to ask itself")
