package redfish

import (
	"path"
	"sort"
	"strings"
)

// entry is one resource as it was last read.
type entry struct {
	path string
	role role
	many bool // a collection
	body value
	etag string
	// inside is the collection whose answer brought this resource too; "" where it is read by itself.
	inside  string
	link    string // as the service wrote it
	chassis string // that the way led through
	sum     uint64 // of the answer's bytes
	query   string // with which it was read ("?$expand=...")
	// stale: this poll wanted to read it and could not, so body is of an earlier time; why says what happened.
	// gone: the service has had it, or lists it, and answers that there is no such thing.
	stale, gone bool
	why         string
	poll        int // the poll that read it last
	emptied     int // so many times in a row it listed nothing, where it had listed something
}

// tree is what is known of a service: its resources by their normalised path.
type tree struct {
	entries map[string]*entry
	// differ holds the chassis whose older and newer forms of the same facts do not agree; both are read in every poll.
	differ map[string]bool
	// noExpand: the service says that it expands collections, and does not.
	noExpand bool
	// full is the number of the last Full poll.
	full int
	// turns is what the Fast polls have saved up of resources to read in turn.
	turns float64
	// rescan: a resource that was there is not any more, so the collections are asked what is.
	rescan bool
	// plain holds collections that came unexpanded though asked for otherwise.
	plain map[string]bool
}

func newTree() *tree {
	return &tree{entries: map[string]*entry{}, differ: map[string]bool{}, plain: map[string]bool{}}
}

// at returns the body of the resource at path; the zero value where there is none.
func (t *tree) at(path string) value {
	if e := t.entries[normal(path)]; e != nil {
		return e.body
	}
	return value{}
}

// members returns the paths of a collection's members, each once, in the service's order.
func (t *tree) members(link string) []string {
	var out []string
	seen := map[string]bool{}
	for _, m := range t.at(link).get("Members").items() {
		if p := normal(m.link()); p != "" && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// normal brings a link into the form under which resources are kept: no host, no query, no fragment, no slash at the
// end, single slashes. A link that is no path of a Redfish service becomes "".
func normal(link string) string {
	link, _, _ = strings.Cut(link, "#")
	link, _, _ = strings.Cut(link, "?")
	if i := strings.Index(link, "%23"); i >= 0 { // an encoded '#': a part of the resource before it
		link = link[:i]
	}
	if !strings.HasPrefix(link, "/") {
		return ""
	}
	if strings.Contains(link, "//") || strings.Contains(link, "/.") || strings.HasSuffix(link, "/") {
		link = path.Clean(link)
	}
	if (strings.HasPrefix(link, "/redfish/") || strings.HasPrefix(link, "/rest/")) && len(link) <= maxPath {
		return link
	}
	return ""
}

// taking reports whether the resource has its turn in Fast polls, and within how many of them. A newer form of facts that an
// older one says too, in every poll, is read half as often as the rest.
func (t *tree) taking(e *entry) (polls int, is bool) {
	if e.inside != "" || e.gone || e.many && e.query == "" || hollow(e.role, e.body) {
		return 0, false // comes with another, is not there, says only what else is there, or has nothing in it
	}
	switch e.pace() {
	case inTurn:
		if e.role == rSupplyMetrics && t.hasOlder(e.chassis, rSupply) {
			return 2 * round, true
		}
		return round, true
	case doubled:
		return 2 * round, true
	}
	return 0, false
}

// oldest picks the resources whose turn it is in a Fast poll: those that are nearest to the end of their time, or past it.
func (t *tree) oldest(poll int) map[string]bool {
	type waiting struct {
		path string
		part float64 // of its time that is over
	}
	var in []waiting
	share := 0.0
	for _, e := range t.entries {
		if polls, is := t.taking(e); is {
			in = append(in, waiting{e.path, float64(poll-e.poll) / float64(polls)})
			share += 1 / float64(polls)
		}
	}
	sort.Slice(in, func(i, j int) bool {
		if in[i].part != in[j].part {
			return in[i].part > in[j].part
		}
		return in[i].path < in[j].path
	})
	t.turns = min(t.turns, float64(len(in))) + share
	out := map[string]bool{}
	for i := 0; i < len(in) && t.turns >= 1; i++ {
		out[in[i].path] = true
		t.turns--
	}
	return out
}

// forget drops what a whole walk has not come across any more.
func (t *tree) forget(seen map[string]bool) (any bool) {
	for p := range t.entries {
		if !seen[p] {
			delete(t.entries, p)
			any = true
		}
	}
	return any
}

// hollow reports whether a subsystem has nothing in it: many chassis of a large machine each show one (recording
// supermicro-gb300-nvl), and none of them changes until somebody works at it.
func hollow(r role, body value) bool {
	switch r {
	case rPowerSub:
		return len(body.get("PowerSupplyRedundancy").items()) == 0
	case rThermalSub:
		return len(body.get("FanRedundancy").items()) == 0
	}
	return false
}

// hasOlder reports whether the chassis shows the older form of what the role is of, with what it lists in it: some services
// keep a Power without supplies beside the newer form, and some list only links to them.
func (t *tree) hasOlder(chassis string, r role) bool {
	older, name := rPower, "Power"
	if r == rThermalSub || r == rFan {
		older, name = rThermal, "Thermal"
	}
	e := t.entries[normal(t.at(chassis).get(name).link())]
	if e == nil || e.gone {
		return false
	}
	for _, listed := range e.body.get(listIn[older]).items() {
		if len(listed.names()) > 1 {
			return true
		}
	}
	return false
}

// onlyLinks keeps of a collection where its members are: what came with them is stored by itself.
func onlyLinks(collection value) value {
	links := []value{}
	for _, m := range collection.get("Members").items() {
		if l := m.link(); l != "" {
			links = append(links, value{kind: text, text: l})
		}
	}
	return objectOf([]string{"Members"}, []value{arrayOf(links)})
}

// listIn names the list inside a resource that is not a collection.
var listIn = map[role]string{rPower: "PowerSupplies", rThermal: "Fans", rStorage: "Drives"}

// emptied returns how many things a resource listed before, if it lists none now.
func emptied(it item, old *entry, body value) int {
	name := listIn[it.role]
	if it.many {
		name = "Members"
	}
	if old == nil || old.many != it.many || name == "" || len(body.get(name).items()) > 0 {
		return 0
	}
	return len(old.body.get(name).items())
}

// states is a digest of the words of state in a resource: that which, when it changes, makes its relatives be read.
func states(v value) string {
	var b strings.Builder
	var add func(v value, depth int)
	add = func(v value, depth int) {
		if depth > 6 {
			return
		}
		switch v.kind {
		case object:
			for i, k := range v.names() {
				switch k {
				case "State", "Health", "HealthRollup", "PowerState", "LinkStatus", "LineInputStatus":
					b.WriteString(v.each()[i].raw())
					b.WriteByte('/')
				default:
					if k2 := v.each()[i].kind; k2 == object || k2 == array {
						add(v.each()[i], depth+1)
					}
				}
			}
		case array:
			for _, e := range v.each() {
				add(e, depth+1)
			}
		}
	}
	add(v, 0)
	return b.String()
}
