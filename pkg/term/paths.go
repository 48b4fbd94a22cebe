package term

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/paths"
)

// Paths is what files of BGP data show.
type Paths struct {
	Files []PathsFile `json:"files"`
	// Size of what is in memory at the end.
	Paths      int `json:"paths"`
	Attributes int `json:"attribute_sets"`
	*paths.View
	Survey   *paths.Survey     `json:"survey"`
	Groups   []*engine.Group   `json:"groups"`
	Findings []finding.Finding `json:"findings"`
}

// PathsFile is one file as it was read.
type PathsFile struct {
	Name    string            `json:"name"`
	Format  string            `json:"format"`  // "mrt", "pcap", "bmp", or "shown": what a router printed
	Records int               `json:"records"` // messages, of a capture
	First   time.Time         `json:"first,omitzero"`
	Last    time.Time         `json:"last,omitzero"`
	Passed  map[string]uint64 `json:"passed_over,omitempty"`
	Cut     bool              `json:"cut"` // it ends inside a record
	// Damaged is where it could not be read on; what came before it was read.
	Damaged *Damage `json:"damaged,omitempty"`
}

// Damage is where a file could not be read on.
type Damage struct {
	At  int64  `json:"at"` // octets before it; of a compressed file those that it unpacks to
	Why string `json:"why"`
}

// EndsAt notes that the file could not be read on, where that is the error; any other is returned.
func (f *PathsFile) EndsAt(err error) error {
	var d *bgp.Damaged
	if !errors.As(err, &d) {
		return err
	}
	f.Cut, f.Damaged = d.Cut(), &Damage{At: d.At, Why: d.Error()}
	return nil
}

// BadNews reports whether something is thin.
func (f *Paths) BadNews() bool { return len(f.thin()) > 0 }

// thin are the findings on the ways to what was asked for, all but those that are of mere interest.
func (f *Paths) thin() []finding.Finding {
	var thin []finding.Finding
	for _, x := range f.Findings {
		switch x.Rule {
		case finding.RedundancyLost, finding.RedundancyDegraded, finding.Insufficient, finding.FalseRedundancy:
			if x.Severity > finding.Info {
				thin = append(thin, x)
			}
		}
	}
	return thin
}

// Paths prints what files of BGP data show: the verdict on each destination first.
func (p *Printer) Paths(f *Paths) {
	p.Line("%s", f.headline())
	for _, set := range f.Sets {
		for i := range set.Items {
			p.destination(&set, &set.Items[i], f.Groups)
		}
	}
	if len(f.Findings) > 0 {
		p.Heading("Findings")
		for _, x := range f.Findings {
			p.Line("  %s %s", p.paint(severityTone(x.Severity), x.Severity.String()), clean(x.Summary))
		}
	}
	p.sessions(f)
	p.upstreams(f.Survey)
	p.single(f.Survey)
	p.files(f)
}

func (f *Paths) headline() string { return f.incomplete() + f.verdict() }

// incomplete names the files that could not be read to their ends; "" where there are none.
func (f *Paths) incomplete() string {
	text := ""
	for i := range f.Files {
		if x := &f.Files[i]; x.Damaged != nil {
			text += fmt.Sprintf("incomplete: %s %s, and %s before it; ", clean(x.Name), clean(x.Damaged.Why), were(x.Records))
		}
	}
	return text
}

func were(records int) string {
	if records == 1 {
		return "1 record was read"
	}
	return Count(records, "record") + " were read"
}

func (f *Paths) verdict() string {
	items := 0
	for _, s := range f.Sets {
		for _, i := range s.Items {
			if len(i.Ways) > 0 {
				items++
			}
		}
	}
	text := fmt.Sprintf("%s of %s, %s", Count(f.Paths, "path"), Count(f.Survey.Prefixes, "prefix"), Count(len(f.Sessions), "session"))
	text = strings.Replace(text, "prefixs", "prefixes", 1)
	if f.Paths == 0 {
		up := 0
		for i := range f.Sessions {
			if f.Sessions[i].State == paths.Up {
				up++
			}
		}
		return fmt.Sprintf("%d of %s up; no paths", up, Count(len(f.Sessions), "session"))
	}
	if items == 0 {
		return text + "; no watched destination is in it: ask for one with --prefix"
	}
	thin := len(f.thin())
	if thin == 0 {
		if f.incomplete() != "" {
			return text + "; nothing is wrong with the ways in what was read"
		}
		return text + "; nothing is wrong with the ways to what was asked for"
	}
	return text + "; " + Count(thin, "finding")
}

// waysShown bounds the ways that are listed of one destination.
const waysShown = 12

func (p *Printer) destination(set *paths.SetView, item *paths.ItemView, groups []*engine.Group) {
	if len(item.Ways) == 0 {
		if len(set.Items) == 1 && set.Name != "default" && set.Name != "default6" {
			p.Heading(item.Prefix.String())
			p.Line("  %s", item.Why)
		}
		return
	}
	kind := "out"
	if set.In {
		kind = "in"
	}
	p.Heading(fmt.Sprintf("Ways %s: %s", kind, item.Label))
	i := slices.IndexFunc(groups, func(g *engine.Group) bool { return g.ID == item.Group })
	if i >= 0 {
		c := stateCell(groups[i].State)
		spares := "spares not known"
		if groups[i].Spares != nil {
			spares = Count(*groups[i].Spares, "spare")
		}
		p.Line("  %s, %s: %s", p.paint(c.tone, c.text), spares, clean(item.Why))
	} else {
		p.Line("  %s", clean(item.Why))
	}
	var rows [][]cell
	for n, w := range item.Ways {
		if n == waysShown && !p.o.All {
			break
		}
		rows = append(rows, wayRow(&w))
	}
	p.rows(rows)
	if more := len(item.Ways) - waysShown; more > 0 && !p.o.All {
		p.Line("  and %d more (--all)", more)
	}
	if item.Decides != "" {
		p.Line("  the first is preferred by %s; the others take over in this order", item.Decides)
	}
}

func wayRow(w *paths.WayView) []cell {
	c := cell{"? unknown", unsure}
	switch {
	case w.Working != nil && *w.Working && w.Standby:
		c = cell{"✓ standby", good}
	case w.Working != nil && *w.Working:
		c = cell{"✓ works", good}
	case w.Intended:
		c = cell{"- down on purpose", warning}
	case w.Working != nil:
		c = cell{"✕ lost", bad}
	}
	via := "via an AS set"
	if w.Upstream != 0 {
		via = "via " + w.Upstream.String()
	}
	if w.Server != 0 {
		via += " (route server " + w.Server.String() + ")"
	}
	peer := ""
	if w.Peer.IsValid() {
		peer = w.Peer.String()
	}
	what := w.Path
	if w.Working == nil || !*w.Working {
		what = w.Why
	}
	return []cell{c, text("%s", via), text("%s", peer), text("%s", clean(what))}
}

// sessionsShown bounds the sessions that are listed.
const sessionsShown = 40

func (p *Printer) sessions(f *Paths) {
	if len(f.Sessions) == 0 {
		return
	}
	p.Heading("Sessions")
	rows := [][]cell{}
	for i := range f.Sessions {
		if i == sessionsShown && !p.o.All {
			break
		}
		s := &f.Sessions[i]
		c := cell{"✓ up", good}
		switch {
		case s.Empty:
			c = cell{"✕ up without prefixes", bad}
		case s.State == paths.Down:
			c = cell{"✕ down", bad}
		case s.State == paths.AdminDown:
			c = cell{"- down on purpose", warning}
		case s.State == paths.Unheard:
			c = cell{"? unknown", unsure}
		case s.Flapping:
			c = cell{"▲ flaps", warning}
		}
		peer := "loc-rib"
		if s.Peer.IsValid() {
			peer = s.Peer.String()
		}
		if s.VRF != "" {
			peer += "@" + s.VRF
		}
		as := ""
		if s.PeerAS != 0 {
			as = s.PeerAS.String()
		}
		more := ""
		if s.Flaps > 0 {
			more = Count(s.Flaps, "flap")
		}
		if s.Reason != "" {
			more = strings.TrimPrefix(more+"; "+s.Reason, "; ")
		}
		count := fmt.Sprintf("%d paths", s.Count)
		if s.State != paths.Up {
			count = ""
		}
		rows = append(rows, []cell{c, text("%s", s.Router), text("%s", peer), text("%s", as), text("%s", count), text("%s", clean(more))})
	}
	p.rows(rows)
	if more := len(f.Sessions) - sessionsShown; more > 0 && !p.o.All {
		p.Line("  and %d more (--all)", more)
	}
}

const listed = 15

func (p *Printer) upstreams(s *paths.Survey) {
	if len(s.Upstreams) == 0 {
		return
	}
	p.Heading("Upstreams: the first AS of the paths")
	var rows [][]cell
	for i, u := range s.Upstreams {
		if i == listed && !p.o.All {
			break
		}
		name := u.AS.String()
		if u.AS == 0 {
			name = "own or a set"
		}
		rows = append(rows, []cell{text("%s", name), text("%s", Count(u.Sessions, "session")), text("%d prefixes", u.Prefixes), text("%d of them through nobody else", u.Only)})
	}
	p.rows(rows)
	if more := len(s.Upstreams) - listed; more > 0 && !p.o.All {
		p.Line("  and %d more (--all)", more)
	}
}

func (p *Printer) single(s *paths.Survey) {
	if s.Prefixes == 0 {
		return
	}
	p.Heading("Single points of failure: an AS that every path to a prefix crosses")
	p.Line("  of %d prefixes %d have one session's path alone, %d have several that share an AS", s.Prefixes, s.OneSession, s.OneAS)
	var rows [][]cell
	for i, x := range s.Single {
		if i == listed && !p.o.All {
			break
		}
		name := x.AS.String()
		if x.Private {
			name += " (private: may be two)"
		}
		rows = append(rows, []cell{text("%s", name), text("%d prefixes", x.Prefixes), text("such as %s", x.Example)})
	}
	p.rows(rows)
	if more := len(s.Single) - listed; more > 0 && !p.o.All {
		p.Line("  and %d more (--all)", more)
	}
}

func (p *Printer) files(f *Paths) {
	p.Heading("Read")
	for _, x := range f.Files {
		line := fmt.Sprintf("%s: %s, %s", clean(x.Name), x.Format, Count(x.Records, "record"))
		if !x.First.IsZero() {
			line += fmt.Sprintf(", %s to %s", x.First.Format("2006-01-02 15:04:05"), x.Last.Format("2006-01-02 15:04:05"))
		}
		if x.Damaged != nil {
			line += "; it " + clean(x.Damaged.Why)
		}
		p.Line("  %s", line)
		p.passed(x.Passed)
	}
	p.passed(f.Counted)
}

func (p *Printer) passed(counted map[string]uint64) {
	for _, what := range sorted(counted) {
		p.Line("    %d times passed over or mended: %s", counted[what], clean(what))
	}
}

func sorted(m map[string]uint64) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
