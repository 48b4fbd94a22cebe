package ipmi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bougou/go-ipmi/pkg/crypto"
	"github.com/bougou/go-ipmi/pkg/types"
)

// Authentication types of IPMI 1.5 (section 13.6, table 13-8), the best first: each is tried where the BMC offers it and
// none before it. Straight password sends the password readable and has to be allowed.
var order15 = []byte{authMD5, authMD2, authPassword, authNone}

var names15 = map[byte]string{authMD5: "MD5", authMD2: "MD2", authPassword: "straight password", authNone: "no authentication"}

// errClear is the refusal to send a password that anybody on the way can read.
var errClear = errors.New("the BMC speaks only IPMI 1.5 and takes the password only in the clear")

// choose15 is the authentication type for a session of IPMI 1.5.
func choose15(can capabilities, allowClear bool) (byte, error) {
	for _, t := range order15 {
		if can.has(t) && (t != authPassword || allowClear) {
			return t, nil
		}
	}
	if can.has(authPassword) {
		return 0, errClear
	}
	return 0, fmt.Errorf("%w: it has neither RMCP+ nor a kind of IPMI 1.5 login that is known (offers %02xh)", errNoSuite, can.types)
}

// open15 establishes an IPMI 1.5 session (sections 22.16, 22.17).
func (s *session) open15(ctx context.Context, can capabilities, authType byte, u user) error {
	name := make([]byte, 16)
	copy(name, u.name)
	data, err := s.outside(ctx, request{netFn: netFnApp, cmd: cmdGetChallenge, data: append([]byte{authType}, name...)})
	if hasCode(err, 0x81, 0x82) { // invalid user name, null user name not enabled
		return fmt.Errorf("get session challenge: %w: %w", errAuth, err)
	}
	if err != nil {
		return fmt.Errorf("get session challenge: %w", err)
	}
	if len(data) < 20 {
		return fmt.Errorf("get session challenge: %w: %d bytes", errMalformed, len(data))
	}
	temporary, challenge := binary.LittleEndian.Uint32(data), data[4:20]

	s.plus, s.active, s.authType, s.password, s.unsigned = false, false, authType, u.password, can.unsigned
	s.remoteID, s.sequence, s.received = temporary, 0, window{}
	var first [4]byte // the number that the BMC's own packets begin with
	mustRandom(first[:])
	first[0] |= 1
	first[3] &= 0x7f // room to count upwards
	activate := append([]byte{authType, byte(u.privilege)}, challenge...)
	activate = append(activate, first[:]...)
	data, err = s.do(ctx, request{netFn: netFnApp, cmd: cmdActivateSession, data: activate})
	if err != nil {
		return fmt.Errorf("activate session: %w", activateError(err))
	}
	if len(data) < 10 || data[0] != authType && data[0] != authNone || !s.verified && authType != authNone {
		return fmt.Errorf("activate session: %w: %d bytes, signed %v", errMalformed, len(data), s.verified)
	}
	if data[0] == authNone { // what follows need not be signed, says the BMC; what we send is, where we can
		s.unsigned = true
	}
	s.remoteID, s.localID, s.active = binary.LittleEndian.Uint32(data[1:]), binary.LittleEndian.Uint32(data[1:]), true
	s.sequence = binary.LittleEndian.Uint32(data[5:]) - 1
	return s.setPrivilege(ctx, u.privilege)
}

// activateError tells what the completion codes of Activate Session mean (table 22-21). BMCs drop what is signed with a
// wrong password.
func activateError(err error) error {
	switch {
	case hasCode(err, 0x81), hasCode(err, 0x82), hasCode(err, 0xc0):
		return fmt.Errorf("%w: %w", errSlots, err)
	case hasCode(err, 0x86):
		return fmt.Errorf("%w: %w", errPrivilege, err)
	case hasCode(err, 0x83, 0x84, 0x85, 0xd4), errors.Is(err, errNoAnswer):
		return fmt.Errorf("%w: %w", errAuth, err)
	}
	return err
}

// seal15 signs a message. Activate Session itself is sent with sequence number 0, like everything outside of a session.
func (s *session) seal15(message []byte) []byte {
	sequence := s.sequence
	if !s.active {
		sequence = 0
	}
	var code []byte
	if s.authType != authNone {
		code = crypto.AuthCodeMultiSession(types.AuthType(s.authType), s.password, s.remoteID, sequence, message)
	}
	return encode15(s.authType, sequence, s.remoteID, code, message)
}

// unseal15 verifies a packet of this session. A BMC whose sessions are not signed packet by packet is believed unsigned:
// it is all there is, and inspect says so.
func (s *session) unseal15(b []byte) ([]byte, error) {
	p, err := decode15(b)
	if err != nil {
		return nil, err
	}
	signed := p.authType != authNone
	s.verified = false
	if signed {
		if err := expect(p.authType == s.authType, "the authentication type of this session"); err != nil {
			return nil, err
		}
		if err := expect(crypto.VerifyMultiSessionAuthCode(types.AuthType(p.authType), s.password, p.sessionID, p.sequence, p.message, p.code), "the right authentication code"); err != nil {
			return nil, err
		}
		s.verified = true
	}
	if !s.active {
		return p.message, nil // a refusal comes unsigned; open15 takes nothing else of that kind
	}
	if err := expect(p.sessionID == s.localID && (signed || s.authType == authNone || s.unsigned), "a packet of this session"); err != nil {
		return nil, err
	}
	if !signed && p.sequence == 0 {
		return p.message, nil // some count only what they sign
	}
	return p.message, expect(s.received.take(p.sequence), "a sequence number not seen before")
}
