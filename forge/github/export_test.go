package github

import "time"

// At sets an App's clock.
func (a *App) At(now func() time.Time) { a.now = now }

var (
	GraphQLOf = graphQLOf
)
