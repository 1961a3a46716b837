package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

// printFailing prints a line for each tag that could not be imported, with the
// next step below it.
func printFailing(w io.Writer, rep reconcile.Report) {
	fixes := fixesOf(rep)
	for _, f := range rep.Failing {
		fmt.Fprintf(w, "%s: %s: %s\n  fix: %s\n", f.Tag, f.Err.Kind, printable(messageOf(f)), fixes.of(f))
	}
}

func messageOf(f reconcile.Failing) string {
	msg := f.Err.Ref + ": " + f.Err.Message
	if cause := errors.Unwrap(f.Err); cause != nil {
		msg += " (" + cause.Error() + ")"
	}
	return msg
}

// fixes are the next steps after the questions of a report.
type fixes map[imagestream.TagRef]string

func fixesOf(rep reconcile.Report) fixes {
	all := fixes{}
	for _, a := range rep.Answers {
		if a.Err != nil {
			all[a.Target] = importFix(a, reconcile.Result{Err: a.Err})
		}
		for _, r := range a.Results {
			if r.Err != nil {
				all[imagestream.TagRef{Stream: a.Target.Stream, Tag: r.Tag}] = importFix(a, r)
			}
		}
	}
	return all
}

// of is the next step after a failure. One of an earlier report is known by its
// kind alone.
func (fs fixes) of(f reconcile.Failing) string {
	if fix, ok := fs[f.Tag]; ok {
		return fix
	}
	return kindFix(f.Err.Kind, f.Tag.Tag == "")
}

// importFix is the next step after a failed import:
//
//	the policy was asked, and took none                the policy's author
//	the policy was asked, and refuses what it took     the policy's author
//	anything else                                      by kind
func importFix(a reconcile.Answer, r reconcile.Result) string {
	asked := a.Policy != nil && r.Why != ""
	if refuses := r.Err.Kind == registry.Forbidden && r.Head != ""; asked && (r.Upstream == "" || refuses) {
		return "push an image that the policy takes, wait until it takes one, or change the policy; towpath plan --explain says what it passes over"
	}
	return kindFix(r.Err.Kind, a.Target.Tag == "")
}

// kindFix is the next step after a failure of which only the kind is known. Where a
// setting of ours is the reason, the message says so, and what to write there.
func kindFix(kind registry.Kind, repository bool) string {
	from := "from: of the tag"
	if repository {
		from = "dockerImageRepository: of the stream"
	}
	switch kind {
	case registry.NotFound:
		return "push the image, or correct " + from
	case registry.Unauthorized:
		return "name a credential for it under credentials: in the operator's config, or renew the one that is there"
	case registry.Forbidden:
		return "change what the message names, or correct " + from + "; where it names nothing, let the credential read the repository"
	case registry.Invalid:
		return "correct " + from + ", or look at what the registry serves there"
	case registry.TLS:
		return "change what the message names; where it names nothing, look into the registry's TLS settings"
	}
	return "towpath run asks again; if this lasts, look into the registry, and the way to it"
}
