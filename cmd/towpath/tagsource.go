package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// kindWords are what --source may be, in oc's words.
var kindWords = map[string]string{
	"docker": imagestream.DockerImage, "dockerimage": imagestream.DockerImage,
	"imagestreamtag": imagestream.ImageStreamTag, "istag": imagestream.ImageStreamTag,
	"imagestreamimage": imagestream.ImageStreamImage, "isimage": imagestream.ImageStreamImage,
}

// sourceWords are the pieces of a source: [HOST/]PATH[:TAG][@DIGEST].
type sourceWords struct {
	text, path, tag, id string
	host                bool // the path begins with the host of a registry
}

func wordsOf(source string) sourceWords {
	w := sourceWords{text: source}
	w.path, w.id, _ = strings.Cut(source, "@")
	if i := strings.LastIndexByte(w.path, ':'); i > strings.LastIndexByte(w.path, '/') {
		w.path, w.tag = w.path[:i], w.path[i+1:]
	}
	first, _, several := strings.Cut(w.path, "/")
	w.host = several && (strings.ContainsAny(first, ".:") || first == "localhost")
	return w
}

// stream is the stream that the words can name.
func (w sourceWords) stream() (ns, name string, ok bool) {
	ns, name, several := strings.Cut(w.path, "/")
	if !several {
		ns, name = "", w.path
	}
	return ns, name, name != "" && (ns != "") == several && !strings.Contains(name, "/") && !w.host
}

// from makes out what SOURCE is, and says so where it may surprise:
//
//	--source   it is                                  from
//	docker     an image                               DockerImage
//	istag      STREAM:TAG        with --alias         ImageStreamTag
//	           STREAM:TAG        what is on record    ImageStreamImage; DockerImage where that has no digest
//	isimage    STREAM@DIGEST     on record            ImageStreamImage
//	none       with a host, or no stream's name       DockerImage
//	           else                                   as its @ or : says
func (t *tagging) from(ctx context.Context, source string) error {
	w := wordsOf(source)
	kind := kindWords[strings.ToLower(t.opt.source)]
	ns, name, named := w.stream()
	var s *reconcile.Stream
	if kind != imagestream.DockerImage && named {
		var err error
		if s, err = t.stream(ns, name); err != nil {
			return err
		}
		if s == nil && (kind != "" || len(t.claims(ctx, ns, name)) > 0) {
			err := t.missing(ctx, ns, name)
			if e := (*exit)(nil); errors.As(err, &e) && e.code == exitFailed {
				e.cause = hint{e.cause, "correct the name, or say --source docker where an image of a registry is meant"}
			}
			return err
		}
	}
	switch {
	case s == nil && (kind == "" || kind == imagestream.DockerImage):
		return t.fromImage(w, kind == "")
	case s == nil:
		return usage("%w", hint{fmt.Errorf("%q names no image stream, as --source %s wants", source, t.opt.source), "write STREAM:TAG, STREAM@DIGEST or say --source docker"})
	case kind == imagestream.ImageStreamImage && w.id == "", kind == imagestream.ImageStreamTag && (w.tag == "" || w.id != ""), w.tag == "" && w.id == "":
		return usage("%w", hint{fmt.Errorf("%q does not say which image of image stream %s", source, s.Name),
			fmt.Sprintf("write %s:TAG, or %s@DIGEST; for an image of a registry say --source docker", w.path, w.path)})
	case w.id != "":
		return t.fromStreamImage(ctx, w, s)
	}
	return t.fromStreamTag(w, s)
}

func (t *tagging) fromImage(w sourceWords, guessed bool) error {
	if t.opt.given("alias") {
		return usage("%w", hint{fmt.Errorf("--alias follows a tag of an image stream, and %s is an image of a registry", w.text), "leave out --alias; --scheduled imports it again and again"})
	}
	if guessed && !w.host {
		t.note("%s names no image stream of this checkout: it is read as an image of Docker Hub", w.text)
	}
	t.source = imagestream.From{Kind: imagestream.DockerImage, Name: w.text}
	return nil
}

// imported refuses flags that are about registries.
func (t *tagging) imported(w sourceWords) error {
	for _, flag := range importFlags {
		if t.opt.given(flag) {
			return contrary(w.text+" is of an image stream and not imported", flag)
		}
	}
	return nil
}

func (t *tagging) fromStreamImage(ctx context.Context, w sourceWords, s *reconcile.Stream) error {
	if t.opt.given("alias") {
		return usage("%w", hint{fmt.Errorf("--alias follows a tag, and %s is one image for ever", w.text), "leave out --alias, or name a tag"})
	}
	if err := t.imported(w); err != nil {
		return err
	}
	whole, err := t.cat.Describe(ctx, s)
	if err != nil {
		return failed(err)
	}
	var found []string
	for _, tag := range whole.Status.Tags {
		for _, item := range tag.Items {
			if isPrefix(w.id, item.Image) && !slices.Contains(found, item.Image) {
				found = append(found, item.Image)
			}
		}
	}
	switch len(found) {
	case 1:
		t.source = imagestream.From{Kind: imagestream.ImageStreamImage, Namespace: s.Name.Namespace, Name: s.Name.Name + "@" + found[0]}
		return nil
	case 0:
		return failed(hint{fmt.Errorf("no image %s is on record for image stream %s", w.id, s.Name),
			"name one of the digests in " + t.shown(s.Path) + ", or say --source docker where an image of a registry is meant"})
	}
	return usage("%w", hint{fmt.Errorf("%s may be %s", w.text, strings.Join(found, " or ")), "write more of the digest"})
}

// isPrefix reports whether an id begins a digest, with or without its algorithm; an
// algorithm alone begins all of them, and is told so.
func isPrefix(id, digest string) bool {
	_, hex, _ := strings.Cut(digest, ":")
	return id != "" && (strings.HasPrefix(digest, id) || strings.HasPrefix(hex, id))
}

func (t *tagging) fromStreamTag(w sourceWords, s *reconcile.Stream) error {
	if err := t.imported(w); err != nil {
		return err
	}
	record := s.Status.Tag(w.tag)
	if t.opt.given("alias") {
		if record == nil && !hasTag(s.Spec, w.tag) {
			t.note("image stream %s has no tag %s yet: there is no image until it has", s.Name, w.tag)
		}
		t.source = imagestream.From{Kind: imagestream.ImageStreamTag, Namespace: s.Name.Namespace, Name: s.Name.Name + ":" + w.tag}
		return nil
	}
	if record == nil || len(record.Items) == 0 {
		return failed(hint{fmt.Errorf("no image is on record for %s:%s", s.Name, w.tag),
			"say --alias to follow it, or wait until towpath has imported it; for an image of a registry say --source docker"})
	}
	item := record.Items[0]
	if item.Image == "" {
		t.source = imagestream.From{Kind: imagestream.DockerImage, Name: item.Reference}
	} else {
		t.source = imagestream.From{Kind: imagestream.ImageStreamImage, Namespace: s.Name.Namespace, Name: s.Name.Name + "@" + item.Image}
	}
	t.note("%s:%s is now %s, and that image stays; --alias follows the tag", s.Name, w.tag, t.source.Name)
	return nil
}

func hasTag(spec imagestream.Spec, tag string) bool {
	return slices.Contains(spec.Broken, tag) || slices.ContainsFunc(spec.Tags, func(t imagestream.Tag) bool { return t.Name == tag })
}

// allowed refuses what a file alone cannot tell: to drop what is not there, and a loop.
func (t *tagging) allowed(ref imagestream.TagRef, d *imagestream.Document) error {
	if t.opt.delete && !hasTag(d.Spec, ref.Tag) && d.Status.Tag(ref.Tag) == nil && !d.Malformed {
		return failed(hint{fmt.Errorf("image stream %s has no tag %s", ref.Stream, ref.Tag), "it has " + tagsIn(d)})
	}
	if t.source.Kind != imagestream.ImageStreamTag {
		return nil
	}
	steps, at := []string{ref.String()}, t.sourceTag(t.source, ref.Stream)
	for range len(t.cat.Streams) + 1000 {
		steps = append(steps, at.String())
		if at == ref {
			return failed(hint{fmt.Errorf("%s would follow itself: %s", ref, strings.Join(steps, " → ")), "give one of them another source first"})
		}
		tag, ok := t.specTag(at)
		if !ok || tag.From.Kind != imagestream.ImageStreamTag || slices.Contains(steps[:len(steps)-1], at.String()) {
			return nil
		}
		at = t.sourceTag(tag.From, at.Stream)
	}
	return nil
}

func (t *tagging) specTag(ref imagestream.TagRef) (imagestream.Tag, bool) {
	if s := t.cat.Stream(ref.Stream); s != nil {
		for _, tag := range s.Spec.Tags {
			if tag.Name == ref.Tag {
				return tag, true
			}
		}
	}
	return imagestream.Tag{}, false
}

// sourceTag is the tag that a from of a stream names.
func (t *tagging) sourceTag(from imagestream.From, in imagestream.Name) imagestream.TagRef {
	if from.Namespace != "" {
		in.Namespace = from.Namespace
	}
	name, tag, ok := strings.Cut(from.Name, ":")
	if !ok {
		return imagestream.TagRef{Stream: in, Tag: name}
	}
	in.Name = name
	return imagestream.TagRef{Stream: in, Tag: tag}
}

// tagsIn lists the tags of a stream for a person.
func tagsIn(d *imagestream.Document) string {
	names := slices.Clone(d.Spec.Broken)
	for _, tag := range d.Spec.Tags {
		names = append(names, tag.Name)
	}
	for _, tag := range d.Status.Tags {
		names = append(names, tag.Tag)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 10
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// note is for when all is done. What was noted before is not said again.
func (t *tagging) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(t.notes, text) {
		t.notes = append(t.notes, text)
	}
}
