package ipmi

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Network functions (IPMI 2.0 table 5-1) and commands (appendix G) that this collector sends; it sends no other.
const (
	netFnChassis = 0x00
	netFnSensor  = 0x04
	netFnApp     = 0x06
	netFnStorage = 0x0a

	cmdGetChassisStatus  = 0x01 // chassis
	cmdGetSensorReading  = 0x2d // sensor
	cmdGetDeviceID       = 0x01 // app
	cmdGetSystemGUID     = 0x37 // app
	cmdGetChannelAuthCap = 0x38 // app
	cmdGetChallenge      = 0x39 // app, IPMI 1.5
	cmdActivateSession   = 0x3a // app, IPMI 1.5
	cmdSetPrivilege      = 0x3b // app
	cmdCloseSession      = 0x3c // app
	cmdGetFRUAreaInfo    = 0x10 // storage
	cmdReadFRU           = 0x11 // storage
	cmdGetSDRRepoInfo    = 0x20 // storage
	cmdReserveSDRRepo    = 0x22 // storage
	cmdGetSDR            = 0x23 // storage
	cmdGetSELInfo        = 0x40 // storage
	cmdGetSELEntry       = 0x43 // storage
	cmdGetSELTime        = 0x48 // storage
)

const (
	bmcAddress     = 0x20 // the BMC's slave address
	consoleAddress = 0x81 // software id of a remote console
)

// request is one IPMI command.
type request struct {
	netFn byte
	lun   byte
	cmd   byte
	data  []byte
}

// completionError is a completion code other than 00h (IPMI 2.0 table 5-2).
type completionError struct {
	netFn, cmd, code byte
}

func (e *completionError) Error() string {
	words, ok := completionWords[e.code]
	if !ok {
		words = "command-specific or OEM code"
	}
	return fmt.Sprintf("command %02xh/%02xh: completion code %02xh (%s)", e.netFn, e.cmd, e.code, words)
}

var completionWords = map[byte]string{
	0xc0: "node busy", 0xc1: "invalid command", 0xc2: "invalid command for this LUN", 0xc3: "timeout while processing",
	0xc4: "out of space", 0xc5: "reservation cancelled or invalid", 0xc6: "request data truncated", 0xc7: "request data length invalid",
	0xc8: "request data field length limit exceeded", 0xc9: "parameter out of range", 0xca: "cannot return that many bytes",
	0xcb: "requested sensor, data or record not present", 0xcc: "invalid data field", 0xcd: "command illegal for this sensor or record",
	0xce: "response could not be provided", 0xcf: "cannot execute duplicated request", 0xd0: "SDR repository in update mode",
	0xd1: "device in firmware update mode", 0xd2: "BMC initialisation in progress", 0xd3: "destination unavailable",
	0xd4: "insufficient privilege level", 0xd5: "not supported in present state", 0xd6: "sub-function disabled", 0xff: "unspecified error",
}

// hasCode reports whether err is a completion error with one of the codes.
func hasCode(err error, codes ...byte) bool {
	var c *completionError
	if !errors.As(err, &c) {
		return false
	}
	for _, code := range codes {
		if c.code == code {
			return true
		}
	}
	return false
}

// encodeMessage is the IPMI LAN message of section 13.8, figure 13-4.
func encodeMessage(r request, seq byte) []byte {
	m := make([]byte, 0, 7+len(r.data))
	m = append(m, bmcAddress, r.netFn<<2|r.lun)
	m = append(m, checksum(m))
	m = append(m, consoleAddress, seq<<2, r.cmd)
	m = append(m, r.data...)
	return append(m, checksum(m[3:]))
}

// response is a decoded IPMI LAN message from the BMC.
type response struct {
	netFn byte
	seq   byte
	cmd   byte
	code  byte
	data  []byte
}

var errMalformed = errors.New("malformed message")

// decodeMessage checks both checksums and every length; data aliases b.
func decodeMessage(b []byte) (response, error) {
	if len(b) < 8 {
		return response{}, fmt.Errorf("%w: %d bytes", errMalformed, len(b))
	}
	if checksum(b[:2]) != b[2] || checksum(b[3:len(b)-1]) != b[len(b)-1] {
		return response{}, fmt.Errorf("%w: checksum", errMalformed)
	}
	return response{netFn: b[1] >> 2, seq: b[4] >> 2, cmd: b[5], code: b[6], data: b[7 : len(b)-1]}, nil
}

// answers reports whether a is the answer to r with that sequence number.
func (a response) answers(r request, seq byte) bool {
	return a.netFn == r.netFn|1 && a.cmd == r.cmd && a.seq == seq
}

func checksum(b []byte) byte {
	var sum byte
	for _, c := range b {
		sum += c
	}
	return -sum
}

// RMCP header of the IPMI class, no acknowledgement (section 13.1.3).
var rmcpHeader = []byte{0x06, 0x00, 0xff, 0x07}

const (
	authNone     = 0x00
	authMD2      = 0x01
	authMD5      = 0x02
	authPassword = 0x04
	authRMCPPlus = 0x06

	payloadIPMI         = 0x00
	payloadOpenRequest  = 0x10
	payloadOpenResponse = 0x11
	payloadRAKP1        = 0x12
	payloadRAKP2        = 0x13
	payloadRAKP3        = 0x14
	payloadRAKP4        = 0x15

	flagEncrypted     = 0x80
	flagAuthenticated = 0x40
)

// packet20 is an RMCP+ session packet (section 13.6), still encrypted.
type packet20 struct {
	payloadType   byte
	encrypted     bool
	authenticated bool
	sessionID     uint32
	sequence      uint32
	payload       []byte
	signed        []byte // what the authentication code covers
	code          []byte // the authentication code
}

// decode20 splits an RMCP+ packet and checks every length. codeLen is the length of the negotiated authentication code.
func decode20(b []byte, codeLen int) (packet20, error) {
	if len(b) < 16 || string(b[:4]) != string(rmcpHeader) {
		return packet20{}, fmt.Errorf("%w: no RMCP header of the IPMI class", errMalformed)
	}
	if b[4] != authRMCPPlus {
		return packet20{}, fmt.Errorf("%w: authentication type %02xh, not RMCP+", errMalformed, b[4])
	}
	p := packet20{
		payloadType:   b[5] & 0x3f,
		encrypted:     b[5]&flagEncrypted != 0,
		authenticated: b[5]&flagAuthenticated != 0,
		sessionID:     binary.LittleEndian.Uint32(b[6:]),
		sequence:      binary.LittleEndian.Uint32(b[10:]),
	}
	n := int(binary.LittleEndian.Uint16(b[14:]))
	if 16+n > len(b) {
		return packet20{}, fmt.Errorf("%w: payload of %d bytes in a datagram of %d", errMalformed, n, len(b))
	}
	p.payload = b[16 : 16+n]
	if !p.authenticated {
		return p, nil
	}
	// Trailer: integrity pad, pad length, next header (07h), authentication code.
	if len(b) < 16+n+2+codeLen {
		return packet20{}, fmt.Errorf("%w: no room for the authentication code", errMalformed)
	}
	p.signed, p.code = b[4:len(b)-codeLen], b[len(b)-codeLen:]
	if pad := int(p.signed[len(p.signed)-2]); 16+n+pad+2+codeLen != len(b) {
		return packet20{}, fmt.Errorf("%w: integrity pad of %d bytes", errMalformed, pad)
	}
	return p, nil
}

// encode20 writes an RMCP+ packet without its authentication code. With sign it is padded so that what is signed (from
// the authentication type to the next header) is a multiple of four bytes.
func encode20(payloadType byte, encrypted, sign bool, sessionID, sequence uint32, payload []byte) []byte {
	flags := payloadType
	if encrypted {
		flags |= flagEncrypted
	}
	if sign {
		flags |= flagAuthenticated
	}
	b := make([]byte, 0, 16+len(payload)+6+32)
	b = append(b, rmcpHeader...)
	b = append(b, authRMCPPlus, flags)
	b = binary.LittleEndian.AppendUint32(b, sessionID)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, payload...)
	if !sign {
		return b
	}
	pad := 0
	for (len(b)-4+pad+2)%4 != 0 {
		pad++
	}
	for range pad {
		b = append(b, 0xff)
	}
	return append(b, byte(pad), 0x07)
}

// packet15 is an IPMI 1.5 session packet (section 13.6, authentication types other than 06h).
type packet15 struct {
	authType  byte
	sequence  uint32
	sessionID uint32
	code      []byte // 16 bytes, or none
	message   []byte
}

func decode15(b []byte) (packet15, error) {
	if len(b) < 14 || string(b[:4]) != string(rmcpHeader) {
		return packet15{}, fmt.Errorf("%w: no RMCP header of the IPMI class", errMalformed)
	}
	p := packet15{authType: b[4], sequence: binary.LittleEndian.Uint32(b[5:]), sessionID: binary.LittleEndian.Uint32(b[9:])}
	if p.authType == authRMCPPlus {
		return packet15{}, fmt.Errorf("%w: an RMCP+ packet where IPMI 1.5 was asked for", errMalformed)
	}
	at := 13
	if p.authType != authNone {
		if len(b) < at+17 {
			return packet15{}, fmt.Errorf("%w: no room for the authentication code", errMalformed)
		}
		p.code, at = b[at:at+16], at+16
	}
	n := int(b[at])
	if at+1+n > len(b) {
		return packet15{}, fmt.Errorf("%w: message of %d bytes in a datagram of %d", errMalformed, n, len(b))
	}
	p.message = b[at+1 : at+1+n]
	return p, nil
}

func encode15(authType byte, sequence, sessionID uint32, code, message []byte) []byte {
	b := make([]byte, 0, 30+len(message))
	b = append(b, rmcpHeader...)
	b = append(b, authType)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = binary.LittleEndian.AppendUint32(b, sessionID)
	if authType != authNone {
		b = append(b, code...)
	}
	b = append(b, byte(len(message)))
	return append(b, message...)
}

// window is the sliding window of received sequence numbers (section 13.6.1 / 6.12.8): a number is taken once, and not
// when it is more than 32 behind the highest.
type window struct {
	highest uint32
	seen    uint32 // bit i: highest-i was taken
}

func (w *window) take(n uint32) bool {
	if n == 0 {
		return false
	}
	switch {
	case w.highest == 0 || n > w.highest:
		shift := n - w.highest
		if w.highest == 0 || shift >= 32 {
			w.seen = 1
		} else {
			w.seen = w.seen<<shift | 1
		}
		w.highest = n
		return true
	case w.highest-n >= 32:
		return false
	}
	bit := uint32(1) << (w.highest - n)
	if w.seen&bit != 0 {
		return false
	}
	w.seen |= bit
	return true
}
