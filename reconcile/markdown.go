package reconcile

import (
	"fmt"
	"strings"
)

// Markdown in which others' text is code, which calls nobody and means nothing more; it is
// inert besides, as bodies of proposals become messages of commits. Nothing here makes a
// link but from an address that forge.Place gave.

// code is a span of code on one line; nothing of nothing. It may stand in a table.
func code(s string) string { return span(inert(s)) }

// codeLine is code for a line of several words.
func codeLine(s string) string { return span(inertLine(s)) }

// span puts a text of one line between more backticks than stand in it.
func span(text string) string {
	text = strings.ReplaceAll(text, "|", string(dot)) // would end a cell
	if text == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(text, '`')+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") || text[0] == ' ' && text[len(text)-1] == ' ' {
		text = " " + text + " "
	}
	return fence + text + fence
}

// link is a link to an address, around text that is Markdown; the text alone where there is no address, or
// one with anything in it that would have to be escaped.
func link(text, url string) string {
	if text == "" || !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsFunc(url, func(r rune) bool {
		return !isASCIIWord(r) && !strings.ContainsRune("-.~/:%?=&", r)
	}) {
		return text
	}
	return "[" + text + "](" + url + ")"
}

// block is a block of code in a language, with a command of ours that holds others' words: no line of it
// ends the block.
func block(language, text string) string {
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	return fmt.Sprintf("%s%s\n%s\n%s", fence, language, text, fence)
}

func longestRun(s string, of byte) (longest int) {
	run := 0
	for i := range len(s) {
		if s[i] != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// quoted is a word as shells take it, on one line.
func quoted(word string) string {
	word = string(visible(word, longestExact))
	plain := word != "" && word[0] != '-' && !strings.ContainsFunc(word, func(r rune) bool {
		return !isASCIIWord(r) && !strings.ContainsRune("-./:@+,=", r)
	})
	if plain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// A grid is a table of cells, which are Markdown without line ends; columns without any content are
// left out. Of rows beyond a number of bytes only their count is told.
type grid struct {
	head []string
	rows [][]string
}

func (g grid) markdown(most int) string {
	var shown []int
	for i := range g.head {
		for _, row := range g.rows {
			if row[i] != "" {
				shown = append(shown, i)
				break
			}
		}
	}
	line := func(cells []string) string {
		var b strings.Builder
		for _, i := range shown {
			b.WriteString("| " + cells[i] + " ")
		}
		return b.String() + "|"
	}
	lines := []string{line(g.head), strings.Repeat("|---", len(shown)) + "|"}
	size := 0
	for n, row := range g.rows {
		text := line(row)
		if size += len(text); size > most && n > 0 {
			return strings.Join(lines, "\n") + fmt.Sprintf("\n\nand %d more", len(g.rows)-n)
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}

// bullets are a list of lines, which are Markdown; so many, and so many bytes, at most.
func bullets(items []string, most, bytes int) string {
	var lines []string
	for n, item := range items {
		if bytes -= len(item); n == most || bytes < 0 && n > 0 {
			lines = append(lines, fmt.Sprintf("- and %d more", len(items)-n))
			break
		}
		lines = append(lines, "- "+item)
	}
	return strings.Join(lines, "\n")
}
