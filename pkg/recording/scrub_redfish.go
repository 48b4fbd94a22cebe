package recording

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Redfish returns the tree with pseudonyms in the place of what is private, in bodies, in links and in paths alike. The
// tree that is given stays as it is.
func (s *Scrubber) Redfish(t Tree) (Tree, error) {
	bodies := map[string]any{}
	for _, path := range t.Paths() {
		dec := json.NewDecoder(bytes.NewReader(t[path]))
		dec.UseNumber()
		var body any
		if err := dec.Decode(&body); err != nil {
			return nil, fmt.Errorf("scrub %s: %w", path, err)
		}
		bodies[path] = body
		s.see(string(t[path]))
		s.study(body, place{path: path, kind: kindOf(body)})
	}
	s.settle()
	out := Tree{}
	for _, path := range t.Paths() {
		body := s.rewrite(bodies[path], place{path: path, kind: kindOf(bodies[path])})
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			return nil, fmt.Errorf("scrub %s: %w", path, err)
		}
		out[CleanPath(s.text(path, true))] = bytes.TrimRight(b.Bytes(), "\n")
	}
	return out, nil
}

// place says where in a body a value stands.
type place struct {
	path string
	kind string   // of the resource: ComputerSystem, Volume, ...
	keys []string // that lead to it, in lower case without punctuation
}

func (p place) under(key string) place {
	p.keys = append(p.keys[:len(p.keys):len(p.keys)], plainKey(key))
	return p
}

func (p place) key() string {
	if len(p.keys) == 0 {
		return ""
	}
	return p.keys[len(p.keys)-1]
}

func (p place) inside(key string) bool {
	for _, k := range p.keys[:max(len(p.keys)-1, 0)] {
		if k == key {
			return true
		}
	}
	return false
}

func plainKey(k string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(k))
}

// kindOf is the resource type's name: ComputerSystem in "#ComputerSystem.v1_5_0.ComputerSystem".
func kindOf(body any) string {
	m, _ := body.(map[string]any)
	t, _ := m["@odata.type"].(string)
	name, _, _ := strings.Cut(strings.TrimPrefix(t, "#"), ".")
	return name
}

// What a property holds.
type privacy uint8

const (
	open    privacy = iota // text in which only what is known or told by its form is replaced
	model                  // a model, a version: as open, but four numbers with dots are no address, and its words are safe
	named                  // a name that somebody may have given: guarded word by word
	private                // all of it
)

var (
	privateKey = regexp.MustCompile(`serialn|^serial$|serialno|assettag|assetowner|assetname|servicetag|expressservicecode|nodeid$|macaddr|^mac$|hostname|^fqdn|domainname` +
		`|servername|^uuid|uuid$|guid|wwn|wwpn|wwid|^nqn|initiatorname|targetname|durablename|password|passwd|username|loginname|emailaddress|^email|^mail|contact` +
		`|ipaddress|ipv4address|ipv6address|nameserver|dnsserver|gateway|licensekey|community|accesskey|privatekey|sharedsecret|secret|token|snmpv3|engineid|^owner|siteid` +
		`|latitude|longitude|postal|^street|^city$|^room$|^building$|^floor$|^racklabel|rackname|datacenter|certificatestring|^subject$|^issuer$|fingerprint|sshkey|publickey`)
	notPrivateKey = regexp.MustCompile(`(origin|source|type|format|state|status|mode|policy|enabled|count|algorithm|supported|length|level|service|services|port|speed|interface|console)$|serialcomm|serialport|serialoverlan|^@|@odata|@redfish|tokenring`)
	nameKey       = regexp.MustCompile(`hostname|^fqdn|domainname|servername|^owner|assetname|rackname|datacenter|contact|mail|nameserver|dnsserver|gateway|ntpserver`)
	modelKey      = regexp.MustCompile(`version|firmware|revision|model|manufacturer|vendor|partnumber|sparepart|product|^sku$|bios|build|driver|release|package|software|^rev$`)
)

func (s *Scrubber) privacy(p place) privacy {
	k := p.key()
	switch {
	case p.inside("postaladdress"), p.inside("contacts"), p.inside("placement") && (k == "rack" || k == "row" || k == "additionalinfo"):
		return private
	case p.inside("location") && k == "info":
		return private
	case k == "sku" && (strings.Contains(p.path, "System.Embedded") || strings.Contains(p.path, "iDRAC")):
		return private // Dell keeps its service tag there
	case k == "name" && nameable[p.kind]:
		return named
	}
	known, ok := s.keys[k]
	if !ok {
		known = keyPrivacy(k)
		s.keys[k] = known
	}
	return known
}

// nameable are the kinds of resources to which people give names.
var nameable = map[string]bool{"Volume": true, "ComputerSystem": true, "Outlet": true, "Circuit": true, "PowerDistribution": true, "Chassis": true}

func keyPrivacy(k string) privacy {
	switch k {
	case "address", "addresses":
		return private
	case "location", "userlabel", "displayname", "logicaldrivename", "volumename", "alias", "label":
		return named
	}
	switch {
	case privateKey.MatchString(k) && !notPrivateKey.MatchString(k):
		return private
	case modelKey.MatchString(k):
		return model
	}
	return open
}

// study is the first round: it learns what is private and which words are a model's.
func (s *Scrubber) study(v any, at place) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			s.study(inner, at.under(k))
		}
	case []any:
		for _, inner := range v {
			s.study(inner, at)
		}
	case string:
		switch s.privacy(at) {
		case private:
			if nameKey.MatchString(at.key()) || at.inside("contacts") {
				s.learnName(v)
			} else {
				s.learn(v)
			}
		case model:
			s.trust(v)
		}
	}
}

// rewrite is the second round.
func (s *Scrubber) rewrite(v any, at place) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) { // in order, so that the same key gives the same pseudonyms
			out[s.text(k, false)] = s.rewrite(v[k], at.under(k))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = s.rewrite(inner, at)
		}
		return out
	case string:
		return s.property(v, at)
	case json.Number:
		if s.privacy(at) == private && len(strings.Trim(v.String(), "-.0")) >= 5 {
			return json.Number(s.digits(v.String()))
		}
	}
	return v
}

func (s *Scrubber) property(v string, at place) string {
	switch s.privacy(at) {
	case private:
		return s.pseudonym(v)
	case named:
		return s.guarded(v)
	case model:
		return s.text(v, false)
	}
	return s.text(v, true)
}

// digits replaces the digits of a number and leaves it a number.
func (s *Scrubber) digits(v string) string {
	return wordRun.ReplaceAllStringFunc(v, s.word)
}
