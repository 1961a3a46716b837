package integrated

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/distribution/distribution/v3"
)

// maxTagPage is how many tags a page has at most.
const maxTagPage = 1000

// serveTags lists the tags of a repository: those on record and those in storage, page by page.
func (p *puller) serveTags(w http.ResponseWriter, req *http.Request, repository string) {
	n, err := tagPage(req.URL.Query())
	if err != nil {
		writePullError(w, http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", err.Error())
		return
	}
	tags, err := p.tags(req.Context(), repository)
	switch {
	case err != nil:
		p.refuse(w, pullOf{repository, "tags", ""}, err)
		return
	case tags == nil:
		p.pass(w, req, repository, "tags/list") // which says so
		return
	}
	page, more := tagsAfter(tags, req.URL.Query().Get("last"), n)
	if more {
		query := url.Values{"last": {page[len(page)-1]}, "n": {strconv.Itoa(n)}}
		w.Header().Set("Link", `</v2/`+repository+`/tags/list?`+query.Encode()+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(struct { //nolint:errchkjson // strings; and a client that is gone hears nothing
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{repository, page})
}

// tagPage is how many tags a query wants.
func tagPage(query url.Values) (int, error) {
	written := query.Get("n")
	if written == "" {
		return maxTagPage, nil
	}
	n, err := strconv.Atoi(written)
	if errors.Is(err, strconv.ErrRange) && n > 0 {
		err = nil
	}
	if err != nil || n < 0 {
		return 0, errors.New("n is no number of tags: leave it out, or write one from 0 on")
	}
	return min(n, maxTagPage), nil
}

// tagsAfter is a page of sorted tags, and whether there are more.
func tagsAfter(tags []string, last string, n int) (page []string, more bool) {
	if last != "" {
		i, found := slices.BinarySearch(tags, last)
		if found {
			i++
		}
		tags = tags[i:]
	}
	if n == 0 || len(tags) <= n {
		return tags[:min(n, len(tags))], false
	}
	return tags[:n], true
}

// tags are those of a repository, sorted; nil where there is none of that name.
func (p *puller) tags(ctx context.Context, repository string) ([]string, error) {
	r, err := p.repository(ctx, repository)
	if err != nil {
		return nil, err
	}
	stored, err := r.Tags(ctx).All(ctx)
	var unknown distribution.ErrRepositoryUnknown
	if err != nil && !errors.As(err, &unknown) {
		return nil, err
	}
	var recorded map[string]string
	if p.Guide != nil {
		if recorded, err = p.Guide.Tags(ctx, repository); err != nil {
			return nil, err
		}
	}
	if stored == nil && len(recorded) == 0 {
		return nil, nil
	}
	all := slices.AppendSeq(slices.Clone(stored), maps.Keys(recorded))
	slices.Sort(all)
	return append([]string{}, slices.Compact(all)...), nil
}
