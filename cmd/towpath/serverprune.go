package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/integrated"
)

// prunePath is where pruning is asked for: POST /prune?confirm=true.
const prunePath = "/prune"

// pruneAsking is how long a person waits for it: much may have to be deleted.
const pruneAsking = time.Hour

// lookTime is how long a pass that looks at Git is waited for.
const lookTime = time.Minute

// A pruneAnswer is what a daemon says to a person who asks it to prune.
type pruneAnswer struct {
	*integrated.PruneReport
	Error string `json:"error,omitempty"`
	Fix   string `json:"fix,omitempty"`
}

var errRehearses = hint{errors.New("the daemon is on a dry run, and deletes nothing"), "leave out --confirm, or ask it when it runs without --dry-run"}

// A sweeper lets people ask a running daemon to prune the registry that it serves.
type sweeper struct {
	log   *slog.Logger
	prune func(context.Context, integrated.PruneRules, bool) (integrated.PruneReport, error) // nil: it serves no registry
}

// over makes it one of a registry and of what the walker reads. It is called before it serves.
// What people commit until they ask counts: a pass looks at Git before anything is judged. That is
// waited for before pushes are held off; what passes read meanwhile counts, too.
func (s *sweeper) over(reg *integrated.Registry, r *reconcile.Reconciler) {
	record := pruneRecord(func(ctx context.Context) (*reconcile.Ledger, error) { return r.Shelf().Ledger(ctx) })
	s.prune = func(ctx context.Context, rules integrated.PruneRules, confirm bool) (integrated.PruneReport, error) {
		if confirm && r.Dry {
			return integrated.PruneReport{}, errRehearses
		}
		if r.Shelf() == nil {
			return integrated.PruneReport{}, hint{errors.New("the daemon has not read the repository yet"), "try again in a moment; its log says what it waits for"}
		}
		looking, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		if _, err := r.Fresh(looking); err != nil {
			return integrated.PruneReport{}, hint{fmt.Errorf("nothing was deleted: %w", err), "see what its log says of the repository, put that right, then try again"}
		}
		return reg.Prune(ctx, record, rules, confirm)
	}
}

func (s *sweeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	// It may take longer than anything else here; whoever has the token may wait.
	code, answer := s.serve(r, func() { _, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}) })
	answerPost(w, code, answer)
}

func (s *sweeper) serve(r *http.Request, patience func()) (int, pruneAnswer) {
	no := func(code int, err error) (int, pruneAnswer) {
		return code, pruneAnswer{Error: fmt.Sprint(err), Fix: fixOf(err)}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return no(http.StatusBadRequest, errors.New("the query cannot be read"))
	}
	rules, confirm, err := integrated.ParsePrune(query)
	if err != nil {
		return no(http.StatusBadRequest, err)
	}
	if s.prune == nil {
		return no(http.StatusNotFound, hint{errors.New("this daemon serves no registry"), "ask the one that does, or name the storage: towpath prune --storage DIR"})
	}
	patience()
	report, err := s.prune(r.Context(), rules, confirm)
	switch {
	case integrated.PushesGoOn(err):
		return no(http.StatusServiceUnavailable, err)
	case errors.Is(err, errRehearses):
		return no(http.StatusConflict, err)
	case err != nil:
		s.log.Error("the registry was not pruned", "err", err)
		return no(http.StatusInternalServerError, err)
	case confirm:
		t := tallyOf(report)
		s.log.Info("the registry was pruned", "images", t.goes, "blobs", report.Blobs, "bytes", report.Freed)
	}
	return http.StatusOK, pruneAnswer{PruneReport: &report}
}

// pruneAt asks the daemon at a server.
func pruneAt(ctx context.Context, server, tokenFile string, rules integrated.PruneRules, confirm bool) (integrated.PruneReport, error) {
	token, err := tokenFor(server, tokenFile)
	if err != nil {
		return integrated.PruneReport{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, pruneAsking)
	defer cancel()
	answer := pruneAnswer{PruneReport: &integrated.PruneReport{}}
	code, err := post(ctx, server, token, prunePath+"?"+rules.Query(confirm).Encode(), "that prunes", &answer)
	if err != nil {
		return integrated.PruneReport{}, unheard(server, err)
	}
	if code != http.StatusOK {
		return integrated.PruneReport{}, failed(hint{errors.New(firstOf(answer.Error, fmt.Sprintf("the daemon answers %d %s", code, http.StatusText(code)))), answer.Fix})
	}
	return *answer.PruneReport, nil
}
