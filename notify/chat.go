package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// A Chat posts events as lines to an incoming webhook of Slack, Mattermost or Rocket.Chat.
type Chat struct {
	Endpoint
	Place
	client *http.Client
}

// NewChat reads no secret yet.
func NewChat(c Chat) (*Chat, error) {
	client, err := newClient(c.CAFile)
	c.client = client
	return &c, err
}

// Send is Sink's.
func (c *Chat) Send(ctx context.Context, e Event) error {
	to, err := c.address()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"text": c.Line(e)})
	if err != nil {
		return &Error{What: "the line cannot be written as JSON", Final: true}
	}
	return c.post(ctx, c.client, to, body, http.Header{"Content-Type": {"application/json"}})
}

// Unready is all that keeps events from being sent, as its file is now.
func (c *Chat) Unready() []error {
	if _, err := c.address(); err != nil {
		return []error{err}
	}
	return nil
}

// A Place is where events are from, as people are told it.
type Place struct {
	Name string                     // of the repository and its branch
	Page func(commit string) string // a forge's page; empty where none is known, as without the function
}

// Line is an event for people in a chat. Texts of strangers in it neither call anybody nor lead
// anywhere; links are to pages of the operator's forge.
func (p Place) Line(e Event) string {
	l := line{page: p.Page}
	text := l.text(e)
	if p.Name != "" {
		text = inert(p.Name) + ": " + text
	}
	text = unbare(text)
	for _, link := range l.links {
		text = strings.Replace(text, linked, link, 1)
	}
	return text
}

// A line is being written. Its links stand beside it, in order, so that nothing is changed in them;
// linked is where each goes, which no text of others has.
type line struct {
	page  func(commit string) string
	links []string
}

const linked = "\x00"

// link is text that leads somewhere, in Slack's form, which Mattermost and Rocket.Chat know, too.
func (l *line) link(url, text string) string {
	if !pageForm.MatchString(url) {
		return inert(text)
	}
	l.links = append(l.links, "<"+url+"|"+unbare(inert(text))+">")
	return linked
}

func (l *line) text(e Event) string {
	switch d := e.Data.(type) {
	case ImageRecorded:
		text := fmt.Sprintf("%s is %s", inert(d.Tag), inert(imageOf(d.Source, d.Image, d.Reference)))
		if d.Previous != "" {
			text += ", was " + inert(short(d.Previous))
		}
		return text + l.by(d.Commit, d.Proposal, d.Page)
	case SiteFollowed:
		return fmt.Sprintf("%s:%d: %s follows %s: %s", inert(d.Path), d.Line, inert(d.Site), inert(d.Tag), inert(imageOf(d.Image, "", ""))) + l.by(d.Commit, d.Proposal, d.Page)
	case ImportFailing:
		return fmt.Sprintf("%s fails (%s): %s", inert(d.Tag), inert(d.Reason), inert(d.Message))
	case ImportRecovered:
		return fmt.Sprintf("%s is imported again%s", inert(d.Tag), l.by(d.Commit, 0, ""))
	case ProposalNews:
		return l.proposal(d)
	case SiteHeld:
		return l.held(d)
	}
	return inert(e.Type + " " + e.Subject)
}

func (l *line) proposal(d ProposalNews) string {
	name := "branch " + d.Branch
	if d.Number != 0 {
		name = fmt.Sprintf("proposal %d", d.Number)
	}
	text := fmt.Sprintf("%s %s: %s", l.link(d.URL, name), inert(d.State), inert(d.Title))
	if d.Why != "" {
		text += " (" + inert(d.Why) + ")"
	}
	return text
}

func (l *line) held(d SiteHeld) string {
	text := fmt.Sprintf("%s:%d: %s stays, and does not follow %s to %s (%s)", inert(d.Path), d.Line, inert(d.Site), inert(d.Tag), inert(imageOf(d.Image, "", "")), inert(d.Why))
	if d.Commit != "" {
		text += ": commit " + l.commit(d.Commit)
		if d.Subject != "" {
			text += ", " + inert(d.Subject)
		}
	}
	if d.URL != "" {
		text += ": " + l.link(d.URL, "the proposal")
	}
	return text
}

func (l *line) commit(rev string) string {
	url := ""
	if l.page != nil {
		url = l.page(rev)
	}
	return l.link(url, short(rev))
}

func (l *line) by(commit string, proposal int, page string) string {
	switch {
	case proposal != 0:
		return " (" + l.link(page, fmt.Sprintf("proposal %d", proposal)) + ")"
	case commit != "":
		return " (commit " + l.commit(commit) + ")"
	}
	return ""
}

// pageForm is an address that no chat can read anything else into.
var pageForm = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%+/-]*)?(#[A-Za-z0-9_-]*)?$`)

// imageOf is an image as people call it: by the reference that it came from, which they can paste,
// with its digest in short behind it.
func imageOf(source, image, reference string) string {
	name, digest, _ := strings.Cut(cmp.Or(source, reference), "@")
	if digest = short(cmp.Or(image, digest)); digest != "" {
		return name + " (" + digest + ")"
	}
	return name
}

// short cuts hashes, which nobody reads, to twelve digits.
func short(text string) string { return longHash.ReplaceAllString(text, "$1") }

var longHash = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{28,}\b`)

// mostText is how many characters of one text of others a line holds.
const mostText = 300

// inert is text of others for a chat: escaped as Slack wants it, and with a gap that nobody sees
// wherever Slack, Mattermost or Rocket.Chat would call somebody, or make a link or a picture.
func inert(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > mostText {
		text = string(runes[:mostText]) + "…"
	}
	return gaps.Replace(text)
}

const gap = "\u200b"

var (
	gaps = strings.NewReplacer(
		"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@"+gap, "://", ":"+gap+"//", "](", "]"+gap+"(", "][", "]"+gap+"[",
	)
	// bare is what is made a link although it is none.
	bare = regexp.MustCompile(`(?i)(www\d{0,3}|mailto|tel|xmpp)([.:])`)
)

func unbare(text string) string { return bare.ReplaceAllString(text, "${1}"+gap+"${2}") }
