package gitlab

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/towpath/towpath/forge/wire"
)

const maxPages = 200

// pages shows the items of a list, page by page. GitLab's pages have numbers, so that whatever
// an answer says, nothing but the API is asked for the next. A list that does not end is
// a failure: half of it would be taken for all.
//
// Everybody who can open a merge request can make its description 1 MiB long, and some
// of those make a page that is too large to be read: from there on pages are smaller.
func pages[T any](f *Forge, doing string, ask func(gl.ListOptions) ([]*T, *gl.Response, error), show func(*T) (more bool, err error)) error {
	at := gl.ListOptions{Page: 1, PerPage: f.pageSize}
	for range maxPages {
		items, resp, err := ask(at)
		switch {
		case errors.Is(err, wire.ErrTooLarge) && at.PerPage > 1:
			at = smaller(at)
			continue
		case err != nil:
			return f.failed(doing, resp, err)
		case items == nil:
			return f.invalid(doing + ": answered without a list")
		}
		for _, item := range items {
			if item == nil {
				return f.invalid(doing + ": answered with a list that holds nothing")
			}
			if more, err := show(item); err != nil || !more {
				return err
			}
		}
		switch next := nextPage(resp); {
		case next == at.Page+1, next == 0 && isFull(at, resp, len(items)):
			at.Page++
		case next == 0:
			return nil
		default:
			return f.invalid(fmt.Sprintf("%s: its list goes on at a page that is not the one after page %d", doing, at.Page))
		}
	}
	return f.invalid(fmt.Sprintf("%s: its list has more than %d pages", doing, maxPages))
}

// nextPage is 0 after the last, and -1 where nobody could tell.
func nextPage(resp *gl.Response) int64 {
	said := resp.Header.Get("X-Next-Page")
	if said == "" {
		return 0
	}
	number, err := strconv.ParseInt(said, 10, 64)
	if err != nil || number < 1 {
		return -1
	}
	return number
}

// isFull reports whether there may be more after a page that says it is the last. What stands between
// takes headers out; and a page that is as it was before is known by its body alone, so that its
// headers may be those of a time when nothing followed.
func isFull(at gl.ListOptions, resp *gl.Response, items int) bool {
	size := at.PerPage
	if resp.ItemsPerPage > 0 {
		size = min(size, resp.ItemsPerPage)
	}
	return int64(items) >= size
}

// smaller is the first of the pages that a page is cut into.
func smaller(at gl.ListOptions) gl.ListOptions {
	parts := at.PerPage
	if at.PerPage%10 == 0 {
		parts = 10
	}
	return gl.ListOptions{Page: (at.Page-1)*parts + 1, PerPage: at.PerPage / parts}
}

// numbered makes the number of the next page out of a Link header where that is all there is. The header
// itself goes: GitLab's library panics on one without a relation.
type numbered struct{ next http.RoundTripper }

func (n numbered) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if len(resp.Header.Values("X-Next-Page")) == 0 && resp.Header.Get("Link") != "" {
		next, err := new(wire.Pages).Next(resp)
		if err != nil {
			return nil, err
		}
		number := ""
		if u, err := url.Parse(next); err == nil && next != "" {
			number = cmp.Or(u.Query().Get("page"), "unknown")
		}
		resp.Header.Set("X-Next-Page", number)
	}
	resp.Header.Del("Link")
	return resp, nil
}
