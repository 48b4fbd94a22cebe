package redundancy

// A module is a formula whose basic events occur nowhere outside it, so that to the rest it is one event.

// modules finds them, by node, in linear time, after Dutuit and Rauzy, "A linear-time algorithm to find modules of fault
// trees", IEEE Transactions on Reliability 45 (1996): a walk notes when it comes to each node for the first and the
// last time and when it has left its operands; a node is a module if its operands are visited between these only.
func (t *Tree) modules(top Ref) []bool {
	n := len(t.nodes)
	first, exit, last := make([]int32, n), make([]int32, n), make([]int32, n)
	type frame struct {
		node    int
		operand int
	}
	time := int32(0)
	var stack []frame
	arrive := func(node int) {
		time++
		last[node] = time
		if first[node] == 0 {
			first[node] = time
			stack = append(stack, frame{node, 0})
		}
	}
	arrive(top.node())
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if of := t.nodes[f.node].of; f.operand < len(of) {
			f.operand++
			arrive(of[f.operand-1].node())
			continue
		}
		time++
		exit[f.node] = time
		last[f.node] = time
		stack = stack[:len(stack)-1]
	}
	// earliest and latest visit to anything below a node
	earliest, latest := make([]int32, n), make([]int32, n)
	module := make([]bool, n)
	for node, f := range t.nodes {
		if first[node] == 0 {
			continue
		}
		earliest[node], latest[node] = terminal, 0
		for _, r := range f.of {
			o := r.node()
			earliest[node] = min(earliest[node], first[o], earliest[o])
			latest[node] = max(latest[node], last[o], latest[o])
		}
		module[node] = earliest[node] > first[node] && latest[node] < exit[node]
	}
	return module
}

// group rebuilds the tree with more modules: operands of an or that share nothing with the other operands, nor with the
// rest of the tree, become an or of their own. Ands are ors negated, and gain the same.
func (t *Tree) group(top Ref) (*Tree, Ref) {
	module := t.modules(top)
	uses := make([]int32, len(t.nodes))
	for _, f := range t.nodes {
		for _, r := range f.of {
			uses[r.node()]++
		}
	}
	out := &Tree{events: t.events}
	at := make([]Ref, len(t.nodes))
	parts := newPartition(len(t.nodes))
	for n, f := range t.nodes {
		of := make([]Ref, len(f.of))
		for i, r := range f.of {
			of[i] = at[r.node()] ^ r&1
		}
		if f.kind != or || len(of) < 3 {
			at[n] = out.add(formula{f.kind, f.k, of})
			continue
		}
		var class []int32
		if module[n] {
			class = parts.byCommonNodes(t, module, n)
		} else {
			class = parts.byPrivacy(t, module, uses, n)
		}
		at[n] = out.add(formula{or, 1, out.groupBy(class, of)})
	}
	return out, at[top.node()] ^ top&1
}

// groupBy makes an or of the operands of each class of several; class -1 stays as it is.
func (t *Tree) groupBy(class []int32, of []Ref) []Ref {
	members := map[int32][]Ref{}
	for i, c := range class {
		members[c] = append(members[c], of[i])
	}
	if len(members) == 1 {
		return of
	}
	var grouped []Ref
	for i, c := range class {
		switch {
		case c < 0 || len(members[c]) == 1:
			grouped = append(grouped, of[i])
		case members[c] != nil:
			grouped = append(grouped, t.add(formula{or, 1, members[c]}))
			members[c] = nil
		}
	}
	return grouped
}

// partition is a union-find over nodes.
type partition struct {
	parent []int32
	walked []int32 // by node: the operand, plus one, whose walk came here; only for the gate at hand
	gate   []int32 // by node: the gate, plus one, that walked is for
	stack  []int
}

func newPartition(n int) *partition {
	return &partition{walked: make([]int32, n), gate: make([]int32, n)}
}

func (p *partition) find(i int32) int32 {
	for p.parent[i] != i {
		p.parent[i] = p.parent[p.parent[i]]
		i = p.parent[i]
	}
	return i
}

// byPrivacy puts in class 0 the operands of n that are events or modules and are used nowhere else.
func (p *partition) byPrivacy(t *Tree, module []bool, uses []int32, n int) []int32 {
	class := make([]int32, len(t.nodes[n].of))
	for i, r := range t.nodes[n].of {
		class[i] = -1
		if o := r.node(); uses[o] == 1 && (module[o] || t.nodes[o].kind == event) {
			class[i] = 0
		}
	}
	return class
}

// byCommonNodes puts operands of the module n in one class if there is something that both stand on.
func (p *partition) byCommonNodes(t *Tree, module []bool, n int) []int32 {
	of := t.nodes[n].of
	p.parent = p.parent[:0]
	for i := range of {
		p.parent = append(p.parent, int32(i))
	}
	for i, r := range of {
		p.stack = append(p.stack[:0], r.node())
		for len(p.stack) > 0 {
			at := p.stack[len(p.stack)-1]
			p.stack = p.stack[:len(p.stack)-1]
			if p.gate[at] == int32(n)+1 {
				p.parent[p.find(int32(i))] = p.find(p.walked[at])
				continue
			}
			p.gate[at] = int32(n) + 1
			p.walked[at] = int32(i)
			if module[at] {
				continue // nothing below is seen from elsewhere
			}
			for _, o := range t.nodes[at].of {
				p.stack = append(p.stack, o.node())
			}
		}
	}
	class := make([]int32, len(of))
	for i := range of {
		class[i] = p.find(int32(i))
	}
	return class
}

// sharedModules are the nodes below tops that several requirements name, and that nothing else below tops shares
// anything with: whatever they require is required through them only. What is required comes first. The algorithm is
// that of Tree.modules.
func (s *Structure) sharedModules(tops []Node) []Node {
	n := s.Len()
	first, exit, last := make([]int32, n), make([]int32, n), make([]int32, n)
	earliest, latest := make([]int32, n), make([]int32, n)
	uses := make([]int32, n)
	type frame struct {
		n    Node
		edge int32
	}
	time := int32(0)
	var stack []frame
	var left []Node // in the order in which the walk left them: what is required comes first
	arrive := func(m Node) {
		time++
		last[m] = time
		uses[m]++
		if first[m] == 0 {
			first[m] = time
			stack = append(stack, frame{m, s.of[s.reqs[m]]})
		}
	}
	for _, top := range tops {
		arrive(top)
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.edge < s.of[s.reqs[f.n+1]] {
				f.edge++
				arrive(s.members[f.edge-1])
				continue
			}
			time++
			exit[f.n] = time
			last[f.n] = time
			left = append(left, f.n)
			stack = stack[:len(stack)-1]
		}
	}
	var modules []Node
	for _, m := range left {
		earliest[m] = terminal
		for _, below := range s.members[s.of[s.reqs[m]]:s.of[s.reqs[m+1]]] {
			earliest[m] = min(earliest[m], first[below], earliest[below])
			latest[m] = max(latest[m], last[below], latest[below])
		}
		if uses[m] > 1 && s.reqs[m] < s.reqs[m+1] && earliest[m] > first[m] && latest[m] < exit[m] {
			modules = append(modules, m)
		}
	}
	return modules
}
