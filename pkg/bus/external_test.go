package bus_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// serve starts a NATS server with a port, as a cluster of somebody else's would be.
func serve(t *testing.T, change func(*server.Options)) string {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), Username: "watch", Password: "Tr0ub4dor", NoSigs: true, NoLog: true}
	change(o)
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(timeout) {
		t.Fatal("the server is not ready")
	}
	return s.ClientURL()
}

func TestAnExternalJetStreamServesAsTheEmbeddedOne(t *testing.T) {
	o := bus.Options{URL: serve(t, func(*server.Options) {}), User: "watch", Password: secret.New("Tr0ub4dor")}
	for round := range 2 {
		b, err := bus.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		w, all := openWriter(t, b.Ledger())
		if len(all) != round*10 {
			t.Errorf("round %d begins with %d entries", round, len(all))
		}
		if _, err := w.Append(t.Context(), at, batch(round, 10)...); err != nil {
			t.Error(err)
		}
		for _, bucket := range []*bus.Bucket{b.Seen(), b.Last()} {
			if err := bucket.Put(t.Context(), "k", []byte("v")); err != nil {
				t.Error(err)
			}
			if v, err := bucket.Get(t.Context(), "k"); err != nil || string(v) != "v" {
				t.Errorf("Get: %q, %v", v, err)
			}
		}
		closeBus(t, b)
	}
}

func TestOpenSaysWhyAServerCannotBeUsed(t *testing.T) {
	url := serve(t, func(*server.Options) {})
	withUser := strings.Replace(url, "://", "://watch:wrong-secret@", 1)
	noJetStream := serve(t, func(o *server.Options) { o.JetStream = false })
	noBatches := serve(t, func(*server.Options) {})
	makeStream(t, noBatches, jetstream.StreamConfig{Name: "sparewatch_ledger", Subjects: []string{"sparewatch.ledger"}})
	for _, c := range []struct {
		name string
		o    bus.Options
		want string
	}{
		{"refused", bus.Options{URL: "nats://127.0.0.1:1"}, "no servers available"},
		{"wrong password", bus.Options{URL: url, User: "watch", Password: secret.New("wrong-secret")}, "Authorization Violation"},
		{"wrong password in the URL", bus.Options{URL: withUser}, "Authorization Violation"},
		{"no JetStream", bus.Options{URL: noJetStream, User: "watch", Password: secret.New("Tr0ub4dor")}, "JetStream is not enabled"},
		{"no atomic batches", bus.Options{URL: noBatches, User: "watch", Password: secret.New("Tr0ub4dor")}, "takes no atomic batches"},
		{"no credentials file", bus.Options{URL: url, Credentials: "/nonexistent"}, "/nonexistent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := bus.Open(t.Context(), c.o)
			if err == nil {
				closeBus(t, b)
				t.Fatal("it opens")
			}
			if s := err.Error(); !strings.Contains(s, c.want) || !strings.Contains(s, "127.0.0.1") || strings.Contains(s, "secret") {
				t.Errorf("%q, want %q, the address and no secret", s, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than one line", err)
			}
		})
	}
}

func makeStream(t *testing.T, url string, c jetstream.StreamConfig) {
	t.Helper()
	conn, err := nats.Connect(url, nats.UserInfo("watch", "Tr0ub4dor"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err == nil {
		_, err = js.CreateStream(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
}
