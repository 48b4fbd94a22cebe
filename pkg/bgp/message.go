package bgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// MessageType is the type octet of a BGP message.
type MessageType uint8

// The message types.
const (
	TypeOpen         MessageType = 1
	TypeUpdate       MessageType = 2
	TypeNotification MessageType = 3
	TypeKeepalive    MessageType = 4
	TypeRefresh      MessageType = 5
)

const headerLen = 19

var errShort = errors.New("message cut short")

// Cut takes one message off the front of b: its type, what follows its header, and the rest of b. The marker must be
// all ones (RFC 4271 section 4.1).
func Cut(b []byte) (t MessageType, body, rest []byte, err error) {
	if len(b) < headerLen {
		return 0, nil, nil, errShort
	}
	for _, c := range b[:16] {
		if c != 0xff {
			return 0, nil, nil, errors.New("marker is not all ones")
		}
	}
	n := int(binary.BigEndian.Uint16(b[16:]))
	if n < headerLen {
		return 0, nil, nil, fmt.Errorf("message length %d is below the header's", n)
	}
	if n > len(b) {
		return 0, nil, nil, errShort
	}
	return MessageType(b[18]), b[headerLen:n], b[n:], nil
}

// ParseOpen reads an OPEN message's body (RFC 4271 section 4.2, RFC 5492, RFC 9072).
func ParseOpen(body []byte) (Open, error) {
	var o Open
	if len(body) < 10 {
		return o, errShort
	}
	if body[0] != 4 {
		return o, &Fault{Code: 2, Subcode: 1, Data: []byte{0, 4}, What: fmt.Sprintf("version %d", body[0])}
	}
	o.AS = ASN(binary.BigEndian.Uint16(body[1:]))
	o.Hold = binary.BigEndian.Uint16(body[3:])
	o.ID = netip.AddrFrom4([4]byte(body[5:9]))
	params := body[10:]
	n, wide := int(body[9]), 1
	if n == 255 && len(params) >= 3 && params[0] == 255 { // RFC 9072
		n, wide = int(binary.BigEndian.Uint16(params[1:])), 2
		params = params[3:]
	}
	if n > len(params) {
		return o, errShort
	}
	params = params[:n]
	for len(params) > 0 {
		if len(params) < 1+wide {
			return o, errShort
		}
		kind, size := params[0], int(params[1])
		if wide == 2 {
			size = int(binary.BigEndian.Uint16(params[1:]))
		}
		params = params[1+wide:]
		if size > len(params) {
			return o, errShort
		}
		if kind == 2 {
			if err := o.capabilities(params[:size]); err != nil {
				return o, err
			}
		}
		params = params[size:]
	}
	return o, nil
}

func (o *Open) capabilities(b []byte) error {
	for len(b) > 0 {
		if len(b) < 2 || int(b[1]) > len(b)-2 {
			return errors.New("capability cut short")
		}
		o.capability(b[0], b[2:2+int(b[1])])
		b = b[2+int(b[1]):]
	}
	return nil
}

func (o *Open) capability(code uint8, v []byte) {
	switch {
	case code == 1 && len(v) >= 4:
		o.Families = append(o.Families, FamilyOf(binary.BigEndian.Uint16(v), v[3]))
	case code == 64 && len(v) >= 2:
		o.Restart = true
	case code == 65 && len(v) >= 4:
		o.FourOctet = true
		o.AS = ASN(binary.BigEndian.Uint32(v))
	case code == 69:
		if o.AddPath == nil {
			o.AddPath = map[Family]uint8{}
		}
		for ; len(v) >= 4; v = v[4:] {
			o.AddPath[FamilyOf(binary.BigEndian.Uint16(v), v[2])] = v[3]
		}
	case code == 73 && len(v) >= 1 && int(v[0]) < len(v):
		o.Hostname = Words(v[1 : 1+int(v[0])])
	case code == 2 || code == 5 || code == 6 || code == 9 || code == 64 || code == 70 || code == 71 || code == 128:
	default:
		if o.Unknown == nil {
			o.Unknown = map[uint8]int{}
		}
		o.Unknown[code]++
	}
}

// hardReset is the subcode of a Cease that holds another notification (RFC 8538 section 3.1).
const hardReset = 9

// ParseNotification reads a NOTIFICATION message's body (RFC 4271 section 4.5, RFC 9003); of a Hard Reset the one that it
// holds.
func ParseNotification(body []byte) (Notification, error) {
	if len(body) < 2 {
		return Notification{}, errShort
	}
	n := Notification{Code: body[0], Subcode: body[1]}
	if n.Code == 6 && n.Subcode == hardReset && len(body) >= 4 && [2]byte(body[2:]) != [2]byte{6, hardReset} {
		n, err := ParseNotification(body[2:])
		n.Hard = true
		return n, err
	}
	if data := body[2:]; n.Code == 6 && (n.Subcode == 2 || n.Subcode == 4) && len(data) > 1 && int(data[0]) < len(data) {
		n.Text = Words(data[1 : 1+int(data[0])])
	}
	return n, nil
}

// Admin reports whether the notification says that somebody wanted the session down: administrative shutdown,
// administrative reset, peer de-configured (RFC 4486).
func (n Notification) Admin() bool { return n.Code == 6 && (n.Subcode == 2 || n.Subcode == 3) }

var notificationCodes = map[uint8]string{1: "message header error", 2: "OPEN message error", 3: "UPDATE message error",
	4: "hold timer expired", 5: "state machine error", 6: "cease", 7: "ROUTE-REFRESH error", 8: "send hold timer expired"}

var notificationSubcodes = map[[2]uint8]string{
	{1, 1}: "connection not synchronised", {1, 2}: "bad message length", {1, 3}: "bad message type",
	{2, 1}: "unsupported version", {2, 2}: "bad peer AS", {2, 3}: "bad BGP identifier", {2, 4}: "unsupported optional parameter",
	{2, 6}: "unacceptable hold time", {2, 7}: "unsupported capability", {2, 11}: "role mismatch",
	{3, 1}: "malformed attribute list", {3, 2}: "unrecognised well-known attribute", {3, 3}: "missing well-known attribute",
	{3, 4}: "attribute flags", {3, 5}: "attribute length", {3, 6}: "invalid ORIGIN", {3, 8}: "invalid NEXT_HOP",
	{3, 9}: "optional attribute", {3, 10}: "invalid network field", {3, 11}: "malformed AS_PATH",
	{6, 1}: "maximum number of prefixes reached", {6, 2}: "administrative shutdown", {6, 3}: "peer de-configured",
	{6, 4}: "administrative reset", {6, 5}: "connection rejected", {6, 6}: "other configuration change",
	{6, 7}: "connection collision", {6, 8}: "out of resources", {6, 9}: "hard reset", {6, 10}: "BFD down",
}

// String is the notification in the RFCs' words: "cease: administrative shutdown".
func (n Notification) String() string {
	code, ok := notificationCodes[n.Code]
	if !ok {
		code = fmt.Sprintf("error %d", n.Code)
	}
	if sub, ok := notificationSubcodes[[2]uint8{n.Code, n.Subcode}]; ok {
		code += ": " + sub
	} else if n.Subcode != 0 {
		code += fmt.Sprintf(": subcode %d", n.Subcode)
	}
	if n.Text != "" {
		code += fmt.Sprintf(": %q", n.Text)
	}
	if n.Hard {
		code = "hard reset: " + code
	}
	return code
}

// Words makes text out of what a neighbour sent: valid UTF-8, without control characters, at most 255 octets.
func Words(b []byte) string {
	b = b[:min(len(b), 255)]
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s))
}
