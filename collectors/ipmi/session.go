package ipmi

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/bougou/go-ipmi/pkg/crypto"
	"github.com/bougou/go-ipmi/pkg/rmcpplus"
	"github.com/bougou/go-ipmi/pkg/types"
)

// session is one authenticated conversation over UDP. It has one owner and one request in flight. Every answer's
// authentication code, session id and sequence number are verified before anything of it is believed; a datagram that
// does not verify is dropped and counted, and the wait for the true answer goes on.
type session struct {
	conn    net.Conn
	timeout time.Duration // for one try
	tries   int

	plus     bool // RMCP+, else IPMI 1.5
	suite    types.CipherSuiteID
	auth     types.AuthAlg
	integ    types.IntegrityAlg
	crypt    types.CryptAlg
	codeLen  int
	k1, k2   []byte
	password []byte   // IPMI 1.5 signs with it
	authType byte     // IPMI 1.5
	unsigned bool     // IPMI 1.5: the BMC may answer without an authentication code
	active   bool     // IPMI 1.5: the session is activated
	verified bool     // IPMI 1.5: the last packet was signed, and rightly
	guid     [16]byte // what the BMC calls the system in the handshake

	localID  uint32 // the console's, in packets to us
	remoteID uint32 // the BMC's, in packets to it
	sequence uint32 // of the last packet sent
	received window
	rqSeq    byte // 6 bits

	requests int   // sent, retries included
	budget   int   // requests may not pass it; 0: no bound
	bytes    int64 // received
	room     int64 // bytes may not pass it; 0: no bound
	dropped  int   // datagrams that did not verify
	buffer   [2048]byte
}

// Errors of opening a session that call for different things.
var (
	errAuth      = errors.New("the BMC refuses this user or password")
	errUser      = errors.New("the BMC knows no such user")
	errPrivilege = errors.New("the BMC does not give this user the privilege level User")
	errSlots     = errors.New("all sessions of the BMC are taken")
	errNoAnswer  = errors.New("no answer")
	errForgotten = errors.New("the BMC forgot the session")
	errNoSuite   = errors.New("the BMC refuses this cipher suite")
	errBudget    = errors.New("this poll's bound on requests or bytes is reached")
)

// refusedError says that the host has nothing at the port: it answered with ICMP.
type refusedError struct{ at net.Addr }

func (e *refusedError) Error() string {
	host, port, err := net.SplitHostPort(e.at.String())
	if err != nil {
		return fmt.Sprintf("refused: nothing listens at %v", e.at)
	}
	return fmt.Sprintf("refused: nothing listens on port %s of %s", port, host)
}

// user is who logs in.
type user struct {
	name      string
	password  []byte
	privilege types.PrivilegeLevel
}

// connect opens an unauthenticated conversation; the session's methods do the rest.
func connect(ctx context.Context, address string, timeout time.Duration, tries int) (*session, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, timeout: timeout, tries: tries}, nil
}

// capabilities is what Get Channel Authentication Capabilities tells (section 22.13).
type capabilities struct {
	plus     bool // RMCP+ is supported
	types    byte // IPMI 1.5: bit i is authentication type i (none, MD2, MD5, -, straight password)
	unsigned bool // IPMI 1.5: packets of an active session need no authentication code
}

func (c capabilities) has(authType byte) bool { return c.types&(1<<authType) != 0 }

// capabilities asks, outside of any session, which kinds of session the BMC has.
func (s *session) capabilities(ctx context.Context, level types.PrivilegeLevel) (capabilities, error) {
	// 0Eh: the channel this arrives on; bit 7: IPMI 2.0 data wanted.
	data, err := s.outside(ctx, request{netFn: netFnApp, cmd: cmdGetChannelAuthCap, data: []byte{0x8e, byte(level)}})
	if hasCode(err, 0xcc) { // a 1.5 BMC may refuse the reserved bit
		data, err = s.outside(ctx, request{netFn: netFnApp, cmd: cmdGetChannelAuthCap, data: []byte{0x0e, byte(level)}})
	}
	if err != nil {
		return capabilities{}, err
	}
	if len(data) < 5 {
		return capabilities{}, fmt.Errorf("%w: channel authentication capabilities of %d bytes", errMalformed, len(data))
	}
	return capabilities{plus: data[1]&0x80 != 0 && data[3]&0x02 != 0, types: data[1] & 0x17, unsigned: data[2]&0x10 != 0}, nil
}

// open20 establishes an RMCP+ session (section 13.15) with one cipher suite.
func (s *session) open20(ctx context.Context, suite types.CipherSuiteID, u user) error {
	auth, integ, crypt, ok := types.GetCipherSuiteAlgorithms(suite)
	if !ok {
		return fmt.Errorf("cipher suite %d is not known", suite)
	}
	s.suite, s.auth, s.integ, s.crypt = suite, auth, integ, crypt
	s.codeLen, _ = crypto.IntegrityAuthCodeLen(integ)
	s.localID = randomID()

	open := rmcpplus.OpenSessionRequest{MessageTag: 0, RemoteConsoleSessionID: s.localID}
	open.AuthenticationPayload, open.IntegrityPayload, open.ConfidentialityPayload = rmcpplus.NewAlgorithmPayloads(auth, integ, crypt)
	var opened rmcpplus.OpenSessionResponse
	err := s.handshake(ctx, payloadOpenRequest, open.Pack(), payloadOpenResponse, func(b []byte) error {
		if code, ok := refused(b, 0); ok {
			opened.RmcpStatusCode = code
			return nil
		}
		if err := opened.Unpack(b); err != nil {
			return err
		}
		return expect(opened.MessageTag == 0 && opened.RemoteConsoleSessionID == s.localID, "open session response")
	})
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	if err := rakpError(opened.RmcpStatusCode); err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	if opened.AuthenticationPayload.AuthAlg != uint8(auth) || opened.IntegrityPayload.IntegrityAlg != uint8(integ) || opened.ConfidentialityPayload.CryptAlg != uint8(crypt) {
		return fmt.Errorf("open session: the BMC answered with other algorithms than asked for: %w", errNoSuite)
	}
	s.remoteID = opened.ManagedSystemSessionID
	return s.rakp(ctx, u)
}

// rakp authenticates both sides (sections 13.20 to 13.23) and derives the keys (13.31, 13.32).
func (s *session) rakp(ctx context.Context, u user) error {
	m1 := rmcpplus.RAKPMessage1{
		MessageTag: 1, ManagedSystemSessionID: s.remoteID,
		NameOnlyLookup: true, RequestedMaximumPrivilegeLevel: u.privilege,
		UsernameLength: uint8(len(u.name)), Username: []byte(u.name),
	}
	mustRandom(m1.RemoteConsoleRandomNumber[:])
	m2 := rmcpplus.RAKPMessage2{AuthAlg: s.auth}
	kuid := crypto.PadPassword20(u.password)
	role := m1.Role()
	err := s.handshake(ctx, payloadRAKP1, m1.Pack(), payloadRAKP2, func(b []byte) error {
		if code, ok := refused(b, 1); ok {
			m2.RmcpStatusCode = code
			return nil
		}
		if err := m2.Unpack(b); err != nil {
			return err
		}
		if err := expect(m2.MessageTag == 1 && m2.RemoteConsoleSessionID == s.localID, "RAKP message 2"); err != nil || m2.RmcpStatusCode != 0 {
			return err
		}
		want, err := crypto.RAKP2AuthCode(s.auth, s.localID, s.remoteID, m1.RemoteConsoleRandomNumber[:], m2.ManagedSystemRandomNumber[:], m2.ManagedSystemGUID[:], role, u.name, kuid)
		if err != nil {
			return err
		}
		if !crypto.Equal(want, m2.KeyExchangeAuthenticationCode) {
			// Either the password is wrong, or this is not from the BMC that knows it; that one may be heard yet. Both end
			// here, before anything is proven to it.
			return errAuth
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("RAKP 1: %w", err)
	}
	if err := rakpError(m2.RmcpStatusCode); err != nil {
		return fmt.Errorf("RAKP 2: %w", err)
	}
	proof, err := crypto.RAKP3AuthCode(s.auth, m2.ManagedSystemRandomNumber[:], s.localID, role, u.name, kuid)
	if err != nil {
		return fmt.Errorf("RAKP 3: %w", err)
	}
	sik, k1, k2, err := crypto.DeriveSessionKeys(s.auth, m1.RemoteConsoleRandomNumber[:], m2.ManagedSystemRandomNumber[:], role, u.name, kuid)
	if err != nil {
		return fmt.Errorf("RAKP 3: %w", err)
	}
	m3 := rmcpplus.RAKPMessage3{MessageTag: 2, ManagedSystemSessionID: s.remoteID, KeyExchangeAuthenticationCode: proof}
	m4 := rmcpplus.RAKPMessage4{AuthAlg: s.auth}
	err = s.handshake(ctx, payloadRAKP3, m3.Pack(), payloadRAKP4, func(b []byte) error {
		if code, ok := refused(b, 2); ok {
			m4.RmcpStatusCode = code
			return nil
		}
		if err := m4.Unpack(b); err != nil {
			return err
		}
		if err := expect(m4.MessageTag == 2 && m4.MgmtConsoleSessionID == s.localID, "RAKP message 4"); err != nil || m4.RmcpStatusCode != 0 {
			return err
		}
		icv, err := crypto.RAKP4ICV(s.auth, m1.RemoteConsoleRandomNumber[:], s.remoteID, m2.ManagedSystemGUID[:], sik)
		if err != nil {
			return err
		}
		if !crypto.Equal(icv, m4.IntegrityCheckValue) {
			return errAuth
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("RAKP 3: %w", err)
	}
	if err := rakpError(m4.RmcpStatusCode); err != nil {
		return fmt.Errorf("RAKP 4: %w", err)
	}
	s.k1, s.k2, s.plus, s.sequence, s.received, s.guid = k1, k2, true, 0, window{}, m2.ManagedSystemGUID
	return s.setPrivilege(ctx, u.privilege)
}

// refused is the status of a handshake's answer that is cut short behind it, as some BMCs do where they refuse
// (OpenIPMI's sends two bytes). Nothing in the handshake's refusals is signed.
func refused(b []byte, tag byte) (types.RmcpStatusCode, bool) {
	if len(b) >= 2 && len(b) < 8 && b[0] == tag && b[1] != 0 {
		return types.RmcpStatusCode(b[1]), true
	}
	return 0, false
}

func (s *session) setPrivilege(ctx context.Context, level types.PrivilegeLevel) error {
	_, err := s.do(ctx, request{netFn: netFnApp, cmd: cmdSetPrivilege, data: []byte{byte(level)}})
	if hasCode(err, 0x80, 0x81, 0x82, 0xd4) { // not available for this user, above the user's or the channel's limit
		return fmt.Errorf("%w: %w", errPrivilege, err)
	}
	if err != nil {
		return fmt.Errorf("set session privilege level %d: %w", level, err)
	}
	return nil
}

// do sends one command in the session and returns the answer's data, which is the caller's to keep. A completion code
// other than 00h is a *completionError.
func (s *session) do(ctx context.Context, r request) ([]byte, error) {
	s.rqSeq = (s.rqSeq + 1) & 0x3f
	seq := s.rqSeq
	message := encodeMessage(r, seq)
	var answer response
	err := s.exchange(ctx, func() ([]byte, error) { return s.seal(message) }, func(b []byte) error {
		opened, err := s.unseal(b)
		if err != nil {
			return err
		}
		if answer, err = decodeMessage(opened); err != nil {
			return err
		}
		return expect(answer.answers(r, seq), "an answer to another request")
	})
	return finish(r, answer, err)
}

// first sends the first command of a poll. Where it is not answered, the BMC is asked outside of the session whether it is
// there: if it is, and still doesn't answer inside, it has forgotten the session, and nobody has to wait for more tries.
func (s *session) first(ctx context.Context, r request) ([]byte, error) {
	tries := s.tries
	defer func() { s.tries = tries }()
	s.tries = 1
	data, err := s.do(ctx, r)
	if !errors.Is(err, errNoAnswer) {
		return data, err
	}
	if _, alive := s.capabilities(ctx, types.PrivilegeLevelUser); alive == nil || isAnswer(alive) {
		if data, err = s.do(ctx, r); errors.Is(err, errNoAnswer) {
			return nil, fmt.Errorf("%w: %w", errForgotten, err)
		}
		return data, err
	}
	s.tries = max(1, tries-1)
	return s.do(ctx, r)
}

// outside sends one command outside of any session (section 13.6: authentication type none, session id 0).
func (s *session) outside(ctx context.Context, r request) ([]byte, error) {
	s.rqSeq = (s.rqSeq + 1) & 0x3f
	seq := s.rqSeq
	packet := encode15(authNone, 0, 0, nil, encodeMessage(r, seq))
	var answer response
	err := s.exchange(ctx, func() ([]byte, error) { return packet, nil }, func(b []byte) error {
		p, err := decode15(b)
		if err != nil {
			return err
		}
		if err := expect(p.authType == authNone && p.sessionID == 0, "an answer outside of a session"); err != nil {
			return err
		}
		if answer, err = decodeMessage(p.message); err != nil {
			return err
		}
		return expect(answer.answers(r, seq), "an answer to another request")
	})
	return finish(r, answer, err)
}

func finish(r request, a response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if a.code != 0 {
		return nil, &completionError{netFn: r.netFn, cmd: r.cmd, code: a.code}
	}
	return append([]byte(nil), a.data...), nil
}

// handshake sends one payload outside of any session and hands the answer of the other type to take.
func (s *session) handshake(ctx context.Context, send byte, payload []byte, receive byte, take func([]byte) error) error {
	packet := encode20(send, false, false, 0, 0, payload)
	return s.exchange(ctx, func() ([]byte, error) { return packet, nil }, func(b []byte) error {
		p, err := decode20(b, 0)
		if err != nil {
			return err
		}
		if err := expect(p.payloadType == receive && !p.encrypted && !p.authenticated && p.sessionID == 0, "handshake answer"); err != nil {
			return err
		}
		return take(p.payload)
	})
}

// seal encrypts and signs an IPMI message for the wire.
func (s *session) seal(message []byte) ([]byte, error) {
	s.sequence++
	if s.sequence == 0 {
		s.sequence++ // 0 is outside of any session
	}
	if !s.plus {
		return s.seal15(message), nil
	}
	encrypted := s.crypt != types.CryptAlg_None
	if encrypted {
		var iv [16]byte
		mustRandom(iv[:])
		var err error
		if message, err = crypto.EncryptAESPayload(message, s.k2, iv[:]); err != nil {
			return nil, err
		}
	}
	sign := s.integ != types.IntegrityAlg_None
	b := encode20(payloadIPMI, encrypted, sign, s.remoteID, s.sequence, message)
	if !sign {
		return b, nil
	}
	code, err := crypto.SessionIntegrityAuthCode(s.integ, b[4:], s.k1, "")
	if err != nil {
		return nil, err
	}
	return append(b, code...), nil
}

// unseal verifies a packet of this session and returns the message in it.
func (s *session) unseal(b []byte) ([]byte, error) {
	if !s.plus {
		return s.unseal15(b)
	}
	p, err := decode20(b, s.codeLen)
	if err != nil {
		return nil, err
	}
	if err := expect(p.sessionID == s.localID && p.payloadType == payloadIPMI, "a packet of this session"); err != nil {
		return nil, err
	}
	if s.integ != types.IntegrityAlg_None {
		if err := expect(p.authenticated, "a signed packet"); err != nil {
			return nil, err
		}
		want, err := crypto.SessionIntegrityAuthCode(s.integ, p.signed, s.k1, "")
		if err != nil {
			return nil, err
		}
		if err := expect(crypto.Equal(want, p.code), "the right authentication code"); err != nil {
			return nil, err
		}
	}
	if err := expect(s.received.take(p.sequence), "a sequence number not seen before"); err != nil {
		return nil, err
	}
	if s.crypt == types.CryptAlg_None {
		return p.payload, nil
	}
	if err := expect(p.encrypted && len(p.payload) >= 32 && len(p.payload)%16 == 0, "an encrypted payload"); err != nil {
		return nil, err
	}
	return crypto.DecryptAESPayload(p.payload, s.k2)
}

// exchange sends and waits, try by try. accept judges each datagram; what it refuses is dropped and counted, and the
// wait goes on until the try's time is over: a forged or late datagram must not end a request.
func (s *session) exchange(ctx context.Context, packet func() ([]byte, error), accept func([]byte) error) error {
	var refused error
	for range s.tries {
		b, err := packet()
		if err != nil {
			return err
		}
		deadline := time.Now().Add(s.timeout)
		if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
			deadline = d
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.conn.SetDeadline(deadline); err != nil {
			return err
		}
		if s.budget > 0 && s.requests >= s.budget || s.room > 0 && s.bytes >= s.room {
			return errBudget
		}
		s.requests++
		if _, err := s.conn.Write(b); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		for {
			n, err := s.conn.Read(s.buffer[:])
			if err != nil {
				var timeout net.Error
				if errors.As(err, &timeout) && timeout.Timeout() {
					break // next try
				}
				if errors.Is(err, syscall.ECONNREFUSED) { // ICMP: port unreachable
					return &refusedError{s.conn.RemoteAddr()}
				}
				return fmt.Errorf("receive: %w", err)
			}
			s.bytes += int64(n)
			if refused = accept(s.buffer[:n]); refused == nil {
				return nil
			}
			s.dropped++
		}
		if errors.Is(refused, errAuth) {
			return refused // it was answered, and nothing better came while there was time
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if refused != nil {
		return fmt.Errorf("%w that verifies (last: %w)", errNoAnswer, refused)
	}
	return fmt.Errorf("%w after %d tries of %v", errNoAnswer, s.tries, s.timeout)
}

// close ends the session at the BMC and gives the socket back. It is safe to call it twice.
func (s *session) close(ctx context.Context) error {
	if s.conn == nil {
		return nil
	}
	var err error
	if s.plus || s.active {
		s.tries = 1
		_, err = s.do(ctx, request{netFn: netFnApp, cmd: cmdCloseSession, data: binary.LittleEndian.AppendUint32(nil, s.remoteID)})
	}
	if closing := s.conn.Close(); err == nil {
		err = closing
	}
	s.conn = nil
	return err
}

// rakpError turns a status code of the handshake (table 13-15) into an error that says what to do.
func rakpError(code types.RmcpStatusCode) error {
	switch code {
	case types.RmcpStatusCodeNoErrors:
		return nil
	case types.RmcpStatusCodeInvalidAuthAlg, types.RmcpStatusCodeInvalidIntegrityAlg, types.RmcpStatusCodeInvalidConfidentAlg,
		types.RmcpStatusCodeNoCipherSuiteMatch, types.RmcpStatusCodeNoMatchingAuthPayload, types.RmcpStatusCodeNoMatchingIntegrityPayload:
		return fmt.Errorf("%w: %v", errNoSuite, code)
	case types.RmcpStatusCodeUnauthorizedName, types.RmcpStatusCodeInvalidNameLength:
		return fmt.Errorf("%w: %v", errUser, code)
	case types.RmcpStatusCodeUnauthorizedRoleOfPriLevel, types.RmcpStatusCodeInvalidRole:
		return fmt.Errorf("%w: %v", errPrivilege, code)
	case types.RmcpStatusCodeNoResToCreateSess, types.RmcpStatusCodeNoResToCreateSessAtRole:
		return fmt.Errorf("%w: %v", errSlots, code)
	case types.RmcpStatusCodeInvalidIntegrityCheckValue:
		return fmt.Errorf("%w: %v", errAuth, code)
	}
	return fmt.Errorf("status %02xh: %v", uint8(code), code)
}

func expect(ok bool, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("not %s", what)
}

func randomID() uint32 {
	var b [4]byte
	for {
		mustRandom(b[:])
		if id := binary.LittleEndian.Uint32(b[:]); id != 0 {
			return id
		}
	}
}

// mustRandom fills b; crypto/rand.Read does not fail.
func mustRandom(b []byte) { _, _ = rand.Read(b) }
