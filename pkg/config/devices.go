package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
)

// rawDevice is one device, its ranges expanded.
type rawDevice struct {
	name    string
	kind    component.Kind // as declared; "" where it isn't
	urls    []rawURL
	poll    kindPoll
	at      place
	fromURL bool // named after its URL
}

// rawURL is one URL of a device.
type rawURL struct {
	target
	credentials string
	tls         collectors.TLS
	hasTLS      bool
	at          place
}

// takeDevice reads one entry of devices: a URL, or keys.
func (l *loader) takeDevice(n node) {
	if n.null() {
		l.wrong(n.at(), "write a URL, or name: and urls:", "devices holds an empty entry")
		return
	}
	if !strings.Contains(n.what(), "keys") {
		l.takeURLs(n)
		return
	}
	s := l.mapping(n, "a device", "name", "kind", "urls", "url", "credentials", "tls", "poll")
	names, ok := l.expand(located{s.text("name"), s.where("name")})
	if !ok {
		return
	}
	if names[0] == "" {
		if !s.has("urls") && !s.has("url") {
			l.wrong(s.at(), "write name: NAME and urls: [URL]", "a device has neither a name nor urls")
			return
		}
		names = nil
	}
	d := rawDevice{kind: l.deviceKind(s), poll: l.kindPoll(s.keys["poll"], "poll of a device"), at: s.at()}
	urls := l.deviceURLs(s)
	if names == nil {
		l.nameByURL(d, urls)
		return
	}
	for i, name := range names {
		d := d
		d.name = l.name(s.where("name"), "a device", name)
		for _, list := range urls {
			switch {
			case len(list) == len(names):
				d.urls = append(d.urls, list[i])
			case i == 0 && len(list) > 0:
				l.wrong(list[0].at, "make the two ranges equally long", "the name stands for %s, but this URL for %d", many(len(names), "device"), len(list))
			}
		}
		if d.name != "" {
			l.addDevice(&d)
		}
	}
}

func (l *loader) deviceKind(s *section) component.Kind {
	kind := component.Kind(s.text("kind"))
	if kind != "" && !slices.Contains(mainKinds, kind) {
		l.wrong(s.where("kind"), didYouMean(string(kind), words(mainKinds), "write "+oneOf(words(mainKinds))), "%q is no kind of device", kind)
		return ""
	}
	return kind
}

// deviceURLs reads "url" and "urls"; each pattern gives a list.
func (l *loader) deviceURLs(s *section) [][]rawURL {
	if s.has("url") && s.has("urls") {
		l.wrong(s.where("url"), "write urls: [URL, URL]", "the device has both url and urls")
	}
	var common rawURL
	common.credentials = s.text("credentials")
	if s.has("tls") {
		common.tls, common.hasTLS = l.tls(s.keys["tls"], "tls of a device", nil), true
	}
	var out [][]rawURL
	for _, key := range []string{"url", "urls"} {
		n := s.keys[key]
		entries := []node{n}
		if n.null() {
			continue
		} else if strings.Contains(n.what(), "list") {
			entries = l.items(n, key)
		}
		for _, e := range entries {
			out = append(out, l.urlEntry(e, common))
		}
	}
	return out
}

// urlEntry is a URL, or {url, credentials, tls}.
func (l *loader) urlEntry(n node, common rawURL) []rawURL {
	u := common
	text := ""
	if strings.Contains(n.what(), "keys") {
		s := l.mapping(n, "a URL", "url", "credentials", "tls")
		text = s.text("url")
		if c := s.text("credentials"); c != "" {
			u.credentials = c
		}
		if s.has("tls") {
			u.tls, u.hasTLS = l.tls(s.keys["tls"], "tls of a URL", nil), true
		}
	} else {
		text = l.text(n, "a URL")
	}
	if text == "" {
		l.wrong(n.at(), "write url: URL", "a URL is empty")
		return nil
	}
	return l.expandURL(text, n.at(), u)
}

func (l *loader) expandURL(text string, at place, common rawURL) []rawURL {
	if l.expanded > maxNames {
		return nil
	}
	texts, err := expand(text)
	if err != nil {
		l.wrong(at, "write a range, as redfish://10.0.0.[1-12]", "the URL %s", withoutLogin(err.Error()))
		return nil
	}
	if !l.affordable(len(texts), at) {
		return nil
	}
	var out []rawURL
	for _, text := range texts {
		t, why, instead := l.parseTarget(text)
		if why != "" {
			l.wrong(at, instead, "%s", why)
			return nil // one wrong URL of a range is enough to say
		}
		u := common
		u.target, u.at = t, at
		out = append(out, u)
	}
	return out
}

// takeURLs reads the short form: each URL a device, named after its host. The URLs of one host in several
// schemes are one device, unless ports say that the host stands for several.
func (l *loader) takeURLs(n node) {
	text := l.text(n, "a device")
	if text == "" {
		return
	}
	l.nameByURL(rawDevice{at: n.at()}, [][]rawURL{l.expandURL(text, n.at(), rawURL{})})
}

func (l *loader) nameByURL(like rawDevice, urls [][]rawURL) {
	for _, list := range urls {
		for _, u := range list {
			d := like
			d.name, d.fromURL, d.urls = hostAsName(u), true, []rawURL{u}
			if before := l.byName[d.name]; before != nil && before.fromURL && !slices.ContainsFunc(before.urls, func(b rawURL) bool { return b.scheme == u.scheme }) {
				before.urls = append(before.urls, u)
				continue
			}
			l.addDevice(&d)
		}
	}
}

func hostAsName(u rawURL) string {
	if u.port != "" {
		return u.host + ":" + u.port
	}
	return u.host
}

func (l *loader) addDevice(d *rawDevice) {
	if before, ok := l.byName[d.name]; ok {
		l.wrong(d.at, "give one of them another name, or write all its urls in one place", "there are two devices called %s: also at %s", d.name, before.at)
		return
	}
	l.byName[d.name] = d
	l.devices = append(l.devices, d)
}

// buildDevices checks what only can be checked when all files are read.
func (l *loader) buildDevices() {
	byURL := map[string]*rawDevice{}
	for _, d := range l.devices {
		if d.name == l.cfg.Site {
			l.wrong(d.at, "give one of them another name", "the device %s is called like the site", d.name)
		}
		for i := range d.urls {
			u := &d.urls[i]
			switch before, ok := byURL[u.url]; {
			case !ok:
				byURL[u.url] = d
			case before == d:
				l.wrong(u.at, "take one of them out", "%s has the URL %s twice", d.name, u.url)
			default:
				l.wrong(u.at, "take one of them out", "%s is the URL of %s and of %s", u.url, before.name, d.name)
			}
			l.checkCredentials(d, u)
		}
	}
	slices.SortFunc(l.devices, func(a, b *rawDevice) int { return cmp.Compare(a.name, b.name) })
}

// checkCredentials finds the credentials of a URL: those it names, else the only ones there are.
func (l *loader) checkCredentials(d *rawDevice, u *rawURL) {
	info := schemes[u.scheme]
	if u.credentials == "" && len(l.credentials) == 1 {
		for name := range l.credentials {
			u.credentials = name
		}
	}
	names := sortedKeys(l.credentials)
	c := l.credentials[u.credentials]
	switch {
	case u.credentials != "" && c == nil && len(names) == 0:
		l.wrong(u.at, "write credentials: {"+u.credentials+": {user: NAME, password_file: FILE}}", "there are no credentials %s", u.credentials)
	case u.credentials != "" && c == nil:
		l.wrong(u.at, didYouMean(u.credentials, names, "write "+oneOf(names)), "there are no credentials %s", u.credentials)
	case c == nil && info.login && len(names) > 1:
		l.wrong(u.at, "write credentials: "+oneOf(names), "%s does not say which credentials it needs", d.name)
	case c == nil && info.snmp && len(names) > 1 && !u.community.Set():
		l.warn(u.at, "write credentials: "+oneOf(names), "%s names no credentials, so its community is public", d.name)
	case c == nil && info.login:
		l.warn(u.at, "write credentials: {bmc: {user: NAME, password_file: FILE}}", "%s has no credentials: most devices refuse that", d.name)
	}
	if u.community.Set() {
		l.warn(u.at, "write it under credentials as community_file", "the URL of %s holds its community", d.name)
	}
	if c == nil {
		return
	}
	c.used = true
	if info.login && c.User == "" && !info.snmp && (c.Community.Set() || c.V3.User != "") {
		l.wrong(u.at, "name credentials with user and password_file", "%s needs a user and a password, but the credentials %s are SNMP's", u.url, c.Name)
	}
	if info.plain && c.User != "" {
		l.warn(u.at, "use redfish:// where the device has TLS", "the password of %s travels unencrypted", d.name)
	}
	if info.snmp && c.V3.User != "" && u.community.Set() {
		l.wrong(u.at, "take the community out of the URL", "%s has a community, but its credentials are SNMPv3's", d.name)
	}
}

// targets makes the checked devices.
func (l *loader) targets() {
	pins := l.readPins()
	insecure := map[string]int{}
	oldTLS := map[string]int{}
	named := namedPorts(&l.cfg.Model)
	for _, d := range l.devices {
		out := Device{Name: d.name, Kind: l.names.kindOf(d.name), At: d.at.position()}
		timeout := l.intervals(&out, d)
		for _, u := range d.urls {
			t := collectors.Target{Device: d.name, URL: u.url, Timeout: timeout, Named: named[d.name]}
			if c := l.credentials[u.credentials]; c != nil {
				t.Credentials = c.Credentials
			}
			if u.community.Set() {
				t.Credentials.Community = u.community
			}
			if u.hasTLS {
				t.Credentials.TLS = u.tls
			}
			if pin := pins[u.url]; pin != "" && !(u.hasTLS && u.tls.Fingerprint != "") {
				t.Credentials.TLS.Fingerprint, t.Credentials.TLS.CA, t.Credentials.TLS.Insecure = pin, nil, false
			}
			if schemes[u.scheme].tls {
				l.countTLS(t, u, insecure, oldTLS)
			}
			out.Targets = append(out.Targets, t)
		}
		l.cfg.Devices = append(l.cfg.Devices, out)
	}
	l.warnCredentials(insecure, oldTLS)
}

// countTLS counts by credentials the targets whose certificates nobody verifies; what a device says itself is warned about at
// once.
func (l *loader) countTLS(t collectors.Target, u rawURL, insecure, oldTLS map[string]int) {
	if t.Credentials.TLS.Insecure {
		if u.hasTLS {
			l.warn(u.at, "pin it: sparewatch check --pin", "insecure: anybody between here and %s can read its password", t.Device)
		} else {
			insecure[u.credentials]++
		}
	}
	if t.Credentials.TLS.AllowTLS10 {
		if u.hasTLS {
			l.warn(u.at, "update the device where that helps", "allow_tls10: the connection to %s may be weak", t.Device)
		} else {
			oldTLS[u.credentials]++
		}
	}
}

func (l *loader) warnCredentials(insecure, oldTLS map[string]int) {
	for _, name := range sortedKeys(l.credentials) {
		c := l.credentials[name]
		if n := insecure[name]; n > 0 {
			l.warn(c.insecure, "pin them: sparewatch check --pin", "insecure: the certificates of %s are not verified; anybody in between can read the password", many(n, "target"))
		}
		if n := oldTLS[name]; n > 0 {
			l.warn(c.oldTLS, "update the devices where that helps", "allow_tls10: the connections to %s may be weak", many(n, "target"))
		}
		if !c.used {
			l.warn(c.at, "take them out, or name them at a device", "nothing uses the credentials %s", name)
		}
	}
}

// intervals sets how often a device is polled: as it says itself, else as its kind's section says, else as poll says.
func (l *loader) intervals(out *Device, d *rawDevice) (timeout time.Duration) {
	kind := l.kinds[string(out.Kind)]
	out.States = cmp.Or(d.poll.states, kind.states, l.cfg.Poll.States)
	out.Inventory = cmp.Or(d.poll.inventory, kind.inventory, l.cfg.Poll.Inventory)
	at := d.at
	if d.poll == (kindPoll{}) && kind != (kindPoll{}) {
		at = kind.at
	}
	if out.Inventory < out.States && l.cfg.Poll.Inventory >= l.cfg.Poll.States {
		l.checkIntervals(at, out.States, out.Inventory)
	}
	timeout = cmp.Or(d.poll.timeout, kind.timeout, l.cfg.Poll.Timeout)
	if timeout > l.cfg.Poll.Limit {
		l.wrong(at, "raise poll: limit", "one request may take %s (timeout), but a whole poll only %s (limit)", short(timeout), short(l.cfg.Poll.Limit))
	}
	return timeout
}

// expand expands a pattern; false where it is wrong.
func (l *loader) expand(t located) ([]string, bool) {
	if l.expanded > maxNames {
		return nil, false
	}
	out, err := expand(t.text)
	if err != nil {
		l.wrong(t.at, "write srv-[1-12], srv-[01-12] or srv-[a,b]", "%s", err)
		return nil, false
	}
	return out, l.affordable(len(out), t.at)
}

// maxNames bounds what all patterns of a configuration together may stand for.
const maxNames = 300_000

func (l *loader) affordable(n int, at place) bool {
	before := l.expanded
	if l.expanded += n; l.expanded > maxNames && before <= maxNames {
		l.wrong(at, "write shorter ranges", "the ranges up to here stand for more than %d names", maxNames)
	}
	return l.expanded <= maxNames
}

// many is "1 device", "2 devices".
func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
