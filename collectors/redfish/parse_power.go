package redfish

import (
	"fmt"
	"math"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// view is what one form of the facts says of one power supply.
type view struct {
	form    string // "Power" or "PowerSubsystem", for people
	link    string // the resource, or the part of one
	in      string // the resource whose freshness counts
	index   int    // in its list
	body    value
	metrics value
	words   words
	slot    string // as printed, "" where this form does not say
	serial  string
}

// supply is one power supply, as one or both forms show it.
type supply struct {
	part    *part
	chassis string
	views   []view
	gauges  []gauge // what sensors say of it

	input, output value64 // W
	volts         value64
	rated         value64
	direct        bool // fed with DC
}

// value64 is a number that may be missing.
type value64 struct {
	v  float64
	ok bool
}

func num(v value) value64 {
	f, ok := v.num()
	return value64{f, ok}
}

func (a value64) or(b value64) value64 {
	if a.ok {
		return a
	}
	return b
}

// sane drops what no supply measures: negative numbers, and the sentinels that stand for "not known".
func (a value64) sane(most float64) value64 {
	if !a.ok || a.v < 0 || a.v > most || a.v == 65535 || a.v == 65534 || a.v == 32767 {
		return value64{}
	}
	return a
}

// power reads the supplies of every chassis, in both forms, and their groups.
func (b *builder) power() {
	var all []*supply
	for _, c := range b.chassis {
		older, newer := b.olderSupplies(c), b.newerSupplies(b.t.partOf(c, "PowerSubsystem"))
		var own []*supply
		own = append(own, b.match(c.path, older, newer)...)
		own = b.withListed(c, own)
		if len(own) == 0 {
			own = b.onlyMeasured(c)
		} else {
			b.measureSupplies(c, own)
		}
		all = append(all, b.known(all, own)...)
		b.powerClaims(c)
		b.hostLoad(c)
		b.batteries(c)
	}
	b.judgeSupplies(all)
}

func (b *builder) olderSupplies(c *chassis) []view {
	link := b.t.partOf(c, "Power")
	var out []view
	for i, s := range b.t.at(link).get("PowerSupplies").items() {
		at, in := s.link(), link
		if at == "" {
			at = fmt.Sprintf("%s#/PowerSupplies/%d", normal(link), i)
		} else if len(s.names()) <= 1 && b.readable(normal(at)) {
			s, in = b.t.at(at), at
		}
		// In the service's words, for matching with the newer form; the id is chosen later.
		slot := ""
		for _, text := range []string{bayNumber(s), b.label(s), s.get("Name").str(), memberSlot(s)} {
			if slot == "" {
				slot = printed(text)
			}
		}
		out = append(out, view{form: "Power", link: at, in: in, index: i, body: s, words: status(s.get("Status")), slot: slot, serial: realSerial(s.get("SerialNumber").str())})
	}
	return out
}

// memberSlot is a MemberId that names a slot: "PSU.Slot.1", but not a position in the list.
func memberSlot(s value) string {
	id := s.first("MemberId", "MemberID").str()
	if bare.MatchString(id) {
		return ""
	}
	return id
}

func (b *builder) newerSupplies(subsystem string) []view {
	body := b.t.at(subsystem)
	return b.suppliesOf(b.alsoGrouped(body.get("PowerSupplies").link(), body.get("PowerSupplyRedundancy")), "PowerSubsystem")
}

// alsoGrouped returns a collection's members, and those that can be read though only a redundancy group names them.
func (b *builder) alsoGrouped(collection string, groups value) []string {
	out := b.t.members(collection)
	for _, p := range groupMembers(groups) {
		if b.readable(p) && belongsTo(p, normal(collection)) {
			out = appendNew(out, p)
		}
	}
	return out
}

// suppliesOf reads PowerSupply resources.
func (b *builder) suppliesOf(members []string, form string) []view {
	var out []view
	for i, p := range members {
		s := b.t.at(p)
		slot := ""
		for _, text := range []string{bayNumber(s), b.label(s), s.get("Name").str(), lastSegment(p)} {
			if slot == "" {
				slot = printed(text)
			}
		}
		out = append(out, view{
			form: form, link: p, in: p, index: i, body: s, metrics: b.t.at(s.get("Metrics").link()),
			words: status(s.get("Status")), slot: slot, serial: realSerial(s.get("SerialNumber").str()),
		})
	}
	return out
}

// match finds the supplies that both forms show: by serial number, by the printed slot, and, where the older form gives
// neither, by their order, if both show equally many that are present.
func (b *builder) match(chassis string, older, newer []view) []*supply {
	var out []*supply
	used := make([]bool, len(newer))
	pair := func(o view, same func(n view) bool) *supply {
		hit := -1
		for i, n := range newer {
			if !used[i] && same(n) {
				if hit >= 0 {
					return nil // two would do: neither is it
				}
				hit = i
			}
		}
		if hit < 0 {
			return nil
		}
		used[hit] = true
		return &supply{chassis: chassis, views: []view{o, newer[hit]}}
	}
	left := make([]*supply, len(older))
	for i, o := range older {
		if o.serial != "" {
			left[i] = pair(o, func(n view) bool { return n.serial == o.serial })
		}
	}
	for i, o := range older {
		if left[i] == nil && o.slot != "" {
			left[i] = pair(o, func(n view) bool { return n.slot == o.slot })
		}
	}
	b.matchByOrder(chassis, older, newer, left, used)
	for i, o := range older {
		if left[i] == nil {
			left[i] = &supply{chassis: chassis, views: []view{o}}
		}
		out = append(out, left[i])
	}
	for i, n := range newer {
		if !used[i] {
			out = append(out, &supply{chassis: chassis, views: []view{n}})
		}
	}
	if len(older) > 0 && len(newer) > 0 {
		b.compareForms(chassis, out)
	}
	return out
}

func (b *builder) matchByOrder(chassis string, older, newer []view, left []*supply, used []bool) {
	var lo, ln []int
	for i, o := range older {
		if left[i] == nil && o.words.presence() != gone {
			if o.slot != "" {
				return
			}
			lo = append(lo, i)
		}
	}
	for i, n := range newer {
		if !used[i] && n.words.presence() != gone {
			ln = append(ln, i)
		}
	}
	if len(lo) != len(ln) {
		return
	}
	for k, i := range lo {
		used[ln[k]] = true
		left[i] = &supply{chassis: chassis, views: []view{older[i], newer[ln[k]]}}
	}
}

// compareForms notes chassis whose two forms do not say the same, so that both are read in every poll.
func (b *builder) compareForms(chassis string, all []*supply) {
	for _, s := range all {
		if len(s.views) < 2 && s.views[0].words.presence() != gone ||
			len(s.views) == 2 && (s.views[0].words.presence() != s.views[1].words.presence() || s.views[0].words.own() != s.views[1].words.own()) {
			b.differ[chassis] = true
		}
	}
}

// withListed adds the supplies that the chassis says it is powered by, of which its own lists say nothing.
func (b *builder) withListed(c *chassis, own []*supply) []*supply {
	have := map[string]bool{}
	slots := map[string]bool{}
	for _, s := range own {
		for _, v := range s.views {
			have[source(v.link)] = true
			slots[v.slot] = true
		}
	}
	for _, l := range c.body.at("Links", "PoweredBy").items() {
		at := source(l.link())
		place := lastSegment(at)
		if at == "" || have[at] || !belongsTo(at, c.path) || slots[printed(place)] || b.byPath[at] != nil {
			continue
		}
		if strings.Contains(at, "#") || printed(place) == "" || !strings.Contains(at, "/PowerSupplies/") {
			continue // a position in a list that is not there, or no supply
		}
		have[at] = true
		if b.readable(at) { // it can be read, though no list names it
			body := b.t.at(at)
			own = append(own, &supply{chassis: c.path, views: []view{{form: "PowerSupply", link: at, in: at, body: body, words: status(body.get("Status")), slot: printed(place)}}})
			continue
		}
		own = append(own, &supply{chassis: c.path, views: []view{{form: "PoweredBy", link: at, slot: printed(place)}}})
	}
	return own
}

func belongsTo(path, chassis string) bool { return strings.HasPrefix(path, chassis+"/") }

// known takes out the supplies that an earlier chassis has shown already, and adds what this one says of them.
func (b *builder) known(before, own []*supply) []*supply {
	var out []*supply
	mine := map[string]int{}
	for _, s := range own {
		for _, v := range s.views {
			mine[v.serial]++
		}
	}
	for _, s := range own {
		if twin := b.twin(before, s, mine); twin != nil {
			for _, v := range s.views {
				twin.views = append(twin.views, v)
				b.citeView(twin.part, v)
			}
			continue
		}
		b.addSupply(s)
		out = append(out, s)
		before = append(before, s)
	}
	return out
}

// twin finds the supply that s is a second showing of: the same resource, or, in chassis that can share one, the same
// serial number.
func (b *builder) twin(before []*supply, s *supply, mine map[string]int) *supply {
	for _, t := range before {
		for _, v := range s.views {
			for _, w := range t.views {
				switch {
				case source(v.link) == source(w.link) && v.link != "":
					return t
				case s.chassis != t.chassis && b.same(s.chassis) == b.same(t.chassis):
					if v.slot != "" && v.slot == w.slot && v.serial == w.serial {
						return t
					}
				case v.serial == "" || v.serial != w.serial || v.words.presence() == gone:
				case s.chassis == t.chassis:
					// In one list, the same number at another place is a dummy that realSerial does not know.
					if v.form == w.form && (v.slot == w.slot || v.slot == "" || w.slot == "") && v.body.get("Model").str() == w.body.get("Model").str() && mine[v.serial] == 2 {
						return t
					}
				case mine[v.serial] <= len(s.views) && b.related(s.chassis, t.chassis):
					return t
				}
			}
		}
	}
	return nil
}

func (b *builder) addSupply(s *supply) {
	v := s.views[len(s.views)-1] // the newer form, where there are both, names its places with more care
	p := b.newPart(component.PSU, v.link, v.body)
	s.part = p
	var texts []string
	for _, f := range []func(view) string{
		func(v view) string { return bayNumber(v.body) },
		func(v view) string { return b.label(v.body) },
		func(v view) string { return v.body.get("Name").str() },
		func(v view) string { return memberSlot(v.body) },
		func(v view) string {
			if v.form == "Power" {
				return ""
			}
			return lastSegment(v.link)
		},
	} {
		for _, v := range s.views {
			texts = append(texts, f(v))
		}
	}
	for _, v := range s.views {
		b.citeView(p, v)
		texts = append(texts, v.body.first("MemberId", "MemberID").str())
		if strings.Contains(v.link, "#") {
			texts = append(texts, lastSegmentInner(v.link))
		}
	}
	p.named(s.chassis, b.prefix(s.chassis), texts...)
	p.set("input_type", v.body.first("LineInputVoltageType", "InputNominalVoltageType").str())
	if outlet := foreignLink(v.body.at("Links", "Outlet")); outlet != "" {
		p.set("outlet", outlet)
	}
	supplyQuirks(p, s)
}

// citeView adds what one form says; a supply in a list is known by its position there too, since groups name it so.
func (b *builder) citeView(p *part, v view) {
	b.cite(p, v.link, v.body)
	if v.form == "Power" && normal(v.in) != normal(v.link) || v.form == "Power" && strings.Contains(v.link, "#") {
		if at := source(normal(v.in) + "#/PowerSupplies/" + itoa(v.index)); b.byPath[at] == nil {
			b.byPath[at] = p
		}
	}
}

func lastSegmentInner(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

// judgeSupplies decides what the forms say of each supply together. It looks at all supplies of a chassis at once: what a
// supply says of its input or output means more beside its neighbours'.
func (b *builder) judgeSupplies(all []*supply) {
	for _, s := range all {
		s.measure()
	}
	b.dropTotals(all)
	for _, s := range all {
		b.judgeSupply(s, all)
		s.write()
	}
}

// measure collects a supply's numbers from its views.
func (s *supply) measure() {
	var most float64 // the largest power that the supply may take
	for _, v := range s.views {
		rated := num(v.body.first("PowerCapacityWatts", "CapacityWatts")).sane(200_000) // the latter: Lite-On's power shelves, as a string
		if rated.ok && rated.v >= 10 && (!s.rated.ok || rated.v < s.rated.v) {
			s.rated = rated // where the forms differ, the smaller is the safer
		}
		ranges := v.body.get("InputRanges").items()
		if len(ranges) == 1 && !s.rated.ok {
			if r := num(ranges[0].first("OutputWattage", "CapacityWatts")).sane(200_000); r.ok && r.v >= 100 {
				s.rated = r
			}
		}
		s.direct = s.direct || isDC(v.body)
		m := v.metrics
		s.input = s.input.or(nonZero(num(m.get("InputPowerWatts")))).or(num(v.body.get("PowerInputWatts")))
		s.output = s.output.or(nonZero(num(m.get("OutputPowerWatts")))).or(num(v.body.get("PowerOutputWatts"))).or(num(v.body.get("LastPowerOutputWatts")))
		s.volts = s.volts.or(nonZero(num(m.get("InputVoltage")))).or(num(v.body.get("LineInputVoltage")))
		if !s.output.ok {
			s.output = num(m.get("OutputPowerWatts"))
		}
		input, output := oemPower(v.body)
		s.input, s.output = s.input.or(input), s.output.or(output)
	}
	for _, g := range s.gauges {
		s.gauge(g)
	}
	most = math.Max(2*s.rated.v, 100_000)
	s.input, s.output = s.input.sane(most), s.output.sane(most)
	if s.input.ok && (s.output.ok && s.input.v > 2*s.output.v+100 || !s.output.ok && s.rated.ok && s.input.v >= s.rated.v) {
		s.input = value64{} // what it may take, not what it takes (Dell, recording dell-r640-telegraf: 900 W beside 203 W)
	}
	if s.volts.ok && !s.direct && s.volts.v >= 10_000 && s.volts.v != 65535 && s.volts.v != 65534 {
		s.volts.v /= 1000 // given in mV
	}
	if s.volts.ok && (s.volts.v == 65535 || s.volts.v == 65534 || s.volts.v == 32767 || s.volts.v == -1) {
		s.volts = value64{}
	}
}

func nonZero(a value64) value64 {
	if a.v == 0 {
		return value64{}
	}
	return a
}

// isDC reports whether the supply is fed with direct current. PowerSupplyType alone is no proof: shelves write "DC" for
// what they give (recording delta-powershelf-33kw).
func isDC(s value) bool {
	kind := strings.ToUpper(s.first("LineInputVoltageType", "InputNominalVoltageType").str())
	if kind != "" && kind != "UNKNOWN" {
		return strings.HasPrefix(kind, "DC") || strings.HasPrefix(kind, "-48")
	}
	ac := false
	for _, r := range s.get("InputRanges").items() {
		word := strings.ToUpper(r.first("InputType", "NominalVoltageType").str())
		ac = ac || strings.HasPrefix(word, "AC")
	}
	return !ac && strings.EqualFold(s.get("PowerSupplyType").str(), "DC")
}

// dropTotals forgets outputs that are the whole machine's and not the supply's own: the same number at every supply, and
// more together than the chassis draws (recordings hpe-xl675d and lenovo-sr670v2).
func (b *builder) dropTotals(all []*supply) {
	by := map[string][]*supply{}
	for _, s := range all {
		if s.output.ok && s.output.v > 0 {
			by[s.chassis] = append(by[s.chassis], s)
		}
	}
	for path, group := range by {
		drawn := num(b.t.at(b.t.partOf(b.byChass[path], "Power")).get("PowerControl").firstItem().get("PowerConsumedWatts"))
		if len(group) < 2 || !drawn.ok || drawn.v <= 0 {
			continue
		}
		same, sum := true, 0.0
		for _, s := range group {
			same = same && s.output.v == group[0].output.v
			sum += s.output.v
		}
		if same && sum > 1.5*drawn.v {
			for _, s := range group {
				s.output = value64{}
			}
		}
	}
}

func (v value) firstItem() value {
	if l := v.items(); len(l) > 0 {
		return l[0]
	}
	return value{}
}

// judgeSupply decides a supply's condition.
func (b *builder) judgeSupply(s *supply, all []*supply) {
	p := s.part
	if s.views[0].form == measured {
		b.judgeMeasured(s, all)
		return
	}
	views := s.present()
	for i, v := range views {
		st, why := b.judgeView(v, s, all)
		if v.in != "" && b.unread(v.in) != "" {
			st, why = component.Status{}, b.unread(v.in)
		}
		if len(s.views) > 1 && why != "" {
			why = v.form + ": " + why
		}
		if i == 0 {
			p.Status, p.Why = st, why
			continue
		}
		p.Status, p.Why = worse(p.Status, st), join(p.Why, why)
	}
	if p.Condition == component.Absent {
		return
	}
	if b.off && p.Condition != component.Failed && p.Condition != component.Impaired && !p.InputLost && !s.saysMuch() {
		p.Status, p.Why = component.Status{}, "the host is powered off and the service says nothing of this supply: "+s.said()
		return
	}
	b.judgeInput(s, all)
	b.judgeOutput(s, all)
}

// present drops the views that say a supply is absent beside another that shows it with evidence: a serial number or an
// output. HPE iLO 6 marks populated bays absent in the newer form (sapcc redfish-exporter, collectors/performance_collector.py).
func (s *supply) present() []view {
	var there []view
	for _, v := range s.views {
		if v.words.presence() != gone {
			there = append(there, v)
		}
	}
	for _, v := range there {
		if v.serial != "" || num(v.body.get("LastPowerOutputWatts")).v > 0 || num(v.metrics.get("OutputPowerWatts")).v > 0 {
			return there
		}
	}
	return s.views
}

func (s *supply) said() string {
	var all []string
	for _, v := range s.views {
		if v.words.said != "" {
			all = appendNew(all, v.words.said)
		}
	}
	if len(all) == 0 {
		return "no status"
	}
	return strings.Join(all, "; ")
}

// saysMuch reports whether the service says of the supply that it is in use, or measures it.
func (s *supply) saysMuch() bool {
	for _, v := range s.views {
		if p := v.words.presence(); (p == working || p == idle) && v.words.own() == healthOK {
			return true
		}
	}
	return false
}

// judgeView decides what one form says of a supply by its words alone.
func (b *builder) judgeView(v view, s *supply, all []*supply) (component.Status, string) {
	if v.form == "PoweredBy" {
		return component.Status{}, "the chassis names it as one that powers it (PoweredBy), and lists no such supply"
	}
	if b.emptyBay(v) {
		return component.Status{Condition: component.Absent}, "the bay is empty: FirmwareVersion 0.00, and no serial number"
	}
	st, why := judge(v.words)
	h := v.words.own()
	switch v.words.presence() {
	case cut:
		// The cord is out: IBM and Dell say UnavailableOffline with Critical (ibm-openbmc/bmcweb PR 1281, idrac_exporter issue
		// 105). With a good voltage at its input it is the supply itself.
		if s.volts.ok && plausible(s) && s.volts.v != 0 && (h == healthCritical || h == healthWarning) {
			return component.Status{Condition: component.Failed}, why + fmt.Sprintf(", with %g V at its input", s.volts.v)
		}
		return component.Status{Condition: component.OK, InputLost: true}, "says " + v.words.said + ": it is there and has no input"
	case off:
		if b.off && h != healthCritical {
			return component.Status{}, "the host is powered off; the supply says " + v.words.said
		}
		if h == healthUnknown || h == healthOK {
			return component.Status{}, "says " + v.words.said + ": it is switched off or not in use, which of the two is not said"
		}
	case working:
		if v.words.health == "" && v.words.rollup == "" && st.Condition == component.OK {
			why = ""
		}
	}
	switch strings.ToLower(v.body.get("LineInputStatus").str()) {
	case "lossofinput":
		if st.Condition != component.Absent {
			st = component.Status{Condition: component.OK, Predicted: st.Predicted, InputLost: true}
			why = join("LineInputStatus is LossOfInput", why)
		}
	case "outofrange":
		if st.Condition == component.OK {
			st.Condition = component.Impaired
		}
		why = join(why, "LineInputStatus is OutOfRange")
	}
	if st.Condition == component.OK && strings.EqualFold(v.body.get("PowerState").str(), "Off") {
		st.Standby, why = true, join(why, "PowerState is Off: healthy, carries nothing now")
	}
	oem, oemWhy := oemSupply(v.body)
	if oemWhy != "" {
		if oem.InputLost && st.Condition == component.Failed {
			st.Condition = component.OK // its own word for what the standard fields only call Critical
		}
		st, why = worse(st, oem), join(why, oemWhy)
	}
	return st, why
}

// plausible reports whether the input voltage is one that a supply can run on.
func plausible(s *supply) bool {
	if s.direct {
		return math.Abs(s.volts.v) >= 10 && math.Abs(s.volts.v) <= 450
	}
	return s.volts.v >= 80 && s.volts.v <= maxAC
}

const (
	maxAC   = 530 // 480 V between lines, and a tenth
	brown   = 80  // under 100 V less a fifth no supply for the mains carries its load
	lostAC  = 60  // what an open input still shows
	noVolts = 1
)

// judgeInput checks what a supply says of itself against the voltage at its input. A supply that is well and shows no
// voltage has lost its input; so has one that shows 13 V and is not one for direct current (recording intel-s2600bpb: it
// says Enabled and OK, and its group that redundancy is off).
func (b *builder) judgeInput(s *supply, all []*supply) {
	p := s.part
	if !s.volts.ok || p.InputLost || p.Condition == component.Absent || s.direct && s.volts.v != 0 {
		return
	}
	v := s.volts.v
	switch {
	case v < noVolts:
		if s.output.ok && s.output.v > 0 {
			s.volts = value64{} // it gives power, so it has some
			return
		}
		if !b.neighbour(s, all, func(o *supply) bool { return o.volts.ok && plausible(o) }) {
			s.volts = value64{} // all show 0: it is not measured here
			return
		}
		if p.Condition == component.Failed || p.Condition == component.Impaired {
			p.Condition = component.OK
		}
		if p.Condition == component.OK {
			p.InputLost, p.Standby = true, false
			p.Why = join("0 V at its input, while others have voltage", p.Why)
		}
	case v < lostAC:
		if p.Condition == component.OK || p.Condition == component.Impaired {
			p.Condition, p.InputLost, p.Standby = component.OK, true, false
			p.Why = join(fmt.Sprintf("only %g V at its input, though it says %s", v, s.said()), p.Why)
		}
	case v < brown:
		if p.Condition == component.OK {
			p.Condition = component.Impaired
		}
		p.Why = join(fmt.Sprintf("only %g V at its input", v), p.Why)
	case v > maxAC:
		if p.Condition == component.OK {
			p.Condition = component.Impaired
		}
		p.Why = join(fmt.Sprintf("%g V at its input is no voltage that it can run on, though it says %s", v, s.said()), p.Why)
		s.volts = value64{}
	}
}

// judgeOutput tells a supply that rests from one that works: its output is 0 W, it says that it is well, and another of
// its chassis carries the load (recording hpe-dl360-gen10-telegraf).
func (b *builder) judgeOutput(s *supply, all []*supply) {
	p := s.part
	if p.Condition != component.OK || p.InputLost || p.Standby || !s.output.ok || s.output.v != 0 {
		return
	}
	if b.neighbour(s, all, func(o *supply) bool { return o.output.ok && o.output.v > 0 }) {
		p.Standby = true
		p.Why = join(p.Why, "gives 0 W while another carries the load: healthy standby")
	}
}

func (b *builder) neighbour(s *supply, all []*supply, is func(*supply) bool) bool {
	for _, o := range all {
		if o != s && o.chassis == s.chassis && is(o) {
			return true
		}
	}
	return false
}

// write puts the numbers into the part.
func (s *supply) write() {
	p := s.part
	if p.Condition == component.Absent {
		return
	}
	if s.rated.ok {
		p.Rating = &component.Rating{Watts: s.rated.v}
	}
	p.read("input_power", "W", "", s.input.v, s.input.ok)
	p.read("output_power", "W", "", s.output.v, s.output.ok)
	p.read("input_voltage", "V", "", s.volts.v, s.volts.ok)
	for _, v := range s.views {
		amps := num(v.metrics.get("InputCurrentAmps")).or(num(v.body.get("InputCurrentAmps"))).sane(1000)
		p.read("input_current", "A", "", amps.v, amps.ok)
		t := num(v.metrics.get("TemperatureCelsius")).sane(200)
		p.read("temperature", "Cel", "", t.v, t.ok && t.v > 0)
	}
}

// hostLoad notes what a chassis draws, on the component that its supplies hold up.
func (b *builder) hostLoad(c *chassis) {
	p := b.holder(c.path)
	if p == nil && c.path == b.mainPath {
		p = b.main
	}
	if p == nil {
		return
	}
	total := vendorTotal(b.t.at(b.t.partOf(c, "Power"))).sane(500_000)
	defer func() { p.read("input_power", "W", "", total.v, total.ok && total.v > 0) }()
	for _, control := range b.t.at(b.t.partOf(c, "Power")).get("PowerControl").items() {
		drawn := num(control.get("PowerConsumedWatts")).sane(500_000)
		p.read("input_power", "W", "", drawn.v, drawn.ok && drawn.v > 0)
		m := control.first("PowerMetrics", "PowerMetric").firstItem()
		most := num(m.get("MaxConsumedWatts")).sane(500_000)
		p.read("max_input_power", "W", "", most.v, most.ok && most.v > 0)
		break // the first is the chassis; others are its processors and memory
	}
}

// batteries reads battery modules (PowerSubsystem.Batteries), and those of vendors' own.
func (b *builder) batteries(c *chassis) {
	for _, at := range b.t.members(b.t.at(b.t.partOf(c, "PowerSubsystem")).get("Batteries").link()) {
		body := b.t.at(at)
		p := b.newPart(component.Battery, at, body)
		p.named(c.path, b.prefix(c.path), b.label(body), body.get("Name").str(), lastSegment(at))
		p.Status, p.Why = judge(status(body.get("Status")))
		p.set("role", "holds the chassis up")
		m := b.t.at(body.get("Metrics").link())
		charge := num(m.get("ChargePercent")).or(num(body.get("ChargePercent"))).sane(100)
		p.read("charge", "%", "", charge.v, charge.ok)
		health := num(body.get("StateOfHealthPercent")).sane(100)
		p.read("health", "%", "", health.v, health.ok)
		b.freshen(p, at)
	}
	for _, body := range b.t.at(b.t.partOf(c, "Power")).get("Batteries").items() {
		p := b.newPart(component.Battery, body.link(), body)
		p.named(c.path, b.prefix(c.path), b.label(body), body.get("Name").str(), body.get("MemberId").str())
		p.Status, p.Why = judge(status(body.get("Status")))
		b.freshen(p, b.t.partOf(c, "Power"))
	}
	b.cacheBatteries(c)
}
