package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bus"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// keeper writes down what must survive a restart, beside the judge, who never waits for it. Of each device and target
// only the newest word waits to be written.
type keeper struct {
	seen, last *bus.Bucket
	log        *slog.Logger
	stuck      func() bool                  // another write failed: is the store stuck?
	giveUp     func(context.Context, error) // ends the daemon

	mu    sync.Mutex
	seens map[string]state.Seen         // by device
	paths map[string]paths.Memory       // by piece
	lasts map[target]*snapshot.Snapshot // by target
	wake  chan struct{}
}

func newKeeper(log *slog.Logger) *keeper {
	return &keeper{log: log, seens: map[string]state.Seen{}, paths: map[string]paths.Memory{}, lasts: map[target]*snapshot.Snapshot{}, wake: make(chan struct{}, 1)}
}

func (k *keeper) putSeen(device string, s state.Seen) {
	k.mu.Lock()
	k.seens[device] = s
	k.mu.Unlock()
	k.poke()
}

// putPaths keeps a piece of what is known of sessions and ways, beside the devices.
func (k *keeper) putPaths(m paths.Memory) {
	k.mu.Lock()
	k.paths[m.ID] = m
	k.mu.Unlock()
	k.poke()
}

// pathsKey marks the keys of the bucket that are no devices': their names hold no slash.
const pathsKey = "paths/"

func (k *keeper) putLast(sn *snapshot.Snapshot) {
	k.mu.Lock()
	k.lasts[target{sn.Device.Name, sn.Target}] = sn
	k.mu.Unlock()
	k.poke()
}

func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Times of the keeper.
const (
	keepAgain = 5 * time.Second  // after a failed write
	keepFlush = 10 * time.Second // for the rest, at the end
	keepLimit = 10 * time.Second // for one value
)

// run writes until ctx is done, and then what is left.
func (k *keeper) run(ctx context.Context) error {
	failing := false
	for {
		select {
		case <-ctx.Done():
			flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepFlush)
			defer cancel()
			return errors.Join(ctx.Err(), k.write(flush))
		case <-k.wake:
		}
		err := k.write(ctx)
		switch {
		case ctx.Err() != nil:
			continue
		case err == nil && failing:
			k.log.Info("what was seen can be written down again")
			failing = false
			continue
		case err == nil:
			continue
		case failing && k.stuck():
			k.giveUp(ctx, err)
		case !failing:
			k.log.Error("what was seen cannot be written down; it is tried again and again", "error", err)
			failing = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(keepAgain):
			k.poke()
		}
	}
}

// write writes all that waits. What cannot be written waits on, unless something newer has come.
func (k *keeper) write(ctx context.Context) error {
	k.mu.Lock()
	seens, pieces, lasts := k.seens, k.paths, k.lasts
	k.seens, k.paths, k.lasts = map[string]state.Seen{}, map[string]paths.Memory{}, map[target]*snapshot.Snapshot{}
	k.mu.Unlock()
	failed := k.writePaths(ctx, pieces)
	for device, s := range seens {
		err := failed
		if !errors.Is(failed, context.DeadlineExceeded) { // a store that says nothing is not asked for each
			err = put(ctx, k.seen, device, s)
		}
		if err != nil {
			failed = err
			k.mu.Lock()
			if _, newer := k.seens[device]; !newer {
				k.seens[device] = s
			}
			k.mu.Unlock()
		}
	}
	for key, sn := range lasts {
		if errors.Is(failed, context.DeadlineExceeded) {
			break
		}
		// Disposable: what does not fit, or fails, is not tried again.
		if err := put(ctx, k.last, key.device+" "+key.url, facts(sn)); err != nil && !errors.Is(err, bus.ErrTooBig) {
			failed = err
		}
	}
	return failed
}

// writePaths writes pieces of what is known of sessions and ways, and deletes the empty ones.
func (k *keeper) writePaths(ctx context.Context, pieces map[string]paths.Memory) (failed error) {
	for id, m := range pieces {
		var err error
		if m.Empty() {
			err = k.seen.Delete(ctx, pathsKey+id)
		} else {
			err = put(ctx, k.seen, pathsKey+id, m)
		}
		if errors.Is(err, bus.ErrTooBig) {
			k.log.Warn("what is known of sessions or ways is too much to be kept over a restart", "piece", id)
			continue
		}
		if err != nil {
			failed = err
			k.mu.Lock()
			if _, newer := k.paths[id]; !newer {
				k.paths[id] = m
			}
			k.mu.Unlock()
		}
	}
	return failed
}

func put(ctx context.Context, b *bus.Bucket, key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keepLimit)
	defer cancel()
	return b.Put(ctx, key, body)
}

// facts is the snapshot without its readings, which change all the time.
func facts(sn *snapshot.Snapshot) *snapshot.Snapshot {
	f := *sn
	f.Components = append(f.Components[:0:0], f.Components...)
	for i := range f.Components {
		f.Components[i].Readings = nil
	}
	return &f
}
