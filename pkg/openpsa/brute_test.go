package openpsa

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plainTree is a fault tree as the slow version sees it: text for the reader, and a function of a set of events. Gates name
// events, house events, gates that come later, and formulas within formulas.
type plainTree struct {
	events int
	gates  []*plainFormula
	chance []float64
}

type plainFormula struct {
	op       string // of the format; "event", "gate", "house" with number
	number   int
	min, max int
	of       []*plainFormula
}

func drawTree(rng *rand.Rand) *plainTree {
	t := &plainTree{events: 2 + rng.IntN(7)}
	for range t.events {
		t.chance = append(t.chance, rng.Float64())
	}
	gates := 1 + rng.IntN(5)
	coherent := rng.IntN(3) == 0
	for g := range gates {
		t.gates = append(t.gates, t.draw(rng, g, gates, 0, coherent))
	}
	return t
}

func (t *plainTree) draw(rng *rand.Rand, g, gates, deep int, coherent bool) *plainFormula {
	if deep > 0 {
		switch x := rng.IntN(10); {
		case x < 5 || deep > 2:
			return &plainFormula{op: "event", number: rng.IntN(t.events)}
		case x < 8 && g+1 < gates:
			return &plainFormula{op: "gate", number: g + 1 + rng.IntN(gates-g-1)}
		case x == 8:
			return &plainFormula{op: "house", number: rng.IntN(2)}
		}
	}
	ops := []string{"or", "and", "atleast"}
	if !coherent {
		ops = append(ops, "not", "nor", "nand", "xor", "imply", "iff", "cardinality")
	}
	f := &plainFormula{op: ops[rng.IntN(len(ops))]}
	n := 2 + rng.IntN(3)
	switch f.op {
	case "not":
		n = 1
	case "imply", "iff", "xor":
		n = 2
	case "atleast":
		f.min = rng.IntN(n + 1)
	case "cardinality":
		f.min = rng.IntN(n + 1)
		f.max = f.min + rng.IntN(n-f.min+1)
	}
	for range n {
		f.of = append(f.of, t.draw(rng, g, gates, deep+1, coherent))
	}
	return f
}

// is evaluates a formula by definition.
func (t *plainTree) is(f *plainFormula, happened uint) bool {
	switch f.op {
	case "event":
		return happened>>f.number&1 == 1
	case "gate":
		return t.is(t.gates[f.number], happened)
	case "house":
		return f.number == 1
	}
	n := 0
	for _, o := range f.of {
		if t.is(o, happened) {
			n++
		}
	}
	switch f.op {
	case "or":
		return n > 0
	case "and":
		return n == len(f.of)
	case "nor":
		return n == 0
	case "nand":
		return n < len(f.of)
	case "not":
		return n == 0
	case "xor":
		return n == 1
	case "iff":
		return n != 1
	case "imply":
		return !t.is(f.of[0], happened) || t.is(f.of[1], happened)
	case "atleast":
		return n >= f.min
	}
	return n >= f.min && n <= f.max
}

func (f *plainFormula) write(s *strings.Builder, rng *rand.Rand) {
	switch f.op {
	case "event":
		fmt.Fprintf(s, []string{`<basic-event name="e%d"/>`, `<event name="e%d" type="basic-event"/>`, `<event name="e%d"/>`}[rng.IntN(3)], f.number)
		return
	case "gate":
		fmt.Fprintf(s, `<gate name="g%d"/>`, f.number)
		return
	case "house":
		if rng.IntN(2) == 0 {
			fmt.Fprintf(s, `<constant value="%v"/>`, f.number == 1)
		} else {
			fmt.Fprintf(s, `<house-event name="h%d"/>`, f.number)
		}
		return
	}
	s.WriteString("<" + f.op)
	if f.op == "atleast" || f.op == "cardinality" {
		fmt.Fprintf(s, ` min="%d"`, f.min)
	}
	if f.op == "cardinality" {
		fmt.Fprintf(s, ` max="%d"`, f.max)
	}
	s.WriteString(">")
	for _, o := range f.of {
		o.write(s, rng)
	}
	s.WriteString("</" + f.op + ">")
}

func (t *plainTree) text(rng *rand.Rand) string {
	var s strings.Builder
	for _, g := range rng.Perm(len(t.gates)) {
		fmt.Fprintf(&s, `<define-gate name="g%d">`, g)
		t.gates[g].write(&s, rng)
		s.WriteString(`</define-gate>`)
	}
	s.WriteString(`<define-house-event name="h0"><constant value="false"/></define-house-event><define-house-event name="h1"><constant value="true"/></define-house-event>`)
	for e, p := range t.chance {
		fmt.Fprintf(&s, `<define-basic-event name="e%d"><float value="%v"/></define-basic-event>`, e, p)
	}
	return tree(s.String())
}

// cuts are the smallest sets of events that suffice while nothing else happens, written as sets does.
func (t *plainTree) cuts() string {
	var minimal []uint
	var all []uint
	for set := range uint(1) << t.events {
		all = append(all, set)
	}
	slices.SortStableFunc(all, func(a, b uint) int { return bits.OnesCount(a) - bits.OnesCount(b) })
	for _, set := range all {
		if t.is(t.gates[0], set) && !slices.ContainsFunc(minimal, func(m uint) bool { return m&set == m }) {
			minimal = append(minimal, set)
		}
	}
	var words []string
	for _, set := range minimal {
		var names []string
		for e := range t.events {
			if set>>e&1 == 1 {
				names = append(names, fmt.Sprintf("e%d", e))
			}
		}
		words = append(words, strings.Join(names, "+"))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// probability is that of the top, with one event certain to happen or not, if it is one.
func (t *plainTree) probability(event int, happens bool) float64 {
	sum := 0.0
	for set := range uint(1) << t.events {
		if !t.is(t.gates[0], set) {
			continue
		}
		p := 1.0
		for e, chance := range t.chance {
			if e == event {
				chance = 0
				if happens {
					chance = 1
				}
			}
			if set>>e&1 == 1 {
				p *= chance
			} else {
				p *= 1 - chance
			}
		}
		sum += p
	}
	return sum
}

// Random trees of every kind of gate, nested and shared, with constants and negations: cut sets, probability and
// importances are those of trying every set of events.
func TestTreesAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	coherent := 0
	for range 1500 {
		plain := drawTree(rng)
		text := plain.text(rng)
		m := read(t, text)
		top, _ := m.Gate("g0")
		if m.Tree.Coherent(top.Ref) {
			coherent++
		}
		words := strings.Fields(sets(m, top.Ref))
		slices.Sort(words)
		if got, want := strings.Join(words, " "), plain.cuts(); got != want {
			t.Fatalf("%s: %q, want %q", text, got, want)
		}
		c, err := m.Tree.Compile(top.Ref, 0)
		if err != nil {
			t.Fatal(err)
		}
		p, by := c.Importances(func(e int) float64 { return m.Events[e].Probability })
		want := plain.probability(-1, false)
		if math.Abs(p-want) > 1e-12 {
			t.Fatalf("%s: probability %v, want %v", text, p, want)
		}
		for i, e := range m.Events {
			var number int
			if _, err := fmt.Sscanf(e.Name, "e%d", &number); err != nil {
				t.Fatal(err)
			}
			with, without := plain.probability(number, true), plain.probability(number, false)
			if math.Abs(by[i].Birnbaum-(with-without)) > 1e-12 {
				t.Fatalf("%s: Birnbaum of %s %v, want %v", text, e.Name, by[i].Birnbaum, with-without)
			}
			if want == 0 {
				continue
			}
			if math.Abs(by[i].FussellVesely-(1-without/want)) > 1e-9 || math.Abs(by[i].Achievement-with/want) > 1e-9 {
				t.Fatalf("%s: %s %+v, want %v and %v", text, e.Name, by[i], 1-without/want, with/want)
			}
			if got := by[i].Reduction(); without > 1e-9 && math.Abs(got*without/want-1) > 1e-6 {
				t.Fatalf("%s: reduction worth of %s %v, want %v", text, e.Name, got, want/without)
			}
		}
	}
	if coherent < 200 || coherent > 1300 {
		t.Errorf("%d of 1500 trees are coherent", coherent)
	}
}

const threePumps = `<define-gate name="top"><and><basic-event name="a"/><basic-event name="b"/><basic-event name="c"/></and></define-gate>
	<define-CCF-group name="pumps" model="%s"><members><basic-event name="a"/><basic-event name="b"/><basic-event name="c"/></members>
	<distribution><float value="0.1"/></distribution><factors>%s</factors></define-CCF-group>`

// What the models make of three pumps, of which each fails with probability 0.1 whatever the model.
func TestCommonCauses(t *testing.T) {
	factor := func(level int, x float64) string {
		return fmt.Sprintf(`<factor level="%d"><float value="%v"/></factor>`, level, x)
	}
	for _, c := range []struct {
		model, factors string
		want           [4]float64 // by how many fail together
	}{
		{"beta-factor", factor(3, 0.2), [4]float64{0, 0.08, 0, 0.02}},
		{"MGL", factor(2, 0.2) + factor(3, 0.1), [4]float64{0, 0.08, 0.1 / 2 * 0.2 * 0.9, 0.1 * 0.2 * 0.1}},
		{"MGL", factor(2, 0.2), [4]float64{0, 0.08, 0.1 / 2 * 0.2, 0}},
		{"alpha-factor", factor(1, 0.7) + factor(2, 0.2) + factor(3, 0.1), [4]float64{0, 0.7 / 1.4 * 0.1, 2. / 2 * 0.2 / 1.4 * 0.1, 3 * 0.1 / 1.4 * 0.1}},
		{"phi-factor", factor(1, 0.7) + factor(2, 0.1) + factor(3, 0.1), [4]float64{0, 0.07, 0.01, 0.01}},
	} {
		text := tree(fmt.Sprintf(threePumps, c.model, c.factors))
		m, err := Read(strings.NewReader(text), Options{CommonCauses: true})
		if err != nil {
			t.Fatal(err)
		}
		total := map[byte]float64{}
		for _, e := range m.Events {
			names := strings.Trim(strings.ReplaceAll(e.Name, " ", ""), "[]")
			if math.Abs(e.Probability-c.want[len(names)]) > 1e-15 || e.Unknown != "" {
				t.Errorf("%s: %+v, want %v", c.model, e, c.want[len(names)])
			}
			for i := range names {
				total[names[i]] += e.Probability
			}
		}
		if math.Abs(total['a']-0.1) > 1e-12 || len(total) != 3 {
			t.Errorf("%s: a fails with probability %v", c.model, total['a'])
		}
		cuts := m.Tree.MinCuts(m.Tops[0].Ref, 0, 0)
		if first := cuts.Smallest(1); c.want[3] > 0 && (len(first) != 1 || len(first[0]) != 1) {
			t.Errorf("%s: %v", c.model, first)
		}
		m = read(t, text) // not applied: three independent events, and it is known that there is a group
		if len(m.Events) != 3 || m.Events[0].Probability != 0.1 || !slices.Equal(m.CommonCauses, []string{"pumps (" + c.model + " of 3)"}) {
			t.Errorf("%s: %+v %v", c.model, m.Events, m.CommonCauses)
		}
	}
}

func TestCommonCauseMistakes(t *testing.T) {
	one := `<factor level="3"><float value="0.1"/></factor>`
	for text, want := range map[string]string{
		fmt.Sprintf(threePumps, "gamma", one):                                                       `model "gamma" is none of beta-factor, MGL, alpha-factor, phi-factor`,
		fmt.Sprintf(threePumps, "beta-factor", one+`<factor level="2"><float value="1"/></factor>`): "a beta-factor group of 3 has one factor, of level 3",
		fmt.Sprintf(threePumps, "MGL", one):                                                         "the factors of 3 members are not those of levels 2 to 3 or less",
		fmt.Sprintf(threePumps, "alpha-factor", `<factor level="x"/>`):                              "factor is no factor with one expression",
		fmt.Sprintf(threePumps, "beta-factor", one) + strings.ReplaceAll(fmt.Sprintf(threePumps, "beta-factor", one), `name="top"`, `name="top2"`): "basic event a is in the common cause groups pumps and pumps",
		`<define-CCF-group name="x" model="MGL"><members/></define-CCF-group>`:                                                                     "common cause group x without a distribution",
		`<define-CCF-group name="x" model="MGL"><members/><distribution><float value="1"/></distribution></define-CCF-group>`:                      "common cause group x has 0 members, not two or more",
	} {
		_, err := Read(strings.NewReader(tree(text)), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
