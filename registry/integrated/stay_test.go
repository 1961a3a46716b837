package integrated

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A server gives up on a request at its end, and its handler is at work yet: until that ends, the
// storage is nobody else's.
func TestCloseWhileARequestIsUnderWay(t *testing.T) {
	t.Parallel()
	o := Options{Storage: t.TempDir()}
	r, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	body, send := io.Pipe()
	req := httptest.NewRequest(http.MethodPut, "/v2/team1/web/manifests/1", body)
	req.Header.Set("Content-Type", imageType)
	left := make(chan struct{})
	go func() {
		defer close(left)
		r.ServeHTTP(httptest.NewRecorder(), req)
	}()
	if _, err := send.Write([]byte("{")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if other, err := New(t.Context(), o); !errors.Is(err, ErrStorageInUse) {
		t.Errorf("another one opens the storage: %v, %v", other, err)
	}
	w := httptest.NewRecorder()
	if r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/", nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a request that comes late: %d", w.Code)
	}
	send.Close()
	<-left
	other, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}
