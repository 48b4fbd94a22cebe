package bgp

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// TestOpenThereAndBack: what GoBGP's codec writes of an OPEN is what we read.
func TestOpenThereAndBack(t *testing.T) {
	for _, o := range []bgp.Open{
		{AS: 64500, ID: netip.MustParseAddr("10.0.0.9"), Hold: 90, Families: []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}, FourOctet: true, Restart: true,
			AddPath: map[bgp.Family]uint8{bgp.IPv4Unicast: 1, bgp.IPv6Unicast: 3}},
		{AS: 4_200_000_001, ID: netip.MustParseAddr("10.0.0.9"), FourOctet: true},
		{AS: 65010, ID: netip.MustParseAddr("192.0.2.1"), Hold: 3},
	} {
		kind, body, err := bgp.NewReader(bytes.NewReader(open(o))).Next()
		if err != nil || kind != bgp.TypeOpen {
			t.Fatalf("type %d, %v", kind, err)
		}
		if got, err := bgp.ParseOpen(body); err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%+v became %+v, %v", o, got, err)
		}
	}
}

// TestNotificationIsCut: what a neighbour sent is quoted back only as far as it fits.
func TestNotificationIsCut(t *testing.T) {
	kind, body, err := bgp.NewReader(bytes.NewReader(notification(codeHeader, 2, make([]byte, 70_000)))).Next()
	if err != nil || kind != bgp.TypeNotification || len(body) != 2+mostData {
		t.Errorf("type %d, %d octets, %v", kind, len(body), err)
	}
}
