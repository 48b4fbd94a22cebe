package ipmi

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/bougou/go-ipmi/pkg/types"
)

// sensor is what the sensor data records tell of one sensor (IPMI 2.0 sections 43.1 and 43.2). A compact record that is
// shared by several sensors yields one sensor for each.
type sensor struct {
	number    byte
	lun       byte
	owner     byte // slave address of the controller that answers for it
	entity    byte // entity id, table 43-13
	instance  byte
	name      string
	kind      byte // sensor type, table 42-3
	event     byte // event/reading type, table 42-1
	full      *types.SDRFull
	statesSet uint16 // which discrete states it can return, from the record's reading mask
	// logical: the entity is a container (all supplies), not one part.
	logical bool
}

// Limits of an SDR repository that a sane BMC keeps.
const (
	maxRecords    = 4096
	maxRecordSize = 5 + 255
	lastRecord    = 0xffff
)

// repository is the SDR repository of one BMC with the times that tell whether it changed.
type repository struct {
	stamp    [8]byte // most recent addition and erase, as the BMC gave them
	sensors  []sensor
	locators []locator
	contains map[entity][]entity // entity associations: what a container is made of
	broken   int                 // records that could not be parsed
}

// entity is an entity id (table 43-13) and its instance.
type entity struct{ id, instance byte }

// locator is a FRU device that the BMC reads itself (section 43.8), and the entity that it is on.
type locator struct {
	device byte
	entity byte
	at     byte // the entity's instance
	name   string
}

// stamp asks when the repository changed last (section 33.9).
func (s *session) stamp(ctx context.Context) (stamp [8]byte, records int, err error) {
	data, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdGetSDRRepoInfo})
	if err != nil {
		return stamp, 0, fmt.Errorf("get SDR repository info: %w", err)
	}
	if len(data) < 13 {
		return stamp, 0, fmt.Errorf("get SDR repository info: %w: %d bytes", errMalformed, len(data))
	}
	copy(stamp[:], data[5:13])
	return stamp, int(binary.LittleEndian.Uint16(data[1:])), nil
}

// repository reads every record, header first, in the largest pieces that the BMC gives. One reservation serves the
// whole walk; it is taken again when the BMC cancels it. The walk is bounded, and ends at a record id seen before.
func (s *session) repository(ctx context.Context, stamp [8]byte) (*repository, error) {
	r := &repository{stamp: stamp, contains: map[entity][]entity{}}
	w := sdrWalk{s: s, chunk: 255}
	seen := map[uint16]bool{}
	for id := uint16(0); id != lastRecord; {
		if seen[id] {
			return r, fmt.Errorf("SDR repository: record %04xh follows itself", id)
		}
		if len(seen) == maxRecords {
			return r, fmt.Errorf("SDR repository: more than %d records", maxRecords)
		}
		seen[id] = true
		record, next, err := w.record(ctx, id)
		if err != nil {
			return r, fmt.Errorf("SDR record %04xh: %w", id, err)
		}
		r.add(record)
		id = next
	}
	return r, nil
}

// sdrWalk remembers the reservation and the piece size that the BMC took.
type sdrWalk struct {
	s           *session
	reservation uint16
	reserved    bool
	chunk       int
}

// record reads one record whole.
func (w *sdrWalk) record(ctx context.Context, id uint16) (record []byte, next uint16, err error) {
	for range 3 { // a reservation may be cancelled under us twice
		record, next, err = w.try(ctx, id)
		if !hasCode(err, 0xc5) {
			return record, next, err
		}
		w.reserved = false
	}
	return record, next, err
}

func (w *sdrWalk) try(ctx context.Context, id uint16) ([]byte, uint16, error) {
	head, next, err := w.read(ctx, id, 0, 5)
	if err != nil {
		return nil, 0, err
	}
	if len(head) < 5 {
		return nil, 0, fmt.Errorf("%w: record header of %d bytes", errMalformed, len(head))
	}
	size := 5 + int(head[4])
	record := append(make([]byte, 0, size), head[:5]...)
	for len(record) < size {
		n := min(w.chunk, size-len(record))
		part, _, err := w.read(ctx, id, len(record), n)
		if hasCode(err, 0xca, 0xc8, 0xc7, 0xff) && w.chunk > 8 {
			// Cannot return that many: learn the size (16 is what section 33.12 lets every implementation do).
			w.chunk = max(8, min(w.chunk, n)/2)
			if w.chunk > 32 {
				w.chunk = 32
			}
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if len(part) == 0 {
			return nil, 0, fmt.Errorf("%w: an empty piece at %d of %d bytes", errMalformed, len(record), size)
		}
		record = append(record, part[:min(len(part), size-len(record))]...)
	}
	return record, next, nil
}

func (w *sdrWalk) read(ctx context.Context, id uint16, offset, n int) ([]byte, uint16, error) {
	if !w.reserved {
		data, err := w.s.do(ctx, request{netFn: netFnStorage, cmd: cmdReserveSDRRepo})
		switch {
		case err == nil && len(data) >= 2:
			w.reservation = binary.LittleEndian.Uint16(data)
		case hasCode(err, 0xc1, 0xd4, 0xd5): // not implemented: 0000h serves where nothing is reserved
			w.reservation = 0
		case err != nil:
			return nil, 0, fmt.Errorf("reserve SDR repository: %w", err)
		default:
			return nil, 0, fmt.Errorf("reserve SDR repository: %w", errMalformed)
		}
		w.reserved = true
	}
	data := binary.LittleEndian.AppendUint16(nil, w.reservation)
	data = binary.LittleEndian.AppendUint16(data, id)
	data = append(data, byte(offset), byte(n))
	data, err := w.s.do(ctx, request{netFn: netFnStorage, cmd: cmdGetSDR, data: data})
	if err != nil {
		return nil, 0, err
	}
	if len(data) < 2 {
		return nil, 0, fmt.Errorf("%w: SDR answer of %d bytes", errMalformed, len(data))
	}
	return data[2:], binary.LittleEndian.Uint16(data), nil
}

// add takes in one record. A record that does not parse is counted and costs only itself.
func (r *repository) add(record []byte) {
	sdr, err := parseSDR(record)
	if err != nil {
		r.broken++
		return
	}
	switch {
	case sdr.Full != nil:
		f := sdr.Full
		r.sensors = append(r.sensors, sensor{
			number: byte(f.SensorNumber), lun: f.GeneratorID.LUN(), owner: f.GeneratorID.OwnerID(),
			entity: byte(f.SensorEntityID), instance: byte(f.SensorEntityInstance), logical: f.SensorEntityIsLogical,
			name: idString(f.IDStringTypeLength, f.IDStringBytes), kind: byte(f.SensorType), event: byte(f.SensorEventReadingType),
			full: f, statesSet: readingMask(record),
		})
	case sdr.Compact != nil:
		r.sensors = append(r.sensors, shared(sdr.Compact, readingMask(record))...)
	case record[3] == recordFRULocator && len(record) >= 16:
		// Section 43.8, counted from 1: 6 who reads it, 7 its number, 8 whether it is logical, 13 and 14 the entity.
		if record[7]&0x80 != 0 && record[5] == bmcAddress && record[6] != 0xff {
			r.locators = append(r.locators, locator{device: record[6], entity: record[12], at: record[13],
				name: idString(types.TypeLength(record[15]), record[16:])})
		}
	case record[3] == recordAssociation && len(record) >= 16:
		// Section 43.4, counted from 1: 6 and 7 the container, 8 bit 7 ranges, 9 to 16 four entities or two ranges.
		r.associate(entity{record[5], record[6]}, record[7]&0x80 != 0, [4]entity{{record[8], record[9]}, {record[10], record[11]}, {record[12], record[13]}, {record[14], record[15]}})
	case record[3] == recordRelative && len(record) >= 26:
		// Section 43.5: the same with the address and channel of each entity before it.
		r.associate(entity{record[5], record[6]}, record[9]&0x80 != 0, [4]entity{{record[12], record[13]}, {record[16], record[17]}, {record[20], record[21]}, {record[24], record[25]}})
	}
}

// Record types that are read here and not by the library (table 43).
const (
	recordAssociation = 0x08
	recordRelative    = 0x09
	recordFRULocator  = 0x11
)

const maxContained = 256

// associate notes what a container holds: the entities of a list, or all from one to the other of a range.
func (r *repository) associate(container entity, ranges bool, list [4]entity) {
	add := func(e entity) {
		if e.id != 0 && len(r.contains[container]) < maxContained {
			r.contains[container] = append(r.contains[container], e)
		}
	}
	if !ranges {
		for _, e := range list {
			add(e)
		}
		return
	}
	for _, pair := range [][2]entity{{list[0], list[1]}, {list[2], list[3]}} {
		for i := int(pair[0].instance); pair[0].id == pair[1].id && i <= int(pair[1].instance); i++ {
			add(entity{pair[0].id, byte(i)})
		}
	}
}

// readingMask is the discrete reading mask, bytes 19 and 20 of full and compact records (from 1); bit 15 is reserved.
func readingMask(record []byte) uint16 {
	if len(record) < 20 {
		return 0
	}
	return binary.LittleEndian.Uint16(record[18:]) & 0x7fff
}

// shared unfolds a compact record that stands for several sensors (section 43.2, record sharing).
func shared(c *types.SDRCompact, mask uint16) []sensor {
	name := idString(c.IDStringTypeLength, c.IDStringBytes)
	count := max(1, int(c.ShareCount))
	sensors := make([]sensor, 0, count)
	for i := range count {
		s := sensor{
			number: byte(c.SensorNumber) + byte(i), lun: c.GeneratorID.LUN(), owner: c.GeneratorID.OwnerID(),
			entity: byte(c.SensorEntityID), instance: byte(c.SensorEntityInstance), logical: c.SensorEntityIsLogical,
			name: name, kind: byte(c.SensorType), event: byte(c.SensorEventReadingType), statesSet: mask,
		}
		if c.EntityInstanceSharing {
			s.instance += byte(i)
		}
		if count > 1 {
			s.name += modifier(c, i)
		}
		sensors = append(sensors, s)
	}
	return sensors
}

// modifier is what is put behind the shared name: a number, or letters from A.
func modifier(c *types.SDRCompact, i int) string {
	n := int(c.IDStringInstanceModifierOffset) + i
	if c.IDStringInstanceModifierType == 0 {
		return strconv.Itoa(n)
	}
	if n < 26 {
		return string(rune('A' + n))
	}
	return string(rune('A'+n/26-1)) + string(rune('A'+n%26))
}

func idString(length types.TypeLength, raw []byte) (s string) {
	defer func() {
		if recover() != nil {
			s = ""
		}
	}()
	s = types.FRUFieldString(length, raw)
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(strings.ToValidUTF8(s, "?"))
}

// parseSDR guards the library's parser: what it reads comes from a device.
func parseSDR(record []byte) (sdr *types.SDR, err error) {
	defer func() {
		if r := recover(); r != nil {
			sdr, err = nil, fmt.Errorf("%w: record of type %02xh: %v", errMalformed, record[3], r)
		}
	}()
	if len(record) < 5 || len(record) > maxRecordSize {
		return nil, fmt.Errorf("%w: record of %d bytes", errMalformed, len(record))
	}
	return types.ParseSDR(record, 0)
}
