package gitea

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
)

// maxPast is how many pages of what is over are read, or as much in smaller ones. A decline that is further back is still
// found if it is the first that its branch had.
const maxPast = 20

// A closedList is what is over onto a base, as far as it was read: from the latest change
// back to maxPast pages.
type closedList struct {
	rows  map[int]row
	total int       // pull requests in it, read or not
	mark  time.Time // of the latest change in it
	whole bool      // nothing is further back

	asked map[string]bool           // branches that were looked for since it was brought up to date
	first map[string]forge.Proposal // what a branch had before all that was read
}

// Past is forge.Forge's. The forge cannot be asked for a branch's: all are read, once, and later
// what changed since. They are brought up to date for the first question after a List or a change
// of ours, and where a branch is asked for again.
func (f *Forge) Past(ctx context.Context, base, branch string) ([]forge.Proposal, error) {
	list := f.closed[base]
	if list == nil || len(list.asked) == 0 || list.asked[branch] {
		fresh, err := f.readClosed(ctx, base, list)
		if err != nil {
			return nil, err
		}
		list = fresh
		f.closed[base] = list
	}
	list.asked[branch] = true
	var found []forge.Proposal
	for _, r := range list.rows {
		if r.mine && r.State != forge.Open && r.Base == base && r.Branch == branch {
			r.Labels = slices.Clone(r.Labels)
			found = append(found, r.Proposal)
		}
	}
	if !list.whole && len(found) == 0 {
		older, ok, err := f.oldest(ctx, list, base, branch)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, older)
		}
	}
	slices.SortFunc(found, newest)
	return found, nil
}

// readClosed reads what changed since a list was read; all, where that does not add up:
// something was reopened or deleted, or changed places while it was read.
func (f *Forge) readClosed(ctx context.Context, base string, was *closedList) (*closedList, error) {
	if was != nil {
		if now, ok, err := f.tryClosed(ctx, base, was); err != nil || ok {
			return now, err
		}
	}
	for range maxReads {
		if now, ok, err := f.tryClosed(ctx, base, nil); err != nil || ok {
			return now, err
		}
	}
	return nil, f.failure(forge.Unreachable, "its list of pull requests changed each time that it was read", "nobody's: it is read again")
}

func (f *Forge) tryClosed(ctx context.Context, base string, was *closedList) (now *closedList, ok bool, err error) {
	err = f.sized(func() error {
		now, ok, err = f.walkClosed(ctx, base, was)
		return err
	})
	return now, ok, err
}

func (f *Forge) walkClosed(ctx context.Context, base string, was *closedList) (*closedList, bool, error) {
	now := &closedList{rows: map[int]row{}, total: -1, asked: map[string]bool{}, first: map[string]forge.Proposal{}}
	known := 0
	if was != nil {
		now.whole, now.mark, now.first = was.whole, was.mark, was.first
		for number, r := range was.rows {
			now.rows[number] = r
		}
		known = was.total - len(was.rows) // that are further back
	}
	for number := 1; ; number++ {
		p, err := f.page(ctx, "closed", base, number)
		if err != nil {
			return nil, false, err
		}
		if number > 1 && p.total != now.total {
			return nil, false, nil
		}
		now.total = p.total
		reached := false // what was read before begins
		for _, r := range p.rows {
			reached = reached || was != nil && r.updated.Before(was.mark)
			now.rows[r.Number] = r
			if r.updated.After(now.mark) {
				now.mark = r.updated
			}
		}
		atEnd := len(p.rows) == 0 || p.total >= 0 && was == nil && len(now.rows) >= p.total
		switch {
		case reached:
			return now, now.total < 0 || len(now.rows)+known == now.total, nil
		case atEnd:
			now.whole = true
			return now, now.total < 0 || len(now.rows) == now.total, nil
		case number*f.size >= maxPast*f.PageSize || number == maxPages:
			now.whole = false
			return now, was == nil, nil
		}
	}
}

// oldest asks for the pull request that a branch had first, of whatever state; the
// only question about a branch that the API answers.
func (f *Forge) oldest(ctx context.Context, list *closedList, base, branch string) (forge.Proposal, bool, error) {
	if p, ok := list.first[branch]; ok {
		return p, p.Number != 0, nil
	}
	parts := strings.Split(branch, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	var pr sdk.PullRequest
	resp, err := f.ask(ctx, http.MethodGet, "/pulls/"+url.PathEscape(base)+"/"+strings.Join(parts, "/"), nil, &pr)
	p, ok := mine(&pr)
	switch {
	case err != nil && !is(resp, http.StatusNotFound):
		return forge.Proposal{}, false, err
	case err != nil || !ok || p.State == forge.Open || p.Base != base || p.Branch != branch:
		p = forge.Proposal{} // what ends later is among the latest
	}
	list.first[branch] = p
	return p, p.Number != 0, nil
}
