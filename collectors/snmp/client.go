package snmp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"syscall"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/mibs"
)

// tries is how often one request is sent before the agent counts as silent.
const tries = 2

// The reasons for which a request fails.
var (
	errNoAnswer = errors.New("no answer")
	errRefused  = errors.New("refused")
	errAuth     = errors.New("authentication")
	errGarbage  = errors.New("no SNMP answer")
	errLimit    = errors.New("limit reached")
)

// statusError is an answer's error-status (RFC 3416 section 3).
type statusError struct {
	status gosnmp.SNMPError
	index  int // of the variable, from 1; 0: none
}

func (e *statusError) Error() string { return fmt.Sprintf("the agent answers %s", e.status) }

type version string

const (
	v1  version = "1"
	v2c version = "2c"
	v3  version = "3"
)

// usm is what SNMPv3 needs. The engine's id, boots and time stay in parameters from poll to poll.
type usm struct {
	flags      gosnmp.SnmpV3MsgFlags
	parameters *gosnmp.UsmSecurityParameters
	context    string
}

var authProtocols = map[string]gosnmp.SnmpV3AuthProtocol{
	"": gosnmp.NoAuth, "MD5": gosnmp.MD5, "SHA": gosnmp.SHA, "SHA-224": gosnmp.SHA224, "SHA-256": gosnmp.SHA256, "SHA-384": gosnmp.SHA384, "SHA-512": gosnmp.SHA512,
}

// The keys of AES-192 and AES-256 are lengthened as draft-reeder-snmpv3-usm-3desede says ("-C", what Cisco and net-snmp's
// --enable-blumenthal-aes don't) or as draft-blumenthal-aes-usm-04 does.
var privProtocols = map[string]gosnmp.SnmpV3PrivProtocol{
	"": gosnmp.NoPriv, "DES": gosnmp.DES, "AES": gosnmp.AES, "AES-128": gosnmp.AES, "AES-192": gosnmp.AES192, "AES-256": gosnmp.AES256,
	"AES-192-C": gosnmp.AES192C, "AES-256-C": gosnmp.AES256C,
}

// security checks the version and SNMPv3's parameters.
func security(c collectors.Credentials) (version, *usm, error) {
	switch v := version(strings.TrimPrefix(c.Version, "v")); {
	case v == v1 || v == v2c:
		return v, nil, nil
	case v == "" && c.V3.User == "":
		return "", nil, nil
	case v != v3 && v != "":
		return "", nil, fmt.Errorf("SNMP version %q: write 1, 2c or 3", c.Version)
	}
	auth, ok := authProtocols[strings.ToUpper(c.V3.AuthProtocol)]
	if !ok {
		return "", nil, fmt.Errorf("authentication protocol %q: write MD5, SHA, SHA-224, SHA-256, SHA-384 or SHA-512", c.V3.AuthProtocol)
	}
	priv, ok := privProtocols[strings.ToUpper(c.V3.PrivProtocol)]
	if !ok {
		return "", nil, fmt.Errorf("privacy protocol %q: write AES, AES-192, AES-256, or DES where the device knows nothing better", c.V3.PrivProtocol)
	}
	authKey, privKey := c.V3.AuthKey.Reveal(), c.V3.PrivKey.Reveal()
	if authKey != "" && auth == gosnmp.NoAuth {
		auth = gosnmp.SHA256
	}
	if privKey != "" && priv == gosnmp.NoPriv {
		priv = gosnmp.AES
	}
	u := &usm{flags: gosnmp.NoAuthNoPriv, context: c.V3.Context, parameters: &gosnmp.UsmSecurityParameters{UserName: c.V3.User}}
	switch {
	case c.V3.User == "":
		return "", nil, errors.New("SNMPv3 needs a user")
	case auth != gosnmp.NoAuth && len(authKey) < 8:
		return "", nil, errors.New("SNMPv3's authentication key needs at least 8 characters (RFC 3414 section 11.2)")
	case priv != gosnmp.NoPriv && len(privKey) < 8:
		return "", nil, errors.New("SNMPv3's privacy key needs at least 8 characters (RFC 3414 section 11.2)")
	case priv != gosnmp.NoPriv && auth == gosnmp.NoAuth:
		return "", nil, errors.New("SNMPv3 has no privacy without authentication")
	}
	if auth != gosnmp.NoAuth {
		u.flags = gosnmp.AuthNoPriv
		u.parameters.AuthenticationProtocol, u.parameters.AuthenticationPassphrase = auth, authKey
	}
	if priv != gosnmp.NoPriv {
		u.flags = gosnmp.AuthPriv
		u.parameters.PrivacyProtocol, u.parameters.PrivacyPassphrase = priv, privKey
	}
	return v3, u, nil
}

// client is the conversation of one poll. One request is in flight at a time.
type client struct {
	g        *gosnmp.GoSNMP
	ctx      context.Context
	release  func() bool
	conn     net.Conn
	limits   collectors.Limits
	requests int
	tuning   *tuning
	spent    error // the limit that was reached
	answered bool  // the agent has answered at least once
	session  *session
}

// countingConn counts what comes in. It hides the packet methods of a UDP socket, which the library would use instead.
type countingConn struct {
	net.Conn
	bytes int64
	last  []byte // the last datagram
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes += int64(n)
	if n > 0 {
		c.last = append(c.last[:0], b[:min(n, len(b), 512)]...)
	}
	return n, err
}

// usmStats begins the OID of each of the agent's reports (RFC 3414 section 5); its next octet says which.
const usmStats = "\x2b\x06\x01\x06\x03\x0f\x01\x01"

// report finds out from the last datagram what an agent objects to. Reports about wrong users and keys cannot be
// signed, so the library discards them; for telling a person they will do.
func (c *countingConn) report() error {
	_, after, found := strings.Cut(string(c.last), usmStats)
	if !found || after == "" {
		return nil
	}
	words, ok := map[byte]string{
		1: "the agent does not offer this security level to the user (usmStatsUnsupportedSecLevels)",
		2: "our time is outside the agent's window (usmStatsNotInTimeWindows)",
		3: "the agent does not know the user (usmStatsUnknownUserNames)",
		5: "the authentication key or its protocol is wrong (usmStatsWrongDigests)",
		6: "the privacy key or its protocol is wrong (usmStatsDecryptionErrors)",
	}[after[0]]
	if !ok {
		return nil
	}
	return fmt.Errorf("%w: %s", errAuth, words)
}

func (s *session) dial(ctx context.Context) (*client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &client{ctx: ctx, limits: s.target.Limits, tuning: &s.tuning, session: s}
	g := &gosnmp.GoSNMP{
		Target: s.host, Port: s.port, Community: s.community, Version: gosnmp.Version2c, Timeout: s.target.Timeout, Retries: tries - 1,
		MaxOids: 200, Context: ctx,
	}
	switch s.version {
	case v1:
		g.Version = gosnmp.Version1
	case v3:
		g.Version, g.SecurityModel, g.MsgFlags = gosnmp.Version3, gosnmp.UserSecurityModel, s.usm.flags
		g.SecurityParameters, g.ContextName = s.usm.parameters, s.usm.context
	}
	g.OnSent = func(*gosnmp.GoSNMP) { c.requests++ }
	if err := g.Connect(); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c.g = g
	c.conn = &countingConn{Conn: g.Conn}
	g.Conn = c.conn
	// The library looks at its context only between packets: closing the socket ends a wait.
	c.release = context.AfterFunc(ctx, func() { c.conn.Close() })
	return c, nil
}

func (c *client) close() {
	c.release()
	c.conn.Close()
}

// do sends one request and checks what comes back.
func (c *client) do(send func() (*gosnmp.SnmpPacket, error)) ([]gosnmp.SnmpPDU, error) {
	if c.requests >= c.limits.Requests {
		c.spent = fmt.Errorf("%d requests were not enough to read it all; %w", c.limits.Requests, errLimit)
	}
	if cc := c.conn.(*countingConn); cc.bytes >= c.limits.Bytes {
		c.spent = fmt.Errorf("the device sent more than %d bytes; %w", c.limits.Bytes, errLimit)
	}
	if c.spent != nil {
		return nil, c.spent
	}
	packet, err := send()
	if err != nil {
		return nil, c.sort(err)
	}
	switch {
	case packet.PDUType == gosnmp.Report:
		return nil, fmt.Errorf("%w: the agent reports that our clock or its restart count is out of its window", errAuth)
	case packet.PDUType != gosnmp.GetResponse:
		return nil, fmt.Errorf("%w: it answers with a %s", errGarbage, packet.PDUType)
	}
	c.answered = true
	if packet.Error != gosnmp.NoError {
		return packet.Variables, &statusError{packet.Error, int(packet.ErrorIndex)}
	}
	return packet.Variables, nil
}

// sort finds out what an error of the library means.
func (c *client) sort(err error) error {
	if ctxErr := c.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	silent := errors.Is(err, gosnmp.ErrMaxRetriesExceeded) || errors.Is(err, context.DeadlineExceeded)
	var timeout net.Error
	silent = silent || errors.As(err, &timeout) && timeout.Timeout()
	if cc := c.conn.(*countingConn); c.g.Version == gosnmp.Version3 {
		if report := cc.report(); report != nil {
			return report
		}
		if silent && cc.bytes > 0 && !c.answered {
			return fmt.Errorf("%w: the agent says who it is, and then is silent: the privacy key or its protocol is wrong", errAuth)
		}
	}
	switch {
	case errors.Is(err, gosnmp.ErrNotInTimeWindow), errors.Is(err, gosnmp.ErrUnknownEngineID), errors.Is(err, gosnmp.ErrUnknownUsername),
		errors.Is(err, gosnmp.ErrWrongDigest), errors.Is(err, gosnmp.ErrDecryption), errors.Is(err, gosnmp.ErrUnknownSecurityLevel),
		errors.Is(err, gosnmp.ErrUnknownReportPDU), errors.Is(err, gosnmp.ErrInvalidMsgs), errors.Is(err, gosnmp.ErrUnknownSecurityModels), errors.Is(err, gosnmp.ErrUnknownPDUHandlers):
		return fmt.Errorf("%w: %w", errAuth, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens on port %d of %s", errRefused, c.g.Port, c.g.Target)
	case silent:
		return errNoAnswer
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return err
	}
	return fmt.Errorf("%w: %s", errGarbage, oneLine(err.Error()))
}

func (c *client) get(oids []string) ([]gosnmp.SnmpPDU, error) {
	return c.do(func() (*gosnmp.SnmpPacket, error) { return c.g.Get(oids) })
}

func (c *client) getNext(oids []string) ([]gosnmp.SnmpPDU, error) {
	return c.do(func() (*gosnmp.SnmpPacket, error) { return c.g.GetNext(oids) })
}

func (c *client) getBulk(oids []string, repetitions int) ([]gosnmp.SnmpPDU, error) {
	return c.do(func() (*gosnmp.SnmpPacket, error) { return c.g.GetBulk(oids, 0, uint32(repetitions)) })
}

// identify asks what the device is, and which subtrees it has, in one GETNEXT where the agent lets us.
func (c *client) identify(present []string) (mibs.System, error) {
	sys := mibs.System{Present: map[string]bool{}}
	asked := []string{parentOf(sysDescr), parentOf(sysObjectID), parentOf(sysName)}
	asked = append(asked, present...)
	found, err := c.next(asked, 0)
	if errors.Is(err, errNoAnswer) && c.session.version == "" && !c.answered && c.ctx.Err() == nil {
		// Nobody said which version: the first generation's agents know only the first.
		c.g.Version = gosnmp.Version1
		if found, err = c.next(asked, 0); err == nil {
			c.session.version = v1
		} else {
			c.g.Version = gosnmp.Version2c
		}
	}
	if err != nil {
		return sys, err
	}
	for oid, v := range found {
		switch oid {
		case parentOf(sysDescr):
			if v.OID == sysDescr {
				sys.Descr = v.Value.Words()
			}
		case parentOf(sysObjectID):
			if v.OID == sysObjectID {
				sys.ObjectID = v.Value.Words()
			}
		case parentOf(sysName):
			if v.OID == sysName {
				sys.Name = v.Value.Words()
			}
		}
	}
	for _, o := range present {
		v, ok := found[o]
		sys.Present[o] = ok && mibs.Under(v.OID, o)
	}
	return sys, nil
}

func parentOf(oid string) string { return oid[:strings.LastIndexByte(oid, '.')] }

// next asks for what follows each OID, in halves where the agent cannot take them all.
func (c *client) next(oids []string, depth int) (map[string]Varbind, error) {
	if len(oids) == 0 {
		return nil, nil
	}
	vars, err := c.getNext(oids)
	var status *statusError
	switch {
	case errors.As(err, &status):
		if status.status == gosnmp.AuthorizationError || status.status == gosnmp.NoAccess {
			return nil, fmt.Errorf("%w: the agent lets us in, but not at its MIB: its view for us is too narrow (%w)", errAuth, err)
		}
		if len(oids) == 1 {
			return nil, nil // v1 says noSuchName at the end of the MIB; another status says no more
		}
	case errors.Is(err, errNoAnswer) && c.answered && len(oids) > 1 && depth < 8:
	case err != nil:
		return nil, err
	case len(vars) == len(oids):
		out := map[string]Varbind{}
		for i, v := range vars {
			if val := decoded(v); val.Known() {
				out[oids[i]] = Varbind{strings.TrimPrefix(v.Name, "."), val}
			}
		}
		return out, nil
	default:
		if len(oids) == 1 {
			return nil, fmt.Errorf("%w: %d values for one question", errGarbage, len(vars))
		}
	}
	if status != nil && status.status == gosnmp.NoSuchName && status.index >= 1 && status.index <= len(oids) {
		rest := append(append([]string{}, oids[:status.index-1]...), oids[status.index:]...)
		return c.next(rest, depth)
	}
	out, err := c.next(oids[:len(oids)/2], depth+1)
	if err != nil {
		return nil, err
	}
	second, err := c.next(oids[len(oids)/2:], depth+1)
	if err != nil {
		return nil, err
	}
	if out == nil {
		out = map[string]Varbind{}
	}
	for k, v := range second {
		out[k] = v
	}
	return out, nil
}

// decoded turns the library's value into ours.
func decoded(v gosnmp.SnmpPDU) Value {
	switch v.Type {
	case gosnmp.Integer, gosnmp.Counter32, gosnmp.Gauge32, gosnmp.TimeTicks, gosnmp.Counter64, gosnmp.Uinteger32:
		b := gosnmp.ToBigInt(v.Value)
		if b.IsUint64() {
			return UnsignedValue(b.Uint64())
		}
		return IntegerValue(b.Int64())
	case gosnmp.OctetString, gosnmp.BitString, gosnmp.Opaque, gosnmp.NsapAddress:
		switch x := v.Value.(type) {
		case []byte:
			if v.Type == gosnmp.Opaque {
				return opaque(x)
			}
			return StringValue(string(x))
		case string:
			return StringValue(x)
		}
	case gosnmp.OpaqueFloat:
		if f, ok := v.Value.(float32); ok && !math.IsNaN(float64(f)) {
			return FloatValue(float64(f))
		}
	case gosnmp.OpaqueDouble:
		if f, ok := v.Value.(float64); ok && !math.IsNaN(f) {
			return FloatValue(f)
		}
	case gosnmp.ObjectIdentifier:
		if s, ok := v.Value.(string); ok {
			return OIDValue(s)
		}
	case gosnmp.IPAddress:
		if s, ok := v.Value.(string); ok {
			return AddressValue(s)
		}
	}
	return Value{}
}
