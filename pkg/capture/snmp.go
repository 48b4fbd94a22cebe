package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

func captureSNMP(ctx context.Context, u *url.URL, target collectors.Target, scrub *recording.Scrubber, w io.Writer) (Summary, error) {
	if err := teach(scrub); err != nil {
		return Summary{}, err
	}
	c, err := agent(ctx, u, target)
	if err != nil {
		return Summary{}, err
	}
	if err := c.Connect(); err != nil {
		return Summary{}, fmt.Errorf("reach %s: %w", u.Host, err)
	}
	defer c.Conn.Close()
	stop := context.AfterFunc(ctx, func() { c.Conn.Close() }) // the library looks at a deadline, but not at a cancel
	defer stop()
	walk := &walk{agent: c, repetitions: 25, sum: Summary{Format: recording.SNMPRec}}
	objects, err := walk.all(ctx)
	if err != nil {
		return walk.sum, fmt.Errorf("walk %s: %w", u.Host, err)
	}
	objects = scrub.SNMP(objects)
	walk.sum.LeftOut = walk.read - len(objects)
	walk.sum.Items = len(objects)
	return walk.sum, recording.WriteSNMPRec(w, objects)
}

// agent prepares a client as the credentials say.
func agent(ctx context.Context, u *url.URL, target collectors.Target) (*gosnmp.GoSNMP, error) {
	c := &gosnmp.GoSNMP{Context: ctx, Target: u.Hostname(), Port: 161, Community: target.Credentials.Community.Reveal(), Version: gosnmp.Version2c,
		Timeout: target.Timeout, Retries: 2, MaxOids: 1, Transport: "udp"}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%s is no port", p)
		}
		c.Port = uint16(n)
	}
	if u.User != nil {
		c.Community = u.User.Username()
	}
	if c.Community == "" {
		c.Community = "public"
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	switch v := target.Credentials.Version; {
	case v == "1":
		c.Version = gosnmp.Version1
	case v == "3" || v == "" && target.Credentials.V3.User != "":
		return c, version3(c, target.Credentials.V3)
	case v != "" && v != "2c":
		return nil, fmt.Errorf("SNMP version %q: write 1, 2c or 3", v)
	}
	return c, nil
}

var (
	authProtocols = map[string]gosnmp.SnmpV3AuthProtocol{"MD5": gosnmp.MD5, "SHA": gosnmp.SHA, "SHA-224": gosnmp.SHA224, "SHA-256": gosnmp.SHA256,
		"SHA-384": gosnmp.SHA384, "SHA-512": gosnmp.SHA512}
	privProtocols = map[string]gosnmp.SnmpV3PrivProtocol{"DES": gosnmp.DES, "AES": gosnmp.AES, "AES-192": gosnmp.AES192, "AES-256": gosnmp.AES256}
)

func version3(c *gosnmp.GoSNMP, v collectors.V3) error {
	usm := &gosnmp.UsmSecurityParameters{UserName: v.User, AuthenticationPassphrase: v.AuthKey.Reveal(), PrivacyPassphrase: v.PrivKey.Reveal()}
	c.Version, c.SecurityModel, c.SecurityParameters, c.ContextName, c.MsgFlags = gosnmp.Version3, gosnmp.UserSecurityModel, usm, v.Context, gosnmp.NoAuthNoPriv
	var ok bool
	if v.AuthProtocol != "" {
		if usm.AuthenticationProtocol, ok = authProtocols[v.AuthProtocol]; !ok {
			return fmt.Errorf("the authentication protocol %q is not known", v.AuthProtocol)
		}
		c.MsgFlags = gosnmp.AuthNoPriv
	}
	if v.PrivProtocol != "" {
		if usm.PrivacyProtocol, ok = privProtocols[v.PrivProtocol]; !ok {
			return fmt.Errorf("the privacy protocol %q is not known", v.PrivProtocol)
		}
		c.MsgFlags = gosnmp.AuthPriv
	}
	return nil
}

// walk reads an agent's tree from its beginning to its end. An agent that goes in circles, answers with errors or
// falls silent in the middle costs what is behind that place and no more.
type walk struct {
	agent       *gosnmp.GoSNMP
	repetitions uint32
	sum         Summary
	read        int
	objects     []recording.Object
}

func (w *walk) all(ctx context.Context) ([]recording.Object, error) {
	at := recording.OID{0, 0}
	silent := 0
	for len(w.objects) < maxItems {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		vars, err := w.after(at)
		w.sum.Requests++
		switch {
		case errors.Is(err, errEnd):
			return w.done()
		case errors.Is(err, errSmaller) && w.repetitions > 1:
			w.repetitions /= 2
			continue
		case errors.Is(err, errStatus):
			// The agent cannot say what comes next: go on behind the column.
			if merr := w.sum.miss(at.String(), err); merr != nil {
				return nil, merr
			}
			if at = behind(at); at == nil {
				return w.done()
			}
			continue
		case err != nil:
			if silent++; silent < maxInARow && (len(w.objects) > 0 || silent == 1) {
				w.repetitions = max(1, w.repetitions/8) // a big answer in many fragments gets lost first
				continue
			}
			if len(w.objects) == 0 {
				return nil, fmt.Errorf("no answer: nothing is there, something drops the packets, or the community is wrong: %w", err)
			}
			w.sum.Missing = append(w.sum.Missing, Missing{"behind " + at.String(), err})
			return w.done()
		}
		silent = 0
		next, end, err := w.take(at, vars)
		if err != nil {
			w.sum.Missing = append(w.sum.Missing, Missing{"behind " + at.String(), err})
			return w.done()
		}
		if end {
			return w.done()
		}
		at = next
	}
	w.sum.Missing = append(w.sum.Missing, Missing{"behind " + at.String(), fmt.Errorf("the tree has more than %d objects", maxItems)})
	return w.done()
}

func (w *walk) done() ([]recording.Object, error) {
	if len(w.objects) == 0 {
		return nil, errors.New("the agent answers, but has nothing to say: is the community allowed to see anything?")
	}
	w.read = len(w.objects)
	return w.objects, nil
}

var (
	errEnd     = errors.New("the end")
	errSmaller = errors.New("the answer would be too big")
	errStatus  = errors.New("the agent answers with an error")
)

// after asks for what follows an OID.
func (w *walk) after(at recording.OID) (vars []gosnmp.SnmpPDU, err error) {
	var p *gosnmp.SnmpPacket
	if w.agent.Version == gosnmp.Version1 {
		p, err = w.agent.GetNext([]string{at.String()})
	} else {
		p, err = w.agent.GetBulk([]string{at.String()}, 0, w.repetitions)
	}
	switch {
	case err != nil:
		return nil, err
	case p.Error == gosnmp.NoSuchName:
		return nil, errEnd
	case p.Error == gosnmp.TooBig:
		return nil, fmt.Errorf("%w (%w)", errSmaller, errStatus)
	case p.Error != gosnmp.NoError:
		return nil, fmt.Errorf("%w: %s", errStatus, p.Error)
	case len(p.Variables) == 0:
		return nil, fmt.Errorf("%w: it is empty", errStatus)
	}
	return p.Variables, nil
}

// take keeps the objects of an answer and returns the last OID.
func (w *walk) take(at recording.OID, vars []gosnmp.SnmpPDU) (last recording.OID, end bool, err error) {
	for _, v := range vars {
		if v.Type == gosnmp.EndOfMibView {
			return at, true, nil
		}
		oid, err := recording.ParseOID(v.Name)
		if err != nil {
			return nil, false, err
		}
		if oid.Compare(at) <= 0 {
			return nil, false, fmt.Errorf("the agent goes in circles: %s comes after %s", oid, at)
		}
		at = oid
		if v.Type == gosnmp.NoSuchObject || v.Type == gosnmp.NoSuchInstance {
			continue
		}
		value, err := valueOf(v)
		if err != nil {
			if merr := w.sum.miss(oid.String(), err); merr != nil {
				return nil, false, merr
			}
			continue
		}
		w.objects = append(w.objects, recording.Object{OID: oid, Value: value})
	}
	return at, false, nil
}

// behind is where to go on when an agent cannot say what comes after at: the next column, or the next subtree where at
// was the beginning of one. nil where there is none.
func behind(at recording.OID) recording.OID {
	for n := len(at) - 1; n >= 2; n-- {
		if at[n-1] != math.MaxUint32 {
			next := append(recording.OID{}, at[:n]...)
			next[n-1]++
			return next
		}
	}
	return nil
}

// valueOf turns what the library decoded back into what was sent.
func valueOf(v gosnmp.SnmpPDU) (recording.Value, error) {
	switch v.Type {
	case gosnmp.Integer:
		return recording.IntValue(gosnmp.ToBigInt(v.Value).Int64()), nil
	case gosnmp.OctetString, gosnmp.BitString, gosnmp.NsapAddress:
		if b, ok := v.Value.([]byte); ok {
			return recording.Value{Type: recording.OctetString, Bytes: append([]byte{}, b...)}, nil
		}
	case gosnmp.Null:
		return recording.Value{Type: recording.Null}, nil
	case gosnmp.ObjectIdentifier:
		if s, ok := v.Value.(string); ok {
			oid, err := recording.ParseOID(s)
			return recording.OIDValue(oid), err
		}
	case gosnmp.IPAddress:
		if s, ok := v.Value.(string); ok {
			if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
				return recording.Value{Type: recording.IPAddress, Bytes: a.AsSlice()}, nil
			}
			if b := net.ParseIP(s); b != nil {
				return recording.Value{Type: recording.OctetString, Bytes: b}, nil
			}
		}
	case gosnmp.Counter32:
		return recording.UintValue(recording.Counter32, gosnmp.ToBigInt(v.Value).Uint64()), nil
	case gosnmp.Gauge32, gosnmp.Uinteger32:
		return recording.UintValue(recording.Gauge32, gosnmp.ToBigInt(v.Value).Uint64()), nil
	case gosnmp.TimeTicks:
		return recording.UintValue(recording.TimeTicks, gosnmp.ToBigInt(v.Value).Uint64()), nil
	case gosnmp.Counter64:
		return recording.UintValue(recording.Counter64, gosnmp.ToBigInt(v.Value).Uint64()), nil
	case gosnmp.Opaque, gosnmp.OpaqueFloat, gosnmp.OpaqueDouble:
		return opaque(v)
	}
	return recording.Value{}, fmt.Errorf("a value of type %#x cannot be recorded", byte(v.Type))
}

// opaque packs the opaque specials that the library has unpacked.
func opaque(v gosnmp.SnmpPDU) (recording.Value, error) {
	special := func(tag byte, n int, bits uint64) (recording.Value, error) {
		b := []byte{0x9f, tag, byte(n)}
		for i := n - 1; i >= 0; i-- {
			b = append(b, byte(bits>>(8*i)))
		}
		return recording.Value{Type: recording.Opaque, Bytes: b}, nil
	}
	switch f := v.Value.(type) {
	case float32:
		return special(0x78, 4, uint64(math.Float32bits(f)))
	case float64:
		return special(0x79, 8, math.Float64bits(f))
	case []byte:
		return recording.Value{Type: recording.Opaque, Bytes: append([]byte{}, f...)}, nil
	}
	return recording.Value{}, fmt.Errorf("an Opaque that holds %T cannot be recorded", v.Value)
}
