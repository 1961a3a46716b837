package integrated

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// errNoRoom is an error of a write that would leave less free than is to be kept.
var errNoRoom = errors.New("the volume of the registry's storage is full")

func isFull(err error) bool {
	var told storagedriver.Error // which does not unwrap
	if errors.As(err, &told) && isFull(told.Detail) {
		return true
	}
	return errors.Is(err, errNoRoom) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// A room is what may still be written to a volume, however many write to it.
type room struct {
	keep int64
	free func() (int64, error)

	mu    sync.Mutex
	under int64 // bytes whose writes are under way, so that the volume may not show them yet
}

// write writes bytes by a function, if there is room for them.
func (r *room) write(n int64, do func() error) error {
	if r == nil {
		return do()
	}
	if err := r.begin(n); err != nil {
		return err
	}
	defer r.end(n)
	return do()
}

func (r *room) begin(n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, err := r.free()
	if err != nil {
		return err
	}
	if free-r.keep < r.under+n {
		return errNoRoom
	}
	r.under += n
	return nil
}

func (r *room) end(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.under -= n
}

// roomy is a driver that writes only where there is room, and tells the request on whose
// behalf it found none: distribution itself makes one and the same answer of every error.
type roomy struct {
	storagedriver.StorageDriver
	room *room // nil is without end
}

func (d roomy) PutContent(ctx context.Context, path string, content []byte) error {
	return told507(ctx, d.room.write(int64(len(content)), func() error {
		return d.StorageDriver.PutContent(ctx, path, content)
	}))
}

func (d roomy) Move(ctx context.Context, from, to string) error {
	return told507(ctx, d.StorageDriver.Move(ctx, from, to))
}

func (d roomy) Writer(ctx context.Context, path string, appending bool) (storagedriver.FileWriter, error) {
	w, err := d.StorageDriver.Writer(ctx, path, appending)
	if err != nil {
		return nil, told507(ctx, err)
	}
	return &roomyWriter{FileWriter: w, ctx: ctx, room: d.room}, nil
}

// A roomyWriter drops an upload that finds no room: what it would keep is what others lack.
// Its client begins again, from the first byte, when there is room.
type roomyWriter struct {
	storagedriver.FileWriter
	ctx  context.Context // of the request that writes; a writer lives no longer
	room *room
	full bool
}

func (w *roomyWriter) Write(p []byte) (n int, err error) {
	if w.full {
		return 0, errNoRoom
	}
	err = w.room.write(int64(len(p)), func() (err error) {
		n, err = w.FileWriter.Write(p)
		return err
	})
	return n, w.dropIfFull(err)
}

func (w *roomyWriter) Commit(ctx context.Context) error {
	if w.full {
		return errNoRoom
	}
	return w.dropIfFull(w.FileWriter.Commit(ctx))
}

func (w *roomyWriter) dropIfFull(err error) error {
	if !isFull(err) {
		return err
	}
	w.full = true
	return told507(w.ctx, errors.Join(err, w.Cancel(context.WithoutCancel(w.ctx))))
}

// fullKey is under what a request's context has an *atomic.Bool, which is set when there was
// no room for what the request brings.
type fullKey struct{}

func told507(ctx context.Context, err error) error {
	if isFull(err) {
		excuse(ctx)
	}
	if full, ok := ctx.Value(fullKey{}).(*atomic.Bool); ok && isFull(err) {
		full.Store(true)
	}
	return err
}

// roomed answers 507 where distribution says 500 because the storage is full.
func (r *Registry) roomed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			next.ServeHTTP(w, req)
			return
		}
		full := new(atomic.Bool)
		ctx := context.WithValue(req.Context(), fullKey{}, full)
		next.ServeHTTP(&roomyResponse{ResponseWriter: w, full: full, answer: r.writeFull}, req.WithContext(ctx))
	})
}

type roomyResponse struct {
	http.ResponseWriter
	full     *atomic.Bool
	answer   func(http.ResponseWriter)
	answered bool // in place of what next says
}

func (w *roomyResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *roomyResponse) WriteHeader(status int) {
	if w.answered {
		return
	}
	if status < http.StatusBadRequest || !w.full.Load() {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.answered = true
	w.answer(w.ResponseWriter)
}

func (w *roomyResponse) Write(p []byte) (int, error) {
	if w.answered {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// writeFull is an answer in the form of distribution's errors. The log says so once a minute.
func (r *Registry) writeFull(w http.ResponseWriter) {
	if r.said.first("full", time.Now()) {
		r.tell.Warn("the registry's storage is full, so nothing can be pushed to it; pulling goes on", "fix", roomFix(r.keep))
	}
	w.Header().Del("Location")
	refuse(http.StatusInsufficientStorage, "UNAVAILABLE", fullText(r.keep)).write(w)
}

func fullText(keep int64) string {
	return "the registry's storage is full, so nothing can be pushed to it; pulling goes on. Its operator can make room: " + roomFix(keep)
}

// roomFix is what an operator can do about a volume of which so many bytes are to stay free.
func roomFix(keep int64) string {
	fix := "towpath prune, or a larger volume"
	if keep > 0 {
		fix += "; " + sized(keep) + " of it stay free (keep-free below registry: limits:)"
	}
	return fix
}

// sized is a number of bytes as the operator's file has it.
func sized(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprint(n/unit.size, unit.name)
		}
	}
	return fmt.Sprint(n, " bytes")
}

// warnOfRoom says at the start that nothing can be pushed: else only those hear of it who try.
func (r *Registry) warnOfRoom() {
	if r.room == nil {
		return
	}
	if free, err := r.room.free(); err == nil && free < r.room.keep {
		r.tell.Warn("the volume of the registry's storage has less free than it is to keep, so nothing can be pushed", "free", free, "keep-free", r.room.keep, "fix", roomFix(r.keep))
	}
}
