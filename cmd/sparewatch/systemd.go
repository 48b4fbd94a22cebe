package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// systemd tells the service manager how the daemon does, as sd_notify(3) describes. Without one it does nothing.
type systemd struct {
	socket string
	// watchdog is how often it has to be told that all is well; 0: never.
	watchdog time.Duration
}

// underSystemd is the service manager that started this process, if one did.
func underSystemd() systemd {
	s := systemd{socket: os.Getenv("NOTIFY_SOCKET")}
	limit, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && limit > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(limit) * time.Microsecond / 4
	}
	return s
}

// tell sends what is new: READY=1, STOPPING=1, WATCHDOG=1, STATUS=text. A manager that has gone away is no reason to end.
func (s systemd) tell(news ...string) {
	if s.socket == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	_, _ = c.Write([]byte(strings.Join(news, "\n"))) // as above
	_ = c.Close()
}

// pulse ticks when the watchdog has to be told; it never does without one.
func (s systemd) pulse() (c <-chan time.Time, stop func()) {
	if s.watchdog <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(s.watchdog)
	return t.C, t.Stop
}
