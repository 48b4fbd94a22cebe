package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const transit = `
site: ams1
devices:
  - {name: edge-1, urls: [snmp://10.0.0.1], kind: router}
  - {name: edge-3, urls: ["gobgp://10.0.0.3"]}
  - {name: edge-4, urls: ["bmp://10.0.0.4"]}
bgp:
  own: [65010, AS4200000001, "1.10"]
  route_servers: 64999
  sync: 90s
  bmp:
    listen: 10.0.9.9:11019
    routers:
      - {device: "edge-[1-2]", address: "10.0.0.[1-2]"}
      - {address: "2001:db8::7"}
  speaker:
    as: 65010
    listen: 10.0.9.9:179
    neighbours:
      - {device: core-1, address: 10.0.1.1, as: 65010, password: hunter2, ttl_security: 1, hold: 9s}
      - {device: transit-a, address: 192.0.2.1, as: 64500}
      - {device: cust, address: 192.0.2.2, as: 4200000001, local_as: 65011, max_prefixes: 50}
  watch:
    - {name: internet, prefixes: [0.0.0.0/0, "::/0"]}
    - {name: ours, own: true, prefixes: 198.51.100.0/24+, needed: 2}
  limits: {sessions: 100, paths: 2000000, routers: 10}
services:
  - {name: web, needs: internet}
`

func TestBGP(t *testing.T) {
	c := good(t, transit)
	o := c.BGP
	if o == nil || o.Station == nil || o.Speaker == nil {
		t.Fatalf("bgp is %+v", o)
	}
	if got := fmt.Sprint(o.Paths.Own, o.Paths.RouteServers, o.Paths.Sync, o.Paths.Limits, o.Interval); got != "[AS65010 AS4200000001 AS65546] [AS64999] 1m30s {100 2000000} 15s" {
		t.Errorf("options are %s", got)
	}
	if got := fmt.Sprint(o.Station.Listen, o.Station.Strangers, o.Station.MaxRouters, o.Station.Routers); got != "10.0.9.9:11019false 10 [{edge-1 10.0.0.1} {edge-2 10.0.0.2} {2001:db8::7 2001:db8::7} {edge-4 10.0.0.4}]" {
		t.Errorf("the station is %s", got)
	}
	if o.Speaker.AS != 65010 || o.Speaker.RouterID != netip.MustParseAddr("10.0.9.9") || len(o.Speaker.Neighbours) != 3 {
		t.Errorf("the speaker is %+v", o.Speaker)
	}
	for i, want := range []bool{false, true, false} { // core-1 and cust are ours by their AS
		if o.Speaker.Neighbours[i].Upstream != want {
			t.Errorf("neighbour %s: upstream %t", o.Speaker.Neighbours[i].Device, !want)
		}
	}
	if n := o.Speaker.Neighbours[0]; n.Password.Reveal() != "hunter2" || n.Hops != 1 || n.Hold != 9*time.Second {
		t.Errorf("the neighbour is %+v", n)
	}
	if len(o.Paths.Sets) != 2 || !o.Paths.Sets[1].In || o.Paths.Sets[1].Needed != 2 || !o.Paths.Sets[1].Items[0].Longer {
		t.Errorf("sets are %+v", o.Paths.Sets)
	}
	urls := map[string]string{}
	for _, d := range c.Devices {
		for _, tg := range d.Targets {
			urls[d.Name] += tg.URL + " "
		}
	}
	for device, want := range map[string]string{
		"edge-1": "snmp://10.0.0.1 bmp://10.0.0.1 ", "edge-2": "bmp://10.0.0.2 ", "2001:db8::7": "bmp://[2001:db8::7] ", "core-1": "bgp://10.0.1.1 ", "bgp": "bgp://watch ",
	} {
		if urls[device] != want {
			t.Errorf("%s is reached by %q, want %q", device, urls[device], want)
		}
	}
	if len(o.Targets()) != len(o.Station.Routers)+len(o.Speaker.Neighbours)+len(o.APIs)+1 {
		t.Errorf("targets are %v", o.Targets())
	}
}

func TestBGPMistakes(t *testing.T) {
	const head = "devices: [{name: a, kind: host}]\nbgp:\n"
	for _, c := range []struct{ text, want string }{
		{"  bpm: {}\n", `c.yaml:3: bgp has no key "bpm"; did you mean bmp?`},
		{"  bmp: {listen: '1.2.3.4:1', routers: [{device: 'r[1-2]', address: 10.0.0.1}]}\n", `c.yaml:3: "r[1-2]" stands for 2 names, but there is 1 address; make the two ranges equally long`},
		{"  bmp: {listen: '1.2.3.4:1', routers: [{device: 'r[1-2]', address: '10.0.0.[1-3]'}]}\n", `c.yaml:3: "r[1-2]" stands for 2 names, but there are 3 addresses; make the two ranges equally long`},
		{"  sync: 2m\n", `c.yaml:3: bgp hears nobody; write bmp: {listen: ADDRESS:11019}, or speaker, or give a device the URL gobgp://HOST`},
		{"  own: [AS0]\n  bmp: {listen: '1.2.3.4:1', unknown: accept}\n", `c.yaml:3: "AS0" is no AS number; write a number from 1 to 4294967294, as 65010`},
		{"  own: 65536.1\n  bmp: {listen: '1.2.3.4:1', unknown: accept}\n", `c.yaml:3: "65536.1" is no AS number; write a number from 1 to 4294967294, as 65010`},
		{"  bmp: {unknown: accept}\n", `c.yaml:3: bmp does not say where to listen; write listen: ADDRESS:11019`},
		{"  bmp: {listen: 10.0.0.1}\n", `c.yaml:3: listen is "10.0.0.1", which has no port; write ADDRESS:PORT, as 10.0.0.9:11019`},
		{"  bmp: {listen: '10.0.0.1:11019'}\n", `c.yaml:3: bmp lets no router in; write routers: [{device: NAME, address: ADDRESS}], or unknown: accept`},
		{"  bmp: {listen: '10.0.0.1:11019', unknown: acept}\n", `c.yaml:3: unknown is "acept"; did you mean accept?`},
		{"  bmp: {listen: '10.0.0.1:11019', routers: [{device: r}]}\n", `c.yaml:3: a router of bmp has no address; write address: ADDRESS`},
		{"  bmp: {listen: '10.0.0.1:11019', routers: [{device: r, address: r.example.net}]}\n", `c.yaml:3: "r.example.net" is no address of a router; write an IPv4 or IPv6 address`},
		{"  bmp: {listen: '10.0.0.1:11019', routers: [{device: 'r[1-3]', address: '10.0.0.[1-2]'}]}\n", `c.yaml:3: "r[1-3]" stands for 3 names, but there are 2 addresses; make the two ranges equally long`},
		{"  bmp: {listen: '10.0.0.1:11019', routers: [{device: r, address: 10.0.0.1}, {device: r, address: 10.0.0.2}]}\n", `c.yaml:3: the router r is heard twice: also at c.yaml:3; take one of them out: each tells of the same paths`},
		{"  bmp: {listen: '10.0.0.1:11019', routers: [{device: r, address: 10.0.0.1}, {device: s, address: 10.0.0.1}]}\n", `c.yaml:3: two routers have the address 10.0.0.1: also at c.yaml:3; take one of them out`},
		{"  speaker: {listen: '10.0.0.9:179', neighbours: [{device: r, address: 10.0.0.1, as: 65010}]}\n", `c.yaml:3: speaker has no AS; write as: NUMBER; a private one (64512 to 65534) will do`},
		{"  speaker: {as: 65010, listen: '0.0.0.0:179', neighbours: [{device: r, address: 10.0.0.1, as: 65010}]}\n", `c.yaml:3: speaker has no router_id; write router_id: an IPv4 address that is this machine's own`},
		{"  speaker: {as: 65010, listen: '10.0.0.9:179'}\n", `c.yaml:3: speaker has no neighbours; write neighbours: [{device: NAME, address: ADDRESS, as: NUMBER}]`},
		{"  speaker: {as: 65010, listen: '10.0.0.9:179', neighbours: [{device: r, address: 10.0.0.1}]}\n", `c.yaml:3: a neighbour has no AS; write as: NUMBER, the router's own`},
		{"  speaker: {as: 65010, listen: '10.0.0.9:179', neighbours: [{device: r, address: 10.0.0.1, as: 65010, role: uplink}]}\n", `c.yaml:3: role is "uplink"; write router (one of ours) or upstream (somebody else's)`},
		{"  speaker: {as: 65010, listen: '10.0.0.9:179', neighbours: [{device: r, address: 10.0.0.1, as: 65010, ttl_security: 255}]}\n", `c.yaml:3: ttl_security is "255"; write a whole number from 1 to 254`},
		{"  speaker: {as: 65010, listen: '10.0.0.9:179', neighbors: []}\n", "c.yaml:3: speaker has no key \"neighbors\"; did you mean neighbours?\nc.yaml:3: speaker has no neighbours; write neighbours: [{device: NAME, address: ADDRESS, as: NUMBER}]"},
		{"  bmp: {listen: '1.2.3.4:1', unknown: accept}\n  watch: [{name: a b, prefixes: 0.0.0.0/0}]\n", `c.yaml:4: "a b" cannot be a name; write letters, digits and . _ - + : only`},
		{"  bmp: {listen: '1.2.3.4:1', unknown: accept}\n  watch: [{name: x}]\n", `c.yaml:4: an entry of watch has no prefixes; write prefixes: [0.0.0.0/0, "::/0"]`},
		{"  bmp: {listen: '1.2.3.4:1', unknown: accept}\n  watch: [{name: x, prefixes: [10.0.0.1/8]}]\n", `c.yaml:4: 10.0.0.1/8 has bits beyond its length; write 10.0.0.0/8`},
		{"  bmp: {listen: '1.2.3.4:1', unknown: accept}\n  watch: [{name: x, prefixes: [default]}]\n", `c.yaml:4: "default" is no prefix; write ADDRESS/LENGTH, as 0.0.0.0/0 or "2001:db8::/32"`},
		{"  bmp: {listen: '1.2.3.4:1', unknown: accept}\n  watch: [{name: x, prefixes: [10.0.0.0/33]}]\n", `c.yaml:4: "10.0.0.0/33" is no prefix; write ADDRESS/LENGTH, as 0.0.0.0/0 or "2001:db8::/32"; with + behind it: every prefix inside`},
		{"  bmp: {listen: '1.2.3.4:1', unknown: accept}\n  watch: [{name: x, prefixes: 0.0.0.0/0}, {name: x, prefixes: 0.0.0.0/0}]\n", `c.yaml:4: two entries of watch are called x: also at c.yaml:4; give one of them another name`},
	} {
		if _, got := load(t, head+c.text); got != c.want {
			t.Errorf("%s\nsaid %s\nwant %s", c.text, got, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"devices: [{name: r, url: bmp://10.0.0.1}]\n", `c.yaml:1: bmp://10.0.0.1 cannot be heard: there is no section bgp; write bgp: {bmp: {listen: ADDRESS:11019}}, or {speaker: ...}; see configs/sparewatch.yaml`},
		{"devices: [{name: r, urls: [gobgp://10.0.0.1, bmp://10.0.0.1]}]\nbgp: {bmp: {listen: '1.2.3.4:1'}}\n", `c.yaml:1: the router r is heard twice: also at c.yaml:1; take one of them out: each tells of the same paths`},
		{"devices: [{name: r, url: bgp://10.0.0.1}]\nbgp: {bmp: {listen: '1.2.3.4:1', unknown: accept}}\n", `c.yaml:1: bgp://10.0.0.1 does not say the neighbour's AS; write it under bgp: speaker: neighbours, as {device: r, address: 10.0.0.1, as: NUMBER}`},
		{"devices: [{name: r, url: 'bmp://router'}]\nbgp: {bmp: {listen: '1.2.3.4:1'}}\n", `c.yaml:1: bmp://router is no address that a router connects from; write bmp://ADDRESS: the address that the router connects from`},
		{"devices: [{name: bgp, kind: host}]\nbgp: {bmp: {listen: '1.2.3.4:1', unknown: accept}}\n", `c.yaml:2: there are two devices called bgp: also at c.yaml:1; give one of them another name, or write all its urls in one place`},
	} {
		if _, got := load(t, c.text); !strings.Contains(got, c.want) {
			t.Errorf("%s\nsaid %s\nwant %s", c.text, got, c.want)
		}
	}
}
