package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// world is the model, the devices as they are, and the program that watches them.
type world struct {
	model   topology.Model
	devices map[string]*snapshot.Snapshot
	store   *state.Store
	engine  *engine.Engine
	options engine.Options
	now     time.Time
	report  *engine.Report
	asked   map[string]bool
}

func newWorld() *world {
	return &world{
		model: topology.Model{Site: "site"}, devices: map[string]*snapshot.Snapshot{}, asked: map[string]bool{},
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// do does one step of a story.
func (w *world) do(step string) error {
	verb, rest, _ := strings.Cut(step, " ")
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(verb, "+") {
		return w.wait(verb[1:])
	}
	steps := map[string]func(string) error{
		"site": w.site, "device": w.device, "cable": w.cable, "group": w.group, "service": w.service, "claim": w.claim, "link": w.link,
		"power": w.power, "serial": w.serial, "hostname": w.hostname, "start": w.start, "poll": w.poll, "silent": w.silent, "restart": w.restart, "expect": w.expect,
		"gate": w.gate, "simulate": w.simulate, "error": w.failRead, "forget": w.forget, "target": w.target, "uuid": w.uuid,
		"thing": w.thing, "work": w.work, "overload": w.overload, "overcuts": w.overcuts, "repeat": w.repeat, "rule": w.rule, "clock": w.clock,
	}
	do, ok := steps[verb]
	if !ok {
		return fmt.Errorf("no such step: %s", verb)
	}
	return do(rest)
}

func (w *world) site(name string) error { w.model.Site = name; return nil }

func (w *world) device(names string) error {
	for _, name := range expand(strings.Fields(names)...) {
		w.model.Observed = append(w.model.Observed, name)
		w.devices[name] = &snapshot.Snapshot{Target: "test://" + name, Collector: "test", Device: snapshot.Device{Name: name}, Reachable: true}
	}
	return nil
}

// work is announced: "work circuit-1 from +30h to +32h lead 24h "note"", in time from noon.
func (w *world) work(step string) error {
	note := ""
	if before, quoted, ok := strings.Cut(step, `"`); ok {
		step, note = before, strings.TrimSuffix(strings.TrimSpace(quoted), `"`)
	}
	f := words(step, "from", "to", "lead")
	at := func(key string) time.Time {
		d, err := time.ParseDuration(strings.TrimPrefix(f[key], "+"))
		if err != nil {
			return time.Time{}
		}
		return w.now.Add(d)
	}
	lead, err := time.ParseDuration(f["lead"])
	if err != nil || at("from").IsZero() || at("to").IsZero() {
		return fmt.Errorf("work is announced as: work ID from +1h to +2h lead 1h, not %q", step)
	}
	w.model.Lead = lead
	work := topology.Work{From: at("from"), To: at("to"), Note: note}
	for _, ref := range strings.Split(f[""], ",") {
		work.What = append(work.What, w.id(strings.TrimSpace(ref)))
	}
	w.model.Work = append(w.model.Work, work)
	return nil
}

// clock is set back while the program does not run: "clock -1h", before a restart.
func (w *world) clock(by string) error {
	d, err := time.ParseDuration(by)
	w.now = w.now.Add(d)
	return err
}

// rule adjusts one: "rule component-failed hold 5m severity critical".
func (w *world) rule(s string) error {
	f := words(s, "hold", "severity")
	name := finding.Rule(f[""])
	if !slices.Contains(finding.Rules(), name) {
		return fmt.Errorf("%q is no rule", name)
	}
	if f["hold"] != "" {
		hold, err := time.ParseDuration(f["hold"])
		if err != nil {
			return err
		}
		w.options.Hold = map[finding.Rule]time.Duration{name: hold}
	}
	if f["severity"] != "" {
		var severity finding.Severity
		if err := severity.UnmarshalText([]byte(f["severity"])); err != nil {
			return err
		}
		w.options.Severity = map[finding.Rule]map[int]finding.Severity{name: {engine.NoTier: severity, 0: severity, 1: severity, 2: severity, 3: severity}}
	}
	return nil
}

// target is one more way to a device: "target srv-1@ipmi"; "poll srv-1@ipmi: ..." polls it.
func (w *world) target(names string) error {
	for _, name := range expand(strings.Fields(names)...) {
		device, by, ok := strings.Cut(name, "@")
		if !ok {
			return fmt.Errorf("a target is written DEVICE@PROTOCOL")
		}
		if w.devices[device] == nil {
			w.model.Observed = append(w.model.Observed, device)
		}
		w.devices[name] = &snapshot.Snapshot{Target: by + "://" + device, Collector: by, Device: snapshot.Device{Name: device}, Reachable: true}
	}
	return nil
}

func (w *world) uuid(s string) error {
	name, uuid, _ := strings.Cut(s, " ")
	w.devices[name].Device.UUID = uuid
	return nil
}

// id gives a bare name its place in the site, unless it is a device's.
func (w *world) id(s string) component.ID {
	s = strings.TrimSpace(s)
	if strings.Count(s, "/") >= 2 {
		return component.ID(s)
	}
	if w.devices[s] != nil {
		return component.NewID(s, w.mainKind(s), "1")
	}
	kind, local, ok := strings.Cut(s, "/")
	if !ok {
		kind, _, _ = strings.Cut(s, "-") // feed-a is a feed
		local = s
	}
	return component.NewID(w.model.Site, component.Kind(kind), local)
}

func (w *world) mainKind(device string) component.Kind {
	switch kind, _, _ := strings.Cut(device, "-"); kind {
	case "pdu", "ups", "ats", "switch", "router":
		return component.Kind(kind)
	case "sw":
		return component.Switch
	case "rtr":
		return component.Router
	}
	return component.Host
}

func (w *world) cable(s string) error {
	for word, kind := range map[string]component.LinkKind{" <- ": component.Feeds, " carries ": component.Carries, " contains ": component.Contains, " cools ": component.Cools, " neighbour ": component.Neighbour} {
		a, b, ok := strings.Cut(s, word)
		if !ok {
			continue
		}
		to, from := expand(a), expand(b)
		if word != " <- " {
			to, from = from, to
		}
		for i := range max(len(to), len(from)) {
			l := component.Link{From: w.id(from[i%len(from)]), To: w.id(to[i%len(to)]), Kind: kind}
			w.model.Links = append(w.model.Links, topology.Link{Link: l})
		}
		return nil
	}
	return fmt.Errorf("a cable is written A <- B")
}

// words cuts "key value key value" at the keys.
func words(s string, keys ...string) map[string]string {
	type cut struct {
		key      string
		from, to int
	}
	var cuts []cut
	for _, k := range keys {
		re := regexp.MustCompile(`(^| )` + k + `( |$)`)
		if at := re.FindStringIndex(s); at != nil {
			cuts = append(cuts, cut{k, at[0], at[1]})
		}
	}
	sort.Slice(cuts, func(i, j int) bool { return cuts[i].from < cuts[j].from })
	found := map[string]string{"": s}
	for i, c := range cuts {
		end := len(s)
		if i+1 < len(cuts) {
			end = cuts[i+1].from
		}
		if i == 0 {
			found[""] = strings.TrimSpace(s[:c.from])
		}
		found[c.key] = strings.TrimSpace(s[c.to:max(end, c.to)])
	}
	return found
}

func (w *world) group(s string) error {
	f := words(s, "kind", "members", "needed", "designed", "carries")
	g := topology.Group{ID: w.groupID(f[""]), Kind: component.Kind(f["kind"])}
	for _, m := range list(f["members"]) {
		g.Members = append(g.Members, w.id(m))
	}
	g.Needed, g.Designed = number(f["needed"]), number(f["designed"])
	if f["carries"] != "" {
		g.Carries = w.id(f["carries"])
	}
	w.model.Groups = append(w.model.Groups, g)
	return nil
}

func (w *world) groupID(s string) component.ID {
	if strings.Contains(s, "/") {
		return component.ID(s)
	}
	return component.NewID(w.model.Site, component.Group, s)
}

func (w *world) service(s string) error {
	f := words(s, "tier", "needs")
	svc := topology.Service{ID: component.NewID(w.model.Site, component.ServiceKind, f[""]), Name: f[""], Tier: number(f["tier"])}
	need := f["needs"]
	count, of, ok := strings.Cut(need, " of ")
	if !ok {
		svc.Needs = w.leaf(need)
	} else {
		svc.Needs.AtLeast = number(count)
		for _, name := range list(of) {
			svc.Needs.Of = append(svc.Needs.Of, w.leaf(name))
		}
	}
	w.model.Services = append(w.model.Services, svc)
	return nil
}

func (w *world) leaf(s string) topology.Need {
	if id := w.groupID(s); slices.ContainsFunc(w.model.Groups, func(g topology.Group) bool { return g.ID == id }) {
		return topology.Need{ID: id}
	}
	return topology.Need{ID: w.id(s)}
}

func (w *world) claim(s string) error {
	name, rest, _ := strings.Cut(s, " ")
	for _, dev := range expand(name) {
		f := words(rest, "needed", "designed", "of", "carries", "as")
		kind, said, _ := strings.Cut(f[""], " ")
		local := f["as"]
		if local == "" {
			local = kind
		}
		c := snapshot.Claim{Group: component.NewID(dev, component.Group, local), Kind: component.Kind(kind), State: snapshot.ClaimState(said),
			Needed: number(f["needed"]), Designed: number(f["designed"]), Raw: map[string]string{"Redundancy": said}}
		for _, m := range list(f["of"]) {
			c.Members = append(c.Members, component.ID(dev+"/"+m))
		}
		if f["carries"] != "" {
			c.Carries = component.ID(dev + "/" + f["carries"])
		}
		d := w.devices[dev]
		d.Claims = append(slices.DeleteFunc(slices.Clone(d.Claims), func(x snapshot.Claim) bool { return x.Group == c.Group }), c)
	}
	return nil
}

func (w *world) link(s string) error {
	f := strings.SplitN(s, " ", 4)
	if len(f) != 4 {
		return fmt.Errorf("a link is written: link DEVICE A carries B, C")
	}
	for _, dev := range expand(f[0]) {
		for _, to := range list(f[3]) {
			w.devices[dev].Links = append(w.devices[dev].Links, component.Link{From: component.ID(dev + "/" + f[1]), To: component.ID(dev + "/" + to), Kind: component.LinkKind(f[2])})
		}
	}
	return nil
}

// power says whether a machine is on: "power srv-1 off".
func (w *world) power(s string) error {
	name, how, _ := strings.Cut(s, " ")
	w.devices[name].Device.Powered = how
	return nil
}

func (w *world) hostname(s string) error {
	name, hostname, _ := strings.Cut(s, " ")
	w.devices[name].Device.Hostname = hostname
	return nil
}

func (w *world) serial(s string) error {
	name, serial, _ := strings.Cut(s, " ")
	w.devices[name].Device.Serial = serial
	return nil
}

// failRead makes the next poll of a device answer in part: "error srv-1 /redfish/v1/Chassis/1/Power".
func (w *world) failRead(s string) error {
	name, at, _ := strings.Cut(s, " ")
	w.devices[name].Errors = []snapshot.Error{{At: at, Error: "timeout", Class: snapshot.ClassPartial}}
	if kind, text, ok := strings.Cut(at, ": "); ok {
		w.devices[name].Errors[0] = snapshot.Error{At: w.devices[name].Target, Error: text, Class: snapshot.Class(kind)}
	}
	if at == "" {
		w.devices[name].Errors = nil
	}
	return nil
}

func (w *world) forget(s string) error {
	w.store.Forget(component.ID(s))
	w.engine.Update(w.store.Device(component.ID(s).Device()))
	w.evaluate()
	return nil
}

func (w *world) start(how string) error {
	w.options.Offline = how == "offline"
	w.store = w.newStore()
	return w.newEngine(nil)
}

func (w *world) newStore() *state.Store {
	var targets []state.Target
	named := engine.Named(&w.model)
	for _, key := range slices.Sorted(maps.Keys(w.devices)) {
		d := w.devices[key]
		targets = append(targets, state.Target{URL: d.Target, Device: d.Device.Name, Interval: 15 * time.Second, Named: named[d.Device.Name]})
	}
	return state.New(targets)
}

func (w *world) newEngine(open []finding.Finding) error {
	e, err := engine.New(&w.model, w.options)
	if err != nil {
		return err
	}
	w.engine = e
	e.Resume(open)
	w.evaluate()
	return nil
}

func (w *world) restart(string) error {
	seen := map[string]state.Seen{}
	for _, name := range w.store.Devices() {
		text, err := json.Marshal(w.store.Seen(name))
		if err != nil {
			return err
		}
		var read state.Seen
		if err := json.Unmarshal(text, &read); err != nil {
			return err
		}
		seen[name] = read
	}
	w.store = w.newStore()
	w.store.Restore(seen)
	return w.newEngine(w.report.Findings)
}

func (w *world) evaluate() {
	for _, name := range w.store.Tick(w.now) {
		w.engine.Update(w.store.Device(name))
	}
	r, questions := w.engine.Evaluate(w.now)
	w.report = r
	for _, q := range questions {
		w.asked[q.Device] = true
	}
	for _, l := range w.engine.Learned() {
		w.store.Learn(l.Group, l.Best, l.Peak)
	}
	for _, l := range w.engine.LearnedLoads() {
		w.store.LearnLoad(l.Device, l.Key, l.Peaks)
	}
	for _, l := range w.engine.LearnedPrefixes() {
		w.store.LearnPrefixes(l.Session, l.Usual)
	}
}

func (w *world) wait(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	clear(w.asked)
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(min(time.Second, end.Sub(w.now)))
		w.evaluate()
	}
	return nil
}

// repeat does steps so many times: "repeat 15: +4m; poll edge-[1-2]".
func (w *world) repeat(s string) error {
	times, steps, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(times)
	if !ok || err != nil || n < 1 {
		return fmt.Errorf("steps are repeated as: repeat 15: +4m; poll sw-1, not %q", s)
	}
	for i := range n {
		for _, step := range strings.Split(steps, ";") {
			if err := w.do(strings.TrimSpace(step)); err != nil {
				return fmt.Errorf("%s, time %d: %w", step, i+1, err)
			}
		}
	}
	return nil
}

func (w *world) poll(s string) error {
	names, changes, _ := strings.Cut(s, ":")
	clear(w.asked)
	for _, name := range expand(strings.Fields(strings.ReplaceAll(names, ",", " "))...) {
		d := w.devices[name]
		if d == nil {
			return fmt.Errorf("no device %s", name)
		}
		for _, change := range list(changes) {
			if err := w.change(d, change); err != nil {
				return err
			}
		}
		sn := *d
		sn.At = w.now
		sn.Components = slices.Clone(d.Components)
		sn.Claims, sn.Links = slices.Clone(d.Claims), slices.Clone(d.Links)
		w.now = w.now.Add(10 * time.Millisecond) // no two answers are of one moment
		w.store.Apply(&sn)
		w.engine.Update(w.store.Device(d.Device.Name))
		w.touched()
	}
	w.evaluate()
	return nil
}

func (w *world) silent(s string) error {
	clear(w.asked)
	for _, name := range expand(strings.Fields(s)...) {
		d := w.devices[name]
		w.store.Apply(&snapshot.Snapshot{Target: d.Target, Device: snapshot.Device{Name: d.Device.Name}, At: w.now,
			Errors: []snapshot.Error{{At: d.Target, Error: "no answer", Class: snapshot.ClassUnreachable}}})
		w.engine.Update(w.store.Device(d.Device.Name))
		w.touched()
	}
	w.evaluate()
	return nil
}

// touched gives the engine the views that changed with others.
func (w *world) touched() {
	for _, name := range w.store.Touched() {
		if view := w.store.Device(name); view != nil {
			w.engine.Update(view)
		} else {
			w.engine.Forget(name)
		}
	}
}

var quoted = regexp.MustCompile(`"([^"]*)"`)

// change changes a device's parts: "psu/[1-2] ok rated 750W".
func (w *world) change(d *snapshot.Snapshot, s string) error {
	why := ""
	if m := quoted.FindStringSubmatch(s); m != nil {
		why = m[1]
		s = strings.Replace(s, m[0], "", 1)
	}
	f := strings.Fields(s)
	if len(f) == 0 {
		return nil
	}
	for _, part := range expand(f[0]) {
		id := component.ID(d.Device.Name + "/" + part)
		i := slices.IndexFunc(d.Components, func(c component.Component) bool { return c.ID == id })
		if len(f) > 1 && f[1] == "gone" {
			if i >= 0 {
				d.Components = slices.Delete(slices.Clone(d.Components), i, i+1)
			}
			continue
		}
		if i < 0 {
			d.Components = append(d.Components, component.Component{ID: id, Kind: id.Kind(), Name: part})
			i = len(d.Components) - 1
		}
		c := &d.Components[i]
		before := c.Readings
		c.Why = why
		c.Status = component.Status{}
		if strings.Contains(s, "=") {
			c.Readings = nil
		}
		c.Attributes = map[string]string{}
		if err := describe(c, grown(f[1:], before)); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// grown are a part's words with readings that grow ("packets+=1000") as what they grow to.
func grown(words []string, before []component.Reading) []string {
	out := slices.Clone(words)
	for i, word := range words {
		name, more, ok := strings.Cut(word, "+=")
		if !ok {
			continue
		}
		by, unit, err := quantity(more)
		if err != nil {
			continue
		}
		for _, r := range before {
			if r.Name == name {
				by += float64(r.Value)
			}
		}
		out[i] = fmt.Sprintf("%s=%f%s", name, by, unit)
	}
	return out
}

// describe reads the words for one part.
func describe(c *component.Component, words []string) error {
	for i := 0; i < len(words); i++ {
		var condition component.Condition
		if condition.UnmarshalText([]byte(words[i])) == nil {
			c.Condition = condition
			continue
		}
		switch words[i] {
		case "no-input":
			c.InputLost = true
			c.Condition = component.Worse(c.Condition, component.OK)
		case "predicted":
			c.Predicted = true
		case "standby":
			c.Standby = true
		case "rebuilding":
			c.Rebuilding = true
		case "on-battery":
			c.Condition, c.Predicted = component.Impaired, true
			c.Attributes[component.OnBattery] = "true"
		case "serial", "enclosure", "log", "hears", "at":
			i++
			key := map[string]string{"serial": component.Serial, "enclosure": component.EnclosureSerial, "log": component.EventLog,
				"hears": component.NeighbourName, "at": component.NeighbourPort}[words[i-1]]
			c.Attributes[key] = words[i]
		case "bypass":
			c.Condition = component.Impaired
			c.Attributes[component.Bypass] = "true"
		case "rated", "draws":
			i++
			r, err := quantities(words[i])
			if err != nil {
				return err
			}
			if words[i-1] == "rated" {
				c.Rating = r
			} else {
				c.Readings = []component.Reading{{Name: "output_power", Unit: "W", Value: component.Value(r.Watts)}}
			}
		default:
			r, ok := reading(words[i])
			if !ok {
				return fmt.Errorf("no such word for a part: %s", words[i])
			}
			c.Readings = append(c.Readings, r)
		}
	}
	return nil
}

func number(s string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(s))
	return n
}

func list(s string) []string {
	var out []string
	inside := false
	cut := func(r rune) bool {
		inside = inside != (r == '"')
		return r == ',' && !inside
	}
	for _, part := range strings.FieldsFunc(s, cut) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, expand(part)...)
		}
	}
	return out
}

var ranges = regexp.MustCompile(`\[(\d+)-(\d+)\]`)

// expand writes out ranges: "srv-[1-3]" is srv-1, srv-2, srv-3. A quoted text is left alone.
func expand(names ...string) []string {
	var out []string
	for _, name := range names {
		head, _, _ := strings.Cut(name, `"`)
		m := ranges.FindStringSubmatchIndex(head)
		if m == nil {
			out = append(out, name)
			continue
		}
		from, to := number(name[m[2]:m[3]]), number(name[m[4]:m[5]])
		for i := from; i <= to; i++ {
			out = append(out, expand(name[:m[0]]+strconv.Itoa(i)+name[m[1]:])...)
		}
	}
	return out
}
