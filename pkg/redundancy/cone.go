package redundancy

// cone is the failure of one node as a tree over the components that may fail, with what is constant taken out.
type cone struct {
	tree   Tree
	top    Ref
	events []Node // by number of the event, in the order in which a walk from the top meets them
	gates  []Node
}

// cone walks from q.Top down to what may fail. What has failed is not entered, so that the cost is that of what can
// still make a difference.
func (v *Solver) cone(q Question) *cone { return v.coneAbove(q, nil) }

// coneAbove takes those nodes other than q.Top that whole names as basic events (a component or gate with all that it
// requires), or as never failing.
func (v *Solver) coneAbove(q Question, whole func(Node) (is, never bool)) *cone {
	s := v.s
	c := &cone{}
	if v.walk++; v.walk == 0 {
		clear(v.seen)
		v.walk = 1
	}
	type frame struct {
		n    Node
		edge int32
		own  Ref
	}
	var stack []frame
	enter := func(n Node) {
		if v.seen[n] == v.walk {
			return
		}
		v.seen[n] = v.walk
		if q.failed(n) {
			v.fails[n] = True
			return
		}
		if whole != nil && n != q.Top {
			if is, never := whole(n); never {
				v.fails[n] = False
				return
			} else if is {
				v.fails[n] = c.tree.Event()
				c.events = append(c.events, n)
				return
			}
		}
		own := False
		switch {
		case s.gate[n]:
			c.gates = append(c.gates, n)
		case q.mayFail(n):
			own = c.tree.Event()
			c.events = append(c.events, n)
		}
		stack = append(stack, frame{n, s.of[s.reqs[n]], own})
	}
	enter(q.Top)
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if f.edge < s.of[s.reqs[f.n+1]] {
			f.edge++
			enter(s.members[f.edge-1])
			continue
		}
		v.fails[f.n] = v.failure(c, f.n, f.own)
		stack = stack[:len(stack)-1]
	}
	c.top = v.fails[q.Top]
	return c
}

// failure is n's not working, its members' being known.
func (v *Solver) failure(c *cone, n Node, own Ref) Ref {
	s := v.s
	any := []Ref{own}
	for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
		members := s.membersOf(r)
		of := make([]Ref, len(members))
		for i, m := range members {
			of[i] = v.fails[m]
		}
		switch breaks := len(members) - int(s.need[r]) + 1; breaks { // failures that break it
		case 1:
			any = append(any, of...)
		default:
			any = append(any, c.tree.AtLeast(breaks, of...))
		}
	}
	return c.tree.Or(any...)
}
