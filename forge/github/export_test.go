package github

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/gitstore"
)

// At sets an App's clock.
func (a *App) At(now func() time.Time) { a.now = now }

// Expires is when an App's token does, by the App's clock.
func (a *App) Expires() time.Time { return a.expires }

var GraphQLOf = graphQLOf

// SendBlobs sends some through a transport.
func SendBlobs(ctx context.Context, through http.RoundTripper, n int) error {
	api, err := github.NewClient(github.WithTransport(through))
	if err != nil {
		return err
	}
	var edits []planted
	for i := range n {
		content := fmt.Append(nil, i)
		edits = append(edits, planted{Edit: gitstore.Edit{Content: content}, blob: gitstore.IDOf(content)})
	}
	return (&Forge{line: &line{api: api}}).blobs(ctx, edits)
}
