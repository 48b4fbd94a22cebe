package peers

import (
	"encoding/hex"
	"net"
	"testing"
	"time"
	"github.com/sparewatch/sparewatch/pkg/bmp"
)

func TestRaw(t *testing.T) {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	const r, u1, u2 = "127.0.8.1", "127.0.8.2", "127.0.8.3"
	startSpeaker(t, speaker{kind: "frr", addr: r, as: 65010, bmp: l.Addr().String(), peers: []neighbour{{addr: u1, as: 65101, tell: "none"}}})
	startSpeaker(t, speaker{kind: "bird", addr: u1, as: 65101, told: []origin{{"0.0.0.0/0", []uint32{64501}}}, peers: []neighbour{{addr: r, as: 65010}}})
	c, _ := l.Accept()
	_ = c.SetReadDeadline(time.Now().Add(6 * time.Second))
	rd, d := bmp.NewReader(c), bmp.NewDecoder()
	for {
		b, err := rd.Next()
		if err != nil {
			t.Log(err)
			return
		}
		m, err := d.Message(b)
		t.Log(b[5], hex.EncodeToString(b), err)
		if m != nil && m.Up != nil {
			t.Logf("%+v", *m.Up)
		}
	}
}
