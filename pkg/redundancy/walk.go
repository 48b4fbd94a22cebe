package redundancy

import "slices"

// Dependants are the given nodes and everything that requires them, directly or through others, each once; what is
// required comes before what requires it. The cost follows their number and their edges.
func (s *Structure) Dependants(of ...Node) []Node {
	return s.closure(of, func(n Node, visit func(Node)) {
		for _, r := range s.usesOf(n) {
			visit(s.owner[r])
		}
	})
}

// Cone are the given nodes and everything that they require, directly or through others, each once; what is required
// comes before what requires it.
func (s *Structure) Cone(of ...Node) []Node {
	return s.closure(of, func(n Node, visit func(Node)) {
		for r := s.reqs[n]; r < s.reqs[n+1]; r++ {
			for _, m := range s.membersOf(r) {
				visit(m)
			}
		}
	})
}

func (s *Structure) closure(of []Node, next func(Node, func(Node))) []Node {
	seen := make(map[Node]struct{}, 2*len(of))
	var found []Node
	visit := func(n Node) {
		if _, again := seen[n]; !again {
			seen[n] = struct{}{}
			found = append(found, n)
		}
	}
	for _, n := range of {
		visit(n)
	}
	for done := 0; done < len(found); done++ {
		next(found[done], visit)
	}
	slices.SortFunc(found, func(a, b Node) int { return int(s.rank[a]) - int(s.rank[b]) })
	return found
}
