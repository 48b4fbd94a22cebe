package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/bus"
)

// What the topology names and no device has is found out of the state folder, once the daemon that read them has ended.
func TestLastWord(t *testing.T) {
	s := newSite(t, "")
	a, stop := s.daemon()
	until(t, a, "everything read", func(s *api.Status) bool { return s.Settled })
	cfg := s.load()
	var busy *bus.BusyError
	if _, err := Last(t.Context(), cfg, time.Now()); !errors.As(err, &busy) {
		t.Errorf("while the daemon runs: %v", err)
	}
	stop()
	last, err := Last(t.Context(), cfg, time.Now())
	if err != nil || last.Devices == 0 || last.Oldest.IsZero() || len(last.Mistakes) > 0 {
		t.Fatalf("%+v %v", last, err)
	}
	moved := false
	for i := range cfg.Model.Links {
		if from := cfg.Model.Links[i].From; string(from.Kind()) == "outlet" && !moved {
			cfg.Model.Links[i].From, moved = from+"99", true
		}
	}
	if !moved {
		t.Fatal("the model names no outlet")
	}
	last, err = Last(t.Context(), cfg, time.Now())
	if err != nil || len(last.Mistakes) != 1 || !strings.Contains(last.Mistakes[0].Summary, "99, which ") {
		t.Errorf("%+v %v", last, err)
	}
}
