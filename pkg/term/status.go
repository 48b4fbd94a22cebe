package term

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/incident"
)

// Status prints how it stands: services with what they have left, incidents, other findings, groups and targets that
// are not as they should be.
func (p *Printer) Status(s *api.Status) {
	p.Line("%s", p.paint(strong, s.Site+": "+summary(s)))
	if !s.Settled {
		p.Line("%s", p.paint(unsure, "The daemon is still getting to know its devices; what was open before stays open."))
	}
	if len(s.Services) > 0 {
		p.Heading("Services: how many more failures each survives")
		p.Services(s.Services)
	}
	byKey := map[finding.Key]*finding.Finding{}
	for i := range s.Findings {
		byKey[s.Findings[i].Key] = &s.Findings[i]
	}
	if len(s.Incidents) > 0 {
		p.Heading("Open incidents")
		for _, inc := range s.Incidents {
			p.Incident(inc, byKey, s.Now)
		}
	}
	p.standing(s)
	p.Capacity(&s.Capacity)
	p.expected(s.Services)
	p.otherGroups(s.Groups)
	p.cables(s.Cables)
	p.targets(s)
}

// cablesShown bounds the cables that are listed.
const cablesShown = 20

// cables lists the cables between ports of which the model and LLDP do not say the same.
func (p *Printer) cables(all []engine.Cable) {
	if len(all) == 0 {
		return
	}
	p.Heading("Cables between ports: what the model says and what is heard (LLDP)")
	var rows [][]cell
	for i, c := range all {
		if i == cablesShown && !p.o.All {
			break
		}
		is := cell{"? declared, not heard at either end", unsure}
		switch {
		case c.Contradicted:
			is = cell{"✕ declared, others are heard", bad}
		case !c.Declared:
			is = cell{"! heard at both ends, not declared", warning}
		}
		rows = append(rows, []cell{is, text("%s", c.From), text("%s", c.To)})
	}
	p.rows(rows)
	if more := len(all) - cablesShown; more > 0 && !p.o.All {
		p.Line("  and %d more (--all)", more)
	}
}

// summary is the first line: what a person needs to know before reading on.
func summary(s *api.Status) string {
	var down, out, some, unknown []string
	for i := range s.Services {
		sv := s.Services[i]
		switch {
		case sv.Spares != nil && *sv.Spares < 0:
			down = append(down, sv.Name)
		case sv.State == engine.Lost, sv.State == engine.Insufficient:
			out = append(out, sv.Name)
		case sv.State == engine.Degraded:
			some = append(some, sv.Name)
		case sv.State == engine.StateUnknown:
			unknown = append(unknown, sv.Name)
		}
	}
	var words []string
	say := func(names []string, what string) {
		if len(names) > 0 {
			words = append(words, what+" "+strings.Join(names, ", "))
		}
	}
	say(down, "down:")
	say(out, "no spare left:")
	say(some, "lost a spare:")
	say(unknown, "unknown:")
	if n := len(s.Incidents); n > 0 {
		words = append(words, Count(n, "incident")+" open")
	}
	silent := 0
	for i := range s.Targets {
		if s.Targets[i].Silent {
			silent++
		}
	}
	if silent > 0 {
		words = append(words, Count(silent, "target")+" silent")
	}
	mistakes, standing := 0, 0
	for i := range s.Findings {
		if f := &s.Findings[i]; f.Severity > finding.Info && f.Under == "" && f.Rule != finding.BlindSpot {
			standing++
		}
		if s.Findings[i].Rule == finding.ModelMistake {
			mistakes++
		}
	}
	if mistakes > 0 {
		words = append(words, Count(mistakes, "mistake")+" in the model")
	}
	if len(words) == 0 && standing > 0 {
		return "nothing is failing; " + Count(standing, "standing finding") + " below"
	}
	if len(words) == 0 {
		return "nothing is known to be wrong"
	}
	return strings.Join(words, "; ")
}

// Services prints one line a service.
func (p *Printer) Services(all []*engine.Service) {
	var rows [][]cell
	for _, s := range all {
		left := cell{s.Left(), normal}
		if s.SparesWorst != nil && (s.Spares == nil || *s.SparesWorst != *s.Spares) {
			left.text += " (at worst " + engine.Count(s.SparesWorst) + " overall)"
		}
		var weakest cell
		if w := s.WeakestLink(); w != "" {
			weakest = cell{"goes down with " + w, dim}
		}
		rows = append(rows, []cell{stateCell(s.State), {s.Name, strong}, {fmt.Sprintf("tier %d", s.Tier), dim}, left, weakest})
	}
	p.rows(rows)
}

// Incident prints one incident with its cause, what the services have left, and what to do.
func (p *Printer) Incident(inc incident.Incident, byKey map[finding.Key]*finding.Finding, now time.Time) {
	p.Line("  %s %s", p.paint(severityTone(inc.Severity), inc.Severity.String()+":"), p.paint(strong, clean(inc.Title)))
	p.Line("    %s", p.paint(dim, fmt.Sprintf("for %s, since %s; incident %s", age(now.Sub(inc.Opened)), component.Stamp(inc.Opened), inc.ID)))
	root := byKey[inc.Root]
	if root == nil {
		p.Line("    What opened it is not seen now; the incident ends when that stays so.")
		return
	}
	p.Finding(root)
	if n := len(inc.Findings) - 1; n > 0 {
		p.Line("    %s under it", Count(n, "consequence"))
	}
}

// Finding prints cause, evidence, what the services have left, and what to do; not the summary.
func (p *Printer) Finding(f *finding.Finding) {
	const shown = 4
	for _, c := range f.Causes {
		p.Line("    cause: %s: %s", c.ID, clean(c.Why))
	}
	for i, e := range f.Evidence {
		if i == shown && !p.o.All {
			p.Line("    %s", p.paint(dim, fmt.Sprintf("and %d more seen (--all)", len(f.Evidence)-shown)))
			break
		}
		p.Line("    %s", p.paint(dim, "seen: "+clean(e)))
	}
	for _, i := range f.Impacts {
		p.Line("    %s has left: %s", p.paint(strong, i.Service.Local()), engine.Left(i))
	}
	if f.Remedy != "" {
		p.Line("    do: %s", clean(f.Remedy))
	}
}

// standing prints the findings that belong to no incident and hang under nothing, one line each.
func (p *Printer) standing(s *api.Status) {
	told := map[finding.Key]bool{}
	for _, inc := range s.Incidents {
		for _, k := range inc.Findings {
			told[k] = true
		}
	}
	var rows [][]cell
	blind, remarks := 0, 0
	for i := range s.Findings {
		f := &s.Findings[i]
		switch {
		case told[f.Key] || f.Under != "":
		case f.Rule == finding.BlindSpot && !p.o.All:
			blind++
		case f.Severity == finding.Info && !p.o.All:
			remarks++
		default:
			rows = append(rows, []cell{{f.Severity.String(), severityTone(f.Severity)}, {clean(f.Summary), normal}})
		}
	}
	if len(rows)+blind+remarks == 0 {
		return
	}
	p.Heading("Standing findings")
	p.rows(rows)
	if remarks > 0 {
		p.Line("  %s (--all)", Count(remarks, "remark"))
	}
	if blind > 0 {
		p.Line("  %s that the model leans on and nobody observes (--all)", Count(blind, "thing"))
	}
}

func (p *Printer) otherGroups(all []*engine.Group) {
	n := map[engine.State]int{}
	var rows [][]cell
	for _, g := range all {
		n[g.State]++
		if p.o.All || g.State != engine.Full && g.State != engine.None {
			rows = append(rows, []cell{stateCell(g.State), {string(g.ID), normal}, spares(g), needs(g), {clean(g.Why), normal}})
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(a, b []cell) int { return int(b[0].tone) - int(a[0].tone) })
	var words []string
	for _, st := range []engine.State{engine.Insufficient, engine.Lost, engine.Degraded, engine.StateUnknown, engine.None, engine.Full} {
		if n[st] > 0 {
			words = append(words, fmt.Sprintf("%d %s", n[st], st))
		}
	}
	p.Heading("Groups: " + strings.Join(words, ", "))
	p.rows(rows)
}

func (p *Printer) targets(s *api.Status) {
	var rows, hints [][]cell
	for i := range s.Targets {
		t := &s.Targets[i]
		c := cell{"✓ answers", good}
		switch {
		case t.LastTry == nil:
			c = cell{"? not read yet", unsure}
		case t.Silent:
			c = cell{"? silent", warning}
		case t.Missed > 0:
			c = cell{"? missed " + Count(t.Missed, "poll"), unsure}
		}
		if c.tone == good && !p.o.All {
			continue
		}
		when, why := "never answered", ""
		if t.LastGood != nil {
			when = "answered " + age(s.Now.Sub(*t.LastGood)) + " ago"
		}
		if len(t.Errors) > 0 {
			why = clean(t.Errors[0].Error)
			if h := t.Errors[0].Hint; h != "" {
				hints = append(hints, []cell{{t.Device, strong}, {clean(h), dim}})
			}
		}
		rows = append(rows, []cell{c, {t.Device, strong}, {clean(t.URL), normal}, {when, dim}, {why, normal}})
	}
	if len(rows) == 0 {
		p.Line("\nAll %s answer.", Count(len(s.Targets), "target"))
		return
	}
	p.Heading("Targets")
	p.rows(rows)
	if len(hints) > 0 {
		p.Heading("What to look at")
		p.rows(hints)
	}
}

// Exit is the exit code of status: BadNews while something pages, or a service or group has lost a spare.
func Exit(s *api.Status) int {
	bad := func(st engine.State) bool {
		return st == engine.Degraded || st == engine.Lost || st == engine.Insufficient
	}
	if len(s.Incidents) > 0 || slices.ContainsFunc(s.Services, func(v *engine.Service) bool { return bad(v.State) }) ||
		slices.ContainsFunc(s.Groups, func(g *engine.Group) bool { return bad(g.State) }) {
		return api.BadNews
	}
	return api.Fine
}

// Simulation prints what would be lost.
func (p *Printer) Simulation(s *engine.Simulation) {
	p.Line("%s", p.paint(strong, "If "+ids(s.Fail)+" failed now: "+effect(s)))
	switch n := len(s.DownAlready); {
	case n > 0 && n == len(s.Fail):
		p.Line("%s", p.paint(warning, "It is down already: this is what more would be lost; what it cost is in sparewatch status"))
	case n > 0:
		p.Line("%s", p.paint(warning, "Down already: "+ids(s.DownAlready)+"; this is what more the others would cost"))
	}
	p.overloads(s)
	p.changes("Services: spares before and after", s.Services)
	p.changes("Groups: spares before and after", s.Groups)
	if n := len(s.Down); n > 0 && p.o.All {
		p.Heading("Would stop working with it")
		for _, id := range s.Down {
			p.Line("  %s", id)
		}
	} else if n > 0 {
		p.Line("\n%s would stop working with it (--all)", Count(n, "component"))
	}
	p.notGiven(s.NotGiven)
}

func effect(s *engine.Simulation) string {
	var lost []string
	for _, c := range s.Services {
		if c.Lost {
			lost = append(lost, c.Name)
		}
	}
	trips := 0
	for _, round := range s.Trips {
		trips += len(round)
	}
	switch {
	case len(lost) > 0 && trips > 0:
		return strings.Join(lost, ", ") + " would be down, with what trips."
	case trips > 0:
		return Count(trips, "component") + " would trip; nothing would be down."
	case len(lost) > 0:
		return strings.Join(lost, ", ") + " would be down."
	case len(s.Overloaded) > 0 && s.Overloaded[0].After.Ratio.Known():
		return "nothing would be down; " + Count(len(s.Overloaded), "component") + " would carry too much for long."
	case len(s.Services) > 0:
		return "nothing would be down; " + Count(len(s.Services), "service") + " would have less left."
	case len(s.Groups) > 0:
		return "no service would notice; " + Count(len(s.Groups), "group") + " would have less left."
	}
	return "nothing that is known would have less left."
}

func (p *Printer) changes(title string, all []engine.Change) {
	if len(all) == 0 {
		return
	}
	p.Heading(title)
	var rows [][]cell
	for i := range all {
		c := &all[i]
		name := c.Name
		if name == "" {
			name = string(c.ID)
		}
		why := cell{}
		if c.ByOverload {
			why = cell{"because of what trips", bad}
		}
		rows = append(rows, []cell{stateCell(c.Before.State), {"->", dim}, stateCell(c.After.State), {name, strong}, {leftWords(c.Before) + " -> " + leftWords(c.After), normal}, why})
	}
	p.rows(rows)
}

func leftWords(v engine.Verdict) string {
	s := engine.Service{Spares: v.Spares, By: v.By}
	words := s.Left()
	if v.By == nil {
		words = strings.TrimSuffix(words, " overall")
	}
	if v.SparesWorst != nil && (v.Spares == nil || *v.SparesWorst != *v.Spares) {
		words += " (at worst " + engine.Count(v.SparesWorst) + ")"
	}
	return words
}

// Gate prints the answer, its reasons and what it presumes.
func (p *Printer) Gate(g *engine.Gate) {
	answer := map[int]cell{0: {"yes, safe even if everything that does not answer is gone", good}, 1: {"no, unsafe even in the best case", bad}}[g.Verdict]
	if g.Verdict == 0 && len(g.Presumed) > 0 {
		answer.text = "yes, as long as what nobody observes works as presumed below"
	}
	if answer.text == "" {
		answer = cell{"no answer: it depends on what is not known", unsure}
	}
	p.Line("%s %s", p.paint(strong, "May "+ids(g.Fail)+" be taken down now?"), p.paint(answer.tone, answer.text))
	for _, r := range g.Reasons {
		p.Line("  %s", clean(r))
	}
	for _, s := range g.Settle {
		p.Line("  would settle it: %s", clean(s))
	}
	if len(g.Presumed) > 0 {
		p.Line("  presumed working, because nobody observes it: %s", ids(g.Presumed))
	}
	p.overloads(&g.Effect)
	p.changes("Services: spares before and after", g.Effect.Services)
}

func ids(all []component.ID) string {
	words := make([]string, len(all))
	for i, id := range all {
		words[i] = string(id)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

func age(d time.Duration) string {
	if d < time.Second {
		return "less than a second"
	}
	return component.Lasting(d)
}
