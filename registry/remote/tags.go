package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/towpath/towpath/registry"
)

const (
	maxPages = 200
	maxTags  = 100_000
)

// A list is the tags of a repository in the making.
type list struct {
	tags    []string
	seen    map[string]bool
	dropped int // names that are no tags
}

// add takes the tags of one page. What is no tag is dropped: a registry must not
// be able to write anything else into a file or a commit message.
func (l *list) add(page *remote.Tags) error {
	for _, tag := range page.Tags {
		if l.seen[tag] {
			continue
		}
		if !registry.ValidTag(tag) {
			l.dropped++
			continue
		}
		if len(l.tags) == maxTags {
			return l.endless(fmt.Errorf("more than %d tags", maxTags))
		}
		l.seen[tag] = true
		l.tags = append(l.tags, tag)
	}
	return nil
}

func (l *list) endless(cause error) error {
	return invalid("the list of tags does not end", fmt.Errorf("%w; %d read so far", cause, len(l.tags)))
}

// read goes through all pages or fails.
func (l *list) read(ctx context.Context, puller *remote.Puller, repo name.Repository) error {
	lister, err := puller.Lister(ctx, repo)
	if err != nil {
		return pageError(err)
	}
	read := map[string]bool{} // pages
	for n := 1; lister.HasNext(); n++ {
		page, err := lister.Next(ctx)
		if err != nil {
			return pageError(err)
		}
		if err := l.add(page); err != nil {
			return err
		}
		switch {
		case page.Next == "":
		case read[page.Next]:
			return l.endless(errors.New("a page led to one that was read already"))
		case n == maxPages:
			return l.endless(fmt.Errorf("more than %d pages", maxPages))
		}
		read[page.Next] = true
	}
	return nil
}

// pageError tells a page that is not well formed from a failure to get it. What
// the JSON decoder says may quote the page, so it is left out.
func pageError(err error) error {
	var transport *url.Error // the answer did not come at all
	if isJSON(err) && !errors.As(err, &transport) {
		return invalid("the list of tags is not well formed", errors.New("not JSON of the expected form"))
	}
	return err
}

// checkPage looks at a page before it is taken apart: that it has one meaning, and
// no more tags than a list may have.
func checkPage(body []byte) error {
	fields, err := object(body)
	if err != nil {
		return invalid("the list of tags is not well formed", err)
	}
	for name, value := range fields {
		if !strings.EqualFold(name, "tags") {
			continue
		}
		n := 0
		for range elements(value) {
			if n++; n > maxTags {
				return (&list{}).endless(fmt.Errorf("more than %d tags on a page", maxTags))
			}
		}
	}
	return nil
}

var linkForm = regexp.MustCompile(`^[ \t,]*<([^>]*)>((?:[ \t]*;[ \t]*[A-Za-z*]+(?:[ \t]*=[ \t]*(?:"[^"]*"|[^\s",;]*))?)*)`)

// nextPage is the path and query of the page that the Link header of an answer
// names, empty without one. It must be a list of tags of the same registry.
func nextPage(resp *http.Response) (string, error) {
	var next []string
	for _, line := range resp.Header.Values("Link") {
		for strings.Trim(line, " \t,") != "" {
			m := linkForm.FindStringSubmatch(line)
			if m == nil {
				return "", errors.New("a Link header that cannot be read")
			}
			line = line[len(m[0]):]
			if isNext(m[2]) && m[1] != "" {
				next = append(next, m[1])
			}
		}
	}
	switch len(next) {
	case 0:
		return "", nil
	case 1:
		return samePage(resp.Request, next[0])
	}
	return "", errors.New("two next pages")
}

// isNext takes a link without a relation for the next page, as some registries
// write it.
func isNext(params string) bool {
	params = strings.ToLower(strings.ReplaceAll(params, " ", ""))
	return !strings.Contains(params, "rel=") || strings.Contains(params, "rel=next") || strings.Contains(params, `rel="next"`)
}

// listPath is that of a list of tags. Some registries know a repository by another
// name in links than the one it was asked by.
var listPath = regexp.MustCompile(`^/v2/[a-z0-9._/-]+/tags/list$`)

func samePage(req *http.Request, link string) (string, error) {
	u, err := target(req.URL, link)
	switch {
	case err != nil:
		return "", err
	case originOf(u) != originOf(req.URL):
		return "", fmt.Errorf("another origin, %s", originOf(u))
	case strings.Contains(link, ".."), path.Clean(u.Path) != u.Path, !listPath.MatchString(u.EscapedPath()):
		return "", errors.New("another path than that of a list of tags")
	}
	return u.RequestURI(), nil
}
