package main

import (
	"bytes"
	"log/slog"
	"testing"
)

// TestJournal: systemd files each line under the priority of its level, and no time stands in it twice.
func TestJournal(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(journal{&out}, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
	log.Debug("a")
	log.Info("b", "level", "ERROR")
	log.Warn("c", "time", 1)
	log.Error("d")
	const want = "<7>level=DEBUG msg=a\n<6>level=INFO msg=b level=ERROR\n<4>level=WARN msg=c\n<3>level=ERROR msg=d\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
