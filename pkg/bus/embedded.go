package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sparewatch/sparewatch/pkg/ledger"
)

// DamagedError is a folder that does not hold all that was written to it. The server itself would go on without what
// it cannot read.
type DamagedError struct {
	Dir  string
	What []string // is wrong with it
	Said []string // by the server
}

func (e *DamagedError) Error() string {
	s := fmt.Sprintf("the folder is damaged: %s; restore it from the backup, or move it aside to begin anew", strings.Join(e.What, "; "))
	if len(e.Said) > 0 {
		s += " (JetStream says: " + strings.Join(e.Said, "; ") + ")"
	}
	return s
}

// embedded is a JetStream server inside the process, and its lock on the folder.
type embedded struct {
	dir    string
	lock   *lock
	server *server.Server
	log    *serverLog
	before []string // streams in the folder before the server started
	head   *headFile
}

func startEmbedded(dir string, log *slog.Logger) (_ *embedded, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	e := &embedded{dir: dir, lock: l, log: &serverLog{to: log}}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.stop())
		}
	}()
	if e.head, err = openHead(dir); err != nil {
		return nil, err
	}
	if e.before, err = streamsIn(dir); err != nil {
		return nil, err
	}
	e.server, err = server.NewServer(&server.Options{
		ServerName: "sparewatch",
		DontListen: true,
		JetStream:  true,
		StoreDir:   dir,
		SyncAlways: true, // what is acknowledged is on the disk
		NoSigs:     true, // signals are the program's
		NoLog:      true, // the server's own logger; ours is set below
	})
	if err != nil {
		return nil, err
	}
	e.server.SetLoggerV2(e.log, false, false, false)
	e.server.Start()
	if !e.server.ReadyForConnections(timeout) {
		return nil, fmt.Errorf("JetStream did not start within %v%s", timeout, e.log.tail())
	}
	if !e.server.JetStreamEnabled() {
		return nil, fmt.Errorf("JetStream did not start%s", e.log.tail())
	}
	return e, nil
}

// option connects a client without a socket.
func (e *embedded) option() nats.Option { return nats.InProcessServer(e.server) }

// complete checks that every stream that stood in the folder came up.
func (e *embedded) complete(ctx context.Context, js jetstream.JetStream) error {
	var have []string
	names := js.StreamNames(ctx)
	for n := range names.Name() {
		have = append(have, n)
	}
	if err := names.Err(); err != nil {
		return err
	}
	var wrong []string
	for _, n := range e.before {
		if !slices.Contains(have, n) {
			wrong = append(wrong, "the stream "+n+" cannot be read")
		}
	}
	return e.damaged(wrong)
}

// checkHead checks that the ledger is as long as it was.
func (e *embedded) checkHead(ctx context.Context, log ledger.Log) error {
	wrong, err := e.head.check(ctx, log)
	if err != nil {
		return err
	}
	return e.damaged(wrong)
}

func (e *embedded) damaged(what []string) error {
	if len(what) == 0 {
		return nil
	}
	return &DamagedError{Dir: e.dir, What: what, Said: e.log.said()}
}

// stop ends the server, which takes some 10 ms and cannot be hurried, and gives the folder back.
func (e *embedded) stop() error {
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
	var err error
	if e.head != nil {
		err = e.head.close()
	}
	return errors.Join(err, e.lock.release())
}

// streamsIn lists the streams that stand in a JetStream folder (its layout is <dir>/jetstream/<account>/streams/<name>).
// One that was being made when the program was killed holds nothing yet, and is swept away to be made anew.
func streamsIn(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, server.JetStreamStoreDir, "*", "streams", "*"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range paths {
		n := filepath.Base(p)
		if strings.HasPrefix(n, ".") {
			continue
		}
		if halfMade(p) {
			if err := os.RemoveAll(p); err != nil {
				return nil, err
			}
			continue
		}
		names = append(names, n)
	}
	return names, nil
}

// halfMade reports whether a stream's folder has no description, or none with its checksum, and no message.
func halfMade(stream string) bool {
	whole := true
	for _, name := range []string{server.JetStreamMetaFile, server.JetStreamMetaFileSum} {
		info, err := os.Stat(filepath.Join(stream, name))
		whole = whole && err == nil && info.Size() > 0
	}
	if whole {
		return false
	}
	blocks, err := filepath.Glob(filepath.Join(stream, "msgs", "*.blk"))
	if err != nil {
		return false
	}
	for _, b := range blocks {
		if info, err := os.Stat(b); err != nil || info.Size() > 0 {
			return false
		}
	}
	return true
}

// serverLog passes on what the server complains of, and keeps the last of it for an error's text.
type serverLog struct {
	to   *slog.Logger
	mu   sync.Mutex
	last []string
}

// keptLines is how many of the server's complaints an error shows.
const keptLines = 3

func (l *serverLog) keep(level slog.Level, format string, v []any) {
	line := strings.TrimSpace(fmt.Sprintf(format, v...))
	l.mu.Lock()
	again := slices.Contains(l.last, line)
	if !again {
		l.last = append(l.last, line)
	}
	if len(l.last) > keptLines {
		l.last = l.last[1:]
	}
	l.mu.Unlock()
	if again {
		return // it says of each message that the disk is full
	}
	l.to.Log(context.Background(), level, "JetStream: "+line)
}

func (l *serverLog) said() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.last)
}

func (l *serverLog) tail() string {
	if s := l.said(); len(s) > 0 {
		return ": " + strings.Join(s, "; ")
	}
	return ""
}

func (l *serverLog) Noticef(string, ...any)         {}
func (l *serverLog) Debugf(string, ...any)          {}
func (l *serverLog) Tracef(string, ...any)          {}
func (l *serverLog) Warnf(format string, v ...any)  { l.keep(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any) { l.keep(slog.LevelError, format, v) }
func (l *serverLog) Fatalf(format string, v ...any) { l.keep(slog.LevelError, format, v) }
