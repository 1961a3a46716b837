package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/forge/github"
)

const branch = forgetest.Prefix + "web"

// asks are all that a forge can be asked, by name.
func asks(t *testing.T, f *github.Forge) map[string]func() error {
	ctx, head := t.Context(), strings.Repeat("a", 40)
	return map[string]func() error{
		"List": func() error { _, err := f.List(ctx, "main", ""); return err },
		"Past": func() error { _, err := f.Past(ctx, "main", branch); return err },
		"Propose": func() error {
			_, err := f.Propose(ctx, forge.Draft{Branch: branch, Base: "main", Title: "x"})
			return err
		},
		"Edit":      func() error { return f.Edit(ctx, 1, "x", "y") },
		"Comment":   func() error { return f.Comment(ctx, 1, "key", "text") },
		"Close":     func() error { return f.Close(ctx, 1) },
		"Checks":    func() error { _, err := f.Checks(ctx, head); return err },
		"Merge":     func() error { return f.Merge(ctx, 1, head) },
		"AutoMerge": func() error { return f.AutoMerge(ctx, 1, head) },
	}
}

func (h *hub) answers(status int, kind, body string) {
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	}
}

// TestAnswersOfNoForge has each method meet what is not GitHub's: it must never be taken for
// "there are none", or for a success.
//
// fault: F-11
func TestAnswersOfNoForge(t *testing.T) {
	t.Parallel()
	const json = "application/json; charset=utf-8"
	for name, c := range map[string]struct {
		status     int
		kind, body string
		want       forge.Kind
	}{
		"a web page":            {200, "text/html", "<!DOCTYPE html><title>Sign in</title>", forge.Invalid},
		"a web page as JSON":    {200, json, "<!DOCTYPE html><title>Sign in</title>", forge.Invalid},
		"a proxy's 403":         {403, "text/html", "<html>Blocked by policy</html>", forge.Invalid},
		"a unicorn":             {502, "text/html", "<html><title>Unicorn!</title></html>", forge.Unreachable},
		"unavailable":           {503, json, `{"message":"Service unavailable","documentation_url":"https://docs.github.com"}`, forge.Unreachable},
		"an error as a success": {200, json, `{"message":"Something went wrong","documentation_url":"https://docs.github.com/rest"}`, forge.Invalid},
		"a word of error":       {200, json, `{"error":"upstream"}`, forge.Invalid},
		"nothing":               {200, json, "", forge.Invalid},
		"null":                  {200, json, "null", forge.Invalid},
		"a text":                {200, json, `"ok"`, forge.Invalid},
		"an empty object":       {200, json, "{}", forge.Invalid},
		"half a list":           {200, json, `[{"number":1,`, forge.Invalid},
		"a list of nothing":     {200, json, `[null]`, forge.Invalid},
		"accepted":              {202, json, `{}`, forge.Invalid},
		"20 MiB":                {200, json, "[" + strings.Repeat(" ", 20<<20) + "]", forge.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			h.answers(c.status, c.kind, c.body)
			for method, ask := range asks(t, h.forge()) {
				if name == "20 MiB" && method != "List" {
					continue // each would take its time
				}
				err := ask()
				if e := (*forge.Error)(nil); !errors.As(err, &e) || e.Kind != c.want || e.Fix == "" {
					t.Errorf("%s: %#v, want %s", method, err, c.want)
				}
			}
		})
	}
}

// TestAnswersThatLackWhatWasAsked are GitHub's by their form alone.
//
// fault: F-11
func TestAnswersThatLackWhatWasAsked(t *testing.T) {
	t.Parallel()
	const other = `{"number":77,"state":"open","head":{"ref":"x","sha":"y"},"base":{"ref":"main"}}`
	for name, c := range map[string]struct{ part, answer, method string }{
		"an edit of another":           {"PATCH /pulls/1", other, "Edit"},
		"a closing of another":         {"PATCH /pulls/1", other, "Close"},
		"a closing that did not":       {"PATCH /pulls/1", `{"number":1,"state":"open"}`, "Close"},
		"a merge that did not":         {"PUT /pulls/1/merge", `{"sha":null,"merged":false,"message":"x"}`, "Merge"},
		"another than was looked for":  {"GET /pulls/1", other, "AutoMerge"},
		"statuses of another commit":   {"/status", `{"state":"success","sha":"bbbb","total_count":1,"statuses":[{"state":"success"}]}`, "Checks"},
		"check runs without a number":  {"/check-runs", `{"check_runs":[{"status":"completed","conclusion":"success"}]}`, "Checks"},
		"a new one without a number":   {"POST /pulls", `{"title":"x","state":"open","head":{"ref":"x"},"base":{"ref":"y"}}`, "Propose"},
		"a comment without a number":   {"POST /issues/1/comments", `{"body":"x"}`, "Comment"},
		"a repository without anybody": {"GET ", `{"id":1}`, "Past"},
	} {
		h := newHub(t)
		h.push(branch)
		h.open(branch, "main", "x", "y", repoID)
		if c.method == "Propose" {
			h.pulls = nil
		}
		head := strings.Repeat("a", 40)
		method, part, _ := strings.Cut(c.part, " ")
		if !strings.Contains(c.part, " ") {
			method, part = "GET", c.part
		}
		h.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || !strings.HasSuffix(r.URL.Path, part) && part != "" || part == "" && !strings.HasSuffix(r.URL.Path, repo) {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, c.answer)
			return true
		}
		if len(h.pulls) > 0 {
			h.pulls[0].head = head
		}
		err := asks(t, h.forge())[c.method]()
		if e := (*forge.Error)(nil); !errors.As(err, &e) || e.Kind != forge.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

// TestListsTooLargeForOneAnswer has strangers write long texts: the list is read in smaller
// pages, and stays so.
//
// fault: F-11
func TestListsTooLargeForOneAnswer(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.pageSize = 100
	h.push(branch)
	for range 40 {
		h.open("theirs", "main", "x", "y", 777)
	}
	mine := h.open(branch, "main", "x", "y", repoID)
	h.longIn("100", "30")
	f := h.forge()
	for range 2 {
		found, err := f.List(t.Context(), "main", forgetest.Prefix)
		if err != nil || len(found) != 1 || found[0].Number != mine.number {
			t.Fatalf("listed are %+v, %v; want one", found, err)
		}
	}
	var sizes []string
	for _, s := range h.seen {
		_, rest, _ := strings.Cut(s, "per_page=")
		size, _, _ := strings.Cut(rest, "&")
		sizes = append(sizes, size)
	}
	if diff := cmp.Diff(append([]string{"100"}, smaller(len(sizes)-1)...), sizes); diff != "" {
		t.Errorf("page sizes (-want +got):\n%s", diff)
	}
}

// A stranger's long comments keep nothing from being said, once; nor does a page of them that is full.
//
// fault: F-11
func TestComments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		there int
		long  []string // sizes of pages that are too large
	}{
		"long ones":             {40, []string{"100", "30"}},
		"as many as fit a page": {100, nil},
		"two full pages":        {200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			h.pageSize, h.oldLinks = 100, true
			h.longIn(c.long...)
			h.push(branch)
			p := h.open(branch, "main", "x", "y", repoID)
			for range c.there {
				p.comments = append(p.comments, "x")
			}
			f := h.forge()
			for range 3 {
				if err := f.Comment(t.Context(), p.number, "key", "hello"); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(p.comments) - c.there; n != 1 {
				t.Errorf("it was said %d times", n)
			}
		})
	}
}

// longIn has pages of some sizes be too large to be read, as those of strangers' long texts are.
func (h *hub) longIn(sizes ...string) {
	long := "[" + strings.Repeat(" ", 8<<20) + "]"
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !slices.Contains(sizes, r.URL.Query().Get("per_page")) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, long)
		return true
	}
}

// smaller is a sequence of sizes after the first was too large.
func smaller(n int) []string {
	sizes := []string{"30"}
	for len(sizes) < n {
		sizes = append(sizes, "10")
	}
	return sizes
}

// TestLimits has GitHub ask for patience: nothing is sent to it until then, and others go on.
//
// fault: F-06
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header  func(h http.Header)
		status  int
		message string
		wait    time.Duration
	}{
		"secondary": {func(h http.Header) { h.Set("Retry-After", "60") }, 403,
			"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", time.Minute},
		"secondary without a time": {func(http.Header) {}, 403, "You have exceeded a secondary rate limit and have been temporarily blocked from content creation.", time.Minute},
		"primary": {func(h http.Header) {
			h.Set("X-RateLimit-Remaining", "0")
			h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(20*time.Minute).Unix(), 10))
		}, 403, "API rate limit exceeded for installation ID 67890.", 20 * time.Minute},
		"far away": {func(h http.Header) { h.Set("Retry-After", "864000") }, 429, "Too many requests", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			h, other := newHub(t), newHub(t)
			h.fault = func(w http.ResponseWriter, r *http.Request) bool {
				c.header(w.Header())
				refuse(w, c.status, c.message, "overview/rate-limits-for-the-rest-api#about-secondary-rate-limits")
				return true
			}
			f := h.forge()
			_, err := f.List(t.Context(), "main", "")
			// The header's times are in whole seconds.
			if e := wantKind(t, err, forge.RateLimited); e.RetryAfter < c.wait-3*time.Second || e.RetryAfter > c.wait {
				t.Errorf("wait for %v, want %v", e.RetryAfter, c.wait)
			}
			for method, ask := range asks(t, f) {
				if e := wantKind(t, ask(), forge.RateLimited); e.RetryAfter <= 0 {
					t.Errorf("%s: wait for %v", method, e.RetryAfter)
				}
			}
			if len(h.seen) != 1 {
				t.Errorf("%d requests were sent, want one", len(h.seen))
			}
			if _, err := other.forge().List(t.Context(), "main", ""); err != nil {
				t.Errorf("another repository: %v", err)
			}
		})
	}
}

// TestTooQuick is the limit of which a status tells nothing.
//
// fault: F-06
func TestTooQuick(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		refuse(w, 422, "Validation Failed", "pulls/pulls#create-a-pull-request", `{"resource":"PullRequest","code":"custom","message":"was submitted too quickly"}`)
		return true
	}
	if e := wantKind(t, asks(t, h.forge())["Propose"](), forge.RateLimited); e.RetryAfter != time.Minute {
		t.Errorf("wait for %v, want a minute", e.RetryAfter)
	}
}

// TestPagesLeadNowhereElse spoils the links of a list.
//
// fault: F-07
func TestPagesLeadNowhereElse(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger is asked %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	t.Cleanup(stranger.Close)
	pages := func(next func(page int) string) (*hub, error) {
		h := newHub(t)
		h.fault = func(w http.ResponseWriter, r *http.Request) bool {
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			if n := next(max(page, 1)); n != "" {
				w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, n))
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "[]")
			return true
		}
		_, err := h.forge().List(t.Context(), "main", "")
		return h, err
	}
	// Whatever the link's host, only GitHub is asked for the next page.
	h, err := pages(func(page int) string {
		if page == 3 {
			return ""
		}
		return fmt.Sprintf("%s/pulls?page=%d", stranger.URL, page+1)
	})
	if err != nil || len(h.seen) != 3 {
		t.Errorf("%v after %d pages, want 3", err, len(h.seen))
	}
	// Smaller pages would not help.
	for name, c := range map[string]struct {
		next  func(int) string
		pages int
	}{
		"in a circle":      {func(int) string { return "https://api.github.com/pulls?page=1" }, 1},
		"without a number": {func(int) string { return "https://api.github.com/pulls?page_token=abc" }, 1},
		"without an end":   {func(page int) string { return fmt.Sprintf("https://api.github.com/pulls?page=%d", page+1) }, 200},
	} {
		h, err := pages(c.next)
		e := wantKind(t, err, forge.Invalid)
		if !strings.Contains(e.What, "a list") || len(h.seen) != c.pages {
			t.Errorf("%s: %v after %d requests, want %d", name, err, len(h.seen), c.pages)
		}
	}
}

// TestATokenLosesItsScope tells which permission is missing, for each thing that is asked.
//
// fault: F-12
func TestATokenLosesItsScope(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(branch)
	f := h.forge()
	if _, err := f.List(t.Context(), "main", ""); err != nil {
		t.Fatal(err)
	}
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, repo) {
			return false // that much every token may see
		}
		refuse(w, 403, "Resource not accessible by personal access token", "pulls/pulls")
		return true
	}
	for method, permission := range map[string]string{
		"List": "Pull requests: read", "Past": "Pull requests: read", "Propose": "Pull requests: write", "Edit": "Pull requests: write",
		"Comment": "Pull requests: write", "Close": "Pull requests: write", "Checks": "Commit statuses: read",
		"Merge": "Contents: write and Pull requests: write", "AutoMerge": "Pull requests: read",
	} {
		if e := wantKind(t, asks(t, f)[method](), forge.Forbidden); !strings.Contains(e.Fix, strconv.Quote(permission)) {
			t.Errorf("%s: fix: %s, want %s", method, e.Fix, permission)
		}
	}
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/check-runs") {
			return false
		}
		refuse(w, 403, "Resource not accessible by integration", "checks/runs")
		return true
	}
	if e := wantKind(t, asks(t, f)["Checks"](), forge.Forbidden); !strings.Contains(e.Fix, `"Checks: read"`) {
		t.Errorf("fix: %s", e.Fix)
	}
	h.fault = nil
	if _, err := f.List(t.Context(), "main", ""); err != nil {
		t.Errorf("after it has the scope again: %v", err)
	}
}

func TestRefusalsSayWhoseMoveItIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status    int
		message   string
		header    [2]string
		want      forge.Kind
		what, fix string
	}{
		"no such token":      {401, "Bad credentials", [2]string{}, forge.Unauthorized, "Bad credentials", "expired"},
		"two factors":        {401, "Must specify two-factor authentication OTP code.", [2]string{"X-GitHub-OTP", "required; app"}, forge.Unauthorized, "two-factor", "a token"},
		"no such repository": {404, "Not Found", [2]string{}, forge.NotFound, "Not Found", "may not see it"},
		"single sign-on": {403, "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.",
			[2]string{"X-GitHub-SSO", "required; url=https://github.com/orgs/octo-org/sso?authorization_request=AZSCKtL4U8yX1H3sCQIVnVgmjmon5fWxks5YrqhJgah0b2tlbl9pZM4EuMz4"}, forge.Forbidden, "SAML", "single sign-on"},
		"another address": {403, "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
			[2]string{}, forge.Forbidden, "IP allow list", "allowed addresses"},
		"archived": {403, "Repository was archived so is read-only.", [2]string{}, forge.Refused, "archived", "active again"},
		"blocked":  {451, "Repository access blocked", [2]string{}, forge.Refused, "blocked", "do what GitHub says"},
	} {
		h := newHub(t)
		h.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if c.header[0] != "" {
				w.Header().Set(c.header[0], c.header[1])
			}
			refuse(w, c.status, c.message, "rest")
			return true
		}
		e := wantKind(t, asks(t, h.forge())["List"](), c.want)
		if !strings.Contains(e.What, c.what) || !strings.Contains(e.Fix, c.fix) || strings.Contains(e.Error(), "authorization_request") {
			t.Errorf("%s: %s (fix: %s)", name, e.What, e.Fix)
		}
	}
}

// TestNoTokenIsRepeated has the server say it in every way.
func TestNoTokenIsRepeated(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		auth := r.Header.Get("Authorization")
		w.Header().Set("X-GitHub-SSO", auth)
		refuse(w, 422, "no "+auth+"\n\x1b[31m at all", auth, `{"resource":"PullRequest","field":"`+h.token+`","code":"invalid"}`)
		return true
	}
	for method, ask := range asks(t, h.forge()) {
		err := ask()
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); err == nil || strings.Contains(text, h.token) || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%s: %s", method, text)
		}
	}
}

// TestFiltersAreNotHeeded has a server answer with everything whatever was asked for.
//
// fault: F-11
func TestFiltersAreNotHeeded(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push("release")
	for _, name := range []string{branch, "feature/x"} {
		h.push(name)
		h.open(name, "release", "x", "", repoID)
		h.open(name, "main", "x", "", repoID)
	}
	h.rewrite = func(r *http.Request) { r.URL.RawQuery = "state=open&per_page=100" }
	h.pageSize = 100
	f := h.forge()
	if found, err := f.List(t.Context(), "main", forgetest.Prefix); err != nil || len(found) != 1 || found[0].Number != 2 {
		t.Errorf("listed are %+v, %v; want number 2", found, err)
	}
	h.rewrite = func(r *http.Request) { r.URL.RawQuery = "state=all&per_page=100" }
	h.end(h.pulls[3], false) // feature/x onto main
	if found, err := f.Past(t.Context(), "main", branch); err != nil || len(found) != 0 {
		t.Errorf("past are %+v, %v; want none, for it is open", found, err)
	}
}
