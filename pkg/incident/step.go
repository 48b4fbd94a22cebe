package incident

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Step compares findings with what the fold knows. It leaves f as it is and returns the fold after the step, which
// holds once the step's records are written (at once where there are none).
//
// unsure reports whether nothing can be said now of a finding that is not there (its targets were not read yet): it
// then stands as before. nil: every absence counts.
func (f *Fold) Step(now time.Time, findings []finding.Finding, unsure func(finding.Key) bool) (*Fold, Step) {
	if unsure == nil {
		unsure = func(finding.Key) bool { return false }
	}
	s := &stepper{now: now, hold: f.o.Hold, forest: grow(findings, f.members()), owner: map[*tree]*work{}}
	for _, t := range f.byAge() {
		s.work = append(s.work, &work{was: t, is: t.clone()})
	}
	next := &Fold{o: f.o, opened: f.opened, open: make(map[ID]*tracked, len(f.open))}
	var out Step
	next.standing, out.Transitions = transitions(f.standing, findings, s.forest, unsure)

	s.miss(unsure)
	s.claim()
	for _, t := range s.forest.trees {
		if s.owner[t] == nil && t.pages() {
			next.opened++
			s.begin(t, f.o.NewID(now, next.opened))
		}
	}
	s.gather()
	for _, w := range s.work {
		if w.into == nil {
			s.settle(w)
		}
		out.Changes = append(out.Changes, s.changes(w)...)
		if w.into == nil && !w.over {
			next.open[w.is.id] = w.is
		}
	}
	return next, out
}

// members are the findings of all open incidents.
func (f *Fold) members() map[finding.Key]bool {
	all := map[finding.Key]bool{}
	for _, t := range f.open {
		for k := range t.members {
			all[k] = true
		}
	}
	return all
}

// stepper is one Step at work.
type stepper struct {
	now    time.Time
	hold   time.Duration
	forest forest
	work   []*work // oldest incident first
	owner  map[*tree]*work
}

// work is one incident during a step.
type work struct {
	was      *tracked // nil: it begins
	is       *tracked
	into     *work   // it is part of this older one now
	absorbed []*work // they are part of it now
	over     bool    // it is resolved
}

// miss notes which members are not there.
func (s *stepper) miss(unsure func(finding.Key) bool) {
	for _, w := range s.work {
		for k, m := range w.is.members {
			switch {
			case s.forest.at[k] != nil || unsure(k):
				m.gone = time.Time{}
			case m.gone.IsZero():
				m.gone = s.now
			}
			w.is.members[k] = m
		}
	}
}

// rootGone reports whether the incident's root finding is known to be missing.
func (w *work) rootGone() bool {
	m, is := w.is.members[w.is.root]
	return !is || !m.gone.IsZero()
}

// claim gives each tree to the incident that it goes on, and merges incidents that go on in the same tree:
//
//   - the tree with the incident's root finding in it: a root that hangs under something now has been traced further up;
//   - a tree whose root finding is one of the incident's: what is left when the cause above it is gone;
//   - a tree without owner on a subject whose paging finding the incident has just lost: redundancy-degraded became
//     redundancy-lost of the same group;
//   - where the incident's root is gone and none of these is there, the tree without owner that has most of its findings.
func (s *stepper) claim() {
	claims := map[*tree][]*work{}
	claim := func(t *tree, w *work) {
		if t != nil && !slices.Contains(claims[t], w) {
			claims[t] = append(claims[t], w)
		}
	}
	for _, w := range s.work {
		claim(s.forest.of[w.is.root], w)
		for k := range w.is.members {
			if t := s.forest.of[k]; t != nil && t.root.Key == k {
				claim(t, w)
			}
		}
	}
	bySubject := s.lost()
	for _, t := range s.forest.trees {
		if len(claims[t]) == 0 {
			if w := bySubject[string(t.root.Subject)]; w != nil {
				claim(t, w)
			}
		}
	}
	has := map[*work]bool{}
	for _, ws := range claims {
		for _, w := range ws {
			has[w] = true
		}
	}
	last := map[*work]*tree{}
	for _, w := range s.work {
		if w.rootGone() && !has[w] {
			last[w] = s.most(w, func(t *tree) bool { return len(claims[t]) == 0 })
		}
	}
	for _, w := range s.work {
		claim(last[w], w)
	}
	for _, t := range s.forest.trees {
		s.merge(claims[t])
	}
	for t, ws := range claims {
		s.owner[t] = ws[0].heir()
	}
}

// lost returns, by subject, the oldest incident that has just lost a paging finding on it.
func (s *stepper) lost() map[string]*work {
	out := map[string]*work{}
	for _, w := range s.work {
		for k, m := range w.is.members {
			if at := string(subject(k)); m.paging && !m.gone.IsZero() && out[at] == nil {
				out[at] = w
			}
		}
	}
	return out
}

// most returns the tree, of those that are free, that has most of w's findings; nil: none has any.
func (s *stepper) most(w *work, free func(*tree) bool) *tree {
	count := map[*tree]int{}
	for k := range w.is.members {
		if t := s.forest.of[k]; t != nil && free(t) {
			count[t]++
		}
	}
	var best *tree
	for _, t := range s.forest.trees { // worst first
		if count[t] > 0 && (best == nil || count[t] > count[best]) {
			best = t
		}
	}
	return best
}

// heir is the incident that w is part of now; itself where it is not merged.
func (w *work) heir() *work {
	for w.into != nil {
		w = w.into
	}
	return w
}

// merge makes the claimants of one tree one incident: the oldest, or what that is part of.
func (s *stepper) merge(claimants []*work) {
	for i := range claimants {
		if i == 0 {
			continue
		}
		a, b := claimants[0].heir(), claimants[i].heir()
		switch c := older(a.is, b.is); {
		case c < 0:
			b.into = a
		case c > 0:
			a.into = b
		}
	}
}

// begin opens an incident for a tree.
func (s *stepper) begin(t *tree, id ID) {
	w := &work{is: &tracked{id: id, root: t.root.Key, opened: s.now, members: map[finding.Key]member{}}}
	s.work = append(s.work, w)
	s.owner[t] = w
}

// gather moves each finding to the incident that owns its tree. A finding whose tree nobody owns stays where it paged.
func (s *stepper) gather() {
	stays := map[finding.Key]*work{}
	for _, w := range s.work {
		heir := w.heir()
		if heir != w {
			heir.absorbed = append(heir.absorbed, w)
		}
		for _, k := range slices.Sorted(maps.Keys(w.is.members)) {
			m := w.is.members[k]
			t := s.forest.of[k]
			o := s.owner[t]
			switch {
			case o != nil && o != heir:
				if w.rootGone() {
					w.is.partOf = o.is.id
				}
				delete(w.is.members, k)
				o.is.members[k] = m // what has paged stays what has paged
				continue
			case t != nil && o == nil && !m.paging:
				delete(w.is.members, k)
				continue
			case t != nil && o == nil:
				stays[k] = heir
			}
			heir.is.members[k] = m
		}
	}
	for _, t := range s.forest.trees {
		for _, f := range t.findings {
			if o := cmp.Or(s.owner[t], stays[f.Key]); o != nil {
				o.is.members[f.Key] = member{severity: f.Severity, paging: f.Pages || o.is.members[f.Key].paging}
			}
		}
	}
}

// settle decides what the incident is after the step.
func (s *stepper) settle(w *work) {
	t := w.is
	if !t.live() {
		if t.quiet.IsZero() {
			t.quiet = s.now
		}
		w.over = s.past(t.quiet)
		return
	}
	t.quiet = time.Time{}
	root := s.root(w)
	for k, m := range t.members {
		if !m.gone.IsZero() && s.past(m.gone) {
			delete(t.members, k)
		}
	}
	worst := finding.Info
	for _, m := range t.members {
		worst = max(worst, m.severity)
	}
	if f := s.forest.at[root]; f != nil {
		t.last = *f
		if w.was == nil || root != t.root || worst != t.severity {
			t.title = cmp.Or(cut(f.Summary, whole.text), string(f.Key))
		}
		t.partOf = ""
	}
	t.root, t.severity = root, worst
}

// live reports whether a finding that pages, or has paged, stands.
func (t *tracked) live() bool {
	for _, m := range t.members {
		if m.paging && m.gone.IsZero() {
			return true
		}
	}
	return false
}

// past reports whether a hold that began then is over.
func (s *stepper) past(since time.Time) bool { return s.now.Sub(since) >= s.hold }

// root returns the incident's root finding now. A new cause is taken up at once; when a cause goes and leaves
// consequences behind, these may be about to go too: it stays until its hold is over.
func (s *stepper) root(w *work) finding.Key {
	if t := s.forest.of[w.is.root]; t != nil && s.owner[t] == w {
		return t.root.Key
	}
	m, has := w.is.members[w.is.root]
	if has && m.gone.IsZero() {
		return w.is.root
	}
	left := has && !s.past(m.gone) // the root is, so far, only missed
	for _, t := range s.forest.trees {
		if s.owner[t] == w && (!left || !w.had(t.root.Key)) {
			return t.root.Key
		}
	}
	return w.is.root
}

// had reports whether the finding was the incident's, or of one that is part of it now, before the step.
func (w *work) had(k finding.Key) bool {
	if w.was != nil {
		if _, has := w.was.members[k]; has {
			return true
		}
	}
	return slices.ContainsFunc(w.absorbed, func(a *work) bool { return a.had(k) })
}

// maxKeys is how many findings one Change names; more are further changes.
const maxKeys = 500

// changes says what became of the incident.
func (s *stepper) changes(w *work) []Change {
	t := w.is
	c := Change{ID: t.id, Root: t.root, Severity: t.severity, Title: t.title, Opened: t.opened}
	switch {
	case w.into != nil:
		heir := w.heir().is
		c.What, c.Resolved, c.PartOf = Merged, s.now, heir.id
		c.Notice = s.resolved(w, c, "part of "+string(heir.id))
		return []Change{c}
	case w.over:
		c.What, c.Resolved, c.PartOf = Resolved, s.now, t.partOf
		why := "resolved"
		if t.partOf != "" {
			why = "what is left is part of " + string(t.partOf)
		}
		c.Notice = s.resolved(w, c, why)
		return []Change{c}
	case w.was == nil:
		c.What = Opened
		c.Added, c.Paging = t.keys(), t.paging(nil)
		c.Notice = s.told(w, "opened")
		return split(c)
	}
	c.What = Changed
	c.Added, c.Removed, c.Paging = added(t, w.was), added(w.was, t), t.paging(w.was)
	if why := w.news(); why != "" {
		c.Notice = s.told(w, why)
	}
	same := t.root == w.was.root && t.severity == w.was.severity && t.title == w.was.title
	if same && c.Notice == nil && len(c.Added)+len(c.Removed)+len(c.Paging) == 0 {
		return nil
	}
	return split(c)
}

// news is what people are to be told of an open incident that was open before; empty: nothing.
func (w *work) news() string {
	var why []string
	if w.is.severity > w.was.severity {
		why = append(why, fmt.Sprintf("severity raised from %s to %s", w.was.severity, w.is.severity))
	}
	if w.is.root != w.was.root {
		why = append(why, moved(w.was.root, w.is.root))
	}
	for _, a := range w.absorbed {
		why = append(why, string(a.is.id)+" is part of it")
	}
	return strings.Join(why, "; ")
}

// moved says in words what the root became.
func moved(from, to finding.Key) string {
	was, at := parse(from)
	is, now := parse(to)
	if at == now {
		return fmt.Sprintf("%s became %s", was, is)
	}
	return fmt.Sprintf("cause moved from %s to %s", from, to)
}

// added are a's findings that b lacks, a's root first.
func added(a, b *tracked) []finding.Key {
	return slices.DeleteFunc(a.keys(), func(k finding.Key) bool {
		_, has := b.members[k]
		return has
	})
}

// paging are the findings that keep t open and did not in was; nil: all that do.
func (t *tracked) paging(was *tracked) []finding.Key {
	return slices.DeleteFunc(t.keys(), func(k finding.Key) bool {
		return !t.members[k].paging || was != nil && was.members[k].paging
	})
}

// split cuts a change into entries of a bounded size; the first has the notice.
func split(c Change) []Change {
	out := []Change{c}
	out[0].Added, out[0].Removed, out[0].Paging = nil, nil, nil
	for len(c.Added)+len(c.Removed)+len(c.Paging) > 0 {
		part := &out[len(out)-1]
		if len(part.Added)+len(part.Removed)+len(part.Paging) > 0 {
			more := Change{What: Changed, ID: c.ID, Root: c.Root, Severity: c.Severity, Title: c.Title, Opened: c.Opened}
			out = append(out, more)
			part = &out[len(out)-1]
		}
		part.Removed, c.Removed = take(c.Removed)
		part.Added, c.Added = take(c.Added)
		if len(c.Added) == 0 { // all that pages is added by now
			part.Paging, c.Paging = take(c.Paging)
		}
	}
	return out
}

// take cuts the first maxKeys off.
func take(keys []finding.Key) (some, rest []finding.Key) {
	n := min(maxKeys, len(keys))
	return keys[:n], keys[n:]
}

// told makes the notice of an open incident.
func (s *stepper) told(w *work, why string) *Notice {
	n := &Notice{At: s.now, Why: why, Incident: w.is.incident(), Root: w.rootFinding()}
	n.Findings = append(n.Findings, n.Root)
	var rest []*finding.Finding
	for k := range w.is.members {
		if f := s.forest.at[k]; f != nil && k != w.is.root {
			rest = append(rest, f)
		}
	}
	slices.SortFunc(rest, worse)
	for _, f := range rest {
		if len(n.Findings) == MaxTold {
			n.More = len(rest) + 1 - MaxTold
			break
		}
		n.Findings = append(n.Findings, *small.of(f))
	}
	return n
}

// resolved makes the notice of an incident that is over.
func (s *stepper) resolved(w *work, c Change, why string) *Notice {
	i := w.is.incident()
	i.Resolved, i.PartOf = c.Resolved, c.PartOf
	root := w.rootFinding()
	return &Notice{At: s.now, Why: why, Incident: i, Root: root, Findings: []finding.Finding{root}}
}

func (w *work) rootFinding() finding.Finding {
	if w.is.last.Key == w.is.root {
		return *whole.of(&w.is.last)
	}
	return fromKey(w.is.root, w.is.incident())
}
