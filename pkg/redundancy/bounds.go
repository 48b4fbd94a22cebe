package redundancy

// Bounds are between what the probability of going down lies, as far as the minimal cut sets that are there tell; p gives the
// probabilities of basic events by number, and events are all those on which the formula stands. The lower bound is the
// likeliest cut set, and 0 where the tree is not coherent. The upper one adds up all cut sets, and the chance that
// more events happen than the orders that are exact: any other cut set takes so many.
func (c *Cuts) Bounds(p func(event int) float64, events []int, coherent bool) (low, high float64) {
	likeliest, sum := make([]float64, len(c.sets.units)), make([]float64, len(c.sets.units))
	for u, f := range c.sets.units {
		most, all := make([]float64, len(f.nodes)+2), make([]float64, len(f.nodes)+2)
		most[zunit], all[zunit] = 1, 1
		for i, n := range f.nodes {
			v := f.vars[n.level]
			one, each := 0.0, 0.0
			if below, is := v.unit(); is {
				one, each = likeliest[below], sum[below]
			} else {
				one = p(int(v))
				each = one
			}
			most[i+2] = max(most[n.lo], one*most[n.hi])
			all[i+2] = all[n.lo] + each*all[n.hi]
		}
		likeliest[u], sum[u] = most[f.root], all[f.root]
	}
	last := len(c.sets.units) - 1
	if coherent {
		low = likeliest[last]
	}
	high = sum[last]
	if c.ExactUpTo < AnyOrder {
		high += moreThan(c.ExactUpTo, p, events)
	}
	return low, min(high, 1)
}

// moreThan is the probability that more than so many of the events happen.
func moreThan(many int, p func(event int) float64, events []int) float64 {
	if many >= len(events) {
		return 0
	}
	exactly := make([]float64, many+1) // so many happen, of those looked at so far
	exactly[0] = 1
	more := 0.0
	for _, e := range events {
		x := p(e)
		more += exactly[many] * x
		for j := many; j > 0; j-- {
			exactly[j] = exactly[j]*(1-x) + exactly[j-1]*x
		}
		exactly[0] *= 1 - x
	}
	return more
}
