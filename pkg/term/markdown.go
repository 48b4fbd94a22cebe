package term

import (
	"fmt"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/capacity"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
)

// ComparisonMarkdown prints what a model is worth beside an older one as a comment for a pull request: what gets worse
// first, in tables.
func (p *Printer) ComparisonMarkdown(c *engine.Comparison) {
	switch {
	case c.Worse:
		p.Line("### ❌ Redundancy: something gets worse by this change")
	case len(c.Services)+len(c.Groups)+len(c.Findings)+len(c.Headroom) == 0:
		p.Line("### ✅ Redundancy: nothing changes")
	default:
		p.Line("### ✅ Redundancy: nothing gets worse by this change")
	}
	p.servicesMarkdown(c.Services)
	p.groupsMarkdown(c.Groups)
	if len(c.Findings) > 0 {
		p.Line("\n| | false redundancy and overload |\n| --- | --- |")
		for _, f := range c.Findings {
			mark := "✅ no longer"
			if f.Appears {
				mark = "❌ new"
			}
			p.Line("| %s | %s |", mark, cellText(f.Summary))
		}
	}
	if len(c.Headroom) > 0 {
		p.Line("\n| | room on | before | after |\n| --- | --- | --- | --- |")
		for i := range c.Headroom {
			h := &c.Headroom[i]
			p.Line("| %s | %s | %s | %s |", markdownMark(h.Worse, false), idsText(h.On), roomText(h.Before), roomText(h.After))
		}
	}
	if len(c.Expected) > 0 {
		p.Line("\n| service | expected availability before | after |\n| --- | --- | --- |")
		for _, x := range c.Expected {
			p.Line("| %s | %s | %s |", cellText(x.Name), percentUp(x.Before), percentUp(x.After))
		}
	}
	p.Line("\nUnchanged: %s, %s.", Count(c.Same["services"], "service"), Count(c.Same["groups"], "group"))
}

func (p *Printer) servicesMarkdown(all []engine.ServiceChange) {
	if len(all) == 0 {
		return
	}
	p.Line("\n| | service | tier | spares before | spares after | new single points of failure | no longer |\n| --- | --- | --- | --- | --- | --- | --- |")
	for i := range all {
		s := &all[i]
		before, after := "(new)", "(gone)"
		if s.Before != nil {
			before = s.Before.Words()
		}
		if s.After != nil {
			after = s.After.Words()
		}
		p.Line("| %s | %s | %d | %s | %s | %s | %s |", markdownMark(s.Worse, s.Better), cellText(s.Name), s.Tier, cellText(before), cellText(after), idsText(s.Appear), idsText(s.Gone))
	}
}

func (p *Printer) groupsMarkdown(all []engine.GroupChange) {
	if len(all) == 0 {
		return
	}
	p.Line("\n| | group | before | after |\n| --- | --- | --- | --- |")
	worth := func(w *engine.GroupWorth) string {
		if w == nil {
			return ""
		}
		return fmt.Sprintf("%d of %d needed, %s", w.Needed, w.Designed, Count(w.Spares, "spare"))
	}
	for i := range all {
		g := &all[i]
		p.Line("| %s | %s | %s | %s |", markdownMark(g.Worse, false), cellText(string(g.ID)), worth(g.Before), worth(g.After))
	}
}

func markdownMark(worse, better bool) string {
	switch {
	case worse:
		return "❌ worse"
	case better:
		return "✅ better"
	}
	return "other"
}

// idsText lists a few ids in a table.
func idsText(all []component.ID) string {
	const shown = 5
	words := make([]string, 0, shown+1)
	for i, id := range all {
		if i == shown {
			words = append(words, fmt.Sprintf("and %d more", len(all)-shown))
			break
		}
		words = append(words, "`"+cellText(string(id))+"`")
	}
	return strings.Join(words, ", ")
}

func roomText(va *float64) string {
	switch {
	case va == nil:
		return ""
	case *va < 0:
		return engine.Quantity(-*va, capacity.VoltAmpere) + " too much"
	}
	return engine.Quantity(*va, capacity.VoltAmpere)
}

// cellText keeps a text within its cell, and from being read as markup.
func cellText(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "`", "'", "<", "&lt;", "*", "\\*", "@", "@\u200b").Replace(clean(s))
}
