package gogit

import (
	"context"
	"errors"

	"github.com/towpath/towpath/gitstore"
)

func (s *Store) Branches(ctx context.Context, prefix string) (map[string]gitstore.Rev, error) {
	return nil, errors.New("not yet")
}

func (s *Store) Replace(ctx context.Context, branch string, old gitstore.Rev, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	return nil, errors.New("not yet")
}

func (s *Store) Delete(ctx context.Context, branch string, old gitstore.Rev) error {
	return errors.New("not yet")
}
