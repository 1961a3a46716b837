package storetest

import (
	"fmt"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/memory"
)

// Memory is the world behind a Store in memory.
func Memory(s *memory.Store) World { return memoryWorld{s} }

type memoryWorld struct{ *memory.Store }

func (w memoryWorld) Commit(files map[string]string, message string) string {
	return string(w.Write("main", message, files))
}

func (w memoryWorld) Put(path, mode, content, message string) string {
	f := memory.File{Content: content, Executable: mode == gittest.Executable}
	switch mode {
	case gittest.Symlink:
		f.Skip = "a symbolic link"
	case gittest.Submodule:
		f.Skip = "a submodule"
	}
	return string(w.Edit("main", message, func(t memory.Tree) { t[path] = f }))
}

func (w memoryWorld) Delete(message string, paths ...string) string {
	return string(w.Edit("main", message, func(t memory.Tree) {
		for _, path := range paths {
			delete(t, path)
		}
	}))
}

func (w memoryWorld) Move(rev string) { w.Store.Move("main", gitstore.Rev(rev)) }

func (w memoryWorld) CommitOn(branch string, files map[string]string, message string) string {
	return string(w.Write(branch, message, files))
}

func (w memoryWorld) Point(branch, rev string) { w.Store.Move(branch, gitstore.Rev(rev)) }

func (w memoryWorld) Heads() map[string]string {
	heads := map[string]string{}
	for name, rev := range w.Store.Tips("") {
		heads[name] = string(rev)
	}
	return heads
}

func (w memoryWorld) Tip() string { return string(w.Store.Tip("main")) }

func (w memoryWorld) Show(path string) (mode, content string) {
	f, ok := w.Tree("main")[path]
	switch {
	case !ok:
		return "", ""
	case strings.Contains(f.Skip, "link"):
		mode = gittest.Symlink
	case f.Skip != "":
		mode = gittest.Submodule
	case f.Executable:
		mode = gittest.Executable
	default:
		mode = gittest.Regular
	}
	return mode, f.Content
}

func (w memoryWorld) History() []Logged {
	var log []Logged
	for _, c := range w.Store.Log("main") {
		if n := len(log); n > 0 {
			log[n-1].Parents = string(c.Rev)
		}
		who := fmt.Sprintf("%s <%s> %d", c.Author.Name, c.Author.Email, c.When.Unix())
		log = append(log, Logged{Rev: string(c.Rev), Author: who, Committer: who, Message: strings.TrimSuffix(c.Message, "\n")})
	}
	return log
}

func (w memoryWorld) Check() {}
