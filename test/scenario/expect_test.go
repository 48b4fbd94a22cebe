package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

func (w *world) expect(s string) error {
	what, rest, _ := strings.Cut(s, " ")
	switch what {
	case "group":
		return w.expectGroup(rest)
	case "service":
		return w.expectService(rest)
	case "neighbours":
		return w.expectNeighbours(rest)
	case "cables":
		return w.expectCables(rest)
	case "finding":
		return w.expectFinding(rest)
	case "no":
		return w.expectNone(rest)
	case "pages":
		return w.expectPages(rest)
	case "load":
		return w.expectLoad(rest)
	case "room":
		return w.expectRoom(rest)
	case "not-given":
		return w.expectNotGiven(rest)
	case "asked":
		return same("asked", list(strings.TrimPrefix(rest, "nothing")), slices.Sorted(maps.Keys(w.asked)))
	}
	return fmt.Errorf("nothing is expected of a %s", what)
}

func same(what string, want, got []string) error {
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("%s: %s; want %s", what, strings.Join(got, ", "), strings.Join(want, ", "))
	}
	return nil
}

func show[T any](p *T) string {
	if p == nil {
		return "unknown"
	}
	return fmt.Sprint(*p)
}

func (w *world) expectGroup(s string) error {
	f := words(s, "spares", "worst", "needed", "basis", "unverified", "predicted", "of full")
	id, state, _ := strings.Cut(f[""], " ")
	i := slices.IndexFunc(w.report.Groups, func(g *engine.Group) bool { return g.ID == component.ID(id) })
	if i < 0 {
		if state == "unjudged" {
			return nil
		}
		return fmt.Errorf("there is no group %s", id)
	}
	g := w.report.Groups[i]
	if g.State.String() != state {
		return fmt.Errorf("%s is %s, want %s (spares %s of %s, %d needed of %d, %s)", id, g.State, state, show(g.Spares), show(g.SparesFull), g.Needed, g.Designed, g.Why)
	}
	return firstError(
		check("spares", f, show(g.Spares)),
		check("of full", f, show(g.SparesFull)),
		check("worst", f, strings.TrimSpace(show(g.StateWorst)+" "+show(g.SparesWorst))),
		check("needed", f, fmt.Sprintf("%d of %d", g.Needed, g.Designed)),
		check("basis", f, string(g.Basis)),
		check("predicted", f, show(g.Predicted)),
		check("unverified", f, join(g.Unverified)),
	)
}

func join(ids []component.ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

func check(key string, want map[string]string, got string) error {
	if w, asked := want[key]; asked && w != got {
		return fmt.Errorf("%s %s, want %s", key, got, w)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) expectService(s string) error {
	f := words(s, "spares", "worst", "power", "cooling", "network", "storage", "compute", "predicted", "weakest", "unverified")
	name, state, _ := strings.Cut(f[""], " ")
	i := slices.IndexFunc(w.report.Services, func(v *engine.Service) bool { return v.Name == name })
	if i < 0 {
		return fmt.Errorf("there is no service %s", name)
	}
	v := w.report.Services[i]
	if v.State.String() != state {
		return fmt.Errorf("%s is %s, want %s (%s; %s)", name, v.State, state, v.Left(), v.WeakestLink())
	}
	errs := []error{
		check("spares", f, show(v.Spares)), check("predicted", f, show(v.Predicted)), check("unverified", f, join(v.Unverified)),
		check("worst", f, strings.TrimSpace(show(v.StateWorst)+" "+show(v.SparesWorst))),
	}
	for _, d := range component.Domains() {
		got := "none"
		if by, ok := v.By[d]; ok {
			got = show(by.Spares)
		}
		errs = append(errs, check(string(d), f, got))
	}
	var sets []string
	for _, set := range v.Weakest {
		sets = append(sets, strings.ReplaceAll(join(set), ", ", " + "))
	}
	errs = append(errs, check("weakest", f, strings.Join(sets, ", ")))
	return firstError(errs...)
}

func (w *world) finding(key string) *finding.Finding {
	for i := range w.report.Findings {
		if w.report.Findings[i].Key == finding.Key(key) {
			return &w.report.Findings[i]
		}
	}
	return nil
}

func (w *world) all() string {
	var keys []string
	for _, f := range w.report.Findings {
		key := string(f.Key)
		if f.Under != "" {
			key += " (under " + string(f.Under) + ")"
		}
		keys = append(keys, key)
	}
	return strings.Join(keys, "\n\t\t")
}

func (w *world) expectFinding(s string) error {
	texts := quoted.FindAllStringSubmatch(s, -1)
	s = strings.TrimSpace(quoted.ReplaceAllString(s, ""))
	f := words(s, "under", "since")
	key, rest, _ := strings.Cut(f[""], " ")
	got := w.finding(key)
	if got == nil {
		return fmt.Errorf("there is no finding %s; there are\n\t\t%s", key, w.all())
	}
	for _, word := range strings.Fields(rest) {
		switch {
		case word == "pages" && !got.Pages:
			return fmt.Errorf("%s does not page", key)
		case word == "quiet" && got.Pages:
			return fmt.Errorf("%s pages", key)
		case word != "pages" && word != "quiet" && word != got.Severity.String():
			return fmt.Errorf("%s is of severity %s, want %s", key, got.Severity, word)
		}
	}
	whole := tell(got)
	for _, t := range texts {
		if !strings.Contains(whole, t[1]) {
			return fmt.Errorf("%s does not say %q; it says\n%s", key, t[1], whole)
		}
	}
	return firstError(check("under", f, string(got.Under)), check("since", f, got.Since.Format("15:04:05")))
}

// tell is a finding as a person reads it.
func tell(f *finding.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\t\t%s\n", f.Summary)
	for _, c := range f.Causes {
		fmt.Fprintf(&b, "\t\tcause: %s %s\n", c.ID, c.Why)
	}
	for _, ev := range f.Evidence {
		fmt.Fprintf(&b, "\t\tseen: %s\n", ev)
	}
	fmt.Fprintf(&b, "\t\tdo: %s\n", f.Remedy)
	for _, i := range f.Impacts {
		fmt.Fprintf(&b, "\t\tservice %s: %s\n", i.Service, engine.Left(i))
	}
	return b.String()
}

func (w *world) expectNone(s string) error {
	what, key, _ := strings.Cut(s, " ")
	if what != "finding" {
		return fmt.Errorf("expect no finding KEY")
	}
	for i := range w.report.Findings {
		if k := string(w.report.Findings[i].Key); k == key || strings.HasSuffix(key, ":*") && strings.HasPrefix(k, strings.TrimSuffix(key, "*")) {
			return fmt.Errorf("there is %s:\n%s", k, tell(&w.report.Findings[i]))
		}
	}
	return nil
}

func (w *world) expectPages(s string) error {
	var keys []string
	for _, f := range w.report.Findings {
		if f.Pages {
			keys = append(keys, string(f.Key))
		}
	}
	want := list(s)
	if s == "nothing" {
		want = nil
	}
	return same("pages", want, keys)
}

func (w *world) ids(s string) []component.ID {
	var ids []component.ID
	for _, name := range list(s) {
		ids = append(ids, component.ID(name))
	}
	return ids
}

func (w *world) gate(s string) error {
	texts := quoted.FindAllStringSubmatch(s, -1)
	s = strings.TrimSpace(quoted.ReplaceAllString(s, ""))
	what, verdict, _ := strings.Cut(s, ":")
	what, strict := strings.CutSuffix(what, " strict")
	g, err := w.engine.Gate(w.ids(what), strict)
	if err != nil {
		if len(texts) > 0 && strings.Contains(err.Error(), texts[0][1]) {
			return nil
		}
		return err
	}
	whole := strings.Join(g.Reasons, "\n") + "\npresumed: " + join(g.Presumed) + "\nsettle: " + strings.Join(g.Settle, "; ")
	if got := fmt.Sprint(g.Verdict); got != strings.TrimSpace(verdict) {
		return fmt.Errorf("gate says %s, want %s: %s", got, verdict, whole)
	}
	for _, t := range texts {
		if !strings.Contains(whole, t[1]) {
			return fmt.Errorf("gate does not say %q; it says %s", t[1], whole)
		}
	}
	return nil
}

func (w *world) simulate(s string) error {
	what, want, _ := strings.Cut(s, ":")
	sim, err := w.engine.Simulate(w.ids(what))
	if err != nil {
		return err
	}
	f := words(strings.TrimSpace(want), "service", "group", "spares", "power", "network", "storage", "compute")
	changes, name := sim.Services, f["service"]
	if f["group"] != "" {
		changes, name = sim.Groups, f["group"]
	}
	name, state, _ := strings.Cut(name, " ")
	i := slices.IndexFunc(changes, func(c engine.Change) bool { return c.Name == name || c.ID == component.ID(name) })
	if i < 0 {
		if state == "unchanged" {
			return nil
		}
		return fmt.Errorf("%s does not change: %+v", name, changes)
	}
	after := changes[i].After
	errs := []error{check("spares", f, show(after.Spares))}
	if after.State.String() != state {
		return fmt.Errorf("%s would be %s, want %s", name, after.State, state)
	}
	for _, d := range component.Domains() {
		errs = append(errs, check(string(d), f, show(after.By[d].Spares)))
	}
	return firstError(errs...)
}

func (w *world) expectCables(s string) error {
	var got []string
	for _, c := range w.report.Cables {
		is := "heard"
		switch {
		case c.Contradicted:
			is = "contradicted"
		case c.Declared:
			is = "unheard"
		}
		got = append(got, fmt.Sprintf("%s %s %s", c.From, c.To, is))
	}
	if want := list(s); !slices.Equal(got, want) && (s != "nothing" || len(got) > 0) {
		return fmt.Errorf("these differ: %s", strings.Join(got, ", "))
	}
	return nil
}

func (w *world) expectNeighbours(s string) error {
	var got []string
	for _, l := range w.report.Neighbours {
		got = append(got, fmt.Sprintf("%s %s", l.From, l.To))
	}
	if want := list(s); !slices.Equal(got, want) {
		return fmt.Errorf("these hear each other: %s", strings.Join(got, ", "))
	}
	return nil
}
