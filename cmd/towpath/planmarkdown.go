package main

import (
	"fmt"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

// An outlook in Markdown, for a comment or the summary of a job. Whatever comes from files,
// from registries or out of Git stands in code: there nobody is called, nothing is linked and
// nothing is markup.

const (
	markdownMost = 60_000 // bytes; forges cut comments off at 65,536 characters
	markdownKept = 2_000  // of them, for what must stand at the end
	markdownRows = 100    // of a table or list
)

// planMark ends the text, so that whoever posts it finds it again.
const planMark = "<!-- towpath:plan -->"

// A page is Markdown that ends before it is too long.
type page struct {
	strings.Builder
	most int
}

// add writes a block if there is room for it.
func (p *page) add(block string) bool {
	if p.Len()+len(block) > p.most {
		return false
	}
	p.WriteString(block)
	return true
}

// section writes a heading and rows, the first of many, and says how many are left out.
// Nothing is written where there are none.
func section[T any](p *page, heading, top string, all []T, row func(T) string) {
	if len(all) == 0 || !p.add("\n### "+heading+"\n\n"+top) {
		return
	}
	for i, one := range all {
		if i == markdownRows || !p.add(row(one)) {
			p.most += 100
			p.add("\n…and " + thousands(len(all)-i) + " more\n")
			return
		}
	}
}

// markdown is the whole text. It is a function of the outlook alone.
func (o outlook) markdown() string {
	p := &page{most: markdownMost - markdownKept}
	p.add("## towpath: " + o.verdict() + "\n")
	if o.Head.Name != "" {
		p.add(fmt.Sprintf("\n%s (%s) into %s (%s)\n", code(o.Head.Name), code(o.Head.Rev.Short()), code(o.Base.Name), code(o.Base.Rev.Short())))
	}
	if o.Invalid {
		p.add("\nNothing is written anywhere until " + code(reconcile.ConfigPath) + " is right.\n")
	}
	if o.Paused {
		p.add("\n" + code(reconcile.ConfigPath) + " says `paused`: nothing is asked or written.\n")
	}
	section(p, "Changed on both sides", "Git will ask a person what to do with these; here they count as the head has them.\n\n", o.Conflicts, func(path string) string {
		return "- " + code(path) + "\n"
	})
	section(p, "Problems", "", o.bad(), problemItem)
	section(p, "Imports that fail", "", o.Failing, func(f reconcile.Failing) string {
		return fmt.Sprintf("- %s: %s\n", code(f.Tag.String()), code(string(f.Err.Kind)+": "+messageOf(f))) + fixItem(o.fixOf(f))
	})
	section(p, "Problems that it mends", "", o.Mended, func(m imagestream.Problem) string {
		return "- " + code(problemPlace(m)) + " " + code(m.What) + "\n"
	})
	section(p, "Tags", "| tag | | image | from |\n|---|---|---|---|\n", o.Tags, func(c tagChange) string {
		return row(cell(c.Tag.String()), c.How, becomes(imageOf(c.Was), imageOf(c.Now)), becomes(c.Was.From, c.Now.From))
	})
	section(p, "Sites that follow", "| place | object | follows | image |\n|---|---|---|---|\n", o.Sites, func(c reconcile.SiteChange) string {
		return row(cell(placeOf(c.Site)), cell(c.Site.ID.String()), cell(c.Site.Follows.String()), becomes(shortImage(c.Site.Current()), shortImage(c.Writes())))
	})
	section(p, "Sites that it rewrites itself", "| place | object | follows | image |\n|---|---|---|---|\n", o.Rewritten, func(r rewrite) string {
		return row(cell(placeOf(r.Site)), cell(r.Site.ID.String()), cell(r.Site.Follows.String()), becomes(shortImage(r.Was), shortImage(r.Site.Current())))
	})
	section(p, "Proposals", "These go to people for review first, and change nothing until they are merged.\n\n", o.Proposals, func(r reconcile.Proposal) string {
		return "- " + code(r.Branch) + ": " + code(r.Title()) + "\n"
	})
	section(p, "Sites that stay", "", o.Held, func(h reconcile.Hold) string { return "- held: " + code(heldLine(h)) + "\n" })
	section(p, "Sites that move later", "", o.Deferred, func(d reconcile.Deferred) string { return "- " + code(deferredLine(d)) + "\n" })
	section(p, "Sites that are left alone", "", o.Unresolved, func(u reconcile.Unresolved) string { return "- " + code(leftAloneLine(u)) + "\n" })
	section(p, "Images that must stand first", "", o.Settling, func(s reconcile.Settling) string { return "- " + code(settlingLine(s)) + "\n" })
	section(p, "Notes", "", o.notes(), problemItem)
	p.most = markdownMost
	if o.Unasked > 0 {
		p.add("\n" + o.unaskedLine() + "\n")
	}
	p.add("\n" + planMark + "\n")
	return p.String()
}

// notes are the problems that are none.
func (o outlook) notes() (notes []imagestream.Problem) {
	for _, p := range o.Problems {
		if p.Note {
			notes = append(notes, p)
		}
	}
	return notes
}

// unaskedLine says that more would have been asked.
func (o outlook) unaskedLine() string {
	return fmt.Sprintf("Of %s it is not known what they are: a check asks registries %d times at most, and waits %s for the answers.",
		count(o.Unasked, "tag"), mostQuestions, span(longestCheck))
}

// fixOf is the next step after a failed import. A check sees less than a run does.
func (o outlook) fixOf(f reconcile.Failing) string {
	if o.Head.Name != "" && (f.Err.Kind == registry.Unauthorized || f.Err.Kind == registry.Forbidden) {
		return "nothing, where a run has a credential for it: a check asks without any"
	}
	return o.fixes.of(f)
}

func problemItem(p imagestream.Problem) string {
	return "- " + code(problemPlace(p)) + " " + code(p.What) + "\n" + fixItem(p.Fix)
}

func problemPlace(p imagestream.Problem) string {
	if p.Line == 0 {
		return p.Path
	}
	return fmt.Sprintf("%s:%d:%d", p.Path, p.Line, max(p.Col, 1))
}

// fixItem is a next step, below the item that it belongs to.
func fixItem(fix string) string {
	fix = printableLines(fix, "")
	switch lines := strings.Split(fix, "\n"); {
	case fix == "":
		return ""
	case len(lines) == 1:
		return "  - fix: " + code(fix) + "\n"
	default:
		const most = 20
		if len(lines) > most {
			lines = append(lines[:most:most], "…")
		}
		for i, line := range lines {
			lines[i] = "    " + cut(strings.Map(visible, line), 200) + "\n"
		}
		body := strings.Join(lines, "")
		f := "    " + backticks(body, 3)
		return "  - fix:\n\n" + f + "text\n" + body + f + "\n"
	}
}

// row is a row of a table.
func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

// becomes is a cell with what something was and what it would be.
func becomes(was, now string) string {
	switch {
	case was == now && was == "":
		return ""
	case was == now:
		return cell(now)
	case was == "":
		return "→ " + cell(now)
	case now == "":
		return cell(was) + " →"
	}
	return cell(was) + " → " + cell(now)
}

// imageOf is an image as people compare it.
func imageOf(t tagState) string {
	if t.Item.Reference != "" {
		return shortImage(t.Item.Reference)
	}
	return shortImage(t.Item.Image)
}

// shortImage is a reference with a digest that has its first characters alone.
func shortImage(ref string) string {
	name, digest, ok := cutLast(ref, "sha256:")
	if !ok || len(digest) < 64 {
		return ref
	}
	return name + "sha256:" + digest[:12] + digest[64:]
}

// Bounds of others' text, in characters.
const longestCode = 300

// code is text of strangers as a span of code.
func code(text string) string {
	text = strings.TrimSpace(cut(inOneLine(text), longestCode))
	if text == "" {
		return "`-`"
	}
	f := backticks(text, 1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return f + text + f
}

// inOneLine is text of strangers in one line, without what cannot be seen.
func inOneLine(text string) string { return strings.Map(visible, printable(text)) }

// cell is code in a table, where a bar would end the cell, whatever is around it.
func cell(text string) string { return code(strings.ReplaceAll(text, "|", "¦")) }

// backticks is a row of backticks that is longer than any in a text.
func backticks(text string, least int) string {
	longest, run := 0, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return strings.Repeat("`", max(least, longest+1))
}

// cut is the beginning of a text that is too long.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
