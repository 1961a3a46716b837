package storetest

import (
	"strings"

	"github.com/towpath/towpath/gitstore/gittest"
)

// Git is the world behind a Store over a real repository.
func Git(r *gittest.Repo) World { return gitWorld{r} }

type gitWorld struct{ *gittest.Repo }

func (w gitWorld) Move(rev string) {
	if rev == "" {
		w.Git("update-ref", "-d", "refs/heads/main")
		return
	}
	w.Repo.Move(rev)
}

func (w gitWorld) Show(path string) (mode, content string) {
	line, err := w.Try("", "ls-tree", "refs/heads/main", "--", path)
	if err != nil || line == "" {
		return "", ""
	}
	mode, rest, _ := strings.Cut(line, " ")
	if strings.HasPrefix(rest, "blob ") {
		content = w.Read(path)
	}
	return mode, content
}

func (w gitWorld) History() []Logged {
	if w.Tip() == "" {
		return nil
	}
	var log []Logged
	raw := w.Git("log", "-z", "--format=%H%x1f%P%x1f%an <%ae> %at%x1f%cn <%ce> %ct%x1f%B", "refs/heads/main")
	for record := range strings.SplitSeq(strings.TrimSuffix(raw, "\x00"), "\x00") {
		f := strings.SplitN(record, "\x1f", 5)
		log = append(log, Logged{Rev: f[0], Parents: f[1], Author: f[2], Committer: f[3], Message: strings.TrimSuffix(f[4], "\n")})
	}
	return log
}

func (w gitWorld) Check() {
	if w.Tip() != "" {
		w.Fsck()
	}
}
