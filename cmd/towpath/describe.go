package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// printDescriptions prints all that is known of the streams, or tags, that were
// named.
func (s *survey) printDescriptions(w io.Writer) {
	for i, n := range s.named {
		if i > 0 {
			fmt.Fprintln(w)
		}
		s.printStream(sheet{w, "", 18}, n)
		for _, v := range s.of(n.stream.Name) {
			fmt.Fprintf(w, "\n%s\n", v.Tag.Tag)
			s.printTag(sheet{w, "  ", 11}, n, v)
		}
	}
	if len(s.named) > 0 {
		fmt.Fprintln(w)
	}
}

// A sheet is keys with values below each other.
type sheet struct {
	w      io.Writer
	indent string
	width  int
}

// row prints a key and its values, each in a line; nothing where there is none.
func (s sheet) row(key string, values ...string) {
	for _, v := range values {
		fmt.Fprintf(s.w, "%s%-*s %s\n", s.indent, s.width, key, printable(v))
		key = ""
	}
}

func (s *survey) printStream(out sheet, n named) {
	stream := n.stream
	out.row("Name", stream.Name.Name)
	out.row("Namespace", stream.Name.Namespace)
	out.row("File", fmt.Sprintf("%s:%d", stream.Path, stream.Line))
	if !n.Created.IsZero() {
		out.row("Created", ago(n.Created, s.now))
	}
	out.row("Labels", pairsOf(n.Labels)...)
	out.row("Annotations", pairsOf(n.Annotations)...)
	out.row("Image repository", cmp.Or(printable(repositoryOf(stream, s.of(stream.Name))), "-"))
	if n.Public != "" {
		out.row("Public", printable(n.Public))
	}
	if repository := stream.Spec.Repository; repository != "" {
		out.row("Imports", fmt.Sprintf("the tags of %s, at most %d", printable(repository), stream.Settings.TagsCap))
	}
	if f := s.unlisted(stream.Name); f != nil {
		out.row("Import fails", s.metLine(f))
	}
	lookup := "local=false"
	if n.LocalLookup {
		lookup = "local=true: short names of its namespace mean it"
	}
	out.row("Image lookup", lookup)
	out.row("Unique images", fmt.Sprint(n.images()))
	out.row("Tags", fmt.Sprint(n.tags()))
	switch {
	case stream.Malformed:
		out.row("Malformed", "its status cannot be read: nothing follows from it")
	case stream.Settings.Paused:
		out.row("Paused", "by the repository's config: nothing is asked or written")
	}
}

// tags counts the tags of spec, and those that are only on record.
func (n named) tags() int {
	names := map[string]bool{}
	for _, t := range n.Spec.Tags {
		names[t.Name] = true
	}
	for _, name := range n.Spec.Broken {
		names[name] = true
	}
	for _, t := range n.Status.Tags {
		names[t.Tag] = true
	}
	return len(names)
}

// images counts the images of all histories.
func (n named) images() int {
	seen := map[string]bool{}
	for _, t := range n.Status.Tags {
		for _, item := range t.Items {
			seen[cmp.Or(item.Image, item.Reference)] = true
		}
	}
	return len(seen)
}

func (s *survey) printTag(out sheet, n named, v reconcile.TagView) {
	out.row("From", fromLine(v))
	if v.Policy != nil {
		out.row("Policy", printable(v.Policy.String()))
	}
	out.row("Options", optionsOf(n.stream, v)...)
	out.row("Resolved", resolvedLine(v)...)
	if a, coming := s.reviews.of(v); coming {
		out.row("In review", shortImage(printable(a.image))+" by "+a.page())
	}
	out.row("State", s.stateOf(v))
	out.row("Next due", s.due(v).sentence(v, s.now))
	if w := s.told.settling(v); w != nil {
		out.row("Settling", fmt.Sprintf("%s (%s) is recorded %s if it stands until then", printable(w.From), shortDigest(printable(w.Image)), ago(w.Until, s.now)))
	}
	if f := s.failure(v); f != nil {
		out.row("Fails", s.failureLine(v, f))
	}
	history := []string{}
	for i, item := range n.History(v.Tag.Tag) {
		mark := "  "
		if i == 0 {
			mark = "* "
		}
		history = append(history, mark+shortReference(item.Reference)+"  "+ago(item.Created, s.now))
	}
	if len(history) == 0 {
		history = []string{"none on record"}
	}
	out.row("Images", history...)
	var sites []string
	for _, site := range v.Sites {
		sites = append(sites, s.siteLine(site))
	}
	out.row("Followed by", sites...)
}

// fromLine says where a tag's image comes from.
func fromLine(v reconcile.TagView) string {
	from := printable(v.From)
	switch {
	case v.State == reconcile.Unusable:
		return "unknown: what spec says of it has a problem"
	case v.State == reconcile.FromPush:
		return "what is pushed to it"
	case v.Spec == nil && v.From != "":
		return "tag of the repository " + from + ", which is imported whole"
	case v.Spec == nil:
		return "nowhere: spec does not name it"
	case v.Spec.From.Kind == imagestream.ImageStreamTag:
		return "follows the tag " + v.Alias.String()
	case v.Spec.From.Kind == imagestream.ImageStreamImage:
		_, image, found := strings.Cut(from, "@")
		if !found {
			image = from
		}
		return "fixed to the image " + shortDigest(image) + " of " + v.Alias.Stream.String()
	case v.Spec.From.Kind == "":
		return "nowhere: it is pushed to"
	case v.Spec.Reference:
		return "reference to registry " + from + ", never imported"
	case v.Policy != nil:
		return "chosen among the tags of registry " + from
	case v.Scheduled:
		return "kept up to date from registry " + from
	}
	return "tagged from " + from
}

// optionsOf lists what is not as it is for most tags.
func optionsOf(stream *reconcile.Stream, v reconcile.TagView) []string {
	if v.Spec == nil {
		return nil
	}
	var options []string
	add := func(holds bool, format string, args ...any) {
		if holds {
			options = append(options, fmt.Sprintf(format, args...))
		}
	}
	t := v.Spec
	add(t.Insecure, "plain HTTP, or TLS that nobody verifies, is allowed")
	add(t.PreferOS != "" || t.PreferArch != "", "prefers the platform %s/%s", cmp.Or(printable(t.PreferOS), "*"), cmp.Or(printable(t.PreferArch), "*"))
	add(cmp.Or(t.ImportMode, stream.Settings.ImportMode) == imagestream.PreserveOriginal, "manifest lists are kept as they are")
	add(t.Local, "who follows it pulls through the stream's own repository")
	add(v.Settle > 0, "a new image must stand for %s before it is recorded", span(v.Settle))
	return options
}

// resolvedLine says what the newest image was resolved from, and what it says of
// its origin.
func resolvedLine(v reconcile.TagView) []string {
	if v.Source == nil {
		return nil
	}
	line := printable(v.Source.From)
	if v.Source.Platform != "" && v.Source.Mode == imagestream.Legacy {
		line += " for " + printable(v.Source.Platform)
	}
	lines := []string{line}
	l := v.Source.Labels
	for _, label := range []struct{ key, value string }{{"version", l.Version}, {"revision", l.Revision}, {"source", l.Source}, {"made", l.Created}} {
		if label.value != "" {
			lines = append(lines, label.key+" "+printable(label.value))
		}
	}
	return lines
}

// clutter are annotations that tell people nothing.
var clutter = []string{"kubectl.kubernetes.io/last-applied-configuration"}

// pairsOf lists labels or annotations, each cut to a line.
func pairsOf(m map[string]string) []string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if slices.Contains(clutter, key) {
			continue
		}
		line := []rune(printable(key + "=" + m[key]))
		if len(line) > 160 {
			line = append(line[:159], '…')
		}
		lines = append(lines, string(line))
	}
	return lines
}
