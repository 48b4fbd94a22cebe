package incident

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// tree is a finding that has no cause among the findings, and all that hangs under it.
type tree struct {
	root     *finding.Finding
	findings []*finding.Finding // root first, then the worst
	matters  bool
}

// pages reports whether anything in the tree is to be told at once.
func (t *tree) pages() bool {
	return slices.ContainsFunc(t.findings, func(f *finding.Finding) bool { return f.Pages })
}

// forest is the findings of one moment as trees.
type forest struct {
	at    map[finding.Key]*finding.Finding
	of    map[finding.Key]*tree
	trees []*tree // those that matter, worst root first
}

// grow sorts findings into trees by their Under. A tree matters where it pages, or where one of its findings is known.
func grow(findings []finding.Finding, known map[finding.Key]bool) forest {
	fo := forest{at: make(map[finding.Key]*finding.Finding, len(findings)), of: make(map[finding.Key]*tree, len(findings))}
	for i := range findings {
		fo.at[findings[i].Key] = &findings[i]
	}
	for k, f := range fo.at {
		root := fo.rootOf(f)
		t := fo.of[root.Key]
		if t == nil {
			t = &tree{root: root}
			fo.of[root.Key] = t
		}
		t.findings = append(t.findings, f)
		fo.of[k] = t
		if !t.matters && (f.Pages || known[k]) {
			t.matters = true
			fo.trees = append(fo.trees, t)
		}
	}
	for _, t := range fo.trees {
		slices.SortFunc(t.findings, func(a, b *finding.Finding) int {
			return cmp.Or(first(a == t.root, b == t.root), worse(a, b))
		})
	}
	slices.SortFunc(fo.trees, func(a, b *tree) int { return worse(a.root, b.root) })
	return fo
}

// rootOf climbs to the highest cause that is there. Findings that stand under each other have the least key of their
// ring as root, so that all of them find the same one.
func (fo *forest) rootOf(f *finding.Finding) *finding.Finding {
	for range len(fo.at) {
		above := fo.at[f.Under]
		if above == nil {
			return f
		}
		f = above
	}
	least := f // as many steps as there are findings end in a ring
	for g := fo.at[f.Under]; g != f; g = fo.at[g.Under] {
		if g.Key < least.Key {
			least = g
		}
	}
	return least
}

// worse orders findings for people: what pages before what doesn't, then the severest, the oldest, and by key.
func worse(a, b *finding.Finding) int {
	return cmp.Or(first(a.Pages, b.Pages), cmp.Compare(b.Severity, a.Severity), a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key))
}

// first orders true before false.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// parse undoes finding.KeyOf.
func parse(k finding.Key) (finding.Rule, component.ID) {
	rule, subject, _ := strings.Cut(string(k), ":")
	return finding.Rule(rule), component.ID(subject)
}

func subject(k finding.Key) component.ID {
	_, s := parse(k)
	return s
}
