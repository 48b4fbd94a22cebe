package ipmi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// The system event log is evidence and nothing else: it tells when a part said what, and never how the part is now. It is
// read from the last record that was seen, bounded; a record that is gone means that the log was cleared or went round.

// How much of a log is read and kept.
const (
	selFirst  = 64  // records at the first look, the newest
	selMost   = 256 // records at any later look
	selMisses = 8   // numbers in a row without a record, going backwards
	selKept   = 256
	selShown  = 3 // beside one part
	selEnd    = 0xffff
)

// eventLog is what is known of a BMC's system event log (section 31).
type eventLog struct {
	entries []event // oldest first
	last    uint16  // id of the newest record read
	mark    event   // that record, to see whether it is still the same one
	erased  uint32  // when it was cleared, by the BMC's clock; 0: not known
	cleared bool    // since we look
	full    string  // that it is full, in words; empty where it isn't
	none    bool    // the BMC has no log, or shows it to nobody like us
	clock   time.Duration
	timed   bool // clock is known: what has to be added to the BMC's time
}

// event is one record of type 02h (table 32-1).
type event struct {
	id       uint16
	stamp    uint32 // s since 1970 by the BMC's clock; below 20000000h since it started; FFFFFFFFh not known
	owner    byte   // slave address of who saw it
	lun      byte
	sensor   byte
	kind     byte // sensor type
	event    byte // event/reading type
	asserted bool
	offset   byte // state, for what is not a threshold
	data     [3]byte
}

// read brings the log up to date. A BMC without one is asked again by a full poll only.
func (l *eventLog) read(ctx context.Context, s *session, full bool, now time.Time) error {
	if l.none && !full {
		return nil
	}
	info, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdGetSELInfo})
	refusal := (*completionError)(nil)
	if l.none = errors.As(err, &refusal); l.none {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get SEL info: %w", err)
	}
	if len(info) < 14 {
		return fmt.Errorf("get SEL info: %w: %d bytes", errMalformed, len(info))
	}
	count, free := binary.LittleEndian.Uint16(info[1:]), binary.LittleEndian.Uint16(info[3:])
	l.full = ""
	switch {
	case info[13]&0x80 != 0:
		l.full = fmt.Sprintf("full (%d entries): events were lost", count)
	case free < 16 && count > 0:
		l.full = fmt.Sprintf("full (%d entries): what happens next may not be kept", count)
	}
	if err := l.setClock(ctx, s, now); err != nil {
		return err
	}
	erased := binary.LittleEndian.Uint32(info[9:])
	if l.last != 0 && (erased != l.erased || count == 0) {
		l.forget()
		l.cleared = true
	}
	l.erased = erased
	if count == 0 {
		return nil
	}
	if l.last != 0 {
		same, err := l.onwards(ctx, s)
		if same || err != nil {
			return err
		}
		l.forget()
	}
	return l.backwards(ctx, s, count)
}

func (l *eventLog) forget() { l.entries, l.last, l.mark = nil, 0, event{} }

// setClock learns how far the BMC's clock is off.
func (l *eventLog) setClock(ctx context.Context, s *session, now time.Time) error {
	data, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdGetSELTime})
	if err != nil {
		l.timed = false
		if isAnswer(err) {
			return nil
		}
		return fmt.Errorf("get SEL time: %w", err)
	}
	l.timed = false
	if len(data) >= 4 {
		if t := binary.LittleEndian.Uint32(data); t >= sinceStart && t != noStamp {
			l.clock, l.timed = now.Truncate(time.Second).Sub(time.Unix(int64(t), 0)), true
		}
	}
	return nil
}

// onwards reads what was added since the last look. same is false where the newest record that was seen is there no
// longer, or is another one.
func (l *eventLog) onwards(ctx context.Context, s *session) (same bool, err error) {
	id := l.last
	seen := map[uint16]bool{}
	for n := range selMost {
		if seen[id] {
			return true, nil // it goes in a circle
		}
		seen[id] = true
		record, next, err := s.logRecord(ctx, id)
		if hasCode(err, 0xcb, 0xcc, 0xc9) {
			return n > 0, nil
		}
		if err != nil {
			return true, err
		}
		e, ok := decodeEvent(record)
		if n == 0 {
			if ok && e != l.mark {
				return false, nil
			}
		} else {
			l.take(e, ok, recordID(record, id))
		}
		if next == selEnd || next == 0 {
			return true, nil
		}
		id = next
	}
	return true, nil
}

// backwards reads the newest records: the last, and those with the numbers below it, which nearly every BMC counts up.
func (l *eventLog) backwards(ctx context.Context, s *session, count uint16) error {
	record, _, err := s.logRecord(ctx, selEnd)
	if hasCode(err, 0xcb, 0xcc, 0xc9) {
		return nil
	}
	if err != nil {
		return err
	}
	last := recordID(record, 0)
	newest, ok := decodeEvent(record)
	var found []event
	if ok {
		found = append(found, newest)
	}
	misses, id := 0, last
	for n := 1; n < int(count) && len(found) < selFirst && misses < selMisses; {
		if id--; id == 0 {
			id = selEnd - 1 // the numbers went round
		}
		record, _, err := s.logRecord(ctx, id)
		if hasCode(err, 0xcb, 0xcc, 0xc9) {
			misses++
			continue
		}
		if err != nil {
			return err
		}
		misses = 0
		n++
		if e, ok := decodeEvent(record); ok {
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	l.entries, l.last, l.mark = found, last, newest
	return nil
}

func (l *eventLog) take(e event, ok bool, id uint16) {
	l.last, l.mark = id, e
	if !ok {
		return
	}
	l.entries = append(l.entries, e)
	if over := len(l.entries) - selKept; over > 0 {
		l.entries = slices.Delete(l.entries, 0, over)
	}
}

// logRecord reads one record whole (section 31.5).
func (s *session) logRecord(ctx context.Context, id uint16) (record []byte, next uint16, err error) {
	data, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdGetSELEntry, data: []byte{0, 0, byte(id), byte(id >> 8), 0, 0xff}})
	if err != nil {
		return nil, 0, fmt.Errorf("SEL record %04xh: %w", id, err)
	}
	if len(data) < 18 {
		return nil, 0, fmt.Errorf("SEL record %04xh: %w: %d bytes", id, errMalformed, len(data))
	}
	return data[2:18], binary.LittleEndian.Uint16(data), nil
}

// recordID is the record's own number; some BMCs leave it empty.
func recordID(record []byte, asked uint16) uint16 {
	if id := binary.LittleEndian.Uint16(record); id != 0 && id != selEnd {
		return id
	}
	return asked
}

const (
	systemEvent = 0x02
	sinceStart  = 0x20000000 // below it a time is in seconds since the BMC started (section 37)
	noStamp     = 0xffffffff
)

// decodeEvent reads a record of 16 bytes; ok is false for what is no event of a sensor (a maker's own records).
func decodeEvent(b []byte) (e event, ok bool) {
	if len(b) < 16 || b[2] != systemEvent {
		return event{}, false
	}
	return event{
		id: binary.LittleEndian.Uint16(b), stamp: binary.LittleEndian.Uint32(b[3:]), owner: b[7], lun: b[8] & 3,
		kind: b[10], sensor: b[11], event: b[12] & 0x7f, asserted: b[12]&0x80 == 0, offset: b[13] & 0x0f, data: [3]byte(b[13:16]),
	}, true
}

// when is an event's time in words, set right by how far the BMC's clock is off, and saying so.
func (l *eventLog) when(e event) string {
	switch {
	case e.stamp == noStamp:
		return "at an unknown time"
	case e.stamp < sinceStart:
		return fmt.Sprintf("%s after the BMC's start", time.Duration(e.stamp)*time.Second)
	}
	t := time.Unix(int64(e.stamp), 0).UTC()
	if !l.timed {
		return t.Format(time.RFC3339) + " by the BMC's clock, which was not compared"
	}
	const near = time.Minute
	if l.clock.Abs() <= near {
		return t.Format(time.RFC3339)
	}
	way := "behind"
	if l.clock < 0 {
		way = "ahead"
	}
	return fmt.Sprintf("%s (the BMC's clock, %s %s now, said %s)", t.Add(l.clock).Format(time.RFC3339), l.clock.Abs(), way, t.Format(time.RFC3339))
}

// words says what happened.
func (e event) words() string {
	var what string
	switch {
	case e.event == eventThreshold:
		what = name(thresholdEvents, int(e.offset))
	case e.event == eventRedundancy:
		what = name(redundancyStates, int(e.offset))
	case e.event == eventSpecific && stateNames[e.kind] != nil:
		what = name(stateNames[e.kind], int(e.offset))
	case genericStates[e.event] != nil:
		what = name(genericStates[e.event], int(e.offset))
	default:
		what = fmt.Sprintf("event %02xh/%02xh, state %d", e.kind, e.event, e.offset)
	}
	if !e.asserted {
		return what + ": over"
	}
	return what
}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("state %d", i)
}

// annotate puts beside each part the last that the log tells of its sensors, and beside the host what there is to say of
// the log itself.
func (l *eventLog) annotate(components []component.Component, speaks map[sensorKey]component.ID) {
	at := make(map[component.ID]int, len(components))
	for i := range components {
		at[components[i].ID] = i
	}
	shown := map[component.ID][]string{}
	for _, e := range slices.Backward(l.entries) {
		id, ok := speaks[sensorKey{e.owner, e.lun, e.sensor}]
		if !ok || len(shown[id]) == selShown {
			continue
		}
		shown[id] = append(shown[id], l.when(e)+": "+e.words())
	}
	for id, lines := range shown {
		if i, ok := at[id]; ok {
			components[i].Attributes[component.EventLog] = strings.Join(lines, "\n")
		}
	}
	if len(components) == 0 {
		return
	}
	host := components[0].Attributes
	if l.full != "" {
		host["sel"] = l.full
	} else if l.cleared {
		host["sel"] = "cleared since it was first read"
	}
}
