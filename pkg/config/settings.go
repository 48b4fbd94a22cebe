package config

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// DefaultListen is where the status page, /metrics and the API are served unless the configuration says otherwise.
const DefaultListen = "127.0.0.1:9620"

// Bounds of what may be written.
const (
	leastStates  = time.Second
	mostStates   = time.Hour
	mostInterval = 24 * time.Hour
	leastTimeout = 100 * time.Millisecond
	mostTimeout  = 5 * time.Minute
	leastLimit   = time.Second
	mostLimit    = 30 * time.Minute
	mostWorkers  = 10_000
)

var goodName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:+-]*$`)

// name checks a name that stands in ids, and returns it; "" where it is wrong.
func (r *reader) name(at place, what, name string) string {
	const rule = "write letters, digits and . _ - + : only"
	switch {
	case name == "":
		r.wrong(at, "write name: NAME", "%s has no name", what)
	case len(name) > 200:
		r.wrong(at, "write at most 200 letters", "the name of %s is %d letters long", what, len(name))
	case strings.Contains(name, "/"):
		r.wrong(at, rule, "the name %q holds a slash, which divides the parts of an id", name)
	case !goodName.MatchString(name):
		r.wrong(at, rule, "%q cannot be a name", name)
	default:
		return name
	}
	return ""
}

func (l *loader) site(s *section) {
	if name := l.name(s.where("site"), "the site", s.text("site")); name != "" {
		l.cfg.Site = name
	}
}

func (l *loader) poll(n node) {
	s := l.mapping(n, "poll", "states", "inventory", "timeout", "limit", "workers", "kinds")
	p := &l.cfg.Poll
	p.States = s.duration("states", leastStates, mostStates, p.States)
	p.Inventory = s.duration("inventory", leastStates, mostInterval, p.Inventory)
	p.Timeout = s.duration("timeout", leastTimeout, mostTimeout, p.Timeout)
	p.Limit = s.duration("limit", leastLimit, mostLimit, p.Limit)
	p.Workers = s.number("workers", 1, mostWorkers, p.Workers)
	if p.Timeout > p.Limit {
		l.wrong(s.at(), "make limit the longer of the two", "one request may take %s (timeout), but a whole poll only %s (limit)", short(p.Timeout), short(p.Limit))
	}
	l.checkIntervals(s.at(), p.States, p.Inventory)
	kinds := l.freeMapping(s.keys["kinds"], "poll: kinds")
	for _, kind := range kinds.names() {
		at := place{kinds.file, kinds.lines[kind]}
		if !slices.Contains(mainKinds, component.Kind(kind)) {
			l.wrong(at, didYouMean(kind, words(mainKinds), "write "+oneOf(words(mainKinds))), "%q is no kind of device", kind)
			continue
		}
		l.kinds[kind] = l.kindPoll(kinds.keys[kind], "poll of "+kind)
	}
}

// kindPoll reads what may be said of a kind or a device; what is not said is 0.
func (l *loader) kindPoll(n node, title string) kindPoll {
	s := l.mapping(n, title, "states", "inventory", "timeout")
	k := kindPoll{
		states:    s.duration("states", leastStates, mostStates, 0),
		inventory: s.duration("inventory", leastStates, mostInterval, 0),
		timeout:   s.duration("timeout", leastTimeout, mostTimeout, 0),
	}
	if s.Node != nil {
		k.at = s.at()
	}
	return k
}

func (l *loader) checkIntervals(at place, states, inventory time.Duration) {
	if inventory < states {
		l.wrong(at, "make inventory the longer of the two", "the inventory is to be read every %s, the states only every %s", short(inventory), short(states))
	}
}

func (l *loader) web(n node) {
	s := l.mapping(n, "web", "listen", "url", "tls_config")
	if listen := s.text("listen"); listen != "" {
		if why := badListen(listen); why != "" {
			l.wrong(s.where("listen"), "write ADDRESS:PORT, as "+DefaultListen, "listen is %q, which %s", listen, why)
		} else {
			l.cfg.Web.Listen = listen
		}
	}
	if link := s.text("url"); link != "" {
		u, err := url.Parse(link)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
			l.wrong(s.where("url"), "write https://HOST[:PORT][/PATH]", "url is no address of a page")
		} else {
			l.cfg.Web.URL = strings.TrimSuffix(link, "/")
		}
	}
	if file := l.path(s.text("tls_config"), s.file); file != "" {
		if _, mistake := readFile(file, maxFile); mistake != nil {
			l.wrong(s.where("tls_config"), mistake.Instead, "tls_config %s: %s", file, mistake.What)
		}
		l.cfg.Web.TLSConfig = file
	}
}

// badListen says what is wrong with an address to listen on; "" where it is good.
func badListen(s string) string {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "has no port"
	}
	if p, err := strconv.Atoi(port); err != nil || p < 0 || p > 65535 {
		return "has no port from 0 to 65535"
	}
	if host != "" && badHost(host) != "" {
		return badHost(host)
	}
	return ""
}

func (l *loader) state(n node) {
	s := l.mapping(n, "state", "dir")
	l.cfg.State.Dir = l.path(s.text("dir"), s.file)
}

// profiles names a folder. What is in it is checked by whoever reads it.
func (l *loader) profiles(s *section) {
	dir := l.path(s.text("profiles"), s.file)
	if dir == "" {
		return
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		l.wrong(s.where("profiles"), "put it there, or make it readable for the user that runs sparewatch", "profiles %s: %s", dir, plain(err))
	case !info.IsDir():
		l.wrong(s.where("profiles"), "name the folder that it stands in", "profiles %s is no folder", dir)
	}
	l.cfg.Profiles = dir
}

// defaults fills in what depends on where the program runs.
func (l *loader) defaults() {
	if l.cfg.State.Dir == "" {
		l.cfg.State.Dir = l.stateDir()
	}
	if l.pinsFile == "" {
		l.pinsFile = l.path("sparewatch.pins", filepath.Join(l.folder, "x"))
	}
	l.cfg.Pins.File = l.pinsFile
	if l.cfg.Web.URL == "" {
		l.cfg.Web.URL = "http://" + reachable(l.cfg.Web.Listen)
	}
}

// stateDir is systemd's, else root's, else the user's own (XDG base directory specification).
func (l *loader) stateDir() string {
	if d, _, _ := strings.Cut(l.o.Getenv("STATE_DIRECTORY"), ":"); d != "" {
		return d
	}
	if os.Geteuid() == 0 {
		return "/var/lib/sparewatch"
	}
	if d := l.o.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "sparewatch")
	}
	if home := l.o.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "sparewatch")
	}
	return "/var/lib/sparewatch"
}

// reachable replaces the address that stands for all of them by this host's name.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		if name, err := os.Hostname(); err == nil && name != "" {
			host = name
		} else {
			host = "localhost"
		}
	}
	return net.JoinHostPort(host, port)
}

func words[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, w := range in {
		out[i] = string(w)
	}
	return out
}
