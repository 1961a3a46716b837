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
	body, err := json.Marshal(map[string]string{"text": Line(e)})
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

// Line is an event for people in a chat. Texts of strangers in it neither call anybody nor lead
// anywhere.
func Line(e Event) string {
	text, url := lineOf(e)
	text = bare.ReplaceAllString(text, "${1}"+gap+"${2}")
	if pageForm.MatchString(url) {
		text += " " + url
	}
	return text
}

// lineOf is the text for people, and the address where they read on.
func lineOf(e Event) (text, url string) {
	switch d := e.Data.(type) {
	case ImageRecorded:
		line := fmt.Sprintf("%s is %s", inert(d.Tag), inert(imageOf(d.Source, d.Image, d.Reference)))
		if d.Previous != "" {
			line += ", was " + inert(short(d.Previous))
		}
		return line + by(d.Commit, d.Proposal), ""
	case SiteFollowed:
		return fmt.Sprintf("%s:%d: %s follows %s: %s", inert(d.Path), d.Line, inert(d.Site), inert(d.Tag), inert(short(d.Image))) + by(d.Commit, d.Proposal), ""
	case ImportFailing:
		return fmt.Sprintf("%s fails (%s): %s", inert(d.Tag), inert(d.Reason), inert(d.Message)), ""
	case ImportRecovered:
		return fmt.Sprintf("%s is imported again%s", inert(d.Tag), by(d.Commit, 0)), ""
	case ProposalNews:
		return proposalLine(d), d.URL
	case SiteHeld:
		return heldLine(d), d.URL
	}
	return inert(e.Type + " " + e.Subject), ""
}

func proposalLine(d ProposalNews) string {
	name := "branch " + inert(d.Branch)
	if d.Number != 0 {
		name = fmt.Sprintf("proposal %d", d.Number)
	}
	line := fmt.Sprintf("%s %s: %s", name, inert(d.State), inert(d.Title))
	if d.Why != "" {
		line += " (" + inert(d.Why) + ")"
	}
	return line
}

func heldLine(d SiteHeld) string {
	line := fmt.Sprintf("%s:%d: %s stays, and does not follow %s to %s (%s)", inert(d.Path), d.Line, inert(d.Site), inert(d.Tag), inert(short(d.Image)), inert(d.Why))
	if d.Commit != "" {
		line += ": commit " + inert(short(d.Commit))
		if d.Subject != "" {
			line += ", " + inert(d.Subject)
		}
	}
	return line
}

// pageForm is an address that no chat can read anything else into.
var pageForm = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%+/-]*)?(#[A-Za-z0-9_-]*)?$`)

// imageOf is an image as people call it: by the reference that it came from, with its digest in short.
func imageOf(source, image, reference string) string {
	name := cmp.Or(source, reference)
	if digest := short(image); digest != "" && !strings.Contains(name, "@") {
		return name + " (" + digest + ")"
	}
	return short(name)
}

// short cuts hashes, which nobody reads, to twelve digits.
func short(text string) string { return longHash.ReplaceAllString(text, "$1") }

var longHash = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{28,}\b`)

func by(commit string, proposal int) string {
	switch {
	case proposal != 0:
		return fmt.Sprintf(" (proposal %d)", proposal)
	case commit != "":
		return " (commit " + inert(short(commit)) + ")"
	}
	return ""
}

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
