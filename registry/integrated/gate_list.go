package integrated

import (
	"encoding/json"
	"net/http"
	"net/url"
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
	names, more, failed := g.pullable(r, a, n)
	if failed != nil {
		failed.send(w)
		return
	}
	if more && n > 0 {
		w.Header().Set("Link", "</v2/_catalog?"+url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}.Encode()+`>; rel="next"`)
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]string{"repositories": names}) // the client may have gone
}

// pullable is a page of the repositories that somebody may pull from, and whether there are more.
// It goes through storage page by page, so that no list of all is ever held.
func (g *gate) pullable(r *http.Request, a ask, n int) (names []string, more bool, failed *kept) {
	names = []string{}
	last := a.query.Get("last")
	for n > 0 && r.Context().Err() == nil {
		query := url.Values{"n": {strconv.Itoa(mostListed)}}
		if last != "" {
			query.Set("last", last)
		}
		answer := g.look(r.Context(), http.MethodGet, route{kind: toCatalog}, query)
		var page struct{ Repositories []string }
		if answer.status != http.StatusOK || json.Unmarshal(answer.body.Bytes(), &page) != nil {
			return nil, false, answer
		}
		for _, name := range page.Repositories {
			if namespace, _, _ := strings.Cut(name, "/"); !g.rules.Access.may(a.from, Pull, namespace) {
				continue
			}
			if len(names) == n {
				return names, true, nil
			}
			names = append(names, name)
		}
		if answer.header.Get("Link") == "" || len(page.Repositories) == 0 {
			break
		}
		if len(names) == n {
			return names, true, nil // or what follows is nothing for them: then the next page is empty
		}
		last = page.Repositories[len(page.Repositories)-1]
	}
	return names, false, nil
}
