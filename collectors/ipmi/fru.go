package ipmi

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bougou/go-ipmi/pkg/types"
)

// fru is what a field replaceable unit says of itself (FRU Information Storage Definition, sections 8 to 18).
type fru struct {
	vendor, model, serial, part string
	chassisSerial               string
	watts                       float64 // what a power supply may give; 0: not said
}

// identify reads Get Device ID, the system's GUID and FRU device 0. What of it could be read comes back even with an error.
func (s *session) identify(ctx context.Context) (*identity, error) {
	data, err := s.do(ctx, request{netFn: netFnApp, cmd: cmdGetDeviceID})
	if err != nil {
		return nil, fmt.Errorf("get device id: %w", err)
	}
	if len(data) < 11 {
		return nil, fmt.Errorf("get device id: %w: %d bytes", errMalformed, len(data))
	}
	id := &identity{
		firmware: fmt.Sprintf("%d.%02x", data[2]&0x7f, data[3]), // minor is BCD
		vendor:   vendors[uint32(data[6])|uint32(data[7])<<8|uint32(data[8]&0x0f)<<16],
		uuid:     uuid(s.guid[:]),
	}
	data, err = s.do(ctx, request{netFn: netFnApp, cmd: cmdGetSystemGUID})
	switch {
	case err == nil && len(data) >= 16:
		id.uuid = uuid(data[:16])
	case err != nil && !isAnswer(err):
		return id, fmt.Errorf("get system GUID: %w", err)
	}
	area, err := s.fru(ctx, 0)
	if refusal := (*completionError)(nil); errors.As(err, &refusal) && len(area) == 0 {
		return id, nil // it has none, as some have
	}
	if err != nil {
		return id, fmt.Errorf("FRU 0: %w", err)
	}
	f, err := parseFRU(area)
	if f.vendor != "" {
		id.vendor = f.vendor
	}
	id.model, id.serial, id.chassisSerial = f.model, f.serial, f.chassisSerial
	return id, err
}

// uuid writes a system's GUID as the UUID that its other interfaces give. Section 20.8 wants the bytes last to first;
// most BMCs send them as SMBIOS has them, the first three fields with the low byte first, and some as RFC 4122 does. The
// version field tells: it is 1 to 5 in the right reading. Where none fits it is SMBIOS's.
func uuid(b []byte) string {
	smbios := append([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}, b[8:16]...)
	reversed := make([]byte, 16)
	for i := range b[:16] {
		reversed[15-i] = b[i]
	}
	if strings.Trim(string(b[:16]), "\x00") == "" {
		return ""
	}
	for _, reading := range [][]byte{smbios, b[:16], reversed} {
		if v := reading[6] >> 4; v >= 1 && v <= 5 && reading[8]>>6 == 2 {
			return dashes(reading)
		}
	}
	return dashes(smbios)
}

func dashes(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

const (
	maxFRU     = 4096
	maxFRUs    = 16 // supplies whose names are read
	headerSize = 8
)

// fru reads a FRU device's area (section 34), bounded.
func (s *session) fru(ctx context.Context, device byte) ([]byte, error) {
	data, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdGetFRUAreaInfo, data: []byte{device}})
	if err != nil {
		return nil, err
	}
	if len(data) < 3 {
		return nil, errMalformed
	}
	total := min(int(binary.LittleEndian.Uint16(data)), maxFRU)
	size := total
	words := data[2]&1 == 1 // accessed by words: offsets and counts are in words
	out := make([]byte, 0, size)
	chunk := 32
	for {
		if len(out) >= headerSize {
			size = fruEnd(out, total)
		}
		if len(out) >= size {
			return out, nil
		}
		n, offset := min(chunk, size-len(out)), len(out)
		if words {
			n, offset = max(1, n/2), offset/2
		}
		data, err := s.do(ctx, request{netFn: netFnStorage, cmd: cmdReadFRU, data: []byte{device, byte(offset), byte(offset >> 8), byte(n)}})
		if hasCode(err, 0xc7, 0xc8, 0xca) && chunk > 8 {
			chunk /= 2
			continue
		}
		if err != nil {
			return out, err
		}
		if len(data) < 2 {
			return out, nil
		}
		out = append(out, data[1:]...)
	}
}

// fruEnd is where the areas end that are of use: what lies behind (a maker's own records) need not be read. out holds at
// least the common header.
func fruEnd(out []byte, size int) int {
	end := headerSize
	for _, at := range []int{int(out[2]) * 8, int(out[3]) * 8, int(out[4]) * 8} {
		if at == 0 {
			continue
		}
		if at+1 >= len(out) {
			return min(size, max(end, at+2)) // its length is not read yet; ask again then
		}
		end = max(end, at+int(out[at+1])*8)
	}
	if at := int(out[5]) * 8; at != 0 { // the first of the multi-records is a supply's own
		end = max(end, at+64)
	}
	return min(size, end)
}

// parseFRU takes maker, name and serial from the product area, else from the board area (sections 10 to 12), and what a
// supply may give from its multi-record (18.1) or its name. A serial number without a letter or digit is none.
func parseFRU(b []byte) (f fru, err error) {
	if len(b) < headerSize {
		return fru{}, fmt.Errorf("%w: FRU of %d bytes", errMalformed, len(b))
	}
	if p := fruFields(b, b[4], 3); len(p) > 4 {
		f.vendor, f.model, f.part, f.serial = p[0], p[1], p[2], p[4]
	}
	if p := fruFields(b, b[3], 6); len(p) > 3 {
		for _, x := range []struct {
			to   *string
			from string
		}{{&f.vendor, p[0]}, {&f.model, p[1]}, {&f.serial, p[2]}, {&f.part, p[3]}} {
			if *x.to == "" {
				*x.to = x.from
			}
		}
	}
	if p := fruFields(b, b[2], 3); len(p) > 1 {
		f.chassisSerial = p[1]
	}
	f.watts = capacity(b, f.model)
	return f, nil
}

// fruFields are the type/length fields of the area that begins at eight times at, its fixed part skip bytes long.
func fruFields(b []byte, at byte, skip int) []string {
	start := int(at) * 8
	if at == 0 || start+2 > len(b) {
		return nil
	}
	area := b[start:min(len(b), start+int(b[start+1])*8)]
	var fields []string
	for i := skip; i < len(area) && area[i] != 0xc1 && len(fields) < 16; {
		n := int(area[i] & 0x3f)
		if i+1+n > len(area) {
			break
		}
		fields = append(fields, plain(idString(types.TypeLength(area[i]), area[i+1:i+1+n])))
		i += 1 + n
	}
	return fields
}

// plain is a text without what makers fill fields with.
func plain(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }) {
		return ""
	}
	return strings.TrimSpace(s)
}

var wattsInName = regexp.MustCompile(`(?i)\b([1-9][0-9]{2,3}) ?W(?:atts?)?\b`)

// capacity is a supply's rating in W: the overall capacity of its Power Supply Information record (section 18.1), else
// what its name says ("PWR SPLY,1100W").
func capacity(b []byte, name string) float64 {
	at := int(b[5]) * 8
	for range 8 {
		if at == 0 || at+7 > len(b) {
			break
		}
		if b[at] == 0x00 && b[at+2] >= 2 {
			if w := binary.LittleEndian.Uint16(b[at+5:]) & 0x0fff; w > 0 {
				return float64(w)
			}
		}
		if b[at+1]&0x80 != 0 {
			break
		}
		at += 5 + int(b[at+2])
	}
	if m := wattsInName.FindStringSubmatch(name); m != nil {
		w, _ := strconv.ParseFloat(m[1], 64)
		return w
	}
	return 0
}

// supplyFRUs reads what the supplies say of themselves. An empty bay does not answer, and that is no error.
func (c *conversation) supplyFRUs(ctx context.Context) error {
	frus := map[byte]fru{}
	for _, l := range c.repo.locators {
		if l.entity != entityPowerSupply && !supplyNumber.MatchString(l.name) || len(frus) == maxFRUs {
			continue
		}
		area, err := c.session.fru(ctx, l.device)
		if err != nil && !isAnswer(err) {
			return fmt.Errorf("FRU %d %s: %w", l.device, l.name, err)
		}
		if f, err := parseFRU(area); err == nil {
			frus[l.device] = f
		}
	}
	c.frus = frus
	return nil
}
