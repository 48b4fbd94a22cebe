package incident

import (
	"maps"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/finding"
)

// standing is what the ledger has of a finding that stands.
type standing struct {
	severity finding.Severity
	under    finding.Key
	pages    bool
}

func standingOf(f *finding.Finding) standing {
	return standing{severity: f.Severity, under: f.Under, pages: f.Pages}
}

// transitions compares the findings with what stands and returns what stands now and what changed, in the findings'
// order and then by key.
func transitions(stood map[finding.Key]standing, findings []finding.Finding, there forest, unsure func(finding.Key) bool) (map[finding.Key]standing, []Transition) {
	var changes []Transition
	for i := range findings {
		f := &findings[i]
		was, stood := stood[f.Key]
		switch {
		case there.at[f.Key] != f: // given twice
		case !stood:
			changes = append(changes, Transition{What: Opened, Key: f.Key, Finding: whole.of(f)})
		case was != standingOf(f):
			changes = append(changes, Transition{What: Changed, Key: f.Key, Finding: whole.of(f)})
		}
	}
	var gone []finding.Key
	for k := range stood {
		if there.at[k] == nil && !unsure(k) {
			gone = append(gone, k)
		}
	}
	slices.Sort(gone)
	for _, k := range gone {
		changes = append(changes, Transition{What: Resolved, Key: k})
	}
	if len(changes) == 0 {
		return stood, nil
	}
	now := maps.Clone(stood)
	for _, t := range changes {
		t.apply(now)
	}
	return now, changes
}

// apply makes the transition in what stands.
func (t Transition) apply(to map[finding.Key]standing) {
	if t.Finding == nil {
		delete(to, t.Key)
		return
	}
	to[t.Key] = standingOf(t.Finding)
}
