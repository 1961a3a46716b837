package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// An importRow is what became of one tag that was asked for, or of the listing of a
// stream's repository.
type importRow struct {
	Tag     string `json:"tag"`               // NAMESPACE/STREAM:TAG; of a listing without the tag
	Image   string `json:"image,omitempty"`   // what it is
	News    string `json:"news,omitempty"`    // why that is another image than before; empty: it is not
	Reason  string `json:"reason,omitempty"`  // of a failure; then there is no image
	Message string `json:"message,omitempty"` // of the failure
	Fix     string `json:"fix,omitempty"`     // what to do about it, or about what the note says
	Note    string `json:"note,omitempty"`    // why there is neither an image nor a failure
}

func (r importRow) unasked() bool { return strings.HasPrefix(r.Note, unasked) }

// unasked is what the notes of tags begin with that nobody was asked for.
const unasked = "not asked: "

// text is the row for people.
func (r importRow) text() string {
	tag := printable(r.Tag)
	switch {
	case r.Reason != "":
		return fmt.Sprintf("%s: %s: %s\n  fix: %s\n", tag, printable(r.Reason), printable(r.Message), printable(r.Fix))
	case r.Note != "" && r.Fix != "":
		return fmt.Sprintf("%s: %s\n  fix: %s\n", tag, printable(r.Note), printable(r.Fix))
	case r.Note != "":
		return fmt.Sprintf("%s: %s\n", tag, printable(r.Note))
	case r.News != "":
		return fmt.Sprintf("%s: %s (%s)\n", tag, printable(r.Image), printable(r.News))
	}
	return fmt.Sprintf("%s: %s\n", tag, printable(r.Image))
}

func failedRow(tag string, a reconcile.Answer, r reconcile.Result) importRow {
	return importRow{Tag: tag, Reason: string(r.Err.Kind), Message: strings.TrimSpace(r.Err.Message), Fix: importFix(a, r)}
}

// importRows are the tags that were answered, and those that moved with them; said are the
// tags that they are about.
func importRows(rep reconcile.Report) (rows []importRow, said map[imagestream.TagRef]bool) {
	moved := map[imagestream.TagRef]bool{}
	for _, w := range rep.Planned {
		for _, s := range w.Streams {
			for _, e := range s.Events {
				moved[imagestream.TagRef{Stream: s.Stream.Name, Tag: e.Tag}] = e.Item != nil
			}
		}
	}
	settling := map[imagestream.TagRef]bool{}
	for _, s := range rep.Settling {
		settling[s.Tag] = true
	}
	said = map[imagestream.TagRef]bool{}
	for _, ans := range rep.Answers {
		if ans.Err != nil {
			rows = append(rows, failedRow(ans.Target.Stream.String(), ans, reconcile.Result{Err: ans.Err}))
		}
		for _, res := range ans.Results {
			tag := imagestream.TagRef{Stream: ans.Target.Stream, Tag: res.Tag}
			said[tag] = true
			switch {
			case settling[tag]: // said elsewhere
			case res.Err != nil:
				rows = append(rows, failedRow(tag.String(), ans, res))
			case moved[tag]:
				rows = append(rows, importRow{Tag: tag.String(), Image: res.Image, News: "new"})
			default:
				rows = append(rows, importRow{Tag: tag.String(), Image: res.Image})
			}
		}
		if ans.LeftOut > 0 {
			rows = append(rows, importRow{Tag: ans.Target.Stream.String(), Note: fmt.Sprintf("%s left out; raise tags-cap in %s", count(ans.LeftOut, "tag"), reconcile.ConfigPath)})
		}
	}
	for _, w := range rep.Planned {
		for _, s := range w.Streams {
			for _, e := range s.Events {
				if tag := (imagestream.TagRef{Stream: s.Stream.Name, Tag: e.Tag}); e.Item != nil && !said[tag] {
					said[tag] = true
					rows = append(rows, importRow{Tag: tag.String(), Image: cmp.Or(e.Item.Image, e.Item.Reference), News: newsOf(s.Stream, e.Tag)})
				}
			}
		}
	}
	return rows, said
}

// unaskedRows say of the tags that were named, and of streams of which no tag was asked
// for, why that is, and what would move them.
func unaskedRows(cat *reconcile.Catalog, rep reconcile.Report, hints []reconcile.Hint, said map[imagestream.TagRef]bool) []importRow {
	var rows []importRow
	views := map[imagestream.TagRef]reconcile.TagView{}
	for _, v := range cat.Tags() {
		views[v.Tag] = v
	}
	for _, h := range hints {
		target := imagestream.TagRef{Stream: h.Stream, Tag: h.Tag}
		if said[target] || wasAsked(target, views, rep.Answers) {
			continue
		}
		for _, v := range selected(cat, []imagestream.TagRef{target}) {
			if !said[v.Tag] {
				row := importRow{Tag: v.Tag.String(), Note: unasked + whyUnasked(v, views)}
				if v.State == reconcile.Paused {
					row.Fix = unpause(cat.Config.PausedBy(cat.Stream(v.Tag.Stream).Path, v.Tag.Stream.Namespace))
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// wasAsked reports whether one of the answers is about what a target names.
func wasAsked(target imagestream.TagRef, views map[imagestream.TagRef]reconcile.TagView, answers []reconcile.Answer) bool {
	for _, ans := range answers {
		if ans.Target.Stream == target.Stream && (target.Tag == "" || ans.Target.Tag == target.Tag || ans.Target.Tag == "" && views[target].Spec == nil) {
			return true
		}
	}
	return false
}

// failing reports whether one of the rows is for a person to see to: a failure, or what is paused.
func failing(rows []importRow) bool {
	for _, r := range rows {
		if r.Reason != "" || r.Fix != "" {
			return true
		}
	}
	return false
}
