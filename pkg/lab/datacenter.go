package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Datacenter is a small datacenter on loopback: two UPSes, two feeds, two racks with a PDU on each side, twelve servers.
// Its devices answer over SNMP and Redfish; what they answer follows from one physical model, which the methods below
// change as a hand or a fault would. They may be called from any goroutine; an error means that there is no such thing.
//
//	utility-a -> ups-a -> feed-a -> pdu-r12-a, pdu-r13-a -> first supply of each server, third of srv-105
//	utility-b -> ups-b -> feed-b -> pdu-r12-b, pdu-r13-b -> second supply of each server, fourth of srv-105
//
// One cord is not where the configuration says: the second of srv-105 hangs on pdu-r12-a.
type Datacenter struct {
	opt     Options
	started time.Time
	cert    tls.Certificate
	stop    context.CancelFunc
	stopped chan struct{}
	err     error

	mu    sync.Mutex // guards plant, and orders it against the clock
	plant *plant

	receiver atomic.Pointer[netip.AddrPort] // of traps; nil: none are sent
	pets     atomic.Uint32                  // platform event traps that were sent

	agents map[string]*SNMPServer
	bmcs   map[string]*RedfishServer

	routers map[string]*Router
	station string // where the routers send BMP
}

// Options adjust a datacenter; zero fields mean what is said beside them.
type Options struct {
	Now     func() time.Time // time.Now
	Rebuild time.Duration    // how long a drive takes to be filled; 20 s
	Host    string           // where the devices listen; 127.0.0.1
	// Community, User and Password are what the devices ask for. "public", "monitor", and one made anew.
	Community, User, Password string
	// V3 is the user of the UPSes' agents. "watcher" with SHA-256 and AES, and keys made anew.
	V3 SNMPUser
	// Events has the BMCs tell what happens to them: they push to who has subscribed, and stream.
	Events bool
	// Routers has two routers tell of their BGP over BMP, to a daemon that has Config, where loopback has the addresses.
	Routers bool
}

// Start builds the datacenter and serves it until ctx is done or Close is called.
func Start(ctx context.Context, opt Options) (*Datacenter, error) {
	opt.fill()
	cert, err := SelfSigned("lab datacenter")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	d := &Datacenter{opt: opt, started: opt.Now(), cert: cert, stop: stop, stopped: make(chan struct{}), plant: newPlant(opt.Now()),
		agents: map[string]*SNMPServer{}, bmcs: map[string]*RedfishServer{}}
	if err := d.serve(); err != nil {
		stop()
		return nil, errors.Join(err, d.closeAll())
	}
	if opt.Routers {
		d.startEdges(ctx)
	}
	go func() {
		defer close(d.stopped)
		<-ctx.Done()
		d.closeEdges()
		d.err = d.closeAll()
	}()
	return d, nil
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rebuild == 0 {
		o.Rebuild = 20 * time.Second
	}
	if o.V3.Name == "" {
		o.V3 = SNMPUser{Name: "watcher", AuthProtocol: "SHA-256", AuthKey: rand.Text(), PrivProtocol: "AES", PrivKey: rand.Text()}
	}
	for _, f := range []struct {
		field *string
		value string
	}{{&o.Host, "127.0.0.1"}, {&o.Community, "public"}, {&o.User, "monitor"}, {&o.Password, rand.Text()}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
}

// Close ends the datacenter and waits for its servers.
func (d *Datacenter) Close() error {
	d.stop()
	<-d.stopped
	return d.err
}

func (d *Datacenter) serve() error {
	at := net.JoinHostPort(d.opt.Host, "0")
	for _, name := range slices.Sorted(maps.Keys(d.plant.pdus)) {
		alive := func() bool { return d.look(func(p *plant, _ time.Time) float64 { return number(p.pduLive(name)) }) > 0 }
		if err := d.serveAgent(at, name, d.pduObjects(name), alive); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.plant.ups)) {
		u := d.plant.ups[name]
		alive := func() bool { return d.look(func(p *plant, _ time.Time) float64 { return number(u.agentLive(p)) }) > 0 }
		if err := d.serveAgent(at, name, d.upsObjects(name), alive); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.plant.servers)) {
		if err := d.serveBMC(at, d.plant.servers[name]); err != nil {
			return err
		}
	}
	return nil
}

func (d *Datacenter) serveAgent(at, name string, o *Objects, alive func() bool) error {
	a := &Agent{Objects: o, Community: d.opt.Community, Alive: alive}
	if d.plant.ups[name] != nil {
		a.TrapUser = d.opt.V3.Name
		if err := a.Users(d.opt.V3); err != nil {
			return err
		}
	}
	s, err := ServeSNMP(at, a)
	if err == nil {
		d.agents[name] = s
	}
	return err
}

func (d *Datacenter) serveBMC(at string, s *serverUnit) error {
	r := NewResources(nil)
	for path, page := range s.make.pages() {
		r.Live(path, func() any {
			var body map[string]any
			d.look(func(p *plant, now time.Time) float64 { body = page(p.view(s, now)); return 0 })
			if body == nil {
				return nil
			}
			return body
		})
	}
	alive := func() bool { return d.look(func(p *plant, _ time.Time) float64 { return number(p.standby(s)) }) > 0 }
	bmc := &BMC{Resources: r, User: d.opt.User, Password: d.opt.Password, Alive: alive}
	if d.opt.Events {
		bmc.OfferEvents(EventOffer{Stream: true})
	}
	server, err := ServeRedfish(at, bmc, &d.cert)
	if err == nil {
		d.bmcs[s.name] = server
	}
	return err
}

func (d *Datacenter) closeAll() error {
	var errs []error
	for _, s := range d.agents {
		errs = append(errs, s.Close())
	}
	for _, s := range d.bmcs {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

func (d *Datacenter) now() time.Time { return d.opt.Now() }

// look reads the plant as it is now.
func (d *Datacenter) look(f func(p *plant, now time.Time) float64) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.plant.advance(now, d.opt.Rebuild)
	return f(d.plant, now)
}

// change does something to the plant, and has the devices tell what of it they see.
func (d *Datacenter) change(f func(p *plant, now time.Time) error) error {
	var told []news
	seen, err := d.changed(func(p *plant, now time.Time) error {
		before := p.signs()
		defer func() { told = p.told(before) }()
		return f(p, now)
	})
	d.send(told)
	for name, about := range seen {
		for _, at := range about {
			d.bmcs[name].Event(Event{MessageID: "ResourceEvent.1.3.ResourceStatusChanged", Severity: "Warning", Origin: at,
				Message: "The status of the resource " + at + " has changed."})
		}
	}
	return err
}

// changed returns the resources whose status a change has changed, by server; none where the BMCs tell nothing.
func (d *Datacenter) changed(f func(p *plant, now time.Time) error) (map[string][]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.plant.advance(now, d.opt.Rebuild)
	before := d.statuses(now)
	err := f(d.plant, now)
	d.plant.advance(now, d.opt.Rebuild)
	seen := map[string][]string{}
	for name, pages := range d.statuses(now) {
		for _, at := range slices.Sorted(maps.Keys(pages)) {
			if pages[at] != before[name][at] {
				seen[name] = append(seen[name], at)
			}
		}
	}
	return seen, err
}

// statuses are the words of state on every page of every server.
func (d *Datacenter) statuses(now time.Time) map[string]map[string]string {
	out := map[string]map[string]string{}
	if !d.opt.Events {
		return out
	}
	for name, s := range d.plant.servers {
		pages := map[string]string{}
		view := d.plant.view(s, now)
		for at, page := range s.make.pages() {
			pages[at] = stateWords(page(view))
		}
		out[name] = pages
	}
	return out
}

// stateWords are what stands behind every "Status" in a body, in order of its keys.
func stateWords(v any) string {
	var b strings.Builder
	switch at := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(at)) {
			if k == "Status" {
				fmt.Fprintln(&b, at[k])
			} else {
				b.WriteString(stateWords(at[k]))
			}
		}
	case []any:
		for _, e := range at {
			b.WriteString(stateWords(e))
		}
	case []map[string]any:
		for _, e := range at {
			b.WriteString(stateWords(e))
		}
	}
	return b.String()
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Agent and BMC give a device's server, to inject faults that are not of the power's making; nil where there is none.
func (d *Datacenter) Agent(name string) *SNMPServer { return d.agents[name] }

// BMC gives a server's Redfish service; nil where there is none.
func (d *Datacenter) BMC(name string) *RedfishServer { return d.bmcs[name] }

// Devices lists the names of all devices, sorted.
func (d *Datacenter) Devices() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(d.agents)), slices.Collect(maps.Keys(d.bmcs))...)))
}

// URL is where a device is reached; "" where there is no such device.
func (d *Datacenter) URL(name string) string {
	if s := d.agents[name]; s != nil {
		return s.URL()
	}
	if s := d.bmcs[name]; s != nil {
		return s.URL()
	}
	return ""
}

// Fingerprint is the SHA-256 of the certificate that all BMCs show.
func (d *Datacenter) Fingerprint() string {
	for _, s := range d.bmcs {
		return s.Fingerprint()
	}
	return ""
}

// Password is what the BMCs ask of the user.
func (d *Datacenter) Password() string { return d.opt.Password }

// Runs reports whether a server really runs, whatever anybody says of it.
func (d *Datacenter) Runs(server string) bool {
	return d.look(func(p *plant, _ time.Time) float64 {
		s := p.servers[server]
		return number(s != nil && p.on(s))
	}) > 0
}

// What a hand or a fault does.

func (p *plant) supply(server string, slot int) (*supplyUnit, error) {
	s := p.servers[server]
	if s == nil || slot < 1 || slot > len(s.supplies) {
		return nil, fmt.Errorf("there is no supply %d in %s", slot, server)
	}
	return &s.supplies[slot-1], nil
}

func (d *Datacenter) onSupply(server string, slot int, f func(*supplyUnit)) error {
	return d.change(func(p *plant, _ time.Time) error {
		s, err := p.supply(server, slot)
		if err == nil {
			f(s)
		}
		return err
	})
}

// PullSupply takes a supply out of its bay.
func (d *Datacenter) PullSupply(server string, slot int) error {
	return d.onSupply(server, slot, func(s *supplyUnit) { s.pulled = true })
}

// InsertSupply puts a good supply into the bay, with the cord that hung on the old one.
func (d *Datacenter) InsertSupply(server string, slot int) error {
	return d.onSupply(server, slot, func(s *supplyUnit) { s.pulled, s.failed = false, false })
}

// FailSupply breaks a supply; its input stays. InsertSupply replaces it.
func (d *Datacenter) FailSupply(server string, slot int) error {
	return d.onSupply(server, slot, func(s *supplyUnit) { s.failed = true })
}

// UnplugCord takes a supply's cord out of its outlet.
func (d *Datacenter) UnplugCord(server string, slot int) error {
	return d.onSupply(server, slot, func(s *supplyUnit) { s.pdu, s.outlet = "", 0 })
}

// MoveCord hangs a supply's cord on an outlet, wherever it was before. What the configuration says stays as it is.
func (d *Datacenter) MoveCord(server string, slot int, pdu string, outlet int) error {
	return d.change(func(p *plant, _ time.Time) error {
		s, err := p.supply(server, slot)
		if err != nil {
			return err
		}
		if p.pdus[pdu] == nil || outlet < 1 || outlet > pduOutlets {
			return fmt.Errorf("there is no outlet %d on %s", outlet, pdu)
		}
		s.pdu, s.outlet = pdu, outlet
		return nil
	})
}

func (d *Datacenter) onFeed(name string, open bool) error {
	return d.change(func(p *plant, _ time.Time) error {
		f := p.feeds[name]
		if f == nil {
			return fmt.Errorf("there is no feed %s", name)
		}
		f.open = open
		return nil
	})
}

// LoseFeed opens the breaker behind a UPS: everything on the feed loses its input.
func (d *Datacenter) LoseFeed(name string) error { return d.onFeed(name, true) }

// RestoreFeed closes it again.
func (d *Datacenter) RestoreFeed(name string) error { return d.onFeed(name, false) }

func (d *Datacenter) onUtility(name string, live bool) error {
	return d.change(func(p *plant, now time.Time) error {
		if _, ok := p.utilities[name]; !ok {
			return fmt.Errorf("there is no utility %s", name)
		}
		for _, u := range p.ups {
			if u.utility == name && p.utilities[name] && !live {
				u.since = now
			}
		}
		p.utilities[name] = live
		return nil
	})
}

// LoseUtility ends the supply from the street: the UPS behind it goes on battery, while it lasts.
func (d *Datacenter) LoseUtility(name string) error { return d.onUtility(name, false) }

// RestoreUtility brings it back.
func (d *Datacenter) RestoreUtility(name string) error { return d.onUtility(name, true) }

func (d *Datacenter) onUPS(name string, f func(*upsUnit)) error {
	return d.change(func(p *plant, _ time.Time) error {
		u := p.ups[name]
		if u == nil {
			return fmt.Errorf("there is no UPS %s", name)
		}
		f(u)
		return nil
	})
}

// Bypass puts a UPS's load on its input, unprotected, or back.
func (d *Datacenter) Bypass(ups string, on bool) error {
	return d.onUPS(ups, func(u *upsUnit) { u.bypass = on })
}

// FailUPS ends a UPS's output. RepairUPS brings it back.
func (d *Datacenter) FailUPS(ups string) error {
	return d.onUPS(ups, func(u *upsUnit) { u.failed = true })
}

// RepairUPS brings a UPS's output back.
func (d *Datacenter) RepairUPS(ups string) error {
	return d.onUPS(ups, func(u *upsUnit) { u.failed = false })
}

// DrainBattery leaves a UPS's battery with this share of its charge, 0 to 1.
func (d *Datacenter) DrainBattery(ups string, charge float64) error {
	return d.onUPS(ups, func(u *upsUnit) { u.charge = min(max(charge, 0), 1) })
}

func (d *Datacenter) onPDU(name string, part, of int, f func(*pduUnit)) error {
	return d.change(func(p *plant, _ time.Time) error {
		u := p.pdus[name]
		if u == nil || part < 1 || part > of {
			return fmt.Errorf("there is no part %d of PDU %s", part, name)
		}
		f(u)
		return nil
	})
}

// TripBreaker opens the breaker of one bank of a PDU; its outlets stay switched on, and dead.
func (d *Datacenter) TripBreaker(pdu string, bank int) error {
	return d.onPDU(pdu, bank, pduBanks, func(u *pduUnit) { u.trip[bank-1] = true })
}

// ResetBreaker closes it again.
func (d *Datacenter) ResetBreaker(pdu string, bank int) error {
	return d.onPDU(pdu, bank, pduBanks, func(u *pduUnit) { u.trip[bank-1] = false })
}

// SwitchOutlet switches an outlet on or off.
func (d *Datacenter) SwitchOutlet(pdu string, outlet int, on bool) error {
	return d.onPDU(pdu, outlet, pduOutlets, func(u *pduUnit) { u.off[outlet-1] = !on })
}

func (d *Datacenter) onServer(name, what string, n int, of func(*serverUnit) int, f func(*serverUnit)) error {
	return d.change(func(p *plant, _ time.Time) error {
		s := p.servers[name]
		if s == nil || n < 1 || n > of(s) {
			return fmt.Errorf("there is no %s %d in %s", what, n, name)
		}
		f(s)
		return nil
	})
}

func fansOf(s *serverUnit) int   { return len(s.fans) }
func drivesOf(s *serverUnit) int { return len(s.drives) }

// FailFan stops a fan; the others blow harder.
func (d *Datacenter) FailFan(server string, fan int) error {
	return d.onServer(server, "fan", fan, fansOf, func(s *serverUnit) { s.fans[fan-1] = true })
}

// ReplaceFan puts a good fan in its place.
func (d *Datacenter) ReplaceFan(server string, fan int) error {
	return d.onServer(server, "fan", fan, fansOf, func(s *serverUnit) { s.fans[fan-1] = false })
}

// FailDrive breaks a drive (1 or 2) of the server's RAID 1.
func (d *Datacenter) FailDrive(server string, drive int) error {
	return d.onServer(server, "drive", drive, drivesOf, func(s *serverUnit) { s.drives[drive-1].failed, s.drives[drive-1].rebuilt = true, 0 })
}

// PullDrive takes a drive out of its bay.
func (d *Datacenter) PullDrive(server string, drive int) error {
	return d.onServer(server, "drive", drive, drivesOf, func(s *serverUnit) { s.drives[drive-1].pulled, s.drives[drive-1].rebuilt = true, 0 })
}

// ReplaceDrive puts a good, empty drive in its place; the array fills it in the time that Options.Rebuild says.
func (d *Datacenter) ReplaceDrive(server string, drive int) error {
	return d.onServer(server, "drive", drive, drivesOf, func(s *serverUnit) {
		u := &s.drives[drive-1]
		u.serial += "R"
		u.pulled, u.failed, u.rebuilt = false, false, 0
	})
}

// SetLoad gives a server another load, in W at the outputs of its supplies.
func (d *Datacenter) SetLoad(server string, watts float64) error {
	return d.onServer(server, "load", 1, func(*serverUnit) int { return 1 }, func(s *serverUnit) { s.load = watts })
}
