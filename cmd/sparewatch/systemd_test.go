package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestSystemd: what is told arrives as one datagram, and the watchdog is told well before its time is over.
func TestSystemd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "120000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	s := underSystemd()
	s.tell("READY=1", "STATUS=watches 3 devices")
	heard := make([]byte, 100)
	n, _, err := manager.ReadFrom(heard)
	if got := string(heard[:n]); err != nil || got != "READY=1\nSTATUS=watches 3 devices" {
		t.Errorf("%q, %v", got, err)
	}
	if s.watchdog != 30*time.Second {
		t.Errorf("told every %s", s.watchdog)
	}
	t.Setenv("WATCHDOG_PID", "1") // meant for another process
	if s := underSystemd(); s.watchdog != 0 {
		t.Errorf("told every %s", s.watchdog)
	}
	(systemd{}).tell("READY=1") // nobody is there
	(systemd{socket: socket + "-gone"}).tell("READY=1")
}
