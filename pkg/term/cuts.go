package term

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/engine"
)

// Cuts prints minimal cut sets: how many of which order, and the first of them. With count it prints the numbers alone.
func (p *Printer) Cuts(c *engine.CutSets, count bool) {
	p.Line("%s: %s", clean(c.Of), cutsWords(c))
	for order, n := range c.ByOrder {
		if n.Sign() > 0 {
			p.Line("  order %d: %s", order, n)
		}
	}
	if c.ByOrderUpTo != nil {
		p.Line("  of higher orders they were not counted one by one: there are too many")
	}
	if c.Hull {
		p.Line("  the tree has negations: these are the cut sets of its coherent hull, as if every negated event might happen")
	}
	for _, what := range c.LeftOut {
		p.Line("  left out: %s", clean(what))
	}
	if c.Probability != nil {
		p.Line("probability %.6e", *c.Probability)
	}
	switch {
	case c.Bounds != nil:
		p.Line("probability between %.6e and %.6e: %s", c.Bounds[0], c.Bounds[1], clean(c.NoProbability))
	case c.AtLeast != "":
		p.Line("at least: %s", clean(c.AtLeast))
	case c.NoProbability != "":
		p.Line("probability not known: %s", clean(c.NoProbability))
	}
	if count {
		return
	}
	if len(c.Sets) > 0 && len(c.Sets[0]) > 0 {
		p.Heading("Minimal cut sets")
	}
	for _, set := range c.Sets {
		if len(set) > 0 {
			p.Line("  %s", clean(strings.Join(set, ", ")))
		}
	}
	if more := new(big.Int).Sub(c.Count, big.NewInt(int64(len(c.Sets)))); more.Sign() > 0 {
		p.Line("  and %s more (--limit)", more)
	}
	p.overloadCuts(c)
	p.importance(c.Importance)
}

func cutsWords(c *engine.CutSets) string {
	limit := ""
	if c.ExactUpTo != nil {
		limit = fmt.Sprintf(" of order %d or less", *c.ExactUpTo)
	}
	switch {
	case c.Count.Sign() == 0 && c.ExactUpTo == nil:
		return "nothing can take it down"
	case len(c.ByOrder) > 0 && c.ByOrder[0].Sign() > 0:
		return "it is down already"
	case !c.Whole && c.ExactUpTo != nil && *c.ExactUpTo == 0:
		return "no order could be finished; " + endedBy(c) + ": ask for a lower one with --order"
	case !c.Whole:
		return fmt.Sprintf("%s minimal cut sets%s, exact so far; %s", c.Count, limit, endedBy(c))
	}
	return fmt.Sprintf("%s minimal cut sets%s", c.Count, limit)
}

// endedBy says why an answer is not whole.
func endedBy(c *engine.CutSets) string {
	if c.StoppedAfter > 0 {
		return fmt.Sprintf("stopped after %g s", c.StoppedAfter)
	}
	return "the model is too hard for more"
}

func (p *Printer) importance(all []engine.Importance) {
	if len(all) == 0 {
		return
	}
	shown := all
	if !p.o.All && len(shown) > 20 {
		shown = shown[:20]
	}
	p.Heading("What matters most")
	rows := [][]cell{{text("event"), text("Fussell-Vesely"), text("Birnbaum"), text("RAW"), text("RRW")}}
	for _, x := range shown {
		reduction := "all"
		if x.Reduction != nil {
			reduction = fmt.Sprintf("%.4g", *x.Reduction)
		}
		rows = append(rows, []cell{text("%s", clean(x.Name)), text("%.4e", x.FussellVesely), text("%.4e", x.Birnbaum), text("%.4g", x.Achievement), text("%s", reduction)})
	}
	p.rows(rows)
	if len(shown) < len(all) {
		p.Line("  and %d more (--all)", len(all)-len(shown))
	}
}
