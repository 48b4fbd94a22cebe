package lab

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// Objects is what an agent serves: a sorted base, which many agents may share and none changes, and over it what is
// this agent's own. It may be used from any goroutine.
type Objects struct {
	base []recording.Object

	mu    sync.RWMutex
	own   map[string]own  // by key(OID)
	added []recording.OID // own OIDs that the base does not hold, sorted
}

// own is an object of one agent: a value, a value made when it is asked for, or a hole in the base.
type own struct {
	value recording.Value
	live  func() recording.Value
	gone  bool
}

// NewObjects serves base, which must be sorted by OID without repeats (recording.Read and recording.Sort do that) and
// must not be changed any more.
func NewObjects(base []recording.Object) *Objects { return &Objects{base: base} }

// Set gives an object a value, adding it where there is none.
func (t *Objects) Set(oid recording.OID, v recording.Value) { t.put(oid, own{value: v}) }

// Live gives an object a value that is made each time it is read; the zero Value takes it away for that time. f is
// called without a lock held.
func (t *Objects) Live(oid recording.OID, f func() recording.Value) { t.put(oid, own{live: f}) }

// Delete takes an object away.
func (t *Objects) Delete(oid recording.OID) { t.put(oid, own{gone: true}) }

func (t *Objects) put(oid recording.OID, o own) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own == nil {
		t.own = map[string]own{}
	}
	t.own[key(oid)] = o
	if _, inBase := recording.Find(t.base, oid); inBase {
		return
	}
	if i, there := slices.BinarySearchFunc(t.added, oid, recording.OID.Compare); !there {
		t.added = slices.Insert(t.added, i, slices.Clone(oid))
	}
}

// Get returns the value of exactly this object.
func (t *Objects) Get(oid recording.OID) (recording.Value, bool) {
	t.mu.RLock()
	o, mine := t.own[key(oid)]
	t.mu.RUnlock()
	if mine {
		return o.read()
	}
	if i, ok := recording.Find(t.base, oid); ok {
		return t.base[i].Value, true
	}
	return recording.Value{}, false
}

// Next returns the first object after oid.
func (t *Objects) Next(oid recording.OID) (recording.Object, bool) {
	for {
		o, ok := t.following(oid)
		if !ok {
			return recording.Object{}, false
		}
		if v, there := t.Get(o); there {
			return recording.Object{OID: o, Value: v}, true
		}
		oid = o // deleted
	}
}

func (t *Objects) following(oid recording.OID) (recording.OID, bool) {
	i, exact := recording.Find(t.base, oid)
	if exact {
		i++
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	j, exact := slices.BinarySearchFunc(t.added, oid, recording.OID.Compare)
	if exact {
		j++
	}
	switch {
	case i == len(t.base) && j == len(t.added):
		return nil, false
	case i == len(t.base):
		return t.added[j], true
	case j == len(t.added) || t.base[i].OID.Compare(t.added[j]) < 0:
		return t.base[i].OID, true
	}
	return t.added[j], true
}

func (o own) read() (recording.Value, bool) {
	switch {
	case o.gone:
		return recording.Value{}, false
	case o.live != nil:
		v := o.live()
		return v, v.Type != 0
	}
	return o.value, true
}

func key(oid recording.OID) string {
	b := make([]byte, 0, 4*recording.MaxArcs)
	for _, arc := range oid {
		b = binary.BigEndian.AppendUint32(b, arc)
	}
	return string(b)
}
