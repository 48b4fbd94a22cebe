package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Config is the configuration of a daemon that watches the datacenter: every device with its URL and credentials, and
// the cabling as it is declared. It says nothing of where the daemon keeps its state or listens; that may stand in
// another file of the same folder.
func (d *Datacenter) Config() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# A simulated datacenter on loopback: two UPSes, two feeds, two racks of six servers.
site: lab
poll: {states: 1s, inventory: 10s, timeout: 1200ms}

credentials:
  bmc:
    user: %s
    password: %q
    tls: {fingerprint: %s}
  agent: {community: %q}
  ups:
    v3: {user: %s, auth: %s, auth_key: %q, priv: %s, priv_key: %q}

devices:
`, d.opt.User, d.opt.Password, d.Fingerprint(), d.opt.Community,
		d.opt.V3.Name, d.opt.V3.AuthProtocol, d.opt.V3.AuthKey, d.opt.V3.PrivProtocol, d.opt.V3.PrivKey)
	for _, name := range d.Devices() {
		kind, credentials := "host", "bmc"
		switch {
		case d.plant.ups[name] != nil:
			kind, credentials = "ups", "ups"
		case d.plant.pdus[name] != nil:
			kind, credentials = "pdu", "agent"
		}
		fmt.Fprintf(&b, "  - {name: %s, kind: %s, url: %q, credentials: %s}\n", name, kind, d.URL(name), credentials)
	}
	bgp, vpn := d.pathsConfig()
	b.WriteString(bgp)
	b.WriteString(`
topology:
  utilities: [utility-a, utility-b]
  feeds:
    - {id: feed-a, fed_by: ups-a, breaker: {amps: 63, volts: 230, phases: 1}}
    - {id: feed-b, fed_by: ups-b, breaker: {amps: 63, volts: 230, phases: 1}}
  # Two upstreams, each by a circuit of its own, and both circuits through one conduit.
  conduits: [conduit-east]
  circuits: [{id: "circuit-[1,2]", through: conduit-east}]
  upstreams: [{id: as64500, carried_by: circuit-1}, {id: as64501, carried_by: circuit-2}]
  groups:
    - {id: transit, kind: upstream, members: [as64500, as64501], needed: 1, designed: 2}
  cables:
    - "ups-[a,b]/inlet/1 <- utility-[a,b]"
    - "pdu-[r12,r13]-a/inlet/1 <- feed-a"
    - "pdu-[r12,r13]-b/inlet/1 <- feed-b"
    - "srv-[101-106]/psu/1 <- pdu-r12-a/outlet/[1-6]"
    - "srv-[101-106]/psu/2 <- pdu-r12-b/outlet/[1-6]"
    - "srv-105/psu/3 <- pdu-r12-a/outlet/13"
    - "srv-105/psu/4 <- pdu-r12-b/outlet/13"
    - "srv-[107-112]/psu/1 <- pdu-r13-a/outlet/[1-6]"
    - "srv-[107-112]/psu/2 <- pdu-r13-b/outlet/[1-6]"

services:
  - {name: payments, tier: 0, needs: {at_least: 2, of: [srv-101, srv-102, srv-103]}, rto: 15m}
  - {name: search, tier: 1, needs: {at_least: 1, of: [srv-105, srv-111]}}
  - {name: wiki, tier: 2, needs: srv-106}
  - {name: internet, tier: 1, needs: transit}
`)
	b.WriteString(vpn)
	return b.String()
}

// Step is one step of a script.
type Step struct {
	At     time.Duration // after the start
	Words  string        // what happens, for the terminal; one line
	Do     func() error  // makes it happen; nil where the step only speaks
	About  string        // the component that it is about, as an id of the configuration; "" where there is none
	Expect string        // what the daemon should have found one poll later; one line
}

// Script is what happens in the demo: each fault is undone before the next. It ends with everything well again, and
// takes about two and a half minutes.
func (d *Datacenter) Script() []Step {
	do := func(all ...func() error) func() error {
		return func() error {
			for _, f := range all {
				if err := f(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	steps := []Step{
		{At: 0,
			Words:  "Two racks, two feeds, twelve servers with two supplies each. Nothing is broken.",
			Expect: "every group of supplies is full; wiki runs on one host and has no spare for it"},
		{At: 8 * time.Second, About: "srv-103/psu/2",
			Words:  "A supply dies in srv-103.",
			Do:     func() error { return d.FailSupply("srv-103", 2) },
			Expect: "srv-103 has no spare supply left; payments still survives the loss of a host"},
		{At: 18 * time.Second, About: "srv-103/psu/2",
			Words:  "The supply is replaced.",
			Do:     func() error { return d.InsertSupply("srv-103", 2) },
			Expect: "srv-103 is full again"},
		{At: 26 * time.Second, About: "ups-b/ups/1",
			Words:  "The street's power fails on side B.",
			Do:     func() error { return d.LoseUtility("utility-b") },
			Expect: "ups-b carries its load from the battery: nothing is lost yet, and it will be"},
		{At: 36 * time.Second, About: "ups-b/ups/1",
			Words:  "The street's power is back.",
			Do:     func() error { return d.RestoreUtility("utility-b") },
			Expect: "ups-b runs normally"},
		{At: 44 * time.Second, About: "lab/feed/feed-a",
			Words:  "Feed A is lost: the breaker behind ups-a opens.",
			Do:     func() error { return d.LoseFeed("feed-a") },
			Expect: "one cause, feed-a, with the supplies of twelve servers under it; the second supply of srv-105 went with it although it is declared on feed B: its cord hangs on the wrong PDU"},
		{At: 62 * time.Second, About: "lab/feed/feed-a",
			Words:  "The breaker is closed again.",
			Do:     func() error { return d.RestoreFeed("feed-a") },
			Expect: "all supplies have their input again; the wrong cord is still known"},
		{At: 70 * time.Second,
			Words:  "Somebody follows the second cord of srv-105, finds it on pdu-r12-a, and hangs it on pdu-r12-b where it belongs.",
			Do:     func() error { return d.MoveCord("srv-105", 2, "pdu-r12-b", 5) },
			Expect: "nothing changes in what is seen, until a feed is lost"},
		{At: 78 * time.Second, About: "lab/feed/feed-b",
			Words:  "Feed B is lost.",
			Do:     func() error { return d.LoseFeed("feed-b") },
			Expect: "one cause, feed-b, with the supplies of twelve servers under it, the moved one among them"},
		{At: 94 * time.Second, About: "lab/feed/feed-b",
			Words:  "Feed B is back.",
			Do:     func() error { return d.RestoreFeed("feed-b") },
			Expect: "all supplies have their input again, and no cord is in doubt"},
		{At: 102 * time.Second, About: "srv-106/drive/0",
			Words:  "A drive of srv-106 fails, and a fan of srv-108.",
			Do:     do(func() error { return d.FailDrive("srv-106", 1) }, func() error { return d.FailFan("srv-108", 3) }),
			Expect: "the mirror of srv-106 has no spare left, and wiki leans on it"},
		{At: 112 * time.Second, About: "srv-106/drive/0",
			Words:  "Both are replaced; the mirror fills the new drive.",
			Do:     do(func() error { return d.ReplaceDrive("srv-106", 1) }, func() error { return d.ReplaceFan("srv-108", 3) }),
			Expect: "the drive counts again when it holds its data, 20 seconds later"},
		{At: 150 * time.Second,
			Words:  "That was the script. The datacenter runs on.",
			Expect: "everything is full again"},
	}
	if d.Routers() == 0 {
		return steps
	}
	return slices.Insert(steps, len(steps)-1,
		Step{At: 134 * time.Second, About: "edge-2/bgp_session/192.0.2.5",
			Words:  "The upstream of edge-2 withdraws all its prefixes; the session stays up.",
			Do:     func() error { return d.SilenceUpstream("edge-2") },
			Expect: "the silent session is the cause, and of two ways out one is left, which vpn leans on"},
		Step{At: 142 * time.Second, About: "edge-2/bgp_session/192.0.2.5",
			Words:  "It announces them again.",
			Do:     func() error { return d.RestoreUpstream("edge-2") },
			Expect: "both ways out work"},
	)
}
