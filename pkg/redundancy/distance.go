package redundancy

// far is the distance to what cannot happen; twice it is still an int32.
const far = 1 << 29

// Distance is the smallest number of further events that make the formula true, given which have happened already (they
// cost nothing) and which may happen still: the size of the smallest minimal cut set that is left. It is -1 if no events
// that may happen make it true. The formula must be coherent. Nil means that none has happened, that all may happen.
//
// Nothing is compiled anew: it is the shortest path through the diagrams.
func (c *Compiled) Distance(happened, may func(event int) bool) int {
	if len(c.units) == 0 || c.top == True {
		if c.top == True {
			return 0
		}
		return -1
	}
	d := distances{units: make([]int32, len(c.units))}
	for i := range c.units {
		d.units[i] = d.unit(&c.units[i], func(event int) int32 {
			switch {
			case happened != nil && happened(event):
				return 0
			case may == nil || may(event):
				return 1
			}
			return far
		})
	}
	if last := d.units[len(d.units)-1]; last < far {
		return int(last)
	}
	return -1
}

type distances struct {
	units []int32
	nodes []reach // by node
	level []int32 // by level: cost of its variable
}

// reach is the least cost of making a node's function true, and false; its variables being false costs nothing.
type reach struct{ hold, not int32 }

func (d *distances) unit(u *compiled, cost func(event int) int32) int32 {
	d.level = d.level[:0]
	for _, v := range u.vars {
		if below, is := v.unit(); is {
			d.level = append(d.level, d.units[below])
		} else {
			d.level = append(d.level, cost(int(v)))
		}
	}
	if u.threshold > 0 {
		return int32(min(cheapest(d.level, int(u.threshold)), far))
	}
	d.nodes = append(d.nodes[:0], reach{0, far})
	of := func(f bref) reach {
		r := d.nodes[f>>1]
		if f&1 == 1 {
			r.hold, r.not = r.not, r.hold
		}
		return r
	}
	for _, n := range u.nodes[1:] {
		lo, hi, taken := of(n.lo), of(n.hi), d.level[n.level]
		d.nodes = append(d.nodes, reach{
			hold: min(lo.hold, hi.hold+taken, far),
			not:  min(lo.not, hi.not+taken, far),
		})
	}
	return of(u.root).hold
}
