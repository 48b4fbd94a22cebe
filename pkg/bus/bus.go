// Package bus gives the store behind the program: three key-value buckets and the ledger's log, on NATS JetStream.
//
// JetStream runs inside the process, without an open port and with one folder on disk, or it is an external cluster;
// past Open nothing differs. NATS's types stay inside. What is stored is bytes: the bus knows no noun but the ledger's
// entry.
//
//	b, err := bus.Open(ctx, bus.Options{Dir: "/var/lib/sparewatch"})
//	defer b.Close(ctx)
//	err = b.Seen().Put(ctx, "srv-101", value)
//	w, err := ledger.Open(ctx, b.Ledger(), replay)
package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Options say which JetStream is used. Dir or URL is set.
type Options struct {
	Dir string // of the embedded server: the only state on disk; made where it is missing

	URL         string // of an external cluster: nats://host:4222 or tls://..., several separated by commas
	User        string
	Password    secret.Text
	Credentials string         // file with a JWT and its key, as nsc writes it
	CA          *x509.CertPool // nil: the system's
	Replicas    int            // of buckets and ledger; 0: 1. An embedded server holds one.

	Name string       // stands before the names of streams and buckets; empty: sparewatch
	Log  *slog.Logger // nil: nothing is logged
}

// Bus is an open connection to JetStream, and the embedded server where it is ours.
type Bus struct {
	server *embedded // nil: external
	conn   *nats.Conn
	closed chan struct{} // closed when conn has ended
	seen   *Bucket
	last   *Bucket
	marks  *Bucket
	ledger *entries

	js       jetstream.JetStream
	name     string // stands before the names of streams
	replicas int
}

// maxValue is how many bytes a value may have. It goes as one message, 1 MiB is what a NATS server takes unless told
// otherwise, and headers need room. So a bucket holds at most 1 MiB for each key.
const maxValue = 1<<20 - 4<<10

// timeout bounds one request to JetStream whose caller gave no deadline.
const timeout = 15 * time.Second

// Open starts or dials JetStream, and makes buckets and ledger where they are missing. A folder that another process
// uses yields a *BusyError; one that JetStream cannot read whole, a *DamagedError.
func Open(ctx context.Context, o Options) (*Bus, error) {
	if o.Name == "" {
		o.Name = "sparewatch"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Replicas = max(o.Replicas, 1)
	switch {
	case o.Dir != "" && o.URL != "":
		return nil, errors.New("open the bus: both a folder and a URL are given; choose one")
	case o.Dir != "":
		return openEmbedded(ctx, o)
	case o.URL != "":
		return openExternal(ctx, o)
	}
	return nil, errors.New("open the bus: neither a folder nor a URL is given")
}

func openEmbedded(ctx context.Context, o Options) (*Bus, error) {
	if o.Replicas > 1 {
		return nil, fmt.Errorf("open the bus: an embedded JetStream keeps one replica, not %d", o.Replicas)
	}
	s, err := startEmbedded(o.Dir, o.Log)
	if err != nil {
		return nil, fmt.Errorf("open the bus in %s: %w", o.Dir, err)
	}
	b := &Bus{server: s}
	if err := b.open(ctx, o, "", s.option()); err != nil {
		return nil, fmt.Errorf("open the bus in %s: %w", o.Dir, errors.Join(err, s.stop()))
	}
	return b, nil
}

func openExternal(ctx context.Context, o Options) (*Bus, error) {
	opts := []nats.Option{nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1)} // what cannot be sent fails now, and is not sent later behind the caller's back
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password.Reveal()))
	}
	if o.Credentials != "" {
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	if o.CA != nil {
		opts = append(opts, nats.Secure(&tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12}))
	}
	b := &Bus{}
	if err := b.open(ctx, o, o.URL, opts...); err != nil {
		return nil, fmt.Errorf("open the bus at %s: %w", redact(o.URL), err)
	}
	return b, nil
}

// open connects and finds or makes what the bus holds.
func (b *Bus) open(ctx context.Context, o Options, url string, opts ...nats.Option) (err error) {
	b.closed = make(chan struct{})
	b.name, b.replicas = o.Name, o.Replicas
	opts = append(opts, nats.Name(o.Name), nats.NoEcho(),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn("the connection to NATS is lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Log.Info("the connection to NATS is back") }))
	if b.conn, err = nats.Connect(url, opts...); err != nil {
		return err
	}
	defer func() {
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
			err = fmt.Errorf("JetStream is not enabled there: %w", err)
		}
		if err != nil {
			b.disconnect()
		}
	}()
	js, err := jetstream.New(b.conn, jetstream.WithDefaultTimeout(timeout))
	if err != nil {
		return err
	}
	b.js = js
	if b.server != nil {
		if err := b.server.complete(ctx, js); err != nil {
			return err
		}
	}
	if b.seen, err = openBucket(ctx, js, bucketConfig{name: o.Name + "_seen", about: "What is remembered of each device over restarts.", replicas: o.Replicas}); err != nil {
		return err
	}
	if b.last, err = openBucket(ctx, js, bucketConfig{name: o.Name + "_last", about: "The last snapshot of each target. May be deleted.", replicas: o.Replicas, disposable: true}); err != nil {
		return err
	}
	if b.marks, err = openBucket(ctx, js, bucketConfig{name: o.Name + "_marks", about: "Where a start may leave off reading. May be deleted.", replicas: o.Replicas, disposable: true}); err != nil {
		return err
	}
	if b.ledger, err = openLedger(ctx, b.conn, js, o.Name, o.Replicas); err != nil {
		return err
	}
	if b.server != nil {
		if err := b.server.checkHead(ctx, b.ledger); err != nil {
			return err
		}
		b.ledger.note = func(h ledger.Head) {
			if err := b.server.head.write(h); err != nil {
				o.Log.Warn("the end of the ledger is not noted", "error", err)
			}
		}
	}
	return nil
}

// Seen is the bucket of what is remembered over restarts, by device.
func (b *Bus) Seen() *Bucket { return b.seen }

// Last is the bucket of the last snapshots, by target. It is disposable: its latest values may be lost with the power.
func (b *Bus) Last() *Bucket { return b.last }

// Marks is the bucket of what makes a start quick. It is disposable too.
func (b *Bus) Marks() *Bucket { return b.marks }

// Ledger is the ledger's log.
func (b *Bus) Ledger() ledger.Log { return b.ledger }

// Room tries whether there is room for another megabyte in the folder of an embedded server: after a write that failed the
// server takes none any more until it is started anew, however much room there is then. Of an external cluster it says
// nothing.
func (b *Bus) Room() error {
	if b.server == nil {
		return nil
	}
	f, err := os.CreateTemp(b.server.dir, ".room-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 1<<20))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// Embedded reports whether JetStream runs inside the process.
func (b *Bus) Embedded() bool { return b.server != nil }

// Close sends what is on its way, for as long as ctx lasts, ends the connection, stops the embedded server and frees
// its folder.
func (b *Bus) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := b.conn.FlushWithContext(ctx)
	b.disconnect()
	if b.server != nil {
		err = errors.Join(err, b.server.stop())
	}
	return err
}

func (b *Bus) disconnect() {
	b.conn.Close()
	<-b.closed
}

// redact takes user and password out of a list of URLs.
func redact(urls string) string {
	var out []string
	for s := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			out = append(out, "<unreadable URL>")
			continue
		}
		u.User = nil
		out = append(out, u.String())
	}
	return strings.Join(out, ",")
}
