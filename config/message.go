package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/window"
)

// A Template is a message with names in braces: "{tag} is {version}". {{ and }} are
// braces themselves. The first line is the subject.
type Template string

// templateNames are the names that a Template may hold.
var templateNames = []string{
	"tag", "stream", "namespace", "version", "image", "digest", "revision", "source", "sites", "table", "subject",
}

// Bounds of what stands in commits.
const (
	maxPrefix   = 50   // characters
	maxTemplate = 4096 // bytes
	maxPerson   = 200  // bytes of a name, and of an address
)

// Fill is the message with a value for each name, put there as it is.
func (t Template) Fill(value func(name string) string) string {
	var b strings.Builder
	for rest := string(t); rest != ""; {
		var p piece
		if p, rest = cutPiece(rest); p.name != "" {
			b.WriteString(value(p.name))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// A piece of a template is text, or a name. Of text that should be neither, as a single
// brace is, bad is set.
type piece struct {
	text, name string
	bad        bool
}

func cutPiece(text string) (p piece, rest string) {
	switch i := strings.IndexAny(text, "{}"); {
	case i < 0:
		return piece{text: text}, ""
	case i > 0:
		return piece{text: text[:i]}, text[i:]
	case strings.HasPrefix(text, "{{"), strings.HasPrefix(text, "}}"):
		return piece{text: text[:1]}, text[2:]
	}
	if name, rest, ok := strings.Cut(text[1:], "}"); ok && text[0] == '{' && slices.Contains(templateNames, name) {
		return piece{name: name}, rest
	}
	return piece{text: text[:1], bad: true}, text[1:]
}

func (t *Template) decodeNode(d *decoder, n *yaml.Node, key string) {
	text, ok := d.prose(n, key)
	text = strings.TrimRight(text, " \t\n")
	subject, _, _ := strings.Cut(text, "\n")
	bad := func(what, fix string) { d.add(at(n), key+" "+what, fix) }
	switch {
	case !ok:
		return
	case len(n.Value) > maxTemplate:
		bad(fmt.Sprintf("is longer than %d bytes", maxTemplate), "shorten it")
		return
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		bad("holds a control character", "remove it; lines end as the file's lines do")
		return
	case n.Value != "" && strings.TrimSpace(subject) == "":
		bad("begins with an empty line, and the first line is the subject", "begin with the subject, such as {subject}")
		return
	}
	for rest := text; rest != ""; {
		var p piece
		if p, rest = cutPiece(rest); p.bad {
			bad("holds a brace that belongs to no name", "write {{ or }} for a brace itself; the names are {"+strings.Join(templateNames, "} {")+"}")
			return
		}
	}
	*t = Template(text)
}

// A prefix stands before the subject of a commit; it may be empty.
type prefix string

func (p *prefix) decodeNode(d *decoder, n *yaml.Node, key string) {
	text, ok := d.prose(n, key)
	switch {
	case !ok:
	case len([]rune(text)) > maxPrefix:
		d.add(at(n), fmt.Sprintf("%s is longer than %d characters", key, maxPrefix), `write a short one, such as "chore: "`)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		d.add(at(n), key+" holds a control character or a line break", "write it on one line, in characters that people can see")
	case strings.HasPrefix(text, " "):
		d.add(at(n), key+" begins with a blank, which Git takes away", `begin with a letter, such as "chore: "`)
	default:
		*p = prefix(text)
	}
}

// An author is "Name <address>"; it may be empty.
type author string

func (a *author) decodeNode(d *decoder, n *yaml.Node, key string) {
	text, ok := d.prose(n, key)
	if ok && text != "" && !isPerson(text) {
		d.add(at(n), key+" is not a name and an address", `write author: "Towpath <towpath@example.com>"`)
		return
	}
	*a = author(text)
}

// isPerson reports whether text can sign a commit.
func isPerson(text string) bool {
	name, address, ok := strings.Cut(text, " <")
	address, closed := strings.CutSuffix(address, ">")
	user, domain, at := strings.Cut(address, "@")
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	return ok && closed && at && user != "" && domain != "" && !strings.ContainsAny(address, "<> ") && !strings.Contains(domain, "@") &&
		name != "" && strings.TrimSpace(name) == name && !strings.ContainsAny(name, "<>") &&
		!strings.ContainsFunc(text, hidden) && len(name) <= maxPerson && len(address) <= maxPerson
}

// prose is the text that a node holds, of any length and in any number of lines.
func (d *decoder) prose(n *yaml.Node, key string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		d.add(at(n), key+" must be text", "put the value in quotes")
		return "", false
	}
	return n.Value, true
}

// A cronLine says when windows open.
type cronLine string

func (c *cronLine) set(text string) error {
	*c = cronLine(text)
	_, err := window.Parse(text, time.Hour, "")
	return inWords(err)
}

// A zone is the name of a time zone.
type zone string

func (z *zone) set(text string) error {
	*z = zone(text)
	_, err := window.Parse("0 0 * * *", time.Hour, text)
	return inWords(err)
}

// inWords is what package window says of a mistake: what is wrong, a semicolon, and what
// to write.
func inWords(err error) error {
	if err == nil {
		return nil
	}
	what, fix, ok := strings.Cut(err.Error(), "; ")
	if !ok {
		fix = `write such as cron: "0 8 * * 1-5", for: 9h, zone: Europe/Berlin`
	}
	return &wrong{"cannot be used: " + what, fix}
}
