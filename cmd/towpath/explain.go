package main

import (
	"fmt"
	"io"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// explainJSON is a tag in plan --explain: what is on record, what was said, and
// why.
type explainJSON struct {
	Tag        string          `json:"tag"`
	State      string          `json:"state"`
	Record     string          `json:"record,omitempty"`    // image on record
	Image      string          `json:"image,omitempty"`     // that the registry says
	Reason     string          `json:"reason,omitempty"`    // of a failure
	Message    string          `json:"message,omitempty"`   // …and its text
	Alias      string          `json:"alias,omitempty"`     // the tag that it is, or the stream whose image it is
	Artifact   bool            `json:"artifact,omitempty"`  // what the registry has is no image
	Reference  bool            `json:"reference,omitempty"` // taken as it is written
	Policy     string          `json:"policy,omitempty"`
	Chosen     string          `json:"chosen,omitempty"` // tag of the repository
	Why        string          `json:"why,omitempty"`    // …this one, or none
	Passed     []rejectionJSON `json:"passed,omitempty"`
	PassedOver int             `json:"passedOver,omitempty"` // how many in all
	Settling   *settlingJSON   `json:"settling,omitempty"`
}

type rejectionJSON struct {
	Tag string `json:"tag"`
	Why string `json:"why"`
}

// explain says of every tag what is on record, and why nothing or something is
// done about it.
func explain(rep reconcile.Report, cat *reconcile.Catalog) []explainJSON {
	said := map[imagestream.TagRef]reconcile.Result{}
	for _, a := range rep.Answers {
		for _, r := range append(a.Artifacts, a.Results...) {
			said[imagestream.TagRef{Stream: a.Target.Stream, Tag: r.Tag}] = r
		}
	}
	settling := map[imagestream.TagRef]*settlingJSON{}
	for _, w := range rep.Settling {
		settling[w.Tag] = &settlingJSON{w.Tag.String(), w.From, w.Image, w.Until.UTC()}
	}
	out := []explainJSON{}
	for _, v := range cat.Tags() {
		e := explainJSON{Tag: v.Tag.String(), State: string(v.State), Settling: settling[v.Tag], Reference: v.Spec != nil && v.Spec.Reference}
		if v.Item != nil {
			e.Record = v.Item.Image
		}
		if v.Alias.Stream.Name != "" {
			e.Alias = v.Alias.String()
		}
		if v.Policy != nil {
			e.Policy = v.Policy.String()
		}
		if r, ok := said[v.Tag]; ok {
			e.heard(r)
		}
		out = append(out, e)
	}
	return out
}

// heard takes in what the registry said.
func (e *explainJSON) heard(r reconcile.Result) {
	e.Image, e.Chosen, e.Why, e.PassedOver = r.Image, r.Upstream, r.Why, r.PassedOver
	e.Artifact = r.Err == nil && r.Image == ""
	if r.Err != nil {
		e.Reason, e.Message = string(r.Err.Kind), r.Err.Message
	}
	for _, p := range r.Passed {
		e.Passed = append(e.Passed, rejectionJSON{p.Tag, p.Why})
	}
}

// printExplained prints a line a tag and, where a policy chose, how.
func printExplained(w io.Writer, es []explainJSON) {
	for _, e := range es {
		record := "nothing is on record"
		if e.Record != "" {
			record = "on record is " + shortDigest(printable(e.Record))
		}
		fmt.Fprintf(w, "%s: %s; %s; %s\n", e.Tag, e.State, record, printable(e.answer()))
		if e.Policy != "" {
			fmt.Fprintf(w, "  policy: %s\n", printable(e.Policy))
		}
		switch {
		case e.Chosen != "":
			fmt.Fprintf(w, "  chosen: %s: %s\n", printable(e.Chosen), printable(e.Why))
		case e.Why != "" && e.Why != e.Message:
			fmt.Fprintf(w, "  none chosen: %s\n", printable(e.Why))
		}
		for _, p := range e.Passed {
			fmt.Fprintf(w, "  passed over: %s: %s\n", printable(p.Tag), printable(p.Why))
		}
		if more := e.PassedOver - len(e.Passed); more > 0 {
			fmt.Fprintf(w, "  passed over: %d more\n", more)
		}
	}
}

func (e *explainJSON) answer() string {
	switch {
	case e.Reason != "":
		return e.Reason + ": " + e.Message
	case e.Artifact:
		return "what the registry has is no image"
	case e.Image != "":
		return "the registry says " + shortDigest(e.Image)
	case e.State == string(reconcile.FromPush):
		return "it is what was pushed to it"
	case e.Alias != "":
		return "it is what " + e.Alias + " is"
	case e.Reference:
		return "it is taken as it is written"
	}
	return "not asked"
}

// printSettling prints a line for each image that must stand unchanged before it
// is recorded.
func printSettling(w io.Writer, rep reconcile.Report) {
	for _, s := range rep.Settling {
		fmt.Fprintln(w, "settling: "+settlingLine(s))
	}
}

// printLeft says what a command that ends does not record. It cannot wait as the daemon
// does, and takes the image's own word for its age.
func printLeft(w io.Writer, rep reconcile.Report) {
	for _, s := range rep.Settling {
		fmt.Fprintf(w, "settling: %s: %s (%s) is not recorded yet, for it must stand unchanged first: ask again after %s, or leave it to towpath run, which need not know when it was made\n",
			s.Tag, printable(s.From), shortDigest(s.Image), s.Until.UTC().Format(time.RFC3339))
	}
}

func settlingLine(s reconcile.Settling) string {
	return fmt.Sprintf("%s: %s (%s) is recorded after %s if the tag is still that image then",
		s.Tag, printable(s.From), shortDigest(s.Image), s.Until.UTC().Format(time.RFC3339))
}
