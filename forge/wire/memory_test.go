package wire_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// A shelf answers with texts that have ETags, and counts what it sent in full.
type shelf struct {
	text   string
	header http.Header
	byDate bool
	full   int
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tag, date := fmt.Sprintf("W/%q", s.text), "Mon, 05 Jan 2026 00:00:00 GMT"
	for name, values := range s.header {
		w.Header()[name] = values
	}
	if s.byDate {
		w.Header().Set("Last-Modified", date)
	} else {
		w.Header().Set("ETag", tag)
	}
	w.Header().Set("X-RateLimit-Used", fmt.Sprint(s.full))
	if r.Header.Get("If-None-Match") == tag && !s.byDate || s.byDate && r.Header.Get("If-Modified-Since") == date {
		w.Header().Del("Link")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.full++
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "[%q]", s.text)
}

func TestUnchangedIsAnsweredFromMemory(t *testing.T) {
	for _, byDate := range []bool{false, true} {
		shelf := &shelf{text: "a", byDate: byDate, header: http.Header{"Link": {`</2>; rel="next"`}}}
		s := httptest.NewServer(shelf)
		t.Cleanup(s.Close)
		c := client(t, wire.Options{API: s.URL, Token: token("t")})
		first, body := get(t, c, s.URL+"/x")
		first.Header.Set("Link", "overwritten")
		for range 3 {
			resp, again := get(t, c, s.URL+"/x")
			if resp.StatusCode != 200 || resp.Status != "200 OK" || again != body || resp.ContentLength != int64(len(body)) {
				t.Errorf("got %s %q, want %q", resp.Status, again, body)
			}
			if resp.Header.Get("Link") != `</2>; rel="next"` || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("the header is %v", resp.Header)
			}
			if resp.Header.Get("X-RateLimit-Used") != "1" {
				t.Errorf("the limits are of yesterday: %v", resp.Header)
			}
		}
		if shelf.full != 1 {
			t.Errorf("by date %v: sent %d times in full, want once", byDate, shelf.full)
		}
		shelf.text = "b"
		if _, body := get(t, c, s.URL+"/x"); body != `["b"]` && !byDate {
			t.Errorf("changed: got %s", body)
		}
	}
}

// A page that is full is the same when another follows it, and its ETag with it.
// fault: F-07
func TestUnchangedPageGoesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		was, is, want http.Header
	}{
		"another follows (GitHub)":    {nil, http.Header{"Link": {`<?page=2>; rel="next"`}}, http.Header{"Link": {`<?page=2>; rel="next"`}}},
		"another follows (GitLab)":    {http.Header{"X-Next-Page": {""}}, http.Header{"X-Next-Page": {"2"}}, http.Header{"X-Next-Page": {"2"}}},
		"none follows any more":       {http.Header{"X-Next-Page": {"2"}, "Link": {`<?page=2>; rel="next"`}}, http.Header{"X-Next-Page": {""}}, http.Header{"X-Next-Page": {""}}},
		"nothing is said of it":       {http.Header{"X-Next-Page": {"2"}}, nil, http.Header{"X-Next-Page": {"2"}}},
		"a link to something else":    {http.Header{"Link": {`<?page=2>; rel="next"`}}, http.Header{"Link": {`<https://docs.example/>; rel="deprecation"`}}, http.Header{"Link": {`<?page=2>; rel="next"`}}},
		"one less on others":          {http.Header{"X-Total-Count": {"51"}}, http.Header{"X-Total-Count": {"50"}}, http.Header{"X-Total-Count": {"50"}}},
		"how many is not said":        {http.Header{"X-Total-Count": {"51"}, "X-Total": {"51"}, "X-Total-Pages": {"2"}}, nil, nil},
		"what a page is stays so":     {http.Header{"Etag": {"x"}, "X-Kept": {"a"}}, http.Header{"X-Kept": {"b"}}, http.Header{"X-Kept": {"a"}}},
		"GitHub's of no page is kept": {http.Header{"Link": {`<?page=2>; rel="next"`}}, http.Header{"X-Total": {"3"}}, http.Header{"Link": {`<?page=2>; rel="next"`}, "X-Total": {"3"}}},
	} {
		t.Run(name, func(t *testing.T) {
			again := false
			s := api(t, func(w http.ResponseWriter, r *http.Request) {
				header := tt.was
				if again {
					header = tt.is
				}
				for name, values := range header {
					w.Header()[name] = values
				}
				w.Header().Set("ETag", `W/"full"`)
				if again = r.Header.Get("If-None-Match") == `W/"full"`; again {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				io.WriteString(w, `[]`)
			})
			c := client(t, wire.Options{API: s.URL})
			get(t, c, s.URL)
			again = true
			resp, _ := get(t, c, s.URL)
			for _, name := range []string{"Link", "X-Next-Page", "X-Total", "X-Total-Count", "X-Total-Pages", "X-Kept"} {
				if got, want := resp.Header.Values(name), tt.want.Values(name); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// What one token may see is no answer to another.
func TestMemoryIsOneTokens(t *testing.T) {
	shelf := &shelf{text: "a"}
	s := httptest.NewServer(shelf)
	t.Cleanup(s.Close)
	now := "one"
	c := client(t, wire.Options{API: s.URL, Token: func(context.Context) (string, error) { return now, nil }})
	get(t, c, s.URL)
	for i, token := range []string{"two", "", "one", "two"} {
		now = token
		get(t, c, s.URL)
		if want := min(i+2, 3); shelf.full != want {
			t.Errorf("%q: sent %d times in full, want %d", token, shelf.full, want)
		}
	}
}

func TestMemoryKeepsToWhatMayBeKept(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*http.Request)
		header http.Header
	}{
		"not kept":        {func(*http.Request) {}, http.Header{"Cache-Control": {"private, no-store"}}},
		"own condition":   {func(r *http.Request) { r.Header.Set("If-None-Match", `"other"`) }, nil},
		"POST":            {func(r *http.Request) { r.Method = http.MethodPost }, nil},
		"another type":    {func(r *http.Request) { r.Header.Set("Accept", "application/"+time.Now().String()) }, nil},
		"another address": {func(r *http.Request) { r.URL.RawQuery = fmt.Sprint(time.Now().UnixNano()) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			shelf := &shelf{text: "a", header: tt.header}
			s := httptest.NewServer(shelf)
			t.Cleanup(s.Close)
			c := client(t, wire.Options{API: s.URL})
			for range 2 {
				req, err := http.NewRequest(http.MethodGet, s.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				tt.change(req)
				resp, err := c.Do(req)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("got %v, %v", resp, err)
				}
			}
			if shelf.full != 2 {
				t.Errorf("sent %d times in full, want twice", shelf.full)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	for name, tt := range map[string]struct{ size, urls, kept int }{
		"answers": {1, 70, 64},
		"bytes":   {3 << 20, 7, 5},
	} {
		t.Run(name, func(t *testing.T) {
			shelf := &shelf{text: strings.Repeat("x", tt.size)}
			if tt.size > 1 {
				shelf.byDate = true // such a tag is too long for a header
			}
			s := httptest.NewServer(shelf)
			t.Cleanup(s.Close)
			c := client(t, wire.Options{API: s.URL})
			for i := range tt.urls {
				get(t, c, fmt.Sprintf("%s/%d", s.URL, i))
			}
			shelf.full = 0
			for i := range tt.kept {
				get(t, c, fmt.Sprintf("%s/%d", s.URL, tt.urls-1-i))
			}
			if shelf.full != 0 {
				t.Errorf("the newest %d: sent %d in full", tt.kept, shelf.full)
			}
			get(t, c, s.URL+"/0")
			if shelf.full != 1 {
				t.Errorf("the oldest is still known")
			}
		})
	}
}

// What is asked for again and again stays, however much else is asked for once.
func TestMemoryKeepsWhatIsUsed(t *testing.T) {
	shelf := &shelf{text: "a"}
	s := httptest.NewServer(shelf)
	t.Cleanup(s.Close)
	c := client(t, wire.Options{API: s.URL})
	for i := range 100 {
		get(t, c, s.URL+"/list")
		get(t, c, fmt.Sprintf("%s/%d", s.URL, i))
	}
	if shelf.full != 101 {
		t.Errorf("sent %d times in full, want 101", shelf.full)
	}
}

func TestUnaskedNotModified(t *testing.T) {
	s := api(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	_, err := client(t, wire.Options{API: s.URL}).Get(s.URL)
	fails(t, err, forge.Invalid, "which was not asked")
}

// fault: F-07
func TestPages(t *testing.T) {
	grown := false
	s := api(t, func(w http.ResponseWriter, r *http.Request) {
		n := 0
		fmt.Sscanf(r.URL.Query().Get("page"), "%d", &n)
		base := "http://" + r.Host + r.URL.Path
		switch r.URL.Path {
		case "/seven":
			if n < 7 {
				w.Header().Add("Link", fmt.Sprintf(`<%s?page=1>; rel="first", <%s?page=%d&per_page=100>; title="a, b"; rel="last next"`, base, base, n+1))
			}
		case "/relative":
			if n < 3 {
				w.Header().Add("Link", `<?page=9>; rel=last`)
				w.Header().Add("Link", fmt.Sprintf(`<?page=%d>; REL=Next`, n+1))
			}
		case "/endless":
			w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, base, n+1))
		case "/circle":
			w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, base, (n+1)%3))
		case "/away":
			w.Header().Set("Link", `<https://evil.example/pulls?page=2>; rel="next"`)
		case "/slashes":
			w.Header().Set("Link", `<//evil.example/pulls?page=2>; rel="next"`)
		case "/user":
			w.Header().Set("Link", fmt.Sprintf(`<http://a:b@%s/>; rel="next"`, r.Host))
		case "/broken":
			w.Header().Set("Link", `<http://[::%zz>; rel="next"`)
		case "/grows": // while it is read the second time, from memory, the page that was the last is followed
			w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
			if grown && n < 3 || n < 2 {
				w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, base, n+1))
			}
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
		case "/none":
			w.Header().Set("Link", `<x; rel="next", rel="next", <x>; rel=prev; title=next`)
		}
		io.WriteString(w, `[]`)
	})
	c := client(t, wire.Options{API: s.URL})
	for path, want := range map[string]struct {
		pages int
		says  string
	}{
		"/seven": {8, ""}, "/relative": {4, ""}, "/none": {1, ""},
		"/endless": {200, "more than 200 pages"}, "/circle": {4, "circle"},
		"/away": {1, "another origin"}, "/slashes": {1, "another origin"}, "/user": {1, "another origin"}, "/broken": {1, "another origin"},
	} {
		t.Run(path[1:], func(t *testing.T) {
			var pages wire.Pages
			n, next, err := 0, s.URL+path, error(nil)
			for next != "" && err == nil {
				resp, _ := get(t, c, next)
				n++
				next, err = pages.Next(resp)
			}
			if n != want.pages {
				t.Errorf("read %d pages, want %d", n, want.pages)
			}
			switch {
			case want.says != "":
				fails(t, err, forge.Invalid, want.says)
			case err != nil:
				t.Error(err)
			}
		})
	}
	_, err := (&wire.Pages{}).Next(&http.Response{Request: &http.Request{URL: &url.URL{}}})
	if err != nil {
		t.Error(err)
	}
	for _, want := range []int{3, 4} {
		n, next := 0, s.URL+"/grows"
		for pages := (&wire.Pages{}); next != ""; n++ {
			resp, _ := get(t, c, next)
			if next, err = pages.Next(resp); err != nil {
				t.Fatal(err)
			}
		}
		if n != want {
			t.Errorf("grown %v: read %d pages, want %d", grown, n, want)
		}
		grown = true
	}
}
