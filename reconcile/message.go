package reconcile

import (
	"fmt"
	"strings"

	"github.com/towpath/towpath/imagestream"
)

// listedLines is how many changes a commit message lists before it counts.
const listedLines = 100

// Subject is the first line of a commit's message.
func (w Write) Subject() string {
	subject, _, _ := strings.Cut(w.Commit.Message, "\n")
	return subject
}

// message says what a commit does: for people first, then trailers for
// machines. Text that came from files or registries is made inert, and the
// trailers stand in a paragraph that nothing else can reach.
func (w Write) message() string {
	if w.Kind == StatusCommit {
		return headline(w.prefix, statusMessage(w.Streams))
	}
	return headline(w.prefix, triggerMessage(w.Sites, w.voice))
}

// headline puts a prefix before a message, whose first line it becomes part of.
func headline(prefix, message string) string {
	subject, rest, _ := strings.Cut(message, "\n")
	return inertLine(prefix+subject) + "\n" + rest
}

func statusMessage(changes []StatusChange) string {
	var moved, failing, lines []string
	leftOut := 0
	for _, c := range changes {
		leftOut += c.LeftOut
		for _, e := range c.Events {
			tag := imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag}.String()
			switch {
			case e.Failure != nil:
				failing = append(failing, fmt.Sprintf("%s fails (%s)", tag, e.Failure.Reason))
				lines = append(lines, fmt.Sprintf("%s fails: %s, %s", inert(tag), e.Failure.Reason, inertLine(e.Failure.Message)))
			case e.Item != nil:
				from := sourceOf(c.Stream, e)
				moved = append(moved, fmt.Sprintf("%s is %s%s", tag, from, inBrackets(short(e.Item.Image))))
				lines = append(lines, inert(tag)+" is "+strings.Join(nonEmpty(inertLine(from), e.Item.Image), ", ")+wasOf(c.Stream, e)+originOf(e))
			default:
				lines = append(lines, inert(tag)+" works again")
			}
		}
	}
	var b strings.Builder
	switch {
	case len(moved) == 1 && len(failing) == 0:
		b.WriteString("status: " + inertLine(moved[0]))
	case len(moved) == 0 && len(failing) == 1:
		b.WriteString("status: " + inertLine(failing[0]))
	case len(lines) == 1:
		b.WriteString("status: " + lines[0])
	case len(moved) == 0 && len(failing) == 0:
		b.WriteString("status: " + count(len(lines), "import") + " work again")
	default:
		b.WriteString("status: " + strings.Join(nonEmpty(part(moved, "tag", "moved"), part(failing, "import", "failing")), ", "))
	}
	b.WriteString("\n\n")
	list(&b, lines)
	if leftOut > 0 {
		fmt.Fprintf(&b, "%s left out by the repository cap\n", count(leftOut, "tag"))
	}
	fmt.Fprintf(&b, "\nTowpath-Commit: %s\n", StatusCommit)
	for _, t := range []struct {
		key   string
		count int
	}{{"Towpath-Moved", len(moved)}, {"Towpath-Failing", len(failing)}, {"Towpath-Left-Out", leftOut}} {
		if t.count > 0 {
			fmt.Fprintf(&b, "%s: %d\n", t.key, t.count)
		}
	}
	return b.String()
}

// sourceOf is where an image came from, as written in the file.
func sourceOf(s *Stream, e imagestream.Event) string {
	if e.Source != nil {
		return e.Source.From
	}
	t := s.specTag(e.Tag)
	if t == nil || t.From.Kind == "" {
		return "what was pushed"
	}
	a, _ := aliasOf(s, t)
	switch {
	case a.image != "":
		return a.source.Stream.String() + "@" + a.image
	case a.source.Tag != "":
		return a.source.String()
	}
	return t.From.Name + " as it is written"
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// originOf is what an image says of its origin, where that is on record.
func originOf(e imagestream.Event) string {
	if e.Source == nil {
		return ""
	}
	l := e.Source.Labels
	var words []string
	for _, w := range [][2]string{{"version", l.Version}, {"revision", l.Revision}, {"source", l.Source}} {
		if w[1] != "" {
			words = append(words, w[0]+" "+inert(w[1]))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "; " + strings.Join(words, ", ")
}

func wasOf(s *Stream, e imagestream.Event) string {
	if st := s.record(e.Tag); st != nil && len(st.Items) > 0 && st.Items[0].Image != e.Item.Image && st.Items[0].Image != "" {
		return " (was " + short(inert(st.Items[0].Image)) + ")"
	}
	return ""
}

func list(b *strings.Builder, lines []string) {
	for _, l := range lines[:min(len(lines), listedLines)] {
		b.WriteString(l + "\n")
	}
	if more := len(lines) - listedLines; more > 0 {
		fmt.Fprintf(b, "and %d more\n", more)
	}
}

func part(of []string, noun, verb string) string {
	if len(of) == 0 {
		return ""
	}
	return count(len(of), noun) + " " + verb
}

func nonEmpty(parts ...string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// short is a digest as people compare it.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }
