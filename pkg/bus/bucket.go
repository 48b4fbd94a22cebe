package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrNotFound is a key without a value.
var ErrNotFound = errors.New("no such key")

// ErrTooBig is a value over the bucket's limit.
var ErrTooBig = errors.New("the value is too big")

// Bucket is a set of keys with values of at most 1 MiB less 4 KiB. It may be used from any goroutine. Keys are any
// non-empty text.
type Bucket struct {
	name string
	kv   jetstream.KeyValue
}

type bucketConfig struct {
	name, about string
	replicas    int
	disposable  bool // may lose the last seconds with the power, and need not wait for the disk
}

func openBucket(ctx context.Context, js jetstream.JetStream, c bucketConfig) (*Bucket, error) {
	kv, err := js.KeyValue(ctx, c.name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = makeBucket(ctx, js, c)
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", c.name, err)
	}
	return &Bucket{name: c.name, kv: kv}, nil
}

func makeBucket(ctx context.Context, js jetstream.JetStream, c bucketConfig) (jetstream.KeyValue, error) {
	if !c.disposable || c.replicas > 1 {
		return js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: c.name, Description: c.about, MaxValueSize: maxValue, Storage: jetstream.FileStorage, Replicas: c.replicas,
		})
	}
	// A bucket is a stream of a certain shape (ADR-8 of NATS); its own call cannot ask for writes that do not wait.
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "KV_" + c.name, Description: c.about, Subjects: []string{"$KV." + c.name + ".>"},
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxConsumers: -1, MaxMsgSize: maxValue,
		Storage: jetstream.FileStorage, Compression: jetstream.S2Compression, PersistMode: jetstream.AsyncPersistMode,
		Discard: jetstream.DiscardNew, AllowRollup: true, DenyDelete: true, AllowDirect: true, Replicas: 1,
	})
	if err != nil {
		return nil, err
	}
	return js.KeyValue(ctx, c.name)
}

// Get returns the key's value, or ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, error) {
	e, err := b.kv.Get(ctx, escape(key))
	if err != nil {
		return nil, b.wrap("get", key, err)
	}
	return e.Value(), nil
}

// Put sets the key's value; when it returns, the value is stored. A value over the limit yields ErrTooBig, and the
// value before it stays.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	if len(value) > maxValue {
		return b.wrap("put", key, fmt.Errorf("%w: %d bytes of at most %d", ErrTooBig, len(value), maxValue))
	}
	_, err := b.kv.Put(ctx, escape(key), value)
	return b.wrap("put", key, err)
}

// Delete removes the key; one that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.wrap("delete", key, b.kv.Purge(ctx, escape(key)))
}

// All calls f for every key, in no order, until f's first error, which it returns.
func (b *Bucket) All(ctx context.Context, f func(key string, value []byte) error) error {
	w, err := b.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return b.wrap("read", "all", err)
	}
	defer func() { _ = w.Stop() }() // it fails only where the connection is gone
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-w.Updates():
			if !open {
				return b.wrap("read", "all", errors.New("the connection ended"))
			}
			if e == nil { // all that there was
				return nil
			}
			key, err := unescape(e.Key())
			if err != nil {
				return b.wrap("read", e.Key(), err)
			}
			if err := f(key, e.Value()); err != nil {
				return err
			}
		}
	}
}

func (b *Bucket) wrap(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		err = ErrNotFound
	}
	return fmt.Errorf("bucket %s: %s %s: %w", b.name, what, key, err)
}

// escape spells a key with the characters that NATS allows in one, each other byte as "=" and two hex digits. Dots are
// escaped too: they would cut the key into the tokens of a subject.
func escape(key string) string {
	var s strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '/':
			s.WriteByte(c)
		default:
			fmt.Fprintf(&s, "=%02X", c)
		}
	}
	return s.String()
}

func unescape(s string) (string, error) {
	var key strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			key.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", fmt.Errorf("%q is no key of ours", s)
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%q is no key of ours", s)
		}
		key.WriteByte(byte(c))
		i += 2
	}
	return key.String(), nil
}
