package integrated

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
)

// What the log says of requests: who pushed and deleted, and, once a minute, who was turned away. Of
// what strangers write only names of repositories, tags and digests come there, whose letters were
// looked at, and names of users that are in the operator's files: anything else may be a password
// in the wrong place.

// tellPushed says what a tag is from now on, and by whom.
func (g *gate) tellPushed(a ask, digest string) {
	g.log.Info("a tag was pushed", "repository", a.repository, "tag", a.tag, "digest", digest, "who", a.from.called())
}

// tellDeleted says what went, and by whom. With an image its tags go.
func (g *gate) tellDeleted(a ask, gone deletion) {
	switch {
	case a.kind == toBlob:
		g.log.Info("a blob was deleted", "repository", a.repository, "digest", gone.digest, "who", a.from.called())
	case a.tag != "":
		g.log.Info("a tag was deleted", "repository", a.repository, "tag", a.tag, "digest", gone.digest, "who", a.from.called())
	default:
		g.log.Info("an image was deleted", "repository", a.repository, "tag", fewOf(gone.tags), "digest", gone.digest, "who", a.from.called())
	}
}

// tellLogin says that somebody came with a wrong password or token; of one address once a minute.
func (g *gate) tellLogin(r *http.Request, a ask, client string, bad *refusal) {
	if bad.status != http.StatusUnauthorized || !g.turned.first(client, g.now()) {
		return
	}
	name, _, _, _ := credentials(r.Header)
	who := principal{}
	if g.people.has(name, g.now()) {
		who.name = name
	}
	g.log.Warn("a login was refused: the name and password, or the token, are not known", "repository", a.repository, "who", who.called(), "from", addressOf(client),
		"fix", "where that should be somebody: htpasswd -B FILE NAME sets a password, and a robot's token stands in its file below tokens:")
}

// tellDenied says that somebody may not do what they want. Who did not log in yet is asked to, as
// clients expect, and is not worth a line.
func (g *gate) tellDenied(a ask, client string, bad *refusal) {
	if bad.status != http.StatusForbidden || !g.denied.first(a.from.key()+" "+client+" "+a.namespace, g.now()) {
		return
	}
	g.log.Warn("a request was refused", "repository", a.repository, "method", a.method, "who", a.from.called(), "from", addressOf(client), "status", bad.status, "why", bad.message)
}

// addressOf is what a client is counted as, for people.
func addressOf(client string) string { return strings.TrimPrefix(client, "address ") }

// refusePush answers a push, and has the operator see it: of a repository once a minute, and what
// the operator's limits refuse apart from what its streams do.
func (g *gate) refusePush(w http.ResponseWriter, a ask, bad *refusal) {
	level, name := slog.LevelInfo, a.repository
	if bad.status == http.StatusRequestEntityTooLarge || bad.status == http.StatusInsufficientStorage {
		level, name = slog.LevelWarn, "limit "+a.repository
	}
	if g.refused.first(name, g.now()) {
		g.log.Log(context.Background(), level, "a push was refused", "repository", a.repository, "tag", a.tag, "who", a.from.called(), "status", bad.status, "why", bad.message)
	}
	bad.write(w)
}
