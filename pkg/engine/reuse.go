package engine

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// kept is a verdict from before the structure was compiled anew. It stands where everything below is the same as before.
type kept struct {
	print   uint64
	full    *full
	group   *Group
	service *Service
}

// keep gathers the verdicts that may stand: those that are up to date and that no finding hangs on, for findings know
// nodes by their numbers.
func (e *Engine) keep() map[component.ID]kept {
	if e.graph == nil {
		return nil
	}
	prints := e.prints()
	all := make(map[component.ID]kept, len(e.tops))
	for i := range e.tops {
		t := &e.tops[i]
		if t.dirty || len(t.findings) > 0 || t.full == nil {
			continue
		}
		k := kept{print: prints[t.node], full: t.full}
		if t.form != nil {
			k.group = e.groups[t.at]
		} else {
			k.service = e.services[t.at]
		}
		all[e.graph.ID(t.node)] = k
	}
	return all
}

// reuse takes over the verdicts on groups and services below which nothing changed, but for the groups of devices that are
// to be brought up to date.
func (e *Engine) reuse(all map[component.ID]kept) {
	if len(all) == 0 {
		return
	}
	prints := e.prints()
	e.dirty = slices.DeleteFunc(e.dirty, func(i int32) bool {
		t := &e.tops[i]
		k, ok := all[e.graph.ID(t.node)]
		if !ok || k.print != prints[t.node] || t.form != nil && e.refresh[t.form.id.Device()] || t.form != nil && !e.sameGroup(t.form, k.group) || t.service != nil && t.service.Tier != k.service.Tier {
			return false
		}
		t.full, t.dirty = k.full, false
		if t.form != nil {
			e.groups[t.at] = k.group
		} else {
			e.services[t.at] = k.service
		}
		return true
	})
}

// sameGroup reports whether the group's numbers are those of the verdict, and the verdict one that was given.
func (e *Engine) sameGroup(f *form, g *Group) bool {
	return g.State != StateUnknown && f.needed == g.Needed && f.designed == g.Designed && f.basis == g.Basis && slices.Equal(f.members, g.Members) &&
		f.raised == 0
}

var printSeed = maphash.MakeSeed()

// prints are fingerprints of nodes: equal where everything below is the same, in structure, names and what is known of it.
func (e *Engine) prints() []uint64 {
	prints := make([]uint64, e.graph.Len())
	var h maphash.Hash
	h.SetSeed(printSeed)
	var word [8]byte
	add := func(v uint64) {
		binary.LittleEndian.PutUint64(word[:], v)
		h.Write(word[:])
	}
	s := e.graph.Structure
	for _, n := range e.providersFirst() {
		h.Reset()
		h.WriteString(string(e.graph.ID(n)))
		h.WriteByte(e.printOf(n))
		for need, of := range s.EachRequirement(n) {
			add(uint64(need))
			for _, m := range of {
				add(prints[m])
			}
			h.WriteByte('.')
		}
		prints[n] = h.Sum64()
	}
	return prints
}

// printOf is what is known of the node itself.
func (e *Engine) printOf(n redundancy.Node) byte {
	b := byte(0)
	for i, on := range []bool{e.best.Failed(n), e.worst.Failed(n), e.predicted.Failed(n), e.hold[n], e.cells[n].unobserved, e.cells[n].belief == silent, len(e.up.of(n)) > 0} {
		if on {
			b |= 1 << i
		}
	}
	return b
}

// providersFirst are all nodes, each behind what it requires.
func (e *Engine) providersFirst() []redundancy.Node {
	n := e.graph.Len()
	waiting := make([]int32, n)
	order := make([]redundancy.Node, 0, n)
	for i := range redundancy.Node(n) {
		if waiting[i] = int32(len(e.needs.of(i))); waiting[i] == 0 {
			order = append(order, i)
		}
	}
	for done := 0; done < len(order); done++ {
		for _, m := range e.users.of(order[done]) {
			if waiting[m]--; waiting[m] == 0 {
				order = append(order, m)
			}
		}
	}
	return order
}
