package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	mdtext "github.com/yuin/goldmark/text"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

// spanEnd is where a span of code that a text begins with ends, as CommonMark has it: at the
// next row of just as many backticks. It is -1 where none ends it.
func spanEnd(text string) int {
	n := len(text) - len(strings.TrimLeft(text, "`"))
	for i := n; n > 0 && i < len(text); i++ {
		if text[i] != '`' {
			continue
		}
		run := len(text[i:]) - len(strings.TrimLeft(text[i:], "`"))
		if run == n {
			return i + run
		}
		i += run - 1
	}
	return -1
}

func checkInert(t *testing.T, text string) {
	t.Helper()
	for _, got := range []string{code(text), cell(text)} {
		if spanEnd(got) != len(got) {
			t.Errorf("%q is not one span of code: %q", text, got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
		}); i >= 0 || !utf8.ValidString(got) {
			t.Errorf("%q holds what is not seen: %q", text, got)
		}
		if n := utf8.RuneCountInString(got); n > 3*longestCode+4 {
			t.Errorf("%d characters of %d", n, utf8.RuneCountInString(text))
		}
	}
	if strings.Contains(cell(text), "|") {
		t.Errorf("%q ends its cell: %q", text, cell(text))
	}
}

var markup = []string{
	"", " ", "`", "``", "` `", "a`b", "`a`", "``a`", "@team #1 !2 <b>", "<!-- towpath:plan -->", "a|b", `a\|b`, `a\`, "a\n# b", "a\r\n\n- b", "[a](javascript:b)", "![](//evil.example/pixel)",
	"\x1b[2J", "\u202eabc", "\u200b`\u200b`", "a\u2028b", "\xff\xfe", "https://evil.example", "www.evil.example", "a@evil.example", strings.Repeat("`", 1000), strings.Repeat("a`", 1000), "$`a`$", ":smile:",
}

// Whatever text it is, it is one span of code.
func TestCodeIsInert(t *testing.T) {
	for _, text := range markup {
		checkInert(t, text)
	}
}

func FuzzCodeIsInert(f *testing.F) {
	for _, text := range markup {
		f.Add(text)
	}
	f.Fuzz(checkInert)
}

// What spanEnd takes for a span is one.
func TestSpanEnd(t *testing.T) {
	for text, want := range map[string]int{"`a`": 3, "``a`b``": 7, "`a``b`": 6, "`a``": -1, "a": -1, "`": -1, "`a` `b`": 3} {
		if got := spanEnd(text); got != want {
			t.Errorf("%q ends at %d, want %d", text, got, want)
		}
	}
}

// The text of an outlook full of hostile words is words of ours and code.
func TestMarkdownIsInert(t *testing.T) {
	for _, text := range markup {
		site := &reconcile.Site{Path: text}
		site.ID.Name, site.ID.Kind = text, text
		tag := imagestream.TagRef{Stream: imagestream.Name{Namespace: text, Name: text}, Tag: text}
		o := outlook{
			Head: treeAt{text, "1"}, Base: treeAt{text, "2"}, Conflicts: []string{text}, Mended: []imagestream.Problem{{Path: text, What: text}},
			Problems:   []imagestream.Problem{{Path: text, Line: 1, What: text, Fix: text}, {Path: text, What: text, Fix: "say\n" + text + "\n```\n" + text, Note: true}},
			Tags:       []tagChange{{Tag: tag, How: "added", Was: tagState{From: text}, Now: tagState{From: text, Item: imagestream.Item{Reference: text}}}},
			Sites:      []reconcile.SiteChange{{Site: site}},
			Held:       reconcile.Held{{Change: reconcile.SiteChange{Site: site}, Why: reconcile.TakenBack}},
			Unresolved: []reconcile.Unresolved{{Site: site, Why: text}},
			Failing:    []reconcile.Failing{{Tag: tag, Err: &registry.Error{Kind: registry.NotFound, Ref: text, Message: text}}},
			Settling:   []reconcile.Settling{{Tag: tag, From: text, Image: text}},
		}
		got := o.markdown()
		if strings.Count(got, planMark) != 1 && !strings.Contains(text, planMark) || !strings.HasSuffix(got, "\n"+planMark+"\n") {
			t.Errorf("%q: the mark is not the last line alone", text)
		}
		for _, found := range livelyIn(got) {
			t.Errorf("%q is more than text: %s", text, found)
		}
	}
}

// livelyIn are the parts of a text in Markdown, as forges read it, that are more than words,
// lists, tables and code; and words in which forges themselves look for people and issues.
func livelyIn(text string) (found []string) {
	src := []byte(text)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(mdtext.NewReader(src))
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Document, *ast.Heading, *ast.Paragraph, *ast.TextBlock, *ast.List, *ast.ListItem, *ast.FencedCodeBlock,
			*extast.Table, *extast.TableHeader, *extast.TableRow, *extast.TableCell:
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if t := string(n.Segment.Value(src)); strings.ContainsAny(t, "@#!~$`<\\") || strings.Contains(t, "://") {
				found = append(found, fmt.Sprintf("text %q", t))
			}
		case *ast.HTMLBlock:
			if t := string(n.Lines().Value(src)); strings.TrimSpace(t) != planMark {
				found = append(found, fmt.Sprintf("HTML %q", t))
			}
		default:
			found = append(found, fmt.Sprintf("a %s", n.Kind()))
		}
		return ast.WalkContinue, nil
	})
	return found
}

// What is lively is found.
func TestLively(t *testing.T) {
	for _, text := range []string{"<b>", "a <b>x</b>", "@team", "see #1", "[a](b)", "![a](b)", "https://a.example", "*a*", "<!-- a -->", "a\n\n    code", "---", "- [ ] a", "~~a~~"} {
		if len(livelyIn(text)) == 0 {
			t.Errorf("nothing is found in %q", text)
		}
	}
	if found := livelyIn("## a\n\n| `@a` | b |\n|---|---|\n| `<b>` | → `c` |\n\n- `#1` x\n  - fix:\n\n    ```text\n    <b>\n    ```\n\n" + planMark + "\n"); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

// However much there is, it can be posted, and says what it leaves out.
func TestMarkdownHasAnEnd(t *testing.T) {
	long := strings.Repeat("ä", 2000)
	o := outlook{Head: treeAt{"theirs", "1"}, Unasked: 3}
	for i := range 5000 {
		p := imagestream.Problem{Path: fmt.Sprint(i, long), Line: 1, What: long, Fix: long + "\n" + long}
		o.Problems, o.Mended = append(o.Problems, p), append(o.Mended, p)
		o.Conflicts = append(o.Conflicts, p.Path)
		o.Sites = append(o.Sites, reconcile.SiteChange{Site: &reconcile.Site{Path: p.Path}})
	}
	got := o.markdown()
	if len(got) > markdownMost || !strings.HasSuffix(got, "\n"+planMark+"\n") || !utf8.ValidString(got) {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-50:])
	}
	for _, want := range []string{"bring 5000 problems", "move 5000 sites", "…and 4,9", "Of 3 tags it is not known"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not said", want)
		}
	}
}
