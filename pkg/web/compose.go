package web

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Lists are cut where nobody reads on; /api/v1/status has all of them.
const most = 200

// quiet is how long the engine may say nothing before the page calls itself old. It judges every second.
const quiet = time.Minute

// page is what the template shows: words, in the order in which they are read.
type page struct {
	Site, Version    string
	Title            string       // of the window: the number of incidents first
	Icon             template.URL // of the window, in the colour of the verdict
	At, Judged       string
	Old              string // since when nothing was judged; empty: it was just now
	Tone             tone
	Headline         string
	Details          []string
	Tally            []tally
	Incidents        []card
	Services         []service // all of a few, of many those that want to be looked at
	FineServices     []service
	ServicesMore     int
	FineServicesMore int
	NoServices       bool
	Standing         []card // findings that nobody is paged for
	Remarks          []card // those of them that are a note and no more
	Groups           []group
	GroupsMore       int
	Fine             []group // full, and none by design
	FineMore         int
	Blind            []blind
	BlindMore        int
	Quiet            []target // that do not answer as they should
	Answering        []target
	QuietMore        int
	AnsweringMore    int
	Loads            []load // after the worst single failure, the gravest first
	LoadsMore        int
	Room             []room
	NotGiven         []string // answers on load that cannot be given
}

// compose puts the view into words.
func compose(v View) *page {
	p := &page{Site: v.Site, Version: v.Version, At: v.Now.UTC().Format("15:04:05 UTC"), Judged: "not judged yet"}
	r := v.Report
	if r == nil {
		r = &engine.Report{}
	} else {
		p.Judged = "judged " + ago(v.Now, r.At) + " ago"
		if v.Now.Sub(r.At) > quiet {
			p.Old = ago(v.Now, r.At)
		}
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
	p.addServices(r.Services)
	p.addGroups(r.Groups)
	p.addTargets(v.Devices, v.Now)
	p.headline(v, r)
	p.addTally(r)
	p.Title = fmt.Sprintf("%s · Sparewatch", v.Site)
	if n := len(p.Incidents); n > 0 {
		p.Title = fmt.Sprintf("(%d) %s", n, p.Title)
	}
	p.Icon = icon(p.Tone)
	return p
}

// FineServicesAll counts those that are cut off too.
func (p *page) FineServicesAll() int { return len(p.FineServices) + p.FineServicesMore }

// FineAll counts those that are cut off too.
func (p *page) FineAll() int { return len(p.Fine) + p.FineMore }

// AnsweringAll counts those that are cut off too.
func (p *page) AnsweringAll() int { return len(p.Answering) + p.AnsweringMore }
