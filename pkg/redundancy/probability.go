package redundancy

import (
	"math"
	"slices"
)

// Importance says how much a basic event matters to the top event, whose probability is P. All are exact, without the
// rare-event approximation. For a tree that is not coherent they may be negative.
type Importance struct {
	// Birnbaum is P(top | event happens) - P(top | it doesn't): how much P moves with the event's probability.
	Birnbaum float64
	// FussellVesely is the share of P that would go if the event never happened, 1 - P(top | it doesn't) / P: what to
	// mend or to buy first. (Others divide by P the probability that some minimal cut set with the event happens; the two
	// agree where cut sets rarely happen together.)
	FussellVesely float64
	// Achievement is the risk achievement worth P(top | event happens) / P: by what P grows while the event has happened.
	Achievement float64
}

// Reduction is the risk reduction worth P / P(top | event doesn't happen): by what P shrinks if the event never happens.
// Infinite where nothing is left of P then.
func (i Importance) Reduction() float64 { return 1 / max(0, 1-i.FussellVesely) }

// chance is the probabilities of a function to hold and not to. Both are kept, because either may be too small to be
// told from the other's being 1.
type chance struct{ holds, not float64 }

func (c chance) of(f bref) chance {
	if f&1 == 1 {
		return chance{c.not, c.holds}
	}
	return c
}

// Probability is the probability of the formula, exactly, the events being independent; p gives theirs by number. It is
// NaN where some k of n is too large to be worked out, n times k being some millions.
func (c *Compiled) Probability(p func(event int) float64) float64 {
	_, units := c.chances(p)
	return c.topChance(units)
}

func (c *Compiled) topChance(units []chance) float64 {
	switch {
	case len(c.units) > 0 && c.top == True:
		return units[len(units)-1].not
	case len(c.units) > 0:
		return units[len(units)-1].holds
	case c.top == True:
		return 1
	}
	return 0
}

// chances are those of every node of every unit, and of every unit.
func (c *Compiled) chances(p func(event int) float64) (nodes [][]chance, units []chance) {
	nodes = make([][]chance, len(c.units))
	units = make([]chance, len(c.units))
	for i := range c.units {
		u := &c.units[i]
		nodes[i] = u.chances(nil, u.chancesByLevel(nil, p, units))
		units[i] = u.chanceFrom(nodes[i])
	}
	return nodes, units
}

// chances appends those of the unit's nodes to an empty slice.
func (u *compiled) chances(nodes []chance, level []chance) []chance {
	if u.threshold > 0 {
		return nodes
	}
	nodes = append(slices.Grow(nodes, len(u.nodes)), chance{1, 0})
	for _, at := range u.nodes[1:] {
		lo, hi, v := nodes[at.lo>>1].of(at.lo), nodes[at.hi>>1].of(at.hi), level[at.level]
		nodes = append(nodes, chance{
			holds: v.not*lo.holds + v.holds*hi.holds,
			not:   v.not*lo.not + v.holds*hi.not,
		})
	}
	return nodes
}

// chanceFrom is the unit's, from those of its nodes.
func (u *compiled) chanceFrom(nodes []chance) chance {
	if u.threshold > 0 {
		return chance{math.NaN(), math.NaN()}
	}
	return nodes[u.root>>1].of(u.root)
}

// chancesByLevel appends those of the unit's variables to an empty slice.
func (u *compiled) chancesByLevel(level []chance, p func(event int) float64, units []chance) []chance {
	for _, v := range u.vars {
		if below, is := v.unit(); is {
			level = append(level, units[below])
		} else {
			x := p(int(v))
			level = append(level, chance{x, 1 - x})
		}
	}
	return level
}

// Importances are the formula's probability and the importance of each of its events, by number. An event that makes no
// difference has importance 0 and achievement 1.
func (c *Compiled) Importances(p func(event int) float64) (probability float64, byEvent []Importance) {
	nodes, units := c.chances(p)
	probability = c.topChance(units)
	byEvent = make([]Importance, c.events)
	slope := make([]float64, len(c.units)) // of the top by each unit
	if len(c.units) > 0 {
		slope[len(slope)-1] = 1
		if c.top == True {
			slope[len(slope)-1] = -1
		}
	}
	for i := len(c.units) - 1; i >= 0; i-- {
		u := &c.units[i]
		for l, birnbaum := range u.slopes(nodes[i], u.chancesByLevel(nil, p, units)) {
			if below, is := u.vars[l].unit(); is {
				slope[below] += slope[i] * birnbaum
			} else {
				byEvent[u.vars[l]].Birnbaum += slope[i] * birnbaum
			}
		}
	}
	for e := range byEvent {
		x := &byEvent[e]
		x.Achievement = 1
		if probability != 0 {
			x.FussellVesely = p(e) * x.Birnbaum / probability
			x.Achievement = 1 + (1-p(e))*x.Birnbaum/probability
		}
	}
	return probability, byEvent
}

// slopes are the derivatives of the unit's probability by those of its variables: one sweep down adds up, per node, the
// probability to come by it.
func (u *compiled) slopes(nodes []chance, level []chance) []float64 {
	slopes := make([]float64, len(u.vars))
	if u.threshold > 0 {
		for l := range slopes {
			slopes[l] = math.NaN()
		}
		return slopes
	}
	visits := make([][2]float64, len(u.nodes)) // plain and negated
	visits[u.root>>1][u.root&1] = 1
	for n := len(u.nodes) - 1; n > 0; n-- {
		at := u.nodes[n]
		lo, hi, v := nodes[at.lo>>1].of(at.lo), nodes[at.hi>>1].of(at.hi), level[at.level]
		plain, negated := visits[n][0], visits[n][1]
		slopes[at.level] += plain*(hi.holds-lo.holds) + negated*(hi.not-lo.not)
		visits[at.lo>>1][at.lo&1] += plain * v.not
		visits[at.lo>>1][at.lo&1^1] += negated * v.not
		visits[at.hi>>1][at.hi&1] += plain * v.holds
		visits[at.hi>>1][at.hi&1^1] += negated * v.holds
	}
	return slopes
}
