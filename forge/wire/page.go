package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/towpath/towpath/forge"
)

const maxPages = 200

// Pages walks through a list that goes on by Link headers. The zero Pages is at the
// beginning. A list that does not end is a failure: half of it would be taken for all.
type Pages struct{ seen []string }

// Next is the URL of the page after one; "" after the last. The error is an *forge.Error.
func (p *Pages) Next(resp *http.Response) (string, error) {
	next, ok := nextLink(resp)
	if !ok {
		return "", nil
	}
	from := resp.Request.URL
	to, err := url.Parse(next)
	what := ""
	p.seen = append(p.seen, from.String())
	switch {
	case err != nil || originOf(to) != originOf(from) || to.User != nil:
		what = "its list goes on at another origin"
	case slices.Contains(p.seen, next):
		what = "its list goes round in a circle"
	case len(p.seen) >= maxPages:
		what = fmt.Sprintf("its list has more than %d pages", maxPages)
	default:
		return next, nil
	}
	return "", &forge.Error{Kind: forge.Invalid, Forge: originOf(from), What: what, Fix: fixAPI}
}

// nextLink is the absolute URL in an answer's Link headers that is for rel="next".
func nextLink(resp *http.Response) (next string, ok bool) {
	for _, header := range resp.Header.Values("Link") {
		for link := range strings.SplitSeq(header, "<") {
			target, params, closed := strings.Cut(link, ">")
			if !closed || !isNext(params) {
				continue
			}
			u, err := url.Parse(target)
			if err != nil {
				return target, true
			}
			return resp.Request.URL.ResolveReference(u).String(), true
		}
	}
	return "", false
}

// isNext reports whether the parameters of a link say rel="next".
func isNext(params string) bool {
	for param := range strings.FieldsFuncSeq(params, func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			rels := strings.Fields(strings.Trim(strings.TrimSpace(value), `"`))
			return slices.ContainsFunc(rels, func(r string) bool { return strings.EqualFold(r, "next") })
		}
	}
	return false
}
