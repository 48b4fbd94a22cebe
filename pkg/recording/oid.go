package recording

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// OID is an object identifier, one number an arc.
type OID []uint32

// MaxArcs is the longest OID that SNMP allows (RFC 3416 section 4.1).
const MaxArcs = 128

// ParseOID reads "1.3.6.1" or ".1.3.6.1". Symbolic names are not known here (see ReadSNMPWalk).
func ParseOID(s string) (OID, error) {
	digits := strings.TrimPrefix(s, ".")
	if digits == "" {
		return nil, fmt.Errorf("%q is no OID", s)
	}
	oid := make(OID, 0, strings.Count(digits, ".")+1)
	for arc := range strings.SplitSeq(digits, ".") {
		n, err := strconv.ParseUint(arc, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no OID: %q is no number of 32 bits", clip(s), clip(arc))
		}
		if oid = append(oid, uint32(n)); len(oid) > MaxArcs {
			return nil, fmt.Errorf("%q is no OID: more than %d arcs", clip(s), MaxArcs)
		}
	}
	return oid, nil
}

// String writes the OID without a leading dot.
func (o OID) String() string {
	b := make([]byte, 0, 4*len(o))
	for i, arc := range o {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(arc), 10)
	}
	return string(b)
}

// Compare orders OIDs as SNMP walks them: arc by arc, the shorter first.
func (o OID) Compare(other OID) int { return slices.Compare(o, other) }

// HasPrefix reports whether o lies at or under prefix.
func (o OID) HasPrefix(prefix OID) bool {
	return len(o) >= len(prefix) && slices.Equal(o[:len(prefix)], prefix)
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
