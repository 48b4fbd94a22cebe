package bgp

import (
	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// The three messages that the speaker sends, written by GoBGP's codec. There is no fourth: it has no words to announce a
// path with.

// open is the OPEN message (RFC 4271 section 4.2) with the capabilities that o names, each once: families (RFC 4760), the
// end of the first word (RFC 4724), AS numbers of four octets (RFC 6793) and several paths to a prefix (RFC 7911).
func open(o bgp.Open) []byte {
	as := o.AS
	if as > 0xffff {
		as = bgp.Trans
	}
	var can []gobgp.ParameterCapabilityInterface
	for _, f := range o.Families {
		can = append(can, gobgp.NewCapMultiProtocol(family(f)))
	}
	if o.Restart {
		can = append(can, gobgp.NewCapGracefulRestart(false, false, 0, nil))
	}
	if o.FourOctet {
		can = append(can, gobgp.NewCapFourOctetASNumber(uint32(o.AS)))
	}
	if len(o.AddPath) > 0 {
		var tuples []*gobgp.CapAddPathTuple
		for _, f := range bgp.Kept() {
			if mode, ok := o.AddPath[f]; ok {
				tuples = append(tuples, gobgp.NewCapAddPathTuple(family(f), gobgp.BGPAddPathMode(mode)))
			}
		}
		can = append(can, gobgp.NewCapAddPath(tuples))
	}
	return serialized(gobgp.NewBGPOpenMessage(uint16(as), o.Hold, o.ID.String(), []gobgp.OptionParameterInterface{gobgp.NewOptionParameterCapability(can)}))
}

func family(f bgp.Family) gobgp.RouteFamily { return gobgp.AfiSafiToRouteFamily(f.AFI(), f.SAFI()) }

// keepalive is the KEEPALIVE message (RFC 4271 section 4.4).
func keepalive() []byte { return serialized(gobgp.NewBGPKeepAliveMessage()) }

// mostData is how much of what was wrong fits into a NOTIFICATION (RFC 4271 section 4.5).
const mostData = 4096 - 21

// notification is the NOTIFICATION message; data is cut where it would not fit.
func notification(code, subcode uint8, data []byte) []byte {
	return serialized(gobgp.NewBGPNotificationMessage(code, subcode, data[:min(len(data), mostData)]))
}

// serialized is a message of ours as sent. That it cannot be written is a mistake of this file; the neighbour then closes.
func serialized(m *gobgp.BGPMessage) []byte {
	b, err := m.Serialize()
	if err != nil {
		return nil
	}
	return b
}
