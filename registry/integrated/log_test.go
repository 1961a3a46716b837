package integrated

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// A push that finds no room is told to its client, and to the operator as what it is: no error of the
// registry's, and with the line of the operator's file that says so.
func TestNoRoomIsNoError(t *testing.T) {
	var log bytes.Buffer
	tell := slog.New(slog.NewTextHandler(&log, nil))
	d := newDisk()
	r := openOn(t, d, Options{KeepFree: 1 << 20, Logger: tell})
	defer r.Close()
	d.setRoom(1<<20 + 100_000)
	for range 2 {
		_, err := uploadBlob(r, repository, newPicture("large", 1_000_000).layer)
		if err == nil || !strings.Contains(err.Error(), "507") || !strings.Contains(err.Error(), "1MiB of it stay free (keep-free below registry: limits:)") {
			t.Errorf("got %v", err)
		}
	}
	if strings.Contains(log.String(), "ERROR") || strings.Count(log.String(), `level=WARN msg="the registry's storage is full`) != 1 {
		t.Errorf("the log has\n%s", &log)
	}

	log.Reset()
	door := doorTo(t, nil, func(r *Rules) { r.Limits.NamespaceSize = 100; r.Limits.BlobSize = 1000 })
	door.r.gate.log, door.r.log = tell, newEntry(tell)
	at := door.begin(t, "alice", "team1/web")
	door.want(t, 413, "alice", "PATCH", at, strings.Repeat("x", 200), "Content-Type", "application/octet-stream")
	if strings.Contains(log.String(), "ERROR") || !strings.Contains(log.String(), `level=WARN msg="a push was refused" repository=team1/web`) {
		t.Errorf("the log has\n%s", &log)
	}
}

// What nobody could push to is said at the start.
func TestNoRoomAtTheStart(t *testing.T) {
	for keep, want := range map[int64]bool{1 << 10: false, 1 << 30: true} {
		var log bytes.Buffer
		d := newDisk()
		d.setRoom(1 << 20)
		openOn(t, d, Options{KeepFree: keep, Logger: slog.New(slog.NewTextHandler(&log, nil))}).Close()
		if said := strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), "1GiB of it stay free (keep-free"); said != want {
			t.Errorf("with %d bytes to keep, the log has\n%s", keep, &log)
		}
	}
}
