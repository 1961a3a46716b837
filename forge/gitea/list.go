package gitea

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

const (
	maxPages = 200 // of open pull requests
	maxReads = 3   // of a list that changes while it is read
)

// A row is a pull request in a list.
type row struct {
	forge.Proposal
	updated time.Time
	mine    bool // it is of a branch of this repository
}

func (r row) equal(o row) bool {
	return r.updated.Equal(o.updated) && r.mine == o.mine && r.Number == o.Number && r.State == o.State && r.Head == o.Head &&
		r.Title == o.Title && r.Body == o.Body && r.Draft == o.Draft && slices.Equal(r.Labels, o.Labels)
}

// A page is a part of a list of pull requests, latest change first.
type page struct {
	rows  []row
	total int // in the whole list; -1 where the forge does not say
}

func (f *Forge) page(ctx context.Context, state, base string, number int) (page, error) {
	query := url.Values{
		"state": {state}, "sort": {"recentupdate"}, "base_branch": {base},
		"page": {strconv.Itoa(number)}, "limit": {strconv.Itoa(f.size)},
	}
	var prs []*sdk.PullRequest
	resp, err := f.ask(ctx, http.MethodGet, "/pulls?"+query.Encode(), nil, &prs)
	if err != nil {
		return page{}, err
	}
	total, err := strconv.Atoi(resp.Header.Get("X-Total-Count"))
	if err != nil {
		total = -1
	}
	p := page{total: total}
	for _, pr := range prs {
		r := row{Proposal: forge.Proposal{Number: int(pr.Index)}}
		if found, ok := mine(pr); ok {
			r.Proposal, r.mine = found, true
		}
		if pr.Updated != nil {
			r.updated = *pr.Updated
		}
		p.rows = append(p.rows, r)
	}
	return p, nil
}

// An openList is what was open onto a base when it was read last.
type openList struct {
	first page
	rows  map[int]row
}

// List is forge.Forge's. What changes comes to the front of the list: while its first page
// is what it was, and the list is as long, all of it is. There is no other condition that Gitea's
// API would know.
func (f *Forge) List(ctx context.Context, base, prefix string) ([]forge.Proposal, error) {
	list, err := f.readOpen(ctx, base)
	if err != nil {
		return nil, err
	}
	f.look()
	var found []forge.Proposal
	for _, number := range slices.Sorted(maps.Keys(list.rows)) {
		if r := list.rows[number]; r.mine && r.State == forge.Open && r.Base == base && strings.HasPrefix(r.Branch, prefix) {
			r.Labels = slices.Clone(r.Labels)
			found = append(found, r.Proposal)
		}
	}
	return found, nil
}

// readOpen reads a list again that changed while it was read: what moves from a page that was
// not read to one that was is on none.
func (f *Forge) readOpen(ctx context.Context, base string) (*openList, error) {
	for range maxReads {
		var list *openList
		whole := false
		err := f.sized(func() (err error) {
			list, whole, err = f.tryOpen(ctx, base)
			return err
		})
		if err != nil {
			return nil, err
		}
		if whole {
			f.open[base] = list
			return list, nil
		}
	}
	return nil, f.failure(forge.Unreachable, "its list of pull requests changed each time that it was read", "nobody's: it is read again")
}

func (f *Forge) tryOpen(ctx context.Context, base string) (list *openList, whole bool, err error) {
	list = &openList{rows: map[int]row{}}
	for number := 1; number <= maxPages; number++ {
		p, err := f.page(ctx, "open", base, number)
		if err != nil {
			return nil, false, err
		}
		if number == 1 {
			if was := f.open[base]; was != nil && was.first.stands(p) {
				return was, true, nil
			}
			list.first = p
		}
		if p.total != list.first.total {
			return nil, false, nil
		}
		for _, r := range p.rows {
			list.rows[r.Number] = r
		}
		switch {
		case p.total < 0 && len(p.rows) == 0, len(list.rows) == p.total:
			return list, true, nil
		case len(p.rows) == 0:
			return nil, false, nil
		}
	}
	return nil, false, f.failure(forge.Refused, fmt.Sprintf("it has more than %d pages of open pull requests", maxPages), "the repository admin's: close those that nobody needs")
}

// stands reports whether a list is as it was, by its first page then and now. On a page where
// all changed in the same second, something else may have changed in that second.
func (p page) stands(now page) bool {
	if p.total != now.total || !slices.EqualFunc(p.rows, now.rows, row.equal) {
		return false
	}
	rows := len(now.rows)
	return rows > 0 && rows < now.total && now.rows[rows-1].updated.Before(now.rows[0].updated)
}

// sized reads a list, and reads it again in smaller pages while they are too large: anybody may write long
// texts in a public repository.
func (f *Forge) sized(read func() error) error {
	for {
		err := read()
		switch {
		case !errors.Is(err, wire.ErrTooLarge):
			return err
		case f.size > 10:
			f.size = 10
		case f.size > 1:
			f.size = 1
		default:
			return f.failure(forge.Refused, "it has a pull request whose text is larger than 8 MiB", "the repository admin's: find it, and shorten or delete it")
		}
	}
}

func (f *Forge) failure(kind forge.Kind, what, fix string) *forge.Error {
	return &forge.Error{Kind: kind, Forge: f.origin, What: what, Fix: fix}
}

// look begins another look at the forge: what is over is brought up to date when it is asked for.
func (f *Forge) look() {
	for _, list := range f.closed {
		clear(list.asked)
	}
}

// newest sorts proposals for Past.
func newest(a, b forge.Proposal) int { return cmp.Compare(b.Number, a.Number) }
