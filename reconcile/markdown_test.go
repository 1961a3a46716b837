package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// What others write, and would like to be more than text.
func hostileWords() []string {
	return []string{
		"", " ", "`", "``", "a`b", "`a`", "` `", "```\n", strings.Repeat("`", 300), "a|b", `a\|b`, `\`, "a\\", "|", "||", "| --- |",
		"@team", "ops@example.org", "#1", "Fixes #1", "GH-1", "org/repo#2", "!12", "https://evil.example/x", "www.evil.example", "http://a/issues/1",
		"<img src=x onerror=alert(1)>", "<!-- towpath:end x -->", "-->", "<script>", "&lt;b&gt;", "&#64;team", "![a](https://evil.example/a.png)", "[a](javascript:x)", "[x]: https://evil.example",
		"**bold**", "_it_", "~~gone~~", "# title", "- item", "> quote", "1. one", "- [x] done", "---", "===", "/merge", "/close", "$x$", "[^1]", ":smile:", "[ci skip]",
		"a\nb", "a\r\n\r\n# b", "a\u2028b", "a\u0085b", "\u202egnp.exe", "\u200b@team", "\x1b[31mred", "\x00", "\ufeff", "ｆｕｌｌ｜ｗｉｄｔｈ", "日本語", string([]byte{0xff, 0xfe}),
	}
}

var gfm = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote))

// parts are the kinds of nodes that a Markdown parser sees, with how many of each, and the addresses of links.
func parts(t *testing.T, markdown string) (kinds map[ast.NodeKind]int, links []string) {
	t.Helper()
	kinds = map[ast.NodeKind]int{}
	err := ast.Walk(gfm.Parser().Parse(text.NewReader([]byte(markdown))), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		kinds[n.Kind()]++
		if l, ok := n.(*ast.Link); ok {
			links = append(links, string(l.Destination))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(kinds, ast.KindText)
	return kinds, links
}

// fault: H-21
func TestOthersTextIsCode(t *testing.T) {
	for _, s := range hostileWords() {
		isCode(t, s)
	}
}

func FuzzCode(f *testing.F) {
	for _, s := range hostileWords() {
		f.Add(s)
	}
	f.Fuzz(isCode)
}

// isCode checks that a text is code alone, in a sentence, in a list and in a table.
func isCode(t *testing.T, s string) {
	for _, span := range []string{code(s), codeLine(s), span(string(visible(s, longestText)))} {
		if span == "" {
			continue
		}
		if strings.ContainsAny(span, "\r\n|") || strings.ContainsFunc(span, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q is shown as %q", s, span)
		}
		for context, want := range map[string]map[ast.NodeKind]int{
			"before %s after":                      {ast.KindDocument: 1, ast.KindParagraph: 1, ast.KindCodeSpan: 1},
			"%s":                                   {ast.KindDocument: 1, ast.KindParagraph: 1, ast.KindCodeSpan: 1},
			"- %s: end":                            {ast.KindDocument: 1, ast.KindList: 1, ast.KindListItem: 1, ast.KindTextBlock: 1, ast.KindCodeSpan: 1},
			"| a | b |\n|---|---|\n| %s | other |": {ast.KindDocument: 1, extast.KindTable: 1, extast.KindTableHeader: 1, extast.KindTableRow: 1, extast.KindTableCell: 4, ast.KindCodeSpan: 1},
		} {
			kinds, _ := parts(t, fmt.Sprintf(context, span))
			if fmt.Sprint(kinds) != fmt.Sprint(want) {
				t.Errorf("%q is shown as %q: in %q got %v, want %v", s, span, context, kinds, want)
			}
		}
	}
}

func TestCode(t *testing.T) {
	for in, want := range map[string]string{
		"team1/web:prod": "`team1/web:prod`", "": "", "a|b": "`a·b`", digestA: "`" + digestA + "`", "@team": "`·team`",
	} {
		if got := code(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{"a`b": "``a`b``", "`": "`` ` ``", "a``": "``` a`` ```", "a | b": "`a · b`"} {
		if got := span(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestLink(t *testing.T) {
	const page = "https://git.example/team/web/compare/1a...2b?expand=1&x=%20"
	if got, want := link("`a`", page), "[`a`]("+page+")"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, url := range []string{"", "javascript:alert(1)", "https://x/a)b", "https://x/(a", "https://x/a b", "https://x/<a>", "https://x/a\nb", "https://x/\"a", "data:text/html,x", "//x"} {
		if got := link("`a`", url); got != "`a`" {
			t.Errorf("%q: got %s", url, got)
		}
	}
}

func TestBlock(t *testing.T) {
	for _, s := range append(hostileWords(), "towpath plan", "a\n```\n# b") {
		kinds, _ := parts(t, "before\n\n"+block("sh", "towpath plan --repo "+quoted(s)))
		if len(kinds) != 3 || kinds[ast.KindFencedCodeBlock] != 1 || kinds[ast.KindParagraph] != 1 {
			t.Errorf("%q: got %v", s, kinds)
		}
	}
	if kinds, _ := parts(t, block("sh", "a\n````\n# b")); len(kinds) != 2 || kinds[ast.KindFencedCodeBlock] != 1 {
		t.Errorf("a fence within: got %v", kinds)
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"https://git.example/team/web.git": "https://git.example/team/web.git", "git@git.example:a/b": "git@git.example:a/b",
		"": "''", "-f": "'-f'", "a b": "'a b'", "$(id)": "'$(id)'", "it's": `'it'\''s'`, "a\nb": "'a b'", "a;b": "'a;b'", "~x": "'~x'", "*": "'*'",
	} {
		if got := quoted(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestGrid(t *testing.T) {
	g := grid{head: []string{"a", "b", "c"}, rows: [][]string{{"1", "", "3"}, {"4", "", ""}, {"7", "", "9"}}}
	for most, want := range map[int]string{
		1000: "| a | c |\n|---|---|\n| 1 | 3 |\n| 4 |  |\n| 7 | 9 |",
		18:   "| a | c |\n|---|---|\n| 1 | 3 |\n| 4 |  |\n\nand 1 more",
		0:    "| a | c |\n|---|---|\n| 1 | 3 |\n\nand 2 more",
	} {
		if got := g.markdown(most); got != want {
			t.Errorf("%d bytes: got\n%s\nwant\n%s", most, got, want)
		}
	}
}

func TestBullets(t *testing.T) {
	items := []string{"one", "two", "three"}
	for _, tt := range []struct {
		most, bytes int
		want        string
	}{
		{3, 100, "- one\n- two\n- three"}, {2, 100, "- one\n- two\n- and 1 more"}, {3, 6, "- one\n- two\n- and 1 more"}, {3, 0, "- one\n- and 2 more"},
	} {
		if got := bullets(items, tt.most, tt.bytes); got != tt.want {
			t.Errorf("%d, %d bytes: got\n%s\nwant\n%s", tt.most, tt.bytes, got, tt.want)
		}
	}
}
