package paths

import (
	"net/netip"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/bgp"
)

// watch finds which sets a changed prefix may concern, in a few map lookups.
type watch struct {
	// covering: the watched prefixes and all that cover them, with the sets.
	covering map[netip.Prefix][]int
	// longer: the items that take in everything inside them.
	longer  []*longerItem
	lengths []int // of their prefixes, each once
	by      map[netip.Prefix][]*longerItem
	found   []int // reused
}

// longerItem is an item that stands for every prefix inside it.
type longerItem struct {
	set    int
	prefix netip.Prefix
	seen   map[netip.Prefix]int // how many paths each has
}

// insideKept bounds the prefixes of one item.
const insideKept = 100_000

func newWatch(sets []Set) watch {
	w := watch{covering: map[netip.Prefix][]int{}, by: map[netip.Prefix][]*longerItem{}}
	for i, set := range sets {
		for _, item := range set.Items {
			p := item.Prefix.Masked()
			for length := p.Bits(); length >= 0; length-- {
				q := netip.PrefixFrom(p.Addr(), length).Masked()
				if !slices.Contains(w.covering[q], i) {
					w.covering[q] = append(w.covering[q], i)
				}
			}
			if item.Longer {
				l := &longerItem{set: i, prefix: p, seen: map[netip.Prefix]int{}}
				w.longer = append(w.longer, l)
				w.by[p] = append(w.by[p], l)
				if !slices.Contains(w.lengths, p.Bits()) {
					w.lengths = append(w.lengths, p.Bits())
				}
			}
		}
	}
	return w
}

// hits are the sets that a change of p may concern. The result is valid until the next call.
func (w *watch) hits(p netip.Prefix) []int {
	w.found = append(w.found[:0], w.covering[p]...)
	for _, l := range w.around(p) {
		if !slices.Contains(w.found, l.set) {
			w.found = append(w.found, l.set)
		}
	}
	return w.found
}

// around are the items that p lies inside.
func (w *watch) around(p netip.Prefix) []*longerItem {
	var all []*longerItem
	for _, length := range w.lengths {
		if length <= p.Bits() {
			all = append(all, w.by[netip.PrefixFrom(p.Addr(), length).Masked()]...)
		}
	}
	return all
}

// inside counts a path that came or went.
func (w *watch) inside(n *bgp.NLRI, by int) {
	if len(w.lengths) == 0 || n.SAFI == 128 {
		return
	}
	for _, l := range w.around(n.Prefix) {
		if l.seen[n.Prefix]+by <= 0 {
			delete(l.seen, n.Prefix)
		} else if _, known := l.seen[n.Prefix]; known || len(l.seen) < insideKept {
			l.seen[n.Prefix] += by
		}
	}
}

// item finds the list of prefixes inside an item.
func (w *watch) item(set int, p netip.Prefix) *longerItem {
	for _, l := range w.by[p.Masked()] {
		if l.set == set {
			return l
		}
	}
	return nil
}
