package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
)

// logger writes to standard error, one event a line. The journal of systemd gets no times, having its own, and the
// priority that it files a line under.
func logger(verbose, json bool) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		o.Level = slog.LevelDebug
	}
	switch {
	case json:
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	case os.Getenv("JOURNAL_STREAM") != "":
		o.ReplaceAttr = withoutTime
		return slog.New(slog.NewTextHandler(journal{os.Stderr}, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// journal puts before each line, which begins with its level, the priority that sd-daemon(3) knows.
type journal struct{ to io.Writer }

func (j journal) Write(line []byte) (int, error) {
	priority := "<6>" // info
	for level, p := range map[string]string{"DEBUG": "<7>", "WARN": "<4>", "ERROR": "<3>"} {
		if bytes.HasPrefix(line, []byte("level="+level)) {
			priority = p
		}
	}
	n, err := j.to.Write(append([]byte(priority), line...))
	return max(0, n-len(priority)), err
}
