package integrated

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"sync/atomic"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/sirupsen/logrus"
)

// A logged context hands distribution its logger. Distribution looks it up by a
// key of its own that nobody else can name, and falls back to a logger that is
// global to the process; so the key is recognised by its type's name. Should
// that name change, the logs come out on stderr again and a test says so.
type logged struct {
	context.Context
	entry *logrus.Entry
}

func (c logged) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && t.String() == "dcontext.loggerKey" {
		return c.entry
	}
	return c.Context.Value(key)
}

// newEntry is a logrus logger that writes nothing and tells a slog logger.
func newEntry(to *slog.Logger) *logrus.Entry {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.AddHook(bridge{to})
	return logrus.NewEntry(logger)
}

// A bridge passes log entries on to slog.
type bridge struct{ to *slog.Logger }

// told are the fields that are passed on. The rest say little, or too much: the
// URI of an upload carries the right to go on with it.
var told = []string{"http.request.method", "http.response.status", "vars.name", "vars.reference", "vars.digest", "err.code", "err.message", "err.detail"}

func (b bridge) Levels() []logrus.Level { return logrus.AllLevels }

func (b bridge) Fire(e *logrus.Entry) error {
	ctx, level := context.Background(), levelOf(e)
	if !b.to.Enabled(ctx, level) {
		return nil
	}
	var attrs []slog.Attr
	for _, key := range told {
		if value, ok := e.Data[key]; ok {
			attrs = append(attrs, slog.Any(key, value))
		}
	}
	b.to.LogAttrs(ctx, level, e.Message, attrs...)
	return nil
}

// excuseKey is under what a request's context has an *atomic.Bool. It is set when the request fails
// for want of room, which its client is told: distribution logs an unknown error then.
type excuseKey struct{}

func excusable(ctx context.Context) context.Context {
	if ctx.Value(excuseKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, excuseKey{}, new(atomic.Bool))
}

func excuse(ctx context.Context) {
	if is, ok := ctx.Value(excuseKey{}).(*atomic.Bool); ok {
		is.Store(true)
	}
}

func excused(ctx context.Context) bool {
	is, ok := ctx.Value(excuseKey{}).(*atomic.Bool)
	return ok && is.Load()
}

// levelOf is debug for all but what is the registry's own fault. Distribution
// logs every request, and a request for what is not there as an error.
func levelOf(e *logrus.Entry) slog.Level {
	if e.Context != nil && excused(e.Context) {
		return slog.LevelDebug
	}
	code, answered := e.Data["err.code"].(errcode.ErrorCode)
	asked := answered && code.Descriptor().HTTPStatusCode < http.StatusInternalServerError
	if e.Level <= logrus.ErrorLevel && !asked {
		return slog.LevelError
	}
	return slog.LevelDebug
}
