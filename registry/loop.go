package registry

import "errors"

// LoopHeader names those who fetch on behalf of others, each by a token of its own (RFC 8586). Who
// finds its own token there was asked by itself.
const LoopHeader = "Cdn-Loop"

// ErrLoop is the cause of an Error where a registry would have to ask itself.
var ErrLoop = errors.New("a registry would have to ask itself")
