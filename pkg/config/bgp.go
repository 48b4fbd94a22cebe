package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	edge "github.com/sparewatch/sparewatch/collectors/bgp"
	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// rawBGP is what the key bgp says, until every file is read.
type rawBGP struct {
	at         place
	own        []bgp.ASN
	servers    []bgp.ASN
	sets       []paths.Set
	setAt      map[string]place
	sync       time.Duration
	limits     paths.Limits
	maxRouters int
	heard      map[string]place // devices that are heard in one way or another
	listen     string           // of the BMP station
	lets       bool             // the station says whom it lets in, right or wrong
	strangers  bool
	stationAt  place
	routers    []rawRouter
	speaker    *edge.SpeakerOptions
	speakerAt  place
	neighbours []rawNeighbour
}

type rawRouter struct {
	device  string
	address netip.Addr
	at      place
}

type rawNeighbour struct {
	edge.Neighbour
	role string
	at   place
}

// Ports of BGP, and the one on which BMP stations usually listen.
const (
	bgpPort = "179"
	bmpPort = "11019"
)

func (l *loader) takeBGP(n node) {
	s := l.mapping(n, "bgp", "own", "route_servers", "bmp", "speaker", "watch", "sync", "limits")
	b := &rawBGP{at: s.at(), setAt: map[string]place{}, heard: map[string]place{}}
	l.bgp = b
	b.own = l.asns(s, "own")
	b.servers = l.asns(s, "route_servers")
	b.sync = s.duration("sync", time.Second, time.Hour, 0)
	if s.has("limits") {
		k := l.mapping(s.keys["limits"], "bgp: limits", "sessions", "paths", "routers")
		b.limits = paths.Limits{Sessions: k.number("sessions", 1, 1_000_000, 0), Paths: k.number("paths", 1000, math.MaxInt32, 0)}
		b.maxRouters = k.number("routers", 1, 100_000, 0)
	}
	if s.has("bmp") {
		l.takeStation(s.keys["bmp"])
	}
	if s.has("speaker") {
		l.takeSpeaker(s.keys["speaker"])
	}
	for _, item := range s.items("watch") {
		l.takeWatch(item)
	}
}

// asns is one AS number or a list of them.
func (l *loader) asns(s *section, key string) []bgp.ASN {
	var list []bgp.ASN
	for _, t := range s.texts(key) {
		if as, ok := l.asn(t); ok {
			list = append(list, as)
		}
	}
	return list
}

// asn reads an AS number as people write it: 65010, AS65010, or 1.10 (RFC 5396).
func (l *loader) asn(t located) (bgp.ASN, bool) {
	text := strings.TrimPrefix(strings.ToUpper(t.text), "AS")
	high, low, dotted := strings.Cut(text, ".")
	n, err := strconv.ParseUint(text, 10, 32)
	if dotted {
		h, err1 := strconv.ParseUint(high, 10, 16)
		w, err2 := strconv.ParseUint(low, 10, 16)
		n, err = h<<16|w, err1
		if err == nil {
			err = err2
		}
	}
	if err != nil || bgp.ASN(n).Reserved() {
		l.wrong(t.at, "write a number from 1 to 4294967294, as 65010", "%q is no AS number", t.text)
		return 0, false
	}
	return bgp.ASN(n), true
}

func (l *loader) takeStation(n node) {
	s := l.mapping(n, "bmp", "listen", "unknown", "routers")
	l.bgp.stationAt, l.bgp.lets = s.at(), s.has("unknown") && s.text("unknown") != "refuse" || s.has("routers")
	l.bgp.listen = l.listen(s, bmpPort)
	switch t := s.text("unknown"); t {
	case "", "refuse":
	case "accept":
		l.bgp.strangers = true
	default:
		l.wrong(s.where("unknown"), didYouMean(t, []string{"refuse", "accept"}, "write refuse or accept"), "unknown is %q", t)
	}
	for _, item := range s.items("routers") {
		r := l.mapping(item, "a router of bmp", "device", "address")
		devices, addresses := l.pairs(r)
		for i, a := range addresses {
			l.bgp.routers = append(l.bgp.routers, rawRouter{device: devices[i], address: a, at: r.at()})
		}
	}
}

// listen reads an address to listen on.
func (l *loader) listen(s *section, port string) string {
	t := s.text("listen")
	if t == "" {
		l.wrong(s.at(), "write listen: ADDRESS:"+port, "%s does not say where to listen", s.title)
		return ""
	}
	if why := badListen(t); why != "" {
		l.wrong(s.where("listen"), "write ADDRESS:PORT, as 10.0.0.9:"+port, "listen is %q, which %s", t, why)
		return ""
	}
	return t
}

// pairs reads device and address, which may be ranges of one length. A device that is not named is called as its address.
func (l *loader) pairs(s *section) (devices []string, addresses []netip.Addr) {
	if !s.has("address") {
		l.wrong(s.at(), "write address: ADDRESS", "%s has no address", s.title)
		return nil, nil
	}
	texts, ok := l.expand(located{s.text("address"), s.where("address")})
	if !ok {
		return nil, nil
	}
	for _, t := range texts {
		a, err := netip.ParseAddr(t)
		if err != nil || a.IsUnspecified() {
			l.wrong(s.where("address"), "write an IPv4 or IPv6 address", "%q is no address of a router", t)
			return nil, nil
		}
		addresses = append(addresses, a.Unmap().WithZone(""))
	}
	if !s.has("device") {
		for _, a := range addresses {
			devices = append(devices, a.String())
		}
		return devices, addresses
	}
	if devices = l.zip(located{s.text("device"), s.where("device")}, len(addresses), many(len(addresses), "address")); devices == nil {
		return nil, nil
	}
	for _, d := range devices {
		if l.name(s.where("device"), "a router", d) == "" {
			return nil, nil
		}
	}
	return devices, addresses
}

func (l *loader) takeSpeaker(n node) {
	s := l.mapping(n, "speaker", "as", "router_id", "listen", "neighbours")
	o := &edge.SpeakerOptions{Listen: l.listen(s, bgpPort)}
	l.bgp.speaker, l.bgp.speakerAt = o, s.at()
	if s.has("as") {
		as, _ := l.asn(located{s.text("as"), s.where("as")})
		o.AS = uint32(as)
	} else {
		l.wrong(s.at(), "write as: NUMBER; a private one (64512 to 65534) will do", "speaker has no AS")
	}
	host, _, _ := net.SplitHostPort(o.Listen)
	switch id := s.text("router_id"); {
	case id != "":
		a, err := netip.ParseAddr(id)
		if err != nil || !a.Is4() {
			l.wrong(s.where("router_id"), "write it as an IPv4 address", "%q is no router id", id)
		}
		o.RouterID = a
	case o.Listen != "":
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Unmap().Is4() || a.IsUnspecified() {
			l.wrong(s.at(), "write router_id: an IPv4 address that is this machine's own", "speaker has no router_id")
		}
		o.RouterID = a.Unmap()
	}
	for _, item := range s.items("neighbours") {
		l.takeNeighbour(item)
	}
}

func (l *loader) takeNeighbour(item node) {
	known := []string{"device", "address", "as", "local_as", "role", "ttl_security", "hold", "max_prefixes"}
	known = append(known, secretKeys("password")...)
	s := l.mapping(item, "a neighbour", known...)
	devices, addresses := l.pairs(s)
	like := edge.Neighbour{
		Hops: s.number("ttl_security", 1, 254, 0), Hold: s.duration("hold", 3*time.Second, 18*time.Hour, 0),
		MaxPrefixes: uint32(s.number("max_prefixes", 1, math.MaxInt32, 0)),
	}
	if l.hasSecret(s, "password") {
		like.Password = l.secret(s, "password")
		if len(like.Password.Reveal()) > 80 {
			l.wrong(s.at(), "use a shorter one", "the password of a neighbour is longer than the 80 octets that TCP MD5 takes")
		}
	}
	if s.has("as") {
		as, _ := l.asn(located{s.text("as"), s.where("as")})
		like.AS = uint32(as)
	} else {
		l.wrong(s.at(), "write as: NUMBER, the router's own", "a neighbour has no AS")
	}
	if s.has("local_as") {
		as, _ := l.asn(located{s.text("local_as"), s.where("local_as")})
		like.LocalAS = uint32(as)
	}
	role := s.text("role")
	if role != "" && role != "router" && role != "upstream" {
		l.wrong(s.where("role"), didYouMean(role, []string{"router", "upstream"}, "write router (one of ours) or upstream (somebody else's)"), "role is %q", role)
	}
	for i, a := range addresses {
		n := like
		n.Device, n.Address = devices[i], a
		l.bgp.neighbours = append(l.bgp.neighbours, rawNeighbour{Neighbour: n, role: role, at: s.at()})
	}
}

// takeWatch reads one watched set.
func (l *loader) takeWatch(n node) {
	s := l.mapping(n, "an entry of watch", "name", "prefixes", "own", "needed")
	set := paths.Set{Name: l.name(s.where("name"), "an entry of watch", s.text("name")), In: s.yes("own"), Needed: s.number("needed", 1, 1000, 0)}
	if before, twice := l.bgp.setAt[set.Name]; twice && set.Name != "" {
		l.wrong(s.where("name"), "give one of them another name", "two entries of watch are called %s: also at %s", set.Name, before)
		return
	}
	l.bgp.setAt[set.Name] = s.where("name")
	for _, t := range s.texts("prefixes") {
		if item, ok := l.prefix(t); ok {
			set.Items = append(set.Items, item)
		}
	}
	if !s.has("prefixes") {
		l.wrong(s.at(), "write prefixes: [0.0.0.0/0, \"::/0\"]", "%s has no prefixes", s.title)
	}
	l.bgp.sets = append(l.bgp.sets, set)
}

// prefix reads a prefix; with a + behind it every prefix inside is meant.
func (l *loader) prefix(t located) (paths.Item, bool) {
	text, longer := strings.CutSuffix(t.text, "+")
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil && !strings.Contains(text, "/"):
		l.wrong(t.at, "write ADDRESS/LENGTH, as 0.0.0.0/0 or \"2001:db8::/32\"", "%q is no prefix", t.text)
	case err != nil:
		l.wrong(t.at, "write ADDRESS/LENGTH, as 0.0.0.0/0 or \"2001:db8::/32\"; with + behind it: every prefix inside", "%q is no prefix", t.text)
	case p != p.Masked():
		l.wrong(t.at, "write "+p.Masked().String(), "%s has bits beyond its length", t.text)
	default:
		return paths.Item{Prefix: p, Longer: longer}, true
	}
	return paths.Item{}, false
}

// placeBGP gives the routers, neighbours and watched sets their devices. It comes before the devices are built.
func (l *loader) placeBGP() {
	if l.bgp == nil {
		return
	}
	if l.bgp.listen == "" && l.bgp.speaker == nil && !slices.ContainsFunc(l.devices, hasAPI) && len(l.mistakes) == 0 {
		l.wrong(l.bgp.at, "write bmp: {listen: ADDRESS:"+bmpPort+"}, or speaker, or give a device the URL gobgp://HOST", "bgp hears nobody")
	}
	byAddress := map[netip.Addr]place{}
	put := func(device, url string, scheme string, a netip.Addr, at place) {
		if !l.hearOnce(device, at) {
			return
		}
		if before, twice := byAddress[a]; twice {
			l.wrong(at, "take one of them out", "two routers have the address %s: also at %s", a, before)
			return
		}
		byAddress[a] = at
		d := l.byName[device]
		if d == nil {
			d = &rawDevice{name: device, at: at}
			l.addDevice(d)
		}
		if !slices.ContainsFunc(d.urls, func(u rawURL) bool { return u.url == url }) {
			d.urls = append(d.urls, rawURL{target: target{url: url, scheme: scheme, host: a.String()}, at: at})
		}
	}
	for _, r := range l.bgp.routers {
		put(r.device, edge.Router{Address: r.address}.URL(), "bmp", r.address, r.at)
	}
	for _, n := range l.bgp.neighbours {
		put(n.Device, n.URL(), "bgp", n.Address, n.at)
	}
	l.addDevice(&rawDevice{name: edge.DefaultDevice, at: l.bgp.at, urls: []rawURL{{target: target{url: edge.WatchURL, scheme: "bgp", host: "watch"}, at: l.bgp.at}}})
}

// hearOnce refuses a router that is heard in two ways: each would tell of the same paths.
func (l *loader) hearOnce(device string, at place) bool {
	before, twice := l.bgp.heard[device]
	if twice {
		l.wrong(at, "take one of them out: each tells of the same paths", "the router %s is heard twice: also at %s", device, before)
		return false
	}
	l.bgp.heard[device] = at
	return true
}

func hasAPI(d *rawDevice) bool {
	return slices.ContainsFunc(d.urls, func(u rawURL) bool { return strings.HasPrefix(u.scheme, "gobgp") })
}

// declareSets lets services and groups name watched sets.
func (l *loader) declareSets() {
	if l.bgp == nil {
		return
	}
	for _, s := range l.bgp.sets {
		if s.Name == "" {
			continue
		}
		id := component.NewID(edge.DefaultDevice, component.Route, s.Name)
		if before, twice := l.names.declare(s.Name, id, l.bgp.setAt[s.Name]); twice {
			l.wrong(l.bgp.setAt[s.Name], "give one of them another name", "%s is declared twice: also at %s", s.Name, before)
		}
	}
}

// buildBGP makes the checked values. It comes after the devices.
func (l *loader) buildBGP() {
	b := l.bgp
	if b == nil {
		for _, d := range l.devices {
			for _, u := range d.urls {
				if listens(u.scheme) {
					l.wrong(u.at, "write bgp: {bmp: {listen: ADDRESS:"+bmpPort+"}}, or {speaker: ...}; see configs/sparewatch.yaml", "%s cannot be heard: there is no section bgp", u.url)
				}
			}
		}
		return
	}
	o := &edge.Options{Interval: l.cfg.Poll.States, Paths: paths.Options{Own: b.own, Sets: b.sets, RouteServers: b.servers, Device: edge.DefaultDevice, Sync: b.sync, Limits: b.limits}}
	if len(b.sets) == 0 {
		o.Paths.Sets = edge.DefaultSets()
	}
	if b.listen != "" {
		o.Station = &edge.StationOptions{Listen: b.listen, Strangers: b.strangers, MaxRouters: b.maxRouters}
	}
	if b.speaker != nil {
		o.Speaker = b.speaker
	}
	known := map[string]bool{}
	for _, r := range b.routers {
		known[edge.Router{Address: r.address}.URL()] = true
		if o.Station != nil {
			o.Station.Routers = append(o.Station.Routers, edge.Router{Device: r.device, Address: r.address})
		}
	}
	for _, n := range b.neighbours {
		known[n.URL()] = true
		if o.Speaker != nil {
			n.Upstream = n.role == "upstream" || n.role == "" && !l.ours(n, o.Speaker)
			o.Speaker.Neighbours = append(o.Speaker.Neighbours, n.Neighbour)
		}
	}
	for _, d := range l.devices {
		l.hearURLs(d, o, known)
	}
	if o.Station != nil && len(o.Station.Routers) == 0 && !b.lets {
		l.wrong(b.stationAt, "write routers: [{device: NAME, address: ADDRESS}], or unknown: accept", "bmp lets no router in")
	}
	if o.Speaker != nil && len(o.Speaker.Neighbours) == 0 {
		l.wrong(b.speakerAt, "write neighbours: [{device: NAME, address: ADDRESS, as: NUMBER}]", "speaker has no neighbours")
	}
	l.cfg.BGP = o
}

// ours reports whether a neighbour is one of our own routers: its AS is one of ours.
func (l *loader) ours(n rawNeighbour, o *edge.SpeakerOptions) bool {
	local := n.LocalAS
	if local == 0 {
		local = o.AS
	}
	return n.AS == local || slices.Contains(l.bgp.own, bgp.ASN(n.AS))
}

// listens reports whether a URL of the scheme names one who connects to us.
func listens(scheme string) bool {
	return scheme == "bmp" || scheme == "bgp" || strings.HasPrefix(scheme, "gobgp")
}

// hearURLs takes in what a device's own URLs ask for.
func (l *loader) hearURLs(d *rawDevice, o *edge.Options, known map[string]bool) {
	for _, u := range d.urls {
		a, err := netip.ParseAddr(u.host)
		switch {
		case !listens(u.scheme) || known[u.url] || u.url == edge.WatchURL:
		case !l.hearOnce(d.name, u.at):
		case strings.HasPrefix(u.scheme, "gobgp"):
			api := edge.API{Device: d.name, URL: u.url, TLS: u.tls}
			if c := l.credentials[u.credentials]; c != nil && !u.hasTLS {
				api.TLS = c.TLS
			}
			o.APIs = append(o.APIs, api)
		case u.scheme == "bgp":
			l.wrong(u.at, fmt.Sprintf("write it under bgp: speaker: neighbours, as {device: %s, address: %s, as: NUMBER}", d.name, u.host), "%s does not say the neighbour's AS", u.url)
		case o.Station == nil:
			l.wrong(u.at, "write bgp: {bmp: {listen: ADDRESS:"+bmpPort+"}}", "%s cannot be heard: there is no BMP station", u.url)
		case err != nil || u.port != "":
			l.wrong(u.at, "write bmp://ADDRESS: the address that the router connects from", "%s is no address that a router connects from", u.url)
		default:
			o.Station.Routers = append(o.Station.Routers, edge.Router{Device: d.name, Address: a.Unmap()})
		}
	}
}
