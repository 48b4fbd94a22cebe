package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// Lists are cut where nobody reads on; /api/v1/status has all of them.
const most = 200

// tone is how grave something is. It chooses a colour, and never alone: a glyph and a word stand beside it.
type tone string

const (
	good    tone = "good"
	plain   tone = "plain"
	unsure  tone = "unknown"
	warning tone = "warn"
	bad     tone = "bad"
)

// page is what the template shows: words, in the order in which they are read.
type page struct {
	Site, Version string
	Title         string // of the window: the number of incidents first
	At, Judged    string
	Tone          tone
	Headline      string
	Details       []string
	Incidents     []card
	Services      []service
	Standing      []card // findings that nobody is paged for
	Groups        []group
	GroupsMore    int
	Fine          []group // full, and none by design
	FineMore      int
	Blind         []blind
	BlindMore     int
	Quiet         []target // that do not answer as they should
	Answering     []target
	TargetsMore   int
	NoServices    bool
	Loads         []load // after the worst single failure, the gravest first
	LoadsMore     int
	Room          []room
	NotGiven      []string // answers on load that cannot be given
}

type card struct {
	ID       string // of the incident; empty: a standing finding
	Anchor   string
	Tone     tone
	Severity string
	Title    string
	Rule     string
	Subject  string
	Since    string // "4 min"
	At       string // absolute
	Causes   []finding.Cause
	Evidence []string
	Remedy   string
	Impacts  []impact
	Under    []consequence
	More     int
	Gone     bool // the finding at the root is not there now
}

type impact struct{ Name, Tier, Left string }

type consequence struct{ Severity, Summary, Subject string }

type service struct {
	Name    string
	Tier    int
	Tone    tone
	Glyph   string
	State   string
	Says    string // what the state means
	Spares  string
	Worst   string // "at worst none": where silent parts could make it worse
	Soon    string // "none once what is failing has failed"
	Chips   []chip
	Weakest string
	Presume int // components presumed working
}

type chip struct {
	Name string
	Tone tone
	Left string // "1 of 2"
	Note string
}

type group struct {
	ID, Kind     string
	Tone         tone
	Glyph, State string
	Spares       string
	Needs        string
	Basis        string
	Why          string
	Worst        string
}

type blind struct{ ID, Why string }

type target struct {
	Device, URL string
	Tone        tone
	Glyph, Says string
	Age         string
	Took        string
	Errors      []problem
	More        int
}

type problem struct{ At, Error, Hint string }

func compose(v View) page {
	p := page{
		Site: v.Site, Version: v.Version, At: v.Now.UTC().Format("15:04:05 UTC"), Judged: "not judged yet",
	}
	r := v.Report
	if r == nil {
		r = &engine.Report{}
	} else {
		p.Judged = "judged " + ago(v.Now, r.At) + " ago"
	}
	byKey := make(map[finding.Key]*finding.Finding, len(r.Findings))
	for i := range r.Findings {
		byKey[r.Findings[i].Key] = &r.Findings[i]
	}
	told := map[finding.Key]bool{}
	for _, inc := range v.Incidents {
		p.Incidents = append(p.Incidents, incidentCard(inc, byKey, v.Now))
		for _, k := range inc.Findings {
			told[k] = true
		}
	}
	slices.SortStableFunc(p.Incidents, func(a, b card) int { return weight(b.Tone) - weight(a.Tone) })
	p.addStanding(r.Findings, told, v.Now)
	p.addBlind(r)
	p.addCapacity(&r.Capacity)
	for i := range r.Services {
		p.Services = append(p.Services, serviceRow(r.Services[i]))
	}
	p.NoServices = len(r.Services) == 0
	p.addGroups(r.Groups)
	p.addTargets(v.Devices, v.Now)
	p.headline(v)
	p.Title = fmt.Sprintf("%s · Sparewatch", v.Site)
	if n := len(p.Incidents); n > 0 {
		p.Title = fmt.Sprintf("(%d) %s", n, p.Title)
	}
	return p
}

// headline says in one sentence how it stands, the gravest first.
func (p *page) headline(v View) {
	read, all := 0, 0
	for _, d := range v.Devices {
		all++
		if d.Read {
			read++
		}
	}
	if v.Report == nil || !v.Report.Settled {
		p.Details = append(p.Details, fmt.Sprintf("Still getting to know the devices: %d of %d were read since the start. What was open before stays open.", read, all))
	}
	var down, out, some, unknown []string
	for _, s := range p.Services {
		switch {
		case s.Spares == "down":
			down = append(down, s.Name)
		case s.State == engine.Lost.String(), s.State == engine.Insufficient.String():
			out = append(out, s.Name)
		case s.State == engine.Degraded.String():
			some = append(some, s.Name)
		case s.State == engine.StateUnknown.String():
			unknown = append(unknown, s.Name)
		}
	}
	lost, thin := 0, 0
	for _, g := range p.Groups {
		switch g.Tone {
		case bad:
			lost++
		case warning:
			thin++
		}
	}
	switch {
	case len(down) > 0:
		p.Tone, p.Headline = bad, list(down)+plural(len(down), " is down.", " are down.")
	case len(out) > 0:
		p.Tone, p.Headline = bad, list(out)+plural(len(out), " has", " have")+" no spare left: the next failure is an outage."
	case len(some) > 0:
		p.Tone, p.Headline = warning, list(some)+plural(len(some), " has", " have")+" lost a spare. Nothing is down."
	case lost > 0:
		p.Tone, p.Headline = bad, count(lost, "group")+plural(lost, " has", " have")+" no spare left."
	case thin > 0:
		p.Tone, p.Headline = warning, count(thin, "group")+plural(thin, " has", " have")+" lost a spare."
	case len(p.Incidents) > 0:
		p.Tone, p.Headline = warning, count(len(p.Incidents), "incident")+plural(len(p.Incidents), " is", " are")+" open. No service has lost a spare."
	case len(unknown) > 0:
		p.Tone, p.Headline = unsure, list(unknown)+" cannot be judged now. Nothing is known to be wrong."
	case v.Report == nil || !v.Report.Settled:
		p.Tone, p.Headline = unsure, "Nothing can be said yet."
	case len(p.Services)+len(p.Groups)+len(p.Fine) == 0:
		p.Tone, p.Headline = unsure, "Nothing here is known to be redundant."
	case len(p.Groups) > 0:
		p.Tone, p.Headline = unsure, "Nothing is known to be wrong; "+count(len(p.Groups)+p.GroupsMore, "group")+" cannot be judged now."
	default:
		p.Tone, p.Headline = good, "All spares are there."
	}
	standing := p.grave()
	if standing > 0 && p.Tone == good {
		p.Tone, p.Headline = warning, "Nothing is failing."
	}
	if len(down) > 0 && len(out) > 0 {
		p.Details = append(p.Details, list(out)+plural(len(out), " has", " have")+" no spare left.")
	}
	if len(down)+len(out) > 0 && len(some) > 0 {
		p.Details = append(p.Details, list(some)+plural(len(some), " has", " have")+" lost a spare and "+plural(len(some), "has", "have")+" some left.")
	}
	if len(unknown) > 0 && p.Tone != unsure {
		p.Details = append(p.Details, list(unknown)+" cannot be judged now.")
	}
	if n := len(p.Quiet); n > 0 {
		p.Details = append(p.Details, count(n, "target")+plural(n, " does", " do")+" not answer as "+plural(n, "it", "they")+" should.")
	}
	if standing > 0 {
		p.Details = append(p.Details, count(standing, "standing finding")+plural(standing, " says", " say")+" where it is thinner than it should be.")
	}
	if v.Report != nil && v.Report.Waiting > 0 {
		p.Details = append(p.Details, "Asking other devices where the cause of "+count(v.Report.Waiting, "change")+" lies.")
	}
}

// grave counts the standing findings that are more than a note.
func (p *page) grave() (n int) {
	for _, c := range p.Standing {
		if c.Tone == warning || c.Tone == bad {
			n++
		}
	}
	return n
}

func incidentCard(inc incident.Incident, byKey map[finding.Key]*finding.Finding, now time.Time) card {
	c := card{ID: string(inc.ID), Anchor: "incident-" + string(inc.ID), Title: inc.Title}
	if root := byKey[inc.Root]; root != nil {
		c.fill(root, now)
	} else {
		rule, subject, _ := strings.Cut(string(inc.Root), ":")
		c.Rule, c.Subject, c.Gone = rule, subject, true
	}
	if inc.Title != "" {
		c.Title = inc.Title
	}
	c.Severity, c.Tone = inc.Severity.String(), severityTone(inc.Severity)
	c.Since, c.At = ago(now, inc.Opened), stamp(inc.Opened)
	for _, k := range inc.Findings {
		f := byKey[k]
		if k == inc.Root || f == nil {
			continue
		}
		if len(c.Under) == most {
			c.More++
			continue
		}
		c.Under = append(c.Under, consequence{f.Severity.String(), f.Summary, string(f.Subject)})
	}
	return c
}

func (c *card) fill(f *finding.Finding, now time.Time) {
	c.Tone, c.Severity = severityTone(f.Severity), f.Severity.String()
	c.Title, c.Rule, c.Subject = f.Summary, string(f.Rule), string(f.Subject)
	c.Since, c.At = ago(now, f.Since), stamp(f.Since)
	c.Causes, c.Evidence, c.Remedy = f.Causes, f.Evidence, f.Remedy
	for _, i := range f.Impacts {
		c.Impacts = append(c.Impacts, impact{Name: i.Service.Local(), Tier: strconv.Itoa(i.Tier), Left: engine.Left(i)})
	}
}

// addStanding adds what is open and belongs to no incident. What hangs under another finding is shown with that one.
func (p *page) addStanding(all []finding.Finding, told map[finding.Key]bool, now time.Time) {
	at := map[finding.Key]int{}
	for i := range all {
		f := &all[i]
		if told[f.Key] || f.Rule == finding.BlindSpot || f.Under != "" || len(p.Standing) == most {
			continue
		}
		var c card
		c.fill(f, now)
		c.Anchor = "finding-" + string(f.Key)
		at[f.Key] = len(p.Standing)
		p.Standing = append(p.Standing, c)
	}
	for i := range all {
		f := &all[i]
		if n, ok := at[f.Under]; ok && !told[f.Key] {
			p.Standing[n].Under = append(p.Standing[n].Under, consequence{f.Severity.String(), f.Summary, string(f.Subject)})
		}
	}
	slices.SortStableFunc(p.Standing, func(a, b card) int { return weight(b.Tone) - weight(a.Tone) })
}

// addBlind lists what the model leans on and nobody observes.
func (p *page) addBlind(r *engine.Report) {
	seen := map[component.ID]bool{}
	add := func(id component.ID, why string) {
		if seen[id] {
			return
		}
		seen[id] = true
		if len(p.Blind) == most {
			p.BlindMore++
			return
		}
		p.Blind = append(p.Blind, blind{string(id), why})
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Rule == finding.BlindSpot {
			add(f.Subject, f.Summary)
		}
	}
	for i := range r.Services {
		for _, id := range r.Services[i].Unverified {
			add(id, "presumed working under "+r.Services[i].Name)
		}
	}
	for i := range r.Groups {
		for _, id := range r.Groups[i].Unverified {
			add(id, "presumed working in "+string(r.Groups[i].ID))
		}
	}
}

func serviceRow(s *engine.Service) service {
	row := service{
		Name: s.Name, Tier: s.Tier, Tone: stateTone(s.State), Glyph: glyph(s.State), State: s.State.String(),
		Says: meaning(s.State), Spares: digits(s.Spares), Weakest: s.WeakestLink(), Presume: len(s.Unverified),
	}
	if row.Name == "" {
		row.Name = s.ID.Local()
	}
	if s.Spares != nil && *s.Spares < 0 {
		row.Says = "is down"
	}
	if s.SparesWorst != nil && (s.Spares == nil || *s.SparesWorst != *s.Spares) {
		row.Worst = "at worst " + digits(s.SparesWorst)
	}
	if s.Predicted != nil && s.Spares != nil && *s.Predicted < *s.Spares {
		row.Soon = engine.Count(s.Predicted) + " once what is failing has failed"
	}
	for _, d := range component.Domains() {
		if sp, ok := s.By[d]; ok && (sp.Spares != nil || sp.Full != nil || sp.Worst != nil) {
			row.Chips = append(row.Chips, domainChip(d, sp))
		}
	}
	return row
}

func domainChip(d component.Domain, s engine.Spares) chip {
	c := chip{Name: string(d), Tone: stateTone(s.State), Left: digits(s.Spares)}
	if s.Full != nil && s.Spares != nil && *s.Full != *s.Spares && *s.Spares >= 0 {
		c.Left += " of " + strconv.Itoa(*s.Full)
	}
	if s.Spares == nil {
		c.Tone = unsure
	}
	if s.Worst != nil && (s.Spares == nil || *s.Worst != *s.Spares) {
		c.Note = "at worst " + digits(s.Worst)
	}
	return c
}

// digits is a number of spares for a narrow place.
func digits(n *int) string {
	switch {
	case n == nil:
		return "?"
	case *n < 0:
		return "down"
	}
	return strconv.Itoa(*n)
}

func (p *page) addGroups(all []*engine.Group) {
	rows := make([]group, 0, len(all))
	for _, g := range all {
		rows = append(rows, groupRow(g))
	}
	slices.SortStableFunc(rows, func(a, b group) int { return weight(b.Tone) - weight(a.Tone) })
	for _, g := range rows {
		fine := g.Tone == good || g.Tone == plain
		switch {
		case fine && len(p.Fine) < most:
			p.Fine = append(p.Fine, g)
		case fine:
			p.FineMore++
		case len(p.Groups) < most:
			p.Groups = append(p.Groups, g)
		default:
			p.GroupsMore++
		}
	}
}

func groupRow(g *engine.Group) group {
	row := group{
		ID: string(g.ID), Kind: string(g.Kind), Tone: stateTone(g.State), Glyph: glyph(g.State), State: g.State.String(),
		Spares: engine.Count(g.Spares), Basis: string(g.Basis), Why: g.Why, Needs: "not known",
	}
	if g.Needed > 0 {
		row.Needs = fmt.Sprintf("%d of %d", g.Needed, g.Designed)
	}
	if g.SparesFull != nil && g.Spares != nil && *g.Spares >= 0 {
		row.Spares = fmt.Sprintf("%s of %d", digits(g.Spares), *g.SparesFull)
	}
	if g.StateWorst != nil && *g.StateWorst != g.State {
		row.Worst = "at worst " + g.StateWorst.String()
	}
	return row
}

func (p *page) addTargets(devices []*state.Device, now time.Time) {
	for _, d := range devices {
		for i := range d.Targets {
			t := targetRow(&d.Targets[i], now)
			switch {
			case t.Tone != good && len(p.Quiet) < most:
				p.Quiet = append(p.Quiet, t)
			case t.Tone == good && len(p.Answering) < most:
				p.Answering = append(p.Answering, t)
			default:
				p.TargetsMore++
			}
		}
	}
	slices.SortStableFunc(p.Quiet, func(a, b target) int { return weight(b.Tone) - weight(a.Tone) })
}

func targetRow(t *state.Target, now time.Time) target {
	const shown = 5
	row := target{Device: t.Device, URL: t.URL, Took: took(t.Took), Age: ago(now, t.LastGood)}
	switch {
	case t.LastTry.IsZero():
		row.Tone, row.Glyph, row.Says, row.Age, row.Took = unsure, "?", "not read yet", "", ""
	case t.Silent:
		row.Tone, row.Glyph, row.Says = warning, "?", "silent"
	case t.Missed > 0:
		row.Tone, row.Glyph, row.Says = unsure, "?", "missed "+count(t.Missed, "poll")
	case len(t.Errors) > 0:
		row.Tone, row.Glyph, row.Says = good, "✓", "answers in part"
	default:
		row.Tone, row.Glyph, row.Says = good, "✓", "answers"
	}
	if t.LastGood.IsZero() {
		row.Age = ""
	}
	for i, e := range t.Errors {
		if i == shown {
			row.More = len(t.Errors) - shown
			break
		}
		at := e.At
		if at == t.URL {
			at = ""
		}
		row.Errors = append(row.Errors, problem{at, e.Error, e.Hint})
	}
	return row
}

func stateTone(s engine.State) tone {
	switch s {
	case engine.Full:
		return good
	case engine.None:
		return plain
	case engine.Degraded:
		return warning
	case engine.Lost, engine.Insufficient:
		return bad
	}
	return unsure
}

func severityTone(s finding.Severity) tone {
	switch s {
	case finding.Critical, finding.Error:
		return bad
	case finding.Warning:
		return warning
	}
	return plain
}

func weight(t tone) int {
	return slices.Index([]tone{good, plain, unsure, warning, bad}, t)
}

func glyph(s engine.State) string {
	return [...]string{engine.StateUnknown: "?", engine.None: "–", engine.Full: "✓", engine.Degraded: "▲", engine.Lost: "!", engine.Insufficient: "✕"}[s]
}

// meaning is the state in words that need no manual.
func meaning(s engine.State) string {
	switch s {
	case engine.None:
		return "has no spare by design"
	case engine.Full:
		return "has all its spares"
	case engine.Degraded:
		return "has lost a spare and has some left"
	case engine.Lost:
		return "has no spare left: the next failure is an outage"
	case engine.Insufficient:
		return "has less than it needs"
	}
	return "cannot be judged now"
}

// ago is how long before now t was, as coarse as a person says it.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func count(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what, what+"s")) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// list joins names as in a sentence, and counts those that would make it too long.
func list(names []string) string {
	const shown = 3
	if rest := len(names) - shown; rest > 0 {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", rest)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
