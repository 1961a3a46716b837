package integrated

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mostListed is how many entries one page of a list has at most.
const mostListed = 1000

// pageOf is how many entries a client asks for. Too many are as many as there may be.
func pageOf(query url.Values) (int, *refusal) {
	text := query.Get("n")
	if text == "" {
		return mostListed, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && len(text) < 20 || text[0] == '+' {
		return 0, refuse(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "n is not a whole number from 0 up")
	}
	return int(min(n, mostListed)), nil
}

// serveTags asks for one page of tags.
func (g *gate) serveTags(w http.ResponseWriter, r *http.Request, a ask) {
	n, bad := pageOf(a.query)
	if bad == nil && a.query.Has("last") && !isTag(a.query.Get("last")) {
		bad = refuse(http.StatusBadRequest, "TAG_INVALID", "last is no tag")
	}
	if bad != nil {
		bad.write(w)
		return
	}
	a.query.Set("n", strconv.Itoa(n))
	g.next.ServeHTTP(w, a.request(r, nil))
}

// serveCatalog lists the repositories that somebody may pull from.
func (g *gate) serveCatalog(w http.ResponseWriter, r *http.Request, a ask) {
	n, bad := pageOf(a.query)
	if bad == nil && a.query.Has("last") && checkRepository(a.query.Get("last"), false) != nil {
		bad = badName("last is no repository")
	}
	if bad != nil {
		bad.write(w)
		return
	}
	all, err := g.catalog.all(r.Context(), g.now())
	if err != nil {
		g.log.Error("the repositories cannot be listed", "error", err)
		unread().write(w)
		return
	}
	if g.guide != nil {
		recorded, err := g.guide.Repositories(r.Context())
		if err != nil {
			admitted(err).write(w)
			return
		}
		all = append(recorded, all...)
		slices.Sort(all)
		all = slices.Compact(all)
	}
	names, more := pageAfter(all, a.query.Get("last"), n, func(name string) bool {
		namespace, _, _ := strings.Cut(name, "/")
		return g.rules.Access.may(a.from, Pull, namespace)
	})
	if more && n > 0 {
		w.Header().Set("Link", "</v2/_catalog?"+url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}.Encode()+`>; rel="next"`)
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]string{"repositories": names}) // the client may have gone
}

// pageAfter is a page of what somebody may see of sorted names, and whether there are more.
func pageAfter(all []string, last string, n int, sees func(string) bool) (page []string, more bool) {
	page = []string{}
	from, found := slices.BinarySearch(all, last)
	if found {
		from++
	}
	for _, name := range all[from:] {
		switch {
		case !sees(name):
		case len(page) == n:
			return page, true
		default:
			page = append(page, name)
		}
	}
	return page, false
}
