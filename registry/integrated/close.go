package integrated

import (
	"reflect"
	"unsafe"

	"github.com/distribution/distribution/v3/registry/handlers"
	events "github.com/docker/go-events"
)

// closeEvents ends the goroutine that every App starts for its notifications,
// with or without anybody to notify, and that Shutdown leaves behind. The field
// that leads to it is not exported, hence unsafe. Where a later version has no
// such field, nothing is done and the test for goroutines says whether one stays.
func closeEvents(app *handlers.App) {
	field := reflect.ValueOf(app).Elem().FieldByName("events")
	if field.Kind() == reflect.Struct {
		field = field.FieldByName("sink")
	}
	if !field.IsValid() || field.Type() != reflect.TypeFor[events.Sink]() {
		return
	}
	if sink := *(*events.Sink)(unsafe.Pointer(field.UnsafeAddr())); sink != nil {
		sink.Close()
	}
}
