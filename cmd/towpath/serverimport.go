package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// importPrefix is where imports are asked for: POST /import/[NAMESPACE/]STREAM[:TAG].
const importPrefix = "/import/"

// importTime is how long an import that was asked for is waited for; importsAtOnce is how
// many are. Nothing is wanted in a body, and importBody is how much of one is passed over.
const (
	importTime    = time.Minute
	importsAtOnce = 64
	importBody    = 64 << 10
)

// An importAnswer is what a daemon says to a person who asked for an import.
type importAnswer struct {
	Tags     []importRow    `json:"tags"`
	Commits  []importCommit `json:"commits,omitempty"`
	Notes    []string       `json:"notes,omitempty"`    // what else there is to know of it
	Problems []string       `json:"problems,omitempty"` // of the files
	Failed   bool           `json:"failed"`             // an import failed, what was asked for is paused, or there are problems
	Error    string         `json:"error,omitempty"`    // nothing was imported, or not yet
	Fix      string         `json:"fix,omitempty"`      // of that, or of a repository that is paused
}

type importCommit struct {
	Rev     string `json:"rev"`
	Subject string `json:"subject"`
}

// An importer lets people ask a running daemon for an import. What they name is a hint to
// the walker; the passes that follow are watched until they have dealt with it.
type importer struct {
	app      *app
	hint     func(reconcile.Hint) bool
	awaiting func(reconcile.Hint) bool
	catalog  func() *reconcile.Catalog // called by passed alone

	mu      sync.Mutex
	read    *reconcile.Catalog // only compared
	streams []imagestream.Name // nil: nothing was read yet
	at      string             // the commit that they are of
	errands map[*errand]bool
}

// An errand is one import that somebody waits for.
type errand struct {
	hint  reconcile.Hint
	heard bool             // the walker knows
	rep   reconcile.Report // of the passes since, joined
	why   error            // why it takes long
	done  chan importReply // capacity 1
}

type importReply struct {
	code int
	importAnswer
}

func newImporter(a *app, r *reconcile.Reconciler) *importer {
	return &importer{app: a, hint: r.Hint, awaiting: r.Awaits, catalog: r.Catalog, errands: map[*errand]bool{}}
}

// ServeHTTP takes one request of somebody who may ask, and answers it when it is dealt with.
func (im *importer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := im.serve(r)
	answerPost(w, reply.code, reply.importAnswer)
}

func (im *importer) serve(r *http.Request) importReply {
	if _, err := io.CopyN(io.Discard, r.Body, importBody+1); err == nil { // unread, it would hide that the sender has gone
		return refusal(http.StatusRequestEntityTooLarge, hint{errors.New("the body is too large"), "send none"})
	}
	e, refused := im.begin(strings.TrimPrefix(r.URL.Path, importPrefix))
	if e == nil {
		return refused
	}
	defer im.end(e)
	if !im.hint(e.hint) {
		return refusal(http.StatusServiceUnavailable, hint{errors.New("too much is asked at once"), "try again in a moment"})
	}
	late := time.NewTimer(importTime)
	defer late.Stop()
	select {
	case reply := <-e.done:
		return reply
	case <-late.C:
	case <-r.Context().Done():
	}
	return im.later(e)
}

// begin notes what is asked for; nil where nothing can come of it.
func (im *importer) begin(arg string) (*errand, importReply) {
	im.mu.Lock()
	defer im.mu.Unlock()
	switch {
	case im.read == nil:
		return nil, refusal(http.StatusServiceUnavailable, hint{errors.New("the daemon has not read the repository yet"), "try again in a moment; its log says what it waits for"})
	case len(im.errands) >= importsAtOnce:
		return nil, refusal(http.StatusServiceUnavailable, hint{errors.New("too many imports are under way"), "try again in a moment"})
	}
	name, tag, _ := strings.Cut(arg, ":")
	stream, err := streamNamed(im.streams, im.at, name)
	if err != nil {
		return nil, refusal(http.StatusNotFound, err)
	}
	e := &errand{hint: reconcile.Hint{Stream: stream, Tag: tag, Force: true}, done: make(chan importReply, 1)}
	im.errands[e] = true
	return e, importReply{}
}

func (im *importer) end(e *errand) {
	im.mu.Lock()
	defer im.mu.Unlock()
	delete(im.errands, e)
}

// later is the answer to what takes too long: it goes on, and nobody waits for it.
func (im *importer) later(e *errand) importReply {
	im.mu.Lock()
	defer im.mu.Unlock()
	why := "the registry has not answered yet"
	if e.why != nil {
		why = e.why.Error()
	}
	return importReply{http.StatusAccepted, importAnswer{Tags: []importRow{}, Error: "the import goes on, but takes long: " + why, Fix: "towpath status says what becomes of it"}}
}

// passed is called after each pass, by the walker.
func (im *importer) passed(rep reconcile.Report) {
	im.mu.Lock()
	defer im.mu.Unlock()
	cat := im.catalog()
	if cat != nil && cat != im.read {
		im.read, im.at, im.streams = cat, cat.Rev.Short(), make([]imagestream.Name, 0, len(cat.Streams))
		for _, s := range cat.Streams {
			im.streams = append(im.streams, s.Name)
		}
	}
	for e := range im.errands {
		if reply, done := im.follow(e, cat, rep); done {
			select {
			case e.done <- reply:
			default: // it was answered
			}
		}
	}
}

// follow takes a pass into account, and reports whether the errand is done with it.
func (im *importer) follow(e *errand, cat *reconcile.Catalog, rep reconcile.Report) (importReply, bool) {
	if rep.Cut {
		e.why = rep.Err
		return importReply{}, false
	}
	e.heard = e.heard || slices.Contains(rep.Heard, e.hint)
	if !e.heard {
		return importReply{}, false
	}
	target := imagestream.TagRef{Stream: e.hint.Stream, Tag: e.hint.Tag}
	if cat.Stream(target.Stream) == nil { // it went meanwhile
		_, err := streamNamed(im.streams, im.at, target.Stream.String())
		return refusal(http.StatusNotFound, err), true
	}
	if err := checkTag(cat, target.Stream, target.Tag); err != nil {
		return refusal(http.StatusNotFound, err), true
	}
	e.rep.Answers = append(e.rep.Answers, rep.Answers...)
	e.rep.Planned = append(e.rep.Planned, rep.Planned...)
	e.rep.Commits = append(e.rep.Commits, rep.Commits...)
	if e.why = rep.Waits; im.awaiting(e.hint) {
		return importReply{}, false
	}
	answers, planned, commits := e.rep.Answers, e.rep.Planned, e.rep.Commits
	e.rep = rep
	e.rep.Answers, e.rep.Planned, e.rep.Commits = answers, planned, commits
	return importReply{http.StatusOK, im.app.answer(cat, e.rep, e.hint)}, true
}

// answer is what a person hears who asked for one stream or tag of it.
func (a *app) answer(cat *reconcile.Catalog, rep reconcile.Report, h reconcile.Hint) importAnswer {
	rep = about(cat, rep, h)
	rows, said := importRows(rep)
	answer := importAnswer{Tags: rows}
	if why, fix := nothingAsked(rep); why != "" {
		answer.Notes, answer.Fix = append(answer.Notes, why), fix
	} else {
		answer.Tags = append(answer.Tags, unaskedRows(cat, rep, []reconcile.Hint{h}, said)...)
	}
	for _, c := range rep.Commits {
		answer.Commits = append(answer.Commits, importCommit{string(c.Rev), c.Subject})
	}
	var notes, problems bytes.Buffer
	a.printDid(&notes, rep)
	printLeft(&notes, rep)
	printProblems(&problems, rep.Problems)
	answer.Notes = append(answer.Notes, linesIn(notes.String())...)
	answer.Problems = linesIn(problems.String())
	answer.Failed = failing(answer.Tags) || answer.Fix != "" || len(rep.Bad()) > 0
	if answer.Tags == nil {
		answer.Tags = []importRow{}
	}
	return answer
}

// about keeps of a report what is about a hint: passes of a daemon do a lot besides.
func about(cat *reconcile.Catalog, rep reconcile.Report, h reconcile.Hint) reconcile.Report {
	s := cat.Stream(h.Stream)
	spec := func(tag string) *imagestream.Tag {
		i := slices.IndexFunc(s.Spec.Tags, func(t imagestream.Tag) bool { return t.Name == tag })
		if i < 0 {
			return nil
		}
		return &s.Spec.Tags[i]
	}
	rep.Answers = slices.DeleteFunc(slices.Clone(rep.Answers), func(ans reconcile.Answer) bool {
		listed := ans.Target.Tag == "" && spec(h.Tag) == nil
		return ans.Target.Stream != h.Stream || h.Tag != "" && ans.Target.Tag != h.Tag && !listed
	})
	rep.Planned = slices.Clone(rep.Planned)
	for i := range rep.Planned {
		w := &rep.Planned[i]
		w.Streams = slices.DeleteFunc(slices.Clone(w.Streams), func(m reconcile.StatusChange) bool { return m.Stream.Name != h.Stream })
	}
	rep.Settling = slices.DeleteFunc(slices.Clone(rep.Settling), func(w reconcile.Settling) bool { return w.Tag.Stream != h.Stream })
	rep.Problems = problemsFor(cat, []reconcile.Hint{h}, rep.Problems)
	return rep
}

func linesIn(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

func refusal(code int, err error) importReply {
	e := (*exit)(nil)
	if errors.As(err, &e) && e.cause != nil {
		err = e.cause
	}
	return importReply{code, importAnswer{Tags: []importRow{}, Failed: true, Error: fmt.Sprint(err), Fix: fixOf(err)}}
}
