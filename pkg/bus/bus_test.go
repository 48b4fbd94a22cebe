package bus_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sparewatch/sparewatch/pkg/bus"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(appenderDir); dir != "" {
		appendForEver(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// open opens an embedded bus that the test closes.
func open(t testing.TB, dir string) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBus(t, b) })
	return b
}

func closeBus(t testing.TB, b *bus.Bus) {
	t.Helper()
	if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestOpenWantsOneOfFolderAndURL(t *testing.T) {
	for _, o := range []bus.Options{{}, {Dir: t.TempDir(), URL: "nats://localhost"}, {Dir: t.TempDir(), Replicas: 3}} {
		if b, err := bus.Open(t.Context(), o); err == nil {
			closeBus(t, b)
			t.Errorf("Open(%+v) opens", o)
		}
	}
}

func TestAFolderIsUsedByOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bus.Open(t.Context(), bus.Options{Dir: dir})
	if _, ok := errors.AsType[*bus.BusyError](err); !ok {
		t.Errorf("a second Open: %v, want a BusyError", err)
	} else if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("%q names neither the folder nor the process", err)
	}
	closeBus(t, b)
	open(t, dir) // free again
}

func TestOpenSaysWhyAFolderCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Open(t.Context(), bus.Options{Dir: file}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Open on a file: %v", err)
	}
}

func TestBucketsKeepTheirValuesOverARestart(t *testing.T) {
	dir := t.TempDir()
	values := map[string]string{
		"srv-101":                       "a",
		"redfish+http://10.0.0.1:8080/": "b",
		"ipmi://[fe80::1%eth0]":         "c",
		"Gerät 7/é=..*>":                "d",
		"empty":                         "",
	}
	b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []*bus.Bucket{b.Seen(), b.Last()} {
		for k, v := range values {
			for _, v := range []string{"old", v} {
				if err := bucket.Put(t.Context(), k, []byte(v)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := bucket.Put(t.Context(), "gone", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := bucket.Delete(t.Context(), "gone"); err != nil {
				t.Fatal(err)
			}
		}
	}
	closeBus(t, b)

	b = open(t, dir)
	for _, bucket := range []*bus.Bucket{b.Seen(), b.Last()} {
		got := map[string]string{}
		err := bucket.All(t.Context(), func(k string, v []byte) error {
			got[k] = string(v)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(values) {
			t.Errorf("All yields %q, want %q", got, values)
		}
		for k, v := range values {
			if one, err := bucket.Get(t.Context(), k); err != nil || string(one) != v || got[k] != v {
				t.Errorf("%s: Get %q, %v; All %q; want %q", k, one, err, got[k], v)
			}
		}
		if _, err := bucket.Get(t.Context(), "gone"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("a deleted key: %v, want ErrNotFound", err)
		}
	}
}

func TestAllStopsAtTheFirstError(t *testing.T) {
	b := open(t, t.TempDir())
	for _, k := range []string{"a", "b"} {
		if err := b.Seen().Put(t.Context(), k, nil); err != nil {
			t.Fatal(err)
		}
	}
	calls, stop := 0, errors.New("stop")
	err := b.Seen().All(t.Context(), func(string, []byte) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("All: %v after %d calls", err, calls)
	}
}

func TestAValueThatIsTooBigLeavesTheOneBefore(t *testing.T) {
	b := open(t, t.TempDir())
	if err := b.Last().Put(t.Context(), "k", []byte("small")); err != nil {
		t.Fatal(err)
	}
	if err := b.Last().Put(t.Context(), "k", make([]byte, 1<<20)); !errors.Is(err, bus.ErrTooBig) {
		t.Errorf("Put of 1 MiB: %v, want ErrTooBig", err)
	}
	if v, err := b.Last().Get(t.Context(), "k"); err != nil || string(v) != "small" {
		t.Errorf("Get: %q, %v", v, err)
	}
	most := bytes.Repeat([]byte("x"), 1<<20-4<<10)
	if err := b.Last().Put(t.Context(), "k", most); err != nil {
		t.Errorf("Put of the most that fits: %v", err)
	}
	if v, err := b.Last().Get(t.Context(), "k"); err != nil || !bytes.Equal(v, most) {
		t.Errorf("Get: %d bytes, %v", len(v), err)
	}
}
