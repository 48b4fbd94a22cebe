package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/export/prom"
	"github.com/sparewatch/sparewatch/pkg/ledger"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/trap"
)

// traps hears what devices send by themselves and has them polled. What they say is evidence, and nothing more.
type traps struct {
	app      *App
	log      *slog.Logger
	listen   []string
	receiver *trap.Receiver
	conns    []*net.UDPConn
	wake     chan struct{} // something waits in the fold; holds one
	asked    atomic.Uint64

	mu    sync.Mutex
	book  *trap.Book
	made  time.Time               // when the book was
	hosts map[string][]netip.Addr // what the names of hosts stand for
	fold  *trap.Fold

	said    map[string]time.Time // when a device's trap was written to the ledger last
	heard   []ledger.Record      // to be written
	missed  int                  // that found no room in heard
	silence map[string]int       // traps of a device that were not written since
}

// Times and bounds.
const (
	bookAge    = time.Minute            // after which identities are looked up again
	bookLeast  = 500 * time.Millisecond // for those who sent a trap and are not found
	lookUp     = 10 * time.Minute       // between two look-ups of the names of hosts
	lookUpTime = 5 * time.Second
	sayAgain   = time.Minute // between two entries of the ledger about one device's traps
	mostHeard  = 256         // entries that wait for the judge
)

// newTraps makes the receiver of a configuration; nil where it wants none.
func newTraps(a *App, c *config.Config) (*traps, error) {
	if len(c.Traps.Listen) == 0 {
		return nil, nil
	}
	t := &traps{app: a, log: a.log, listen: c.Traps.Listen, wake: make(chan struct{}, 1), hosts: map[string][]netip.Addr{}, fold: trap.NewFold(), said: map[string]time.Time{}, silence: map[string]int{}}
	engine := c.Traps.Engine
	if engine == nil {
		engine = engineID(c.Site)
	}
	var err error
	t.receiver, err = trap.New(trap.Options{Secrets: secrets(c), Use: t.use, Engine: engine, Now: a.now, Log: a.log})
	if err != nil {
		return nil, err
	}
	t.makeBook(c, nil, a.now())
	return t, nil
}

// engineID is an SNMP engine's id that stays the same over restarts (RFC 3411 section 5, format 5): octets made of the
// site and the host, under the enterprise number that RFC 5612 keeps for documentation, since the program has none.
func engineID(site string) []byte {
	host, _ := os.Hostname()
	sum := sha256.Sum256([]byte(site + "\x00" + host))
	return append([]byte{0x80, 0, 0x7e, 0xd9, 5}, sum[:8]...)
}

// secrets are what senders may use: what the devices are polled with, and what the configuration names besides.
func secrets(c *config.Config) trap.Secrets {
	var s trap.Secrets
	known := map[string]bool{}
	add := func(cr collectors.Credentials, public bool) {
		if cr.V3.User != "" {
			s.Users = append(s.Users, cr.V3)
		}
		text := cr.Community
		if !text.Set() && public && cr.V3.User == "" {
			text = secret.New("public")
		}
		if text.Set() && !known[text.Reveal()] {
			known[text.Reveal()] = true
			s.Communities = append(s.Communities, text)
		}
	}
	for _, d := range c.Devices {
		for _, t := range d.Targets {
			add(t.Credentials, scheme(t.URL) == "snmp")
		}
	}
	for _, cr := range c.Traps.Credentials {
		add(cr, false)
	}
	return s
}

func scheme(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Scheme
}

// usualPorts are what a URL without a port means.
var usualPorts = map[string]uint16{"snmp": 161, "ipmi": 623, "redfish": 443, "redfish+http": 80}

// makeBook says anew which device is known by what. It is called with mu held, or before anything runs.
func (t *traps) makeBook(c *config.Config, p *picture, now time.Time) {
	engines, uuids := map[string]string{}, map[string]string{}
	if p != nil {
		for _, d := range p.devices {
			engines[d.Name], uuids[d.Name] = rawEngine(d.Identity.Engine), d.Identity.UUID
		}
	}
	others := map[string][]netip.Addr{}
	for a, device := range c.Traps.Senders {
		others[device] = append(others[device], a)
	}
	entries := make([]trap.Entry, 0, len(c.Devices))
	for _, d := range c.Devices {
		e := trap.Entry{Device: d.Name, Others: others[d.Name], Engine: engines[d.Name], UUID: uuids[d.Name]}
		for _, target := range d.Targets {
			e.Addrs = append(e.Addrs, t.addresses(target.URL)...)
		}
		entries = append(entries, e)
	}
	t.book, t.made = trap.NewBook(entries), now
}

func rawEngine(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return ""
	}
	return string(b)
}

// addresses are where a target is, as far as that is known by now.
func (t *traps) addresses(target string) (list []netip.AddrPort) {
	u, err := url.Parse(target)
	if err != nil {
		return nil
	}
	port := usualPorts[u.Scheme]
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		port = uint16(n)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a, port)}
	}
	for _, a := range t.hosts[u.Hostname()] {
		list = append(list, netip.AddrPortFrom(a, port))
	}
	return list
}

// open takes the addresses, so that a port that is taken is told of at the start.
func (t *traps) open() error {
	for _, at := range t.listen {
		conn, err := trap.Listen(at)
		if err != nil {
			t.close()
			return err
		}
		t.conns = append(t.conns, conn)
	}
	return nil
}

// close is for what was opened and never ran.
func (t *traps) close() {
	for _, c := range t.conns {
		_ = c.Close() // its Run has closed it already, where there was one
	}
}

// addrs are where traps are heard.
func (t *traps) addrs() []netip.AddrPort {
	var list []netip.AddrPort
	for _, c := range t.conns {
		list = append(list, c.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return list
}

// TrapAddrs are where the daemon hears traps, after Start; none where it does not.
func (a *App) TrapAddrs() []netip.AddrPort {
	if a.traps == nil {
		return nil
	}
	return a.traps.addrs()
}

// startTraps begins to hear.
func (a *App) startTraps(ctx context.Context) error {
	t := a.traps
	if t == nil {
		return nil
	}
	if err := t.open(); err != nil {
		return err
	}
	a.undo = append(a.undo, func(context.Context) error { t.close(); return nil })
	for _, conn := range t.conns {
		a.start(ctx, "receiver of traps on "+conn.LocalAddr().String(), func(ctx context.Context) error { return t.receiver.Run(ctx, conn) })
	}
	a.start(ctx, "fold of traps", t.run)
	a.start(ctx, "names of hosts", t.resolve)
	a.log.Info("traps are heard", "listen", t.addrs(), "engine_id", hex.EncodeToString(t.receiver.Engine()))
	return nil
}

// reloadTraps takes in another configuration. Where traps are heard cannot have changed.
func (a *App) reloadTraps(c *config.Config) error {
	t := a.traps
	if t == nil {
		return nil
	}
	if err := t.receiver.Set(secrets(c)); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeBook(c, a.picture.Load(), a.now())
	return nil
}

// use is given each good trap.
func (t *traps) use(tr *trap.Trap) trap.Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.app.now()
	devices := t.find(tr, now)
	if len(devices) == 0 {
		return trap.UnknownSender
	}
	line, result := tr.Line(), trap.Folded
	for _, d := range devices {
		if !t.fold.Take(now, d, line) {
			t.silence[d]++
			continue
		}
		result = trap.Polled
		t.ask(d, line)
		t.log.Info("a device sent a trap and is asked now", "device", d, "from", tr.From.Addr(), "version", tr.Version, "says", line)
		t.write(tr, d, line, now)
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
	return result
}

// find looks the trap's device up, again with what was learned since where that helps.
func (t *traps) find(tr *trap.Trap, now time.Time) []string {
	age := now.Sub(t.made)
	if age > bookAge {
		t.makeBook(t.app.config.Load(), t.app.picture.Load(), now)
		age = 0
	}
	devices, shared := t.book.Find(tr)
	if len(devices) == 0 && age > bookLeast {
		t.makeBook(t.app.config.Load(), t.app.picture.Load(), now)
		devices, shared = t.book.Find(tr)
	}
	if shared {
		t.log.Debug("a trap comes from an address that many devices share, and does not say of which it is", "from", tr.From)
	}
	return devices
}

func (t *traps) ask(device, why string) {
	t.asked.Add(1)
	t.app.poller.Ask(device, "trap: "+why)
}

// spoken is the body of a ledger entry of the kind heard.
type spoken struct {
	Device  string `json:"device"`
	From    string `json:"from"`
	Version string `json:"version"`
	Inform  bool   `json:"inform,omitempty"`
	Trap    string `json:"trap"`             // its OID
	Says    string `json:"says"`             // in one line
	Since   int    `json:"folded,omitempty"` // traps of the device since the last entry, that have none
}

// write keeps what a device said for the ledger, at most once a minute a device: what a storm repeats is counted.
func (t *traps) write(tr *trap.Trap, device, line string, now time.Time) {
	if last, ok := t.said[device]; ok && now.Sub(last) < sayAgain {
		t.silence[device]++
		return
	}
	if len(t.heard) == mostHeard {
		t.missed++
		return
	}
	t.said[device] = now
	t.heard = append(t.heard, ledger.Record{Kind: ledger.Heard, Body: spoken{Device: device, From: tr.From.Addr().String(), Version: tr.Version, Inform: tr.Inform, Trap: tr.OID.String(), Says: line, Since: t.silence[device]}})
	delete(t.silence, device)
}

// takeHeard gives the judge what is to be written.
func (t *traps) takeHeard() []ledger.Record {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.heard
	t.heard = nil
	if t.missed > 0 {
		t.log.Warn("traps came faster than the ledger could take them; some are not in it", "missed", t.missed)
		t.missed = 0
	}
	return list
}

// run asks those whose traps were folded.
func (t *traps) run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(t.due())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-t.wake:
		}
	}
}

// due asks who is due, and returns how long nobody else will be.
func (t *traps) due() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.app.now()
	for _, a := range t.fold.Due(now) {
		t.ask(a.Device, a.Line)
		if !a.Again {
			t.log.Info("a device sent more traps and is asked once for all of them", "device", a.Device, "traps", a.Traps, "last", a.Line)
		}
	}
	if next, ok := t.fold.Next(); ok {
		return max(next.Sub(now), time.Millisecond)
	}
	return time.Hour
}

// resolve looks up the names of hosts, at once and then now and again.
func (t *traps) resolve(ctx context.Context) error {
	for {
		for _, name := range hostNames(t.app.config.Load()) {
			look, cancel := context.WithTimeout(ctx, lookUpTime)
			addrs, err := net.DefaultResolver.LookupNetIP(look, "ip", name)
			cancel()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				t.log.Debug("a device's traps cannot be told by its address", "host", name, "error", err)
				continue
			}
			t.mu.Lock()
			t.hosts[name] = addrs
			t.mu.Unlock()
		}
		t.mu.Lock()
		t.makeBook(t.app.config.Load(), t.app.picture.Load(), t.app.now())
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookUp):
		}
	}
}

// hostNames are the hosts of the targets that are named, each once.
func hostNames(c *config.Config) (list []string) {
	seen := map[string]bool{}
	for _, d := range c.Devices {
		for _, target := range d.Targets {
			u, err := url.Parse(target.URL)
			if err != nil || seen[u.Hostname()] {
				continue
			}
			seen[u.Hostname()] = true
			if _, err := netip.ParseAddr(u.Hostname()); err != nil {
				list = append(list, u.Hostname())
			}
		}
	}
	return list
}

// numbers are what the receiver tells of itself; nil where there is none.
func (t *traps) numbers() *prom.Traps {
	if t == nil {
		return nil
	}
	s := t.receiver.Stats()
	n := &prom.Traps{Results: map[string]uint64{}, Informs: s.Informs, Reports: s.Reports, Unknown: s.Unknown, Polls: t.asked.Load()}
	for _, r := range trap.Results() {
		n.Results[string(r)] = s.Results[r]
	}
	return n
}
