package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/towpath/towpath/imagestream"
)

// report prints a line an edit, and notes what follows from it elsewhere.
func (t *tagging) report(w io.Writer, d *tagDraft) {
	for i, e := range d.edits {
		ref := d.tags[i]
		old, now := tagIn(&d.docs[e.Stream], ref.Tag), tagIn(&d.edited.Streams[e.Stream], ref.Tag)
		at := fmt.Sprintf("%s:%d: %s", t.shown(d.path), lineOf(now, old, &d.docs[e.Stream]), ref)
		alone, _ := imagestream.EditSpec(d.file, e)
		switch {
		case bytes.Equal(alone.Src, d.file.Src):
			fmt.Fprintf(w, "%s is that already\n", at)
		case e.Delete:
			fmt.Fprintf(w, "%s dropped%s\n", at, recordOf(d.docs[e.Stream].Status.Tag(ref.Tag)))
			t.left(ref)
		default:
			fmt.Fprintf(w, "%s now from %s%s%s%s\n", at, fromWords(e.From), editWords(e, now), oldWords(old, e.From), droppedWords(d.edited.Dropped[i]))
		}
	}
}

func tagIn(d *imagestream.Document, name string) *imagestream.Tag {
	for i := range d.Spec.Tags {
		if d.Spec.Tags[i].Name == name {
			return &d.Spec.Tags[i]
		}
	}
	return nil
}

func lineOf(now, old *imagestream.Tag, d *imagestream.Document) int {
	switch {
	case now != nil:
		return now.Line
	case old != nil:
		return old.Line
	}
	return d.Line
}

// fromWords is a source as people name it, with its kind.
func fromWords(f imagestream.From) string {
	if f.Namespace != "" {
		return f.Kind + " " + f.Namespace + "/" + f.Name
	}
	return f.Kind + " " + f.Name
}

// editWords are what was said beside the source, as it stands in the file, and the policy
// that chooses where nobody spoke of it.
func editWords(e imagestream.TagEdit, now *imagestream.Tag) string {
	var b strings.Builder
	for _, f := range []struct {
		name  string
		value *bool
	}{{"reference", e.Reference}, {"insecure", e.Insecure}, {"scheduled", e.Scheduled}} {
		if f.value != nil {
			fmt.Fprintf(&b, ", %s: %t", f.name, *f.value)
		}
	}
	if e.ImportMode != "" {
		fmt.Fprintf(&b, ", importMode: %s", e.ImportMode)
	}
	if e.Local != nil {
		fmt.Fprintf(&b, ", referencePolicy: %s", map[bool]string{true: "Local", false: "Source"}[*e.Local])
	}
	for _, key := range []string{"policy", "match", "interval"} {
		if text, ok := e.Annotations[key]; ok {
			fmt.Fprintf(&b, ", %s: %s", key, text)
		}
	}
	if now.Policy != nil && e.Annotations["policy"] == "" {
		fmt.Fprintf(&b, ", chosen by its %s", now.Policy)
	}
	return b.String()
}

func oldWords(old *imagestream.Tag, now imagestream.From) string {
	switch {
	case old == nil:
		return " (new)"
	case old.From == now:
		return ""
	case old.From == imagestream.From{}:
		return " (was pushed to)"
	}
	return " (was " + fromWords(old.From) + ")"
}

func droppedWords(dropped []string) string {
	if len(dropped) == 0 {
		return ""
	}
	return ", without " + strings.Join(dropped, ", ")
}

func recordOf(record *imagestream.TagStatus) string {
	if record == nil || len(record.Items) == 0 {
		return ""
	}
	return " with " + count(len(record.Items), "image") + " on record"
}

// left says who follows a tag that was dropped.
func (t *tagging) left(ref imagestream.TagRef) {
	for _, site := range t.cat.Sites {
		if site.Follows == ref {
			t.note("%s:%d: %s follows %s: it keeps the image that it has", t.shown(site.Path), site.Line, site.ID, ref)
		}
	}
	for _, s := range t.cat.Streams {
		for _, tag := range s.Spec.Tags {
			if tag.From.Kind == imagestream.ImageStreamTag && t.sourceTag(tag.From, s.Name) == ref {
				t.note("%s:%d: tag %s of %s follows %s: it keeps the image that it has", t.shown(s.Path), tag.Line, tag.Name, s.Name, ref)
			}
		}
	}
	if s := t.cat.Stream(ref.Stream); s != nil && s.Spec.Repository != "" {
		t.note("%s: all tags of %s are imported: %s comes back if it is among them", t.shown(s.Path), s.Spec.Repository, ref)
	}
}
