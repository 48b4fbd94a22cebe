package main

import (
	"context"
	"testing"
)

func TestReckonHeedsASignal(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	never := make(chan struct{})
	defer close(never)
	stop()
	if _, err := reckon(ctx, func() (int, error) { <-never; return 1, nil }); err == nil {
		t.Error("no error")
	}
	if n, err := reckon(t.Context(), func() (int, error) { return 1, nil }); n != 1 || err != nil {
		t.Error(n, err)
	}
}
