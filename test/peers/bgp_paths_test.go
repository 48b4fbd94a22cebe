package peers

import (
	"fmt"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

const seconds = 20 * time.Second

func TestBMP(t *testing.T) {
	port := freeTCP(t)
	station := fmt.Sprintf("127.0.0.1:%d", port)
	w := watch(t, fmt.Sprintf(`
site: ams1
bgp:
  bmp: {listen: "%s", routers: [{device: edge, address: 127.0.0.1}]}
  watch: [{name: internet, prefixes: 0.0.0.0/0}]
services: [{name: web, tier: 0, needs: internet}]
`, station))
	const r, u1, u2 = "127.0.8.1", "127.0.8.2", "127.0.8.3"
	startSpeaker(t, speaker{kind: "frr", addr: r, as: 65010, bmp: station, peers: []neighbour{{addr: u1, as: 65101, tell: "none"}, {addr: u2, as: 65102, tell: "none"}}})
	startSpeaker(t, speaker{kind: "bird", addr: u1, as: 65101, told: []origin{{"0.0.0.0/0", []uint32{64501}}}, peers: []neighbour{{addr: r, as: 65010}}})
	b := startSpeaker(t, speaker{kind: "gobgpd", addr: u2, as: 65102, told: []origin{{"0.0.0.0/0", []uint32{64502}}}, peers: []neighbour{{addr: r, as: 65010}}})
	w.until("two ways", seconds, func(s *api.Status) bool {
		st, n := groupState(s, "bgp/group/path-internet")
		return st == engine.Full && n == 1
	})
	t.Log(describe(w.Status()))
	b.cut()
	time.Sleep(6 * time.Second)
	t.Log(describe(w.Status()))
}
