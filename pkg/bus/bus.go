// Package bus gives the store behind the program: two key-value buckets and the ledger's log, on NATS JetStream,
// embedded or external. NATS's types stay inside.
package bus

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"

	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Options say which JetStream is used. Dir or URL is set.
type Options struct {
	Dir string // of the embedded server: the only state on disk

	URL         string // of an external cluster: nats://host:4222 or tls://..., several separated by commas
	User        string
	Password    secret.Text
	Credentials string // file with a JWT and its key, as nsc writes it
	CA          *x509.CertPool
	Replicas    int // of buckets and ledger; 0: 1

	Name string // stands before the names of streams and buckets; empty: sparewatch
	Log  *slog.Logger
}

// Bus is an open connection to JetStream, and the embedded server where it is ours.
type Bus struct{}

// Open starts or dials JetStream, and makes buckets and ledger where they are missing.
func Open(ctx context.Context, o Options) (*Bus, error) { return nil, errors.New("not built yet") }

// Seen is the bucket of what is remembered over restarts, by device.
func (b *Bus) Seen() *Bucket { return nil }

// Last is the disposable bucket of the last snapshots, by target.
func (b *Bus) Last() *Bucket { return nil }

// Ledger is the ledger's log.
func (b *Bus) Ledger() ledger.Log { return nil }

// Close ends the connection and stops the embedded server.
func (b *Bus) Close(ctx context.Context) error { return nil }

// ErrNotFound is a key without a value.
var ErrNotFound = errors.New("no such key")

// ErrTooBig is a value over the bucket's limit.
var ErrTooBig = errors.New("the value is too big")

// Bucket is a set of keys with values. It may be used from any goroutine. Keys are any non-empty text.
type Bucket struct{}

// Get returns the key's value, or ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, error) { return nil, ErrNotFound }

// Put sets the key's value; when it returns, the value is stored.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error { return ErrTooBig }

// Delete removes the key; one that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error { return nil }

// All calls f for every key, in no order, until f's first error, which it returns.
func (b *Bucket) All(ctx context.Context, f func(key string, value []byte) error) error { return nil }
