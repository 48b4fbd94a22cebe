package config

import (
	"path/filepath"
	"time"
)

// loader gathers what the files say, and then builds the configuration from it.
type loader struct {
	reader
	o         Options
	folder    string         // of the configuration
	order     map[string]int // of files
	read      int            // bytes
	documents int
	expanded  int // names that patterns stand for
	cfg       *Config

	said        map[string]place // keys that may stand once in all files
	credentials map[string]*credential
	devices     []*rawDevice
	kinds       map[string]kindPoll
	pinsFile    string
	declared    []*rawComponent
	edges       []*rawEdge
	groups      []*rawGroup
	services    []*rawService
	outlets     map[string]place
	work        []rawWork
	events      []announced
	traps       *rawTraps
	bgp         *rawBGP
	readable    map[string]bool // files with secrets that everybody may read, once they are warned about

	names  *names
	byName map[string]*rawDevice
}

func newLoader(o Options, path string, files []string) *loader {
	l := &loader{
		reader:      reader{book: &book{}},
		o:           o,
		folder:      filepath.Dir(files[0]),
		order:       map[string]int{path: -1},
		said:        map[string]place{},
		credentials: map[string]*credential{},
		kinds:       map[string]kindPoll{},
		outlets:     map[string]place{},
		readable:    map[string]bool{},
		byName:      map[string]*rawDevice{},
		cfg: &Config{
			Site: "site",
			Poll: Poll{States: 15 * time.Second, Inventory: 10 * time.Minute, Timeout: 10 * time.Second, Limit: 2 * time.Minute, Workers: 128},
			Web:  Web{Listen: DefaultListen},
		},
	}
	for i, f := range files {
		l.order[f] = i
	}
	return l
}

// documentKeys are what may stand at the top.
var documentKeys = []string{
	"site", "credentials", "devices", "topology", "services", "poll", "notify", "bgp", "traps", "influx", "remote_write", "otlp", "events", "web", "state", "pins", "profiles", "capacity", "links", "maintenance", "findings",
}

// document takes in one YAML document.
func (l *loader) document(n node) {
	if n.null() {
		return
	}
	l.documents++
	s := l.mapping(n, "the configuration", documentKeys...)
	l.once(s, "site", func() { l.site(s) })
	l.once(s, "poll", func() { l.poll(s.keys["poll"]) })
	l.once(s, "web", func() { l.web(s.keys["web"]) })
	l.once(s, "state", func() { l.state(s.keys["state"]) })
	l.once(s, "events", func() { l.takeEvents(s.keys["events"]) })
	l.once(s, "maintenance", func() { l.takeMaintenance(s.keys["maintenance"]) })
	l.once(s, "pins", func() { l.pinsFile = l.path(s.text("pins"), s.file) })
	l.once(s, "profiles", func() { l.profiles(s) })
	l.once(s, "capacity", func() { l.capacity(s.keys["capacity"]) })
	l.once(s, "links", func() { l.links(s.keys["links"]) })
	l.once(s, "findings", func() { l.findings(s.keys["findings"]) })
	l.once(s, "traps", func() { l.takeTraps(s.keys["traps"]) })
	l.once(s, "bgp", func() { l.takeBGP(s.keys["bgp"]) })
	l.takeCredentials(s.keys["credentials"])
	for _, n := range s.items("devices") {
		l.takeDevice(n)
	}
	l.takeTopology(s.keys["topology"])
	for _, n := range s.items("services") {
		l.takeService(n)
	}
	for _, n := range s.items("notify") {
		l.takeOutlet(n)
	}
	l.exports(s)
}

// once reads a key that may be said in one place only.
func (l *loader) once(s *section, key string, read func()) {
	if !s.has(key) {
		return
	}
	if before, ok := l.said[key]; ok {
		l.wrong(s.where(key), "take one of them out", "%s is said twice: also at %s", key, before)
		return
	}
	l.said[key] = s.where(key)
	read()
}

// path makes a path from the configuration absolute: it is relative to the file that names it.
func (l *loader) path(p, file string) string {
	if p == "" {
		return ""
	}
	if !filepath.IsAbs(p) {
		p = filepath.Join(filepath.Dir(file), p)
	}
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}

// build makes the configuration once all files are read.
func (l *loader) build() {
	l.defaults()
	if l.expanded > maxNames {
		return // what was left out would be missed everywhere
	}
	l.placeBGP()
	l.buildDevices()
	l.buildBGP()
	l.buildModel()
	l.buildTraps()
	wrong := len(l.mistakes) > 0
	l.checkLoops()
	if wrong {
		return
	}
	l.targets()
	if l.documents > 0 && len(l.cfg.Devices)+len(l.cfg.Model.Components)+len(l.cfg.Model.Services) == 0 {
		l.wrong(place{l.firstFile(), 0}, "write at least:  devices: [redfish://10.0.0.1]", "it names no device")
	}
}

// kindPoll is how devices of one kind are polled.
type kindPoll struct {
	states, inventory, timeout time.Duration
	at                         place
}
