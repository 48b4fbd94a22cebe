package redfish

import (
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// Local ids are what is printed on the chassis. Services say it in a dozen ways; names turns them into candidates, best
// first, and settle picks one for each part, so that no two parts of one kind share one.

var (
	digits = regexp.MustCompile(`[0-9]+`)
	// A number behind a word that names a place, with nothing of the number's own kind behind it.
	worded = regexp.MustCompile(`(?i)(?:bay|slot|psu|ps|pem|fan|drive|disk|hdd|ssd|supply|rectifier|unit|module|port|pump|battery|cpu)[ ._#=-]*0*([0-9]+[A-Za-z]?)(?:[^A-Za-z0-9.:-]|$)`)
	// One number in a text, with one letter behind it ("Fan 1A Tach").
	single   = regexp.MustCompile(`^[^0-9]*?0*([0-9]{1,4}[A-Za-z]?)(?:[^A-Za-z0-9].*)?$`)
	bare     = regexp.MustCompile(`^0*([0-9]+)$`)
	unsafe   = regexp.MustCompile(`[^A-Za-z0-9._:+@()=,/-]+`)
	boxLabel = regexp.MustCompile(`(?i)(?:^|:)(port|box|bay)=([^:]+)`)
	boxShort = regexp.MustCompile(`^([0-9]+[A-Z]):([0-9]+):([0-9]+)$`)
)

// printed takes the number out of a text that names a place: "PSU.Slot.1" and "PS1 Status" give "1", "Fan 1A Tach"
// gives "1A". "" where the text holds none, or several without saying which.
func printed(s string) string {
	s = strings.TrimSpace(s)
	if m := bare.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	if i := strings.IndexByte(s, ':'); i > 0 && !strings.Contains(s, "=") { // "Disk.Bay.0:Enclosure.Internal.0-1:..."
		s = s[:i]
	}
	switch len(digits.FindAllString(s, 3)) {
	case 0:
		return ""
	case 1:
		if m := single.FindStringSubmatch(s); m != nil {
			return m[1]
		}
		return ""
	}
	if all := worded.FindAllStringSubmatch(s, 2); len(all) == 1 {
		return all[0][1]
	}
	return ""
}

// bay reads the three-part locations of drives: "Slot=25:Port=1I:Box=3:Bay=4" and "1I:3:4" give "4" and "3:4".
func bay(s string) []string {
	if m := boxShort.FindStringSubmatch(s); m != nil {
		return []string{trimZeros(m[3]), trimZeros(m[2]) + ":" + trimZeros(m[3])}
	}
	at := map[string]string{}
	for _, m := range boxLabel.FindAllStringSubmatch(s, -1) {
		if !strings.EqualFold(m[2], "unknown") {
			at[strings.ToLower(m[1])] = trimZeros(m[2])
		}
	}
	if at["bay"] == "" {
		return nil
	}
	out := []string{at["bay"]}
	if at["box"] != "" {
		out = append(out, at["box"]+":"+at["bay"])
		if at["port"] != "" {
			out = append(out, at["port"]+":"+at["box"]+":"+at["bay"])
		}
	}
	return out
}

func trimZeros(s string) string {
	if t := strings.TrimLeft(s, "0"); t != "" {
		return t
	}
	return "0"
}

// safe makes a text fit for an id.
func safe(s string) string {
	s = strings.Trim(unsafe.ReplaceAllString(strings.TrimSpace(s), "-"), "-/")
	return shortID(s)
}

const maxLocal = 120

func shortID(s string) string {
	if len(s) > maxLocal {
		return s[:maxLocal]
	}
	return s
}

// candidates lists local ids for the texts that name a part's place, the most trustworthy text first: the number
// printed in the first that has one (for drives: bay, box and bay, port and box and bay), and the texts themselves.
func candidates(texts ...string) (numbers, whole []string) {
	for _, s := range texts {
		if s == "" || noWord(s) {
			continue
		}
		if len(numbers) == 0 && !strings.Contains(strings.ToLower(s), "bay=unknown") {
			if numbers = bay(s); numbers == nil {
				numbers = appendNew(nil, printed(s))
			}
		}
		if w := safe(s); w != "" {
			whole = appendNew(whole, w)
		}
	}
	return numbers, whole
}

func appendNew(list []string, more ...string) []string {
	for _, m := range more {
		if m == "" {
			continue
		}
		there := false
		for _, l := range list {
			there = there || l == m
		}
		if !there {
			list = append(list, m)
		}
	}
	return list
}

// named gives a part its candidates. Parts of one scope (a chassis, a storage subsystem) move on together when one of
// their ids is taken; prefix stands before every id of a part that is not in the main chassis.
func (p *part) named(scope, prefix string, texts ...string) {
	numbers, whole := candidates(texts...)
	p.scope = scope
	var names []string
	for _, n := range numbers {
		names = appendNew(names, prefix+n)
	}
	label := safe(lastSegment(scope))
	if len(numbers) > 0 && label != "" && (len(whole) == 0 || whole[0] != label) {
		names = appendNew(names, prefix+label+"/"+numbers[0])
	}
	for _, w := range whole {
		names = appendNew(names, prefix+w)
	}
	if len(whole) > 0 && label != "" {
		names = appendNew(names, prefix+label+"/"+whole[len(whole)-1])
	}
	if len(names) == 0 {
		names = []string{prefix + "unnamed"}
	}
	p.names = names
}

func lastSegment(path string) string {
	path, _, _ = strings.Cut(path, "#")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// settle gives every part its id.
func settle(device string, parts []*part) {
	byKind := map[component.Kind][]*part{}
	var kinds []component.Kind
	for _, p := range parts {
		if byKind[p.Kind] == nil {
			kinds = append(kinds, p.Kind)
		}
		byKind[p.Kind] = append(byKind[p.Kind], p)
	}
	// Ports last: their names begin with their owners'.
	sort.SliceStable(kinds, func(i, j int) bool { return kinds[i] != component.Port && kinds[j] == component.Port })
	for _, k := range kinds {
		for _, p := range byKind[k] {
			if p.owner != nil {
				for i := range p.names {
					p.names[i] = p.owner.local + "/" + p.names[i]
				}
			}
		}
		settleKind(byKind[k])
		for _, p := range byKind[k] {
			p.ID = component.NewID(device, k, p.local)
		}
	}
}

func settleKind(parts []*part) {
	level := map[string]int{}
	pick := func(p *part) string { return shortID(p.names[min(level[p.scope], len(p.names)-1)]) }
	most := 0
	for _, p := range parts {
		most = max(most, len(p.names))
	}
	for range most {
		holders := map[string][]*part{}
		for _, p := range parts {
			holders[pick(p)] = append(holders[pick(p)], p)
		}
		bump := map[string]bool{}
		for _, h := range holders {
			if len(h) > 1 {
				for _, p := range h {
					bump[p.scope] = true
				}
			}
		}
		if len(bump) == 0 {
			break
		}
		for s := range bump {
			level[s]++
		}
	}
	taken := map[string]bool{}
	for _, p := range parts {
		name := pick(p)
		for n := 2; taken[name]; n++ {
			name = pick(p) + "-" + strconv.Itoa(n)
		}
		taken[name] = true
		p.local = name
	}
}
