package snmp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/mibs"
)

// tries is how often one request is sent before the agent counts as silent, resend after how long at the latest the second
// time. The wait for both together is the target's timeout.
const (
	tries  = 2
	resend = 2 * time.Second
)

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
	version  gosnmp.SnmpVersion
	g        *gosnmp.GoSNMP // version 3 only
	ctx      context.Context
	release  func() bool
	conn     net.Conn
	buffers  *buffers
	limits   collectors.Limits
	wait     time.Duration // for the answer to one request
	requests int
	bytes    int64 // received
	tuning   *tuning
	spent    error // the limit that was reached
	answered bool  // the agent has answered at least once
	knew     bool  // version 3: the engine was known before this conversation
	session  *session
}

// buffers are what a conversation needs for as long as it lasts.
type buffers struct {
	in     [65535]byte
	out    []byte
	binds  []bind
	asked  []arcs
	octets []byte // of asked
}

var bufferPool = sync.Pool{New: func() any { return &buffers{} }}

// libraries keeps the library's sessions from poll to poll: each holds a buffer of 64 KiB.
var libraries = sync.Pool{New: func() any { return nil }}

// countingConn counts what comes in. It hides the packet methods of a UDP socket, which the library would use instead.
type countingConn struct {
	net.Conn
	c    *client
	last []byte // the last datagram
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.c.bytes += int64(n)
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
	if after[0] == notInTime {
		return errWindow
	}
	words, ok := map[byte]string{
		1: "the agent does not offer this security level to the user (usmStatsUnsupportedSecLevels)",
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
	c := &client{ctx: ctx, limits: s.target.Limits, wait: s.target.Timeout, tuning: &s.tuning, session: s, version: gosnmp.Version2c}
	switch s.version {
	case v1:
		c.version = gosnmp.Version1
	case v3:
		c.version = gosnmp.Version3
	}
	var err error
	if s.addr.IsValid() {
		c.conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.addr))
	} else {
		c.conn, err = (&net.Dialer{Timeout: s.target.Timeout}).DialContext(ctx, "udp", net.JoinHostPort(s.host, strconv.Itoa(int(s.port))))
	}
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c.buffers = bufferPool.Get().(*buffers)
	if c.version == gosnmp.Version3 {
		if err := c.borrow(); err != nil {
			_ = c.conn.Close()
			return nil, err
		}
	}
	// A wait ends where the socket is closed.
	c.release = context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	return c, nil
}

// borrow gets a session of the library and makes it this conversation's.
func (c *client) borrow() error {
	s := c.session
	g, _ := libraries.Get().(*gosnmp.GoSNMP)
	if g == nil {
		// Connect makes the library's buffer; its socket is not needed.
		g = &gosnmp.GoSNMP{Target: "127.0.0.1", Port: 9, Version: gosnmp.Version2c, Timeout: time.Second, Context: context.Background()}
		if err := g.Connect(); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		_ = g.Conn.Close()
	}
	g.Target, g.Port, g.Timeout, g.Retries, g.MaxOids, g.Context = s.host, s.port, c.wait/tries, tries-1, 200, c.ctx
	g.Version, g.SecurityModel, g.MsgFlags = gosnmp.Version3, gosnmp.UserSecurityModel, s.usm.flags
	// An agent may take no context but its own engine's (RFC 3411 section 3.3.1).
	g.SecurityParameters, g.ContextName, g.ContextEngineID = s.usm.parameters, s.usm.context, s.usm.parameters.AuthoritativeEngineID
	c.knew = s.usm.parameters.AuthoritativeEngineID != ""
	g.OnSent = func(*gosnmp.GoSNMP) { c.requests++ }
	g.SetRequestID(rand.Uint32())
	g.SetMsgID(rand.Uint32())
	// This does with the security parameters what Connect does; the error is that nothing is no packet.
	_, _ = g.SnmpDecodePacket(nil)
	g.Conn = &countingConn{Conn: c.conn, c: c}
	c.g = g
	return nil
}

func (c *client) close() {
	c.release()
	_ = c.conn.Close()
	if g := c.g; g != nil {
		g.Conn, g.OnSent, g.Context, g.SecurityParameters = nil, nil, context.Background(), nil
		libraries.Put(g)
	}
	clear(c.buffers.binds[:cap(c.buffers.binds)])
	clear(c.buffers.asked[:cap(c.buffers.asked)])
	bufferPool.Put(c.buffers)
}

// ask sends one request and checks what comes back. second and third are a GETBULK's counts, else zero. What it returns
// holds until the next request.
func (c *client) ask(pdu gosnmp.PDUType, second, third int, oids []arcs) ([]bind, error) {
	if c.requests >= c.limits.Requests {
		c.spent = fmt.Errorf("%d requests were not enough to read it all; %w", c.limits.Requests, errLimit)
	}
	if c.bytes >= c.limits.Bytes {
		c.spent = fmt.Errorf("the device sent more than %d bytes; %w", c.limits.Bytes, errLimit)
	}
	if c.spent != nil {
		return nil, c.spent
	}
	exchange := c.exchange
	if c.g != nil {
		exchange = c.byLibrary
	}
	r, err := exchange(pdu, second, third, oids)
	if err != nil && c.anotherEngine() {
		r, err = exchange(pdu, second, third, oids)
	}
	if err != nil {
		return nil, c.sort(err)
	}
	switch {
	case r.pdu == gosnmp.Report:
		return nil, errWindow
	case r.pdu != gosnmp.GetResponse:
		return nil, fmt.Errorf("%w: it answers with a %s", errGarbage, r.pdu)
	}
	c.answered = true
	if r.status != gosnmp.NoError {
		return r.binds, &statusError{r.status, r.index}
	}
	return r.binds, nil
}

// exchange sends a request of version 1 or 2c, again where no answer comes.
func (c *client) exchange(pdu gosnmp.PDUType, second, third int, oids []arcs) (response, error) {
	// The highest bit but one keeps the id at four octets.
	id := rand.Uint32()&math.MaxInt32 | 1<<30
	c.buffers.out = appendRequest(c.buffers.out[:0], c.version, c.session.community, pdu, id, second, third, oids)
	var err error
	end := time.Now().Add(c.wait)
	if of, ok := c.ctx.Deadline(); ok && of.Before(end) {
		end = of
	}
	for try := range tries {
		if err := c.ctx.Err(); err != nil {
			return response{}, err
		}
		// Who is slow and who has lost a packet cannot be told apart: the answer to either copy will do.
		deadline := end
		if again := time.Now().Add(min(c.wait/tries, resend)); try < tries-1 && again.Before(end) {
			deadline = again
		}
		if err = c.conn.SetDeadline(deadline); err != nil {
			return response{}, err
		}
		if _, err = c.conn.Write(c.buffers.out); err != nil {
			continue
		}
		c.requests++
		var r response
		if r, err = c.receive(id); err == nil {
			return r, nil
		}
	}
	return response{}, err
}

// receive waits for the answer to a request. Answers to others, which came too late, are dropped.
func (c *client) receive(id uint32) (response, error) {
	for {
		n, err := c.conn.Read(c.buffers.in[:])
		if err != nil {
			return response{}, err
		}
		c.bytes += int64(n)
		r, err := readResponse(c.buffers.in[:n], c.version, c.buffers.binds[:0])
		if cap(r.binds) > cap(c.buffers.binds) {
			c.buffers.binds = r.binds
		}
		switch {
		case err != nil:
			return response{}, fmt.Errorf("%d octets are no answer: %w", n, err)
		case r.id == id:
			return r, nil
		case c.bytes >= c.limits.Bytes:
			return response{}, errors.New("answers to other requests come without end")
		}
	}
}

// byLibrary sends a request of version 3.
func (c *client) byLibrary(pdu gosnmp.PDUType, second, third int, oids []arcs) (response, error) {
	names := make([]string, len(oids))
	for i, o := range oids {
		names[i] = o.String()
	}
	var packet *gosnmp.SnmpPacket
	var err error
	switch pdu {
	case gosnmp.GetRequest:
		packet, err = c.g.Get(names)
	case gosnmp.GetNextRequest:
		packet, err = c.g.GetNext(names)
	default:
		packet, err = c.g.GetBulk(names, uint8(second), uint32(third))
	}
	if err != nil {
		return response{}, err
	}
	r := response{pdu: packet.PDUType, status: packet.Error, index: int(packet.ErrorIndex), binds: make([]bind, len(packet.Variables))}
	for i, v := range packet.Variables {
		val := decoded(v)
		r.binds[i] = bind{oid: parseArcs(v.Name), tag: byte(v.Type), value: &val}
	}
	return r, nil
}

// sort finds out what an error of the library means.
func (c *client) sort(err error) error {
	if ctxErr := c.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	silent := errors.Is(err, gosnmp.ErrMaxRetriesExceeded) || errors.Is(err, context.DeadlineExceeded)
	var timeout net.Error
	silent = silent || errors.As(err, &timeout) && timeout.Timeout()
	if c.g != nil {
		if report := c.g.Conn.(*countingConn).report(); report != nil {
			return report
		}
		if silent && c.bytes > 0 && !c.answered {
			return fmt.Errorf("%w: the agent says who it is, and then is silent: the privacy key or its protocol is wrong", errAuth)
		}
	}
	switch {
	case errors.Is(err, gosnmp.ErrNotInTimeWindow), errors.Is(err, gosnmp.ErrUnknownEngineID), errors.Is(err, gosnmp.ErrUnknownUsername),
		errors.Is(err, gosnmp.ErrWrongDigest), errors.Is(err, gosnmp.ErrDecryption), errors.Is(err, gosnmp.ErrUnknownSecurityLevel),
		errors.Is(err, gosnmp.ErrUnknownReportPDU), errors.Is(err, gosnmp.ErrInvalidMsgs), errors.Is(err, gosnmp.ErrUnknownSecurityModels), errors.Is(err, gosnmp.ErrUnknownPDUHandlers):
		return fmt.Errorf("%w: %w", errAuth, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens on port %d of %s", errRefused, c.session.port, c.session.host)
	case silent:
		return errNoAnswer
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return err
	}
	return fmt.Errorf("%w: %s", errGarbage, oneLine(err.Error()))
}

func (c *client) get(oids []arcs) ([]bind, error) { return c.ask(gosnmp.GetRequest, 0, 0, oids) }

func (c *client) getNext(oids []arcs) ([]bind, error) {
	return c.ask(gosnmp.GetNextRequest, 0, 0, oids)
}

func (c *client) getBulk(oids []arcs, repetitions int) ([]bind, error) {
	return c.ask(gosnmp.GetBulkRequest, 0, repetitions, oids)
}

// there asks the least that can be asked; an agent that refuses to say is there too.
func (c *client) there() error {
	_, err := c.get([]arcs{parseArcs(sysObjectID)})
	var status *statusError
	if errors.As(err, &status) {
		return nil
	}
	return err
}

// atOnce is how many subtrees are asked for in one GETNEXT, so that the answer fits an Ethernet frame.
const atOnce = 36

// identify asks what the device is, and which subtrees it has.
func (c *client) identify(present []string) (mibs.System, error) {
	sys := mibs.System{Present: map[string]bool{}}
	found := map[string]Varbind{}
	asked := append([]string{parentOf(sysDescr), parentOf(sysObjectID), parentOf(sysName)}, present...)
	for some := range slices.Chunk(asked, atOnce) {
		err := c.next(some, found, 0)
		if errors.Is(err, errNoAnswer) && c.session.version == "" && !c.answered && c.ctx.Err() == nil {
			// Nobody said which version: the first generation's agents know only the first.
			c.version, c.wait = gosnmp.Version1, min(c.wait, 2*resend)
			if err = c.next(some, found, 0); err == nil {
				c.session.version = v1
			} else {
				c.version = gosnmp.Version2c
			}
			c.wait = c.session.target.Timeout
		}
		if err != nil {
			return sys, err
		}
	}
	for oid, to := range map[string]*string{sysDescr: &sys.Descr, sysObjectID: &sys.ObjectID, sysName: &sys.Name} {
		if v := found[parentOf(oid)]; v.OID == oid {
			*to = v.Value.Words()
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
func (c *client) next(oids []string, found map[string]Varbind, depth int) error {
	if len(oids) == 0 {
		return nil
	}
	asked := c.buffers.asked[:0]
	for _, o := range oids {
		asked = append(asked, parseArcs(o))
	}
	c.buffers.asked = asked
	vars, err := c.getNext(asked)
	var status *statusError
	switch {
	case errors.As(err, &status):
		if status.status == gosnmp.AuthorizationError || status.status == gosnmp.NoAccess {
			return fmt.Errorf("%w: the agent lets us in, but not at its MIB: its view for us is too narrow (%w)", errAuth, err)
		}
		if len(oids) == 1 {
			return nil // v1 says noSuchName at the end of the MIB; another status says no more
		}
	case errors.Is(err, errNoAnswer) && c.answered && len(oids) > 1 && depth < 8:
	case err != nil:
		return err
	case len(vars) == len(oids):
		for i, v := range vars {
			if v.ends() {
				continue
			}
			if val := v.read(Value{}); val.Known() {
				found[oids[i]] = Varbind{v.oid.String(), val}
			}
		}
		return nil
	default:
		if len(oids) == 1 {
			return fmt.Errorf("%w: %d values for one question", errGarbage, len(vars))
		}
	}
	if status != nil && status.status == gosnmp.NoSuchName && status.index >= 1 && status.index <= len(oids) {
		return c.next(slices.Delete(slices.Clone(oids), status.index-1, status.index), found, depth)
	}
	if err := c.next(oids[:len(oids)/2], found, depth+1); err != nil {
		return err
	}
	return c.next(oids[len(oids)/2:], found, depth+1)
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
