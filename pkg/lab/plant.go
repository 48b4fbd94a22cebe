package lab

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// plant is the physical truth: what stands in the racks, what hangs on what by its real cord, what is broken. What
// every agent answers follows from it. It is values and arithmetic: the time is an argument, and whoever shares it locks it.
type plant struct {
	utilities map[string]bool // live
	ups       map[string]*upsUnit
	feeds     map[string]*feedLine
	pdus      map[string]*pduUnit
	servers   map[string]*serverUnit
	at        time.Time // to which batteries and rebuilds were advanced
}

// upsUnit is a single-conversion UPS with one battery.
type upsUnit struct {
	name    string
	serial  string
	utility string
	watts   float64 // rated output
	hold    time.Duration
	charge  float64 // 0 to 1
	failed  bool    // its output is off
	bypass  bool    // its output follows its input
	empty   bool    // ran out of battery; stays off until the utility is back
	since   time.Time
}

// feedLine is the breaker behind a UPS and what runs from it to the racks.
type feedLine struct {
	ups  string
	open bool
}

const (
	pduOutlets = 24
	pduBanks   = 2
	mains      = 230.0 // V
	efficiency = 0.94  // of a supply
)

type pduUnit struct {
	name   string
	serial string
	feed   string
	trip   [pduBanks]bool   // bank breaker open
	off    [pduOutlets]bool // outlet switched off
}

func bankOf(outlet int) int { return (outlet - 1) / (pduOutlets / pduBanks) }

// serverUnit is a server with its supplies, fans and a RAID 1 of its drives.
type serverUnit struct {
	name     string
	make     serverMake
	serial   string
	uuid     string
	load     float64 // W at the outputs of its supplies, while it runs
	supplies []supplyUnit
	fans     []bool // failed
	drives   []driveUnit
}

type supplyUnit struct {
	watts  float64 // rated output
	serial string
	pulled bool
	failed bool
	pdu    string // where its cord really hangs; "" is nowhere
	outlet int
}

type driveUnit struct {
	serial  string
	pulled  bool
	failed  bool
	rebuilt float64 // share of its data that it holds, 0 to 1
}

// Power flows from the utility down. A battery holds a UPS's output until it is empty.

func (p *plant) upsLive(name string) bool {
	u := p.ups[name]
	switch {
	case u == nil || u.failed:
		return false
	case p.utilities[u.utility]:
		return true
	}
	return !u.bypass && u.charge > 0 && !u.empty
}

func (u *upsUnit) onBattery(p *plant) bool { return p.upsLive(u.name) && !p.utilities[u.utility] }

func (p *plant) feedLive(name string) bool {
	f := p.feeds[name]
	return f != nil && !f.open && p.upsLive(f.ups)
}

func (p *plant) pduLive(name string) bool {
	d := p.pdus[name]
	return d != nil && p.feedLive(d.feed)
}

func (p *plant) outletLive(pdu string, outlet int) bool {
	d := p.pdus[pdu]
	return d != nil && outlet >= 1 && outlet <= pduOutlets && p.pduLive(pdu) && !d.trip[bankOf(outlet)] && !d.off[outlet-1]
}

// input reports whether a supply's cord brings power.
func (p *plant) input(s supplyUnit) bool { return !s.pulled && p.outletLive(s.pdu, s.outlet) }

func (p *plant) works(s supplyUnit) bool { return p.input(s) && !s.failed }

// standby reports whether anything feeds the server: its BMC runs from any supply that works.
func (p *plant) standby(s *serverUnit) bool {
	return slices.ContainsFunc(s.supplies, p.works)
}

// on reports whether the server runs: what works can carry its load, and it has a drive with its data.
func (p *plant) on(s *serverUnit) bool {
	can := 0.0
	for _, u := range s.supplies {
		if p.works(u) {
			can += u.watts
		}
	}
	return can >= s.load
}

// share is what one supply puts out: the supplies that work share the load evenly.
func (p *plant) share(s *serverUnit, slot int, now time.Time) float64 {
	n := 0.0
	for _, u := range s.supplies {
		if p.works(u) {
			n++
		}
	}
	if n == 0 || !p.works(s.supplies[slot-1]) {
		return 0
	}
	if !p.on(s) {
		return 12 / n // the BMC alone
	}
	return breathe(s.load, s.name, now) / n
}

// breathe lets a load wander by two per cent over some minutes, each at its own pace.
func breathe(load float64, name string, now time.Time) float64 {
	pace := 60.0
	for _, c := range name {
		pace += float64(c % 17)
	}
	return load * (1 + 0.02*math.Sin(float64(now.UnixMilli())/1000/pace))
}

func (p *plant) outletWatts(pdu string, outlet int, now time.Time) float64 {
	sum := 0.0
	for _, s := range p.servers {
		for i, u := range s.supplies {
			if u.pdu == pdu && u.outlet == outlet && !u.pulled {
				sum += p.share(s, i+1, now) / efficiency
			}
		}
	}
	return sum
}

func (p *plant) bankWatts(pdu string, bank int, now time.Time) float64 {
	sum := 0.0
	for o := 1; o <= pduOutlets; o++ {
		if bankOf(o) == bank {
			sum += p.outletWatts(pdu, o, now)
		}
	}
	return sum
}

func (p *plant) pduWatts(pdu string, now time.Time) float64 {
	sum := 0.0
	for b := range pduBanks {
		sum += p.bankWatts(pdu, b, now)
	}
	return sum
}

func (p *plant) upsWatts(ups string, now time.Time) float64 {
	sum := 0.0
	for name, d := range p.pdus {
		if f := p.feeds[d.feed]; f != nil && f.ups == ups && !f.open {
			sum += p.pduWatts(name, now)
		}
	}
	return sum
}

// runtime is how long a full battery would hold the load that there is now.
func (p *plant) runtime(u *upsUnit, now time.Time) time.Duration {
	load := max(p.upsWatts(u.name, now), u.watts/20)
	return time.Duration(float64(u.hold) * u.watts / load)
}

// advance moves batteries and rebuilds to now. Between two calls nothing else changed, so the loads were what they are.
func (p *plant) advance(now time.Time, rebuild time.Duration) {
	passed := now.Sub(p.at)
	if p.at.IsZero() || passed < 0 {
		passed = 0
	}
	p.at = now
	for _, u := range p.ups {
		switch {
		case p.utilities[u.utility]:
			u.charge, u.empty = min(1, u.charge+passed.Hours()), false
		case u.onBattery(p):
			if u.charge -= float64(passed) / float64(p.runtime(u, now)); u.charge <= 0 {
				u.charge, u.empty = 0, true
			}
		}
	}
	for _, s := range p.servers {
		if !p.on(s) {
			continue
		}
		for i, d := range s.drives {
			if !d.pulled && !d.failed && d.rebuilt < 1 && rebuild > 0 {
				s.drives[i].rebuilt = min(1, d.rebuilt+float64(passed)/float64(rebuild))
			}
		}
	}
}

// volume is the state of a RAID 1.
type volume struct {
	held       int     // drives that hold all of its data
	rebuilding bool    // one is being filled
	percent    float64 // of that, 0 to 100
}

func (s *serverUnit) volume() (v volume) {
	for _, d := range s.drives {
		switch {
		case d.pulled || d.failed:
		case d.rebuilt >= 1:
			v.held++
		default:
			v.rebuilding, v.percent = true, 100*d.rebuilt
		}
	}
	return v
}

// newPlant builds two racks of six servers on two feeds. All have two supplies but srv-105, which has four, two on each
// side. Every cord is where it is declared to be, but one: the second cord of srv-105 hangs on its rack's A side.
func newPlant(now time.Time) *plant {
	p := &plant{
		utilities: map[string]bool{"utility-a": true, "utility-b": true},
		ups:       map[string]*upsUnit{},
		feeds:     map[string]*feedLine{},
		pdus:      map[string]*pduUnit{},
		servers:   map[string]*serverUnit{},
		at:        now,
	}
	for i, side := range []string{"a", "b"} {
		p.ups["ups-"+side] = &upsUnit{name: "ups-" + side, serial: fmt.Sprintf("LABUPS%04d", i+1), utility: "utility-" + side,
			watts: 16000, hold: 9 * time.Minute, charge: 1}
		p.feeds["feed-"+side] = &feedLine{ups: "ups-" + side}
		for j, rack := range []string{"r12", "r13"} {
			name := "pdu-" + rack + "-" + side
			p.pdus[name] = &pduUnit{name: name, serial: fmt.Sprintf("LABPDU%04d", 2*j+i+1), feed: "feed-" + side}
		}
	}
	makes := []serverMake{hpeLike, dellLike, openBMCLike}
	for i := range 12 {
		name := fmt.Sprintf("srv-%d", 101+i)
		s := &serverUnit{name: name, make: makes[i%3], serial: fmt.Sprintf("LABSRV%04d", 101+i),
			uuid: fmt.Sprintf("5ba7e0a0-0000-4000-8000-%012d", 101+i), load: 310 + 15*float64(i%5), fans: make([]bool, 6)}
		rack := "r12"
		if i >= 6 {
			rack = "r13"
		}
		for slot, side := range []string{"a", "b"} {
			s.supplies = append(s.supplies, supplyUnit{watts: 800, serial: fmt.Sprintf("LABPSU%04d%d", 101+i, slot+1),
				pdu: "pdu-" + rack + "-" + side, outlet: i%6 + 1})
			s.drives = append(s.drives, driveUnit{serial: fmt.Sprintf("LABDRV%04d%d", 101+i, slot+1), rebuilt: 1})
		}
		p.servers[name] = s
	}
	big := p.servers["srv-105"]
	big.load = 700
	for slot, side := range []string{"a", "b"} {
		big.supplies = append(big.supplies, supplyUnit{watts: 800, serial: fmt.Sprintf("LABPSU0105%d", slot+3), pdu: "pdu-r12-" + side, outlet: 13})
	}
	big.supplies[1].pdu, big.supplies[1].outlet = "pdu-r12-a", 17
	return p
}
