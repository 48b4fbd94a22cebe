package openpsa

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

func read(t *testing.T, text string) *Model {
	t.Helper()
	m, err := Read(strings.NewReader(text), Options{MissionTime: 100})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tree wraps definitions as a file.
func tree(definitions string) string {
	return `<?xml version="1.0"?><opsa-mef><define-fault-tree name="ft">` + definitions + `</define-fault-tree></opsa-mef>`
}

// sets are the minimal cut sets of a gate as "a+b c", sorted.
func sets(m *Model, top redundancy.Ref) string {
	var all []string
	for cut := range m.Tree.MinCuts(top, 0, 0).All() {
		var names []string
		for _, e := range cut {
			names = append(names, m.Events[e].Name)
		}
		slices.Sort(names)
		all = append(all, strings.Join(names, "+"))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestFormulas(t *testing.T) {
	const abc = `<basic-event name="a"/><basic-event name="b"/><basic-event name="c"/>`
	for _, c := range []struct{ formula, want string }{
		{`<basic-event name="a"/>`, "a"},
		{`<event name="a" type="basic-event"/>`, "a"},
		{`<or>` + abc + `</or>`, "a b c"},
		{`<and>` + abc + `</and>`, "a+b+c"},
		{`<atleast min="2">` + abc + `</atleast>`, "a+b a+c b+c"},
		{`<atleast min="0">` + abc + `</atleast>`, ""},
		{`<cardinality min="2" max="3">` + abc + `</cardinality>`, "a+b a+c b+c"},
		{`<cardinality min="1" max="2">` + abc + `</cardinality>`, "a b c"},
		{`<xor>` + abc + `</xor>`, "a b c"},
		{`<xor><basic-event name="a"/><basic-event name="b"/></xor>`, "a b"},
		{`<iff><basic-event name="a"/><basic-event name="b"/></iff>`, ""},
		{`<not><nor>` + abc + `</nor></not>`, "a b c"},
		{`<not><nand>` + abc + `</nand></not>`, "a+b+c"},
		{`<not><imply><basic-event name="a"/><not><basic-event name="b"/></not></imply></not>`, "a+b"},
		{`<and><or><basic-event name="a"/><basic-event name="b"/></or><not><basic-event name="a"/></not></and>`, "b"},
		{`<or><basic-event name="a"/><constant value="false"/></or>`, "a"},
		{`<or><basic-event name="a"/><house-event name="on"/></or>`, ""},
		{`<and><basic-event name="a"/><house-event name="on"/></and>`, "a"},
		{`<and><basic-event name="a"/><event name="on"/></and>`, "a"},
		{`<or><basic-event name="a"/><event name="off" type="house-event"/></or>`, "a"},
		{`<or><basic-event name="a"/><gate name="other"/></or>`, "a b+c"},
		{`<or><basic-event name="a"/><event name="other"/></or>`, "a b+c"},
		{`<or><event name="a"/><event name="c"/></or>`, "a c"},
		{`<label>text</label><or><basic-event name="a"/><basic-event name="b"/></or>`, "a b"},
	} {
		m := read(t, tree(`
			<label>a tree</label>
			<define-gate name="top">`+c.formula+`</define-gate>
			<define-gate name="other"><and><basic-event name="b"/><basic-event name="c"/></and></define-gate>
			<define-house-event name="on"><constant value="true"/></define-house-event>
			<define-house-event name="off"/>
			<define-basic-event name="a"><float value="0.5"/></define-basic-event>
			<define-basic-event name="c"/>`))
		top, ok := m.Gate("top")
		if !ok {
			t.Fatal("no top")
		}
		if got := sets(m, top.Ref); got != c.want {
			t.Errorf("%s: %q, want %q", c.formula, got, c.want)
		}
	}
}

func TestModel(t *testing.T) {
	m := read(t, `<opsa-mef name="plant"><define-fault-tree name="ft">
		<define-gate name="top"><or><gate name="below"/><basic-event name="a"/></or></define-gate>
		<define-gate name="below"><and><basic-event name="b"/><basic-event name="c"/></and></define-gate>
		<define-gate name="alone"><basic-event name="c"/></define-gate>
		</define-fault-tree><define-rule name="x"/><define-rule name="y"/>
		<define-event-tree name="et"/>
		<model-data><define-basic-event name="b"><float value="1e-3"/></define-basic-event></model-data></opsa-mef>`)
	if m.Name != "plant" || len(m.Gates) != 3 {
		t.Errorf("name %q, %d gates", m.Name, len(m.Gates))
	}
	if len(m.Tops) != 2 || m.Tops[0].Name != "top" || m.Tops[1].Name != "alone" {
		t.Errorf("tops %v", m.Tops)
	}
	if want := []string{"define-rule", "define-event-tree"}; !slices.Equal(m.Ignored, want) {
		t.Errorf("ignored %v", m.Ignored)
	}
	names := map[string]string{}
	for _, e := range m.Events {
		names[e.Name] = e.Unknown
	}
	if len(m.Events) != 3 || names["b"] != "" || names["a"] != "not defined" {
		t.Errorf("events %+v", m.Events)
	}
	if read(t, tree(`<define-gate name="g"><event name="g2" type="gate"/></define-gate>
		<define-gate name="g2"><constant value="true"/></define-gate>`)).Name != "ft" {
		t.Error("a model with one tree and no name of its own has the tree's")
	}
}

// What is private to a component is found from inside it before what is public.
func TestScopes(t *testing.T) {
	m := read(t, tree(`
		<define-gate name="top"><or><gate name="pump.start"/><basic-event name="x"/><gate name="shown"/></or></define-gate>
		<define-basic-event name="x"><float value="0.1"/></define-basic-event>
		<define-component name="pump" role="private">
			<define-gate name="start"><and><basic-event name="x"/><basic-event name="y"/></and></define-gate>
			<define-basic-event name="x"><float value="0.2"/></define-basic-event>
			<define-component name="motor">
				<define-gate name="turn"><and><basic-event name="x"/><basic-event name="ft.x"/></and></define-gate>
			</define-component>
		</define-component>
		<define-component name="valve">
			<define-gate name="shown"><and><basic-event name="x"/><gate name="hidden"/></and></define-gate>
			<define-gate name="hidden" role="private"><basic-event name="z"/></define-gate>
		</define-component>`))
	if got, want := sets(m, m.Tops[0].Ref), "ft.pump.x+y x"; got != want {
		t.Errorf("top: %q, want %q", got, want)
	}
	if got, want := sets(m, m.Tops[1].Ref), "ft.pump.x+x"; m.Tops[1].Name != "ft.pump.motor.turn" || got != want {
		t.Errorf("%s: %q, want %q", m.Tops[1].Name, got, want)
	}
	if shown, ok := m.Gate("shown"); !ok || sets(m, shown.Ref) != "x+z" {
		t.Error("shown")
	}
}

func TestExpressions(t *testing.T) {
	for _, c := range []struct {
		expression string
		want       float64
	}{
		{`<float value="1.5e-3"/>`, 1.5e-3},
		{`<int value="1"/>`, 1},
		{`<bool value="true"/>`, 1},
		{`<mul><float value="0.5"/><float value="0.5"/><float value="0.5"/></mul>`, 0.125},
		{`<sub><float value="1"/><float value="0.25"/></sub>`, 0.75},
		{`<div><float value="1"/><pi/></div>`, 1 / math.Pi},
		{`<mean><float value="0.1"/><float value="0.3"/></mean>`, 0.2},
		{`<ite><lt><int value="1"/><int value="2"/></lt><float value="0.1"/><float value="0.2"/></ite>`, 0.1},
		{`<exponential><float value="1e-3"/><system-mission-time/></exponential>`, 1 - math.Exp(-0.1)},
		{`<exponential><parameter name="lambda"/><float value="10"/></exponential>`, 1 - math.Exp(-0.2)},
		{`<GLM><float value="0"/><float value="1e-3"/><float value="0"/><float value="100"/></GLM>`, 1 - math.Exp(-0.1)},
		{`<GLM><float value="0.3"/><float value="1e-3"/><float value="0.1"/><float value="1e9"/></GLM>`, 1e-3 / 0.101},
		{`<Weibull><float value="100"/><float value="2"/><float value="0"/><float value="50"/></Weibull>`, 1 - math.Exp(-0.25)},
		{`<uniform-deviate><float value="0.1"/><float value="0.3"/></uniform-deviate>`, 0.2},
		{`<lognormal-deviate><float value="1e-3"/><float value="3"/><float value="0.95"/></lognormal-deviate>`, 1e-3},
		{`<beta-deviate><float value="1"/><float value="3"/></beta-deviate>`, 0.25},
		{`<histogram><bin><float value="0.2"/><float value="1"/></bin><bin><float value="0.4"/><float value="1"/></bin></histogram>`, 0.2},
		{`<float value="x"/>`, math.NaN()},
		{`<float value="1.5"/>`, math.NaN()},
		{`<log><float value="-1"/></log>`, math.NaN()},
		{`<parameter name="circular"/>`, math.NaN()},
		{`<parameter name="missing"/>`, math.NaN()},
		{`<extern-function name="f"/>`, math.NaN()},
		{`<exponential><float value="1"/></exponential>`, math.NaN()},
		{`<histogram/>`, math.NaN()},
	} {
		m := read(t, tree(`<define-gate name="top"><basic-event name="a"/></define-gate>
			<define-basic-event name="a">`+c.expression+`</define-basic-event>
			<define-parameter name="lambda"><mul><parameter name="base"/><float value="2"/></mul></define-parameter>
			<define-parameter name="base"><float value="0.01"/></define-parameter>
			<define-parameter name="circular"><neg><parameter name="again"/></neg></define-parameter>
			<define-parameter name="again"><parameter name="circular"/></define-parameter>`))
		e := m.Events[0]
		if known := !math.IsNaN(c.want); known != (e.Unknown == "") || known && math.Abs(e.Probability-c.want) > 1e-12 {
			t.Errorf("%s: %g %q, want %g", c.expression, e.Probability, e.Unknown, c.want)
		}
	}
	m, err := Read(strings.NewReader(tree(`<define-gate name="top"><basic-event name="a"/></define-gate>
		<define-basic-event name="a"><system-mission-time/></define-basic-event>`)), Options{})
	if err != nil || m.Events[0].Unknown == "" {
		t.Errorf("without a mission time: %+v, %v", m, err)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, "holds no XML element: it is empty, or no Open-PSA file"},
		{`<fault-tree/>`, "line 1: the root element is fault-tree, not opsa-mef"},
		{`<opsa-mef><include file="other.xml"/></opsa-mef>`, "line 1: includes another file, which is not read"},
		{`<opsa-mef><define-whatever/></opsa-mef>`, "line 1: unknown element define-whatever"},
		{`<opsa-mef>`, "line 1: <opsa-mef> is not closed"},
		{`<opsa-mef></a>`, "line 1: </a> closes nothing"},
		{`<opsa-mef></opsa-mef></opsa-mef>`, "line 1: </opsa-mef> closes nothing"},
		{`<!DOCTYPE x [<!ENTITY y "z">]><opsa-mef/>`, "line 1: entities are not read"},
		{`<?xml version="1.0" encoding="KOI8-R"?><opsa-mef/>`, `encoding "KOI8-R" is not read`},
		{tree(`<define-gate name="a"/>`), "gate a has 0 formulas, not one"},
		{tree(`<define-gate><or/></define-gate>`), "define-gate without a name"},
		{tree(`<define-gate name="a"><or/></define-gate>`), "or of nothing"},
		{tree(`<define-gate name="a"><maybe><basic-event name="b"/></maybe></define-gate>`), "unknown formula maybe"},
		{tree(`<define-gate name="a"><gate name="b"/></define-gate>`), "gate b is not defined"},
		{tree(`<define-gate name="a"><event name="b"/></define-gate>`), "event b is not defined"},
		{tree(`<define-gate name="a"><event name="b" type="x"/></define-gate>`), "event type x is unknown"},
		{tree(`<define-gate name="a"><house-event name="b"/></define-gate>`), "house-event b is not defined"},
		{tree(`<define-gate name="a"><atleast min="3"><basic-event name="b"/></atleast></define-gate>`), "at least 3 of 1"},
		{tree(`<define-gate name="a"><atleast><basic-event name="b"/></atleast></define-gate>`), `min "" is not a number`},
		{tree(`<define-gate name="a"><cardinality min="1" max="2"><basic-event name="b"/></cardinality></define-gate>`), "between 1 and 2 of 1"},
		{tree(`<define-gate name="a"><not><basic-event name="b"/><basic-event name="c"/></not></define-gate>`), "not of 2 formulas"},
		{tree(`<define-gate name="a"><constant value="maybe"/></define-gate>`), `constant "maybe" is neither true nor false`},
		{tree(`<define-gate name="a"><basic-event name="b"/></define-gate><define-gate name="a"><basic-event name="b"/></define-gate>`),
			"gate ft.a was defined before, on line 1"},
		{tree(`<define-gate name="a"><gate name="b"/></define-gate><define-gate name="b"><or><gate name="c"/></or></define-gate>
			<define-gate name="c"><gate name="b"/></define-gate>`), "loop: b -> c -> b"},
		{strings.Repeat("<a>", MaxDepth+2), "elements nested more than 1000 deep"},
	} {
		_, err := Read(strings.NewReader(c.text), Options{})
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%.80s: %v, want %s", c.text, err, c.want)
		}
	}
	_, err := Read(strings.NewReader("<opsa-mef>\n<define-fault-tree name=\"x\">\n<define-gate/></define-fault-tree></opsa-mef>"), Options{})
	var mistake *Error
	if !errors.As(err, &mistake) || mistake.Line != 3 {
		t.Errorf("line of a mistake: %v", err)
	}
}

func TestEncodings(t *testing.T) {
	text := `<?xml version="1.0" encoding="UTF-16"?><opsa-mef><define-fault-tree name="ft"><define-gate name="Überlauf">` +
		`<basic-event name="𝄞"/></define-gate></define-fault-tree></opsa-mef>`
	units := utf16.Encode([]rune(text))
	var little, big []byte
	for _, u := range units {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	latin := strings.ReplaceAll(strings.ReplaceAll(text, "UTF-16", "ISO-8859-1"), "𝄞", "e")
	for name, bytes := range map[string]string{
		"UTF-8":                 strings.ReplaceAll(text, "UTF-16", "UTF-8"),
		"UTF-8 with mark":       "\xEF\xBB\xBF" + strings.ReplaceAll(text, "UTF-16", "UTF-8"),
		"little":                string(little),
		"big":                   string(big),
		"little with mark":      "\xFF\xFE" + string(little),
		"big with mark":         "\xFE\xFF" + string(big),
		"Latin-1":               strings.ReplaceAll(latin, "Ü", "\xDC"),
		"UTF-8 by another name": strings.ReplaceAll(text, "UTF-16", "utf-8"),
	} {
		m, err := Read(strings.NewReader(bytes), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Tops[0].Name != "Überlauf" || m.Events[0].Name != "𝄞" && name != "Latin-1" {
			t.Errorf("%s: %+v %+v", name, m.Tops, m.Events)
		}
	}
	if _, err := Read(strings.NewReader(string(little)[:len(little)-1]), Options{}); err == nil {
		t.Error("half a character at the end")
	}
}

// 100,000 gates in a chain, defined from either end, and a loop of as many.
func TestLongChains(t *testing.T) {
	const n = 100_000
	var down, up, loop strings.Builder
	for i := range n {
		line := func(i, next int) string {
			return fmt.Sprintf(`<define-gate name="g%d"><or><gate name="g%d"/><basic-event name="e%d"/></or></define-gate>`, i, next, i)
		}
		down.WriteString(line(i, i+1))
		up.WriteString(line(n-1-i, n-i))
		loop.WriteString(line(i, (i+1)%n))
	}
	last := fmt.Sprintf(`<define-gate name="g%d"><basic-event name="last"/></define-gate>`, n)
	for _, text := range []string{down.String() + last, last + up.String()} {
		m := read(t, tree(text))
		if got := m.Tree.MinCuts(m.Tops[0].Ref, 0, 0).Count().Int64(); got != n+1 {
			t.Errorf("%d minimal cut sets", got)
		}
	}
	_, err := Read(strings.NewReader(tree(loop.String())), Options{})
	var l *LoopError
	if !errors.As(err, &l) || len(l.Gates) != n || len(l.Error()) > 300 {
		t.Errorf("loop: %.100v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(tree(`<define-gate name="top"><or><gate name="g"/><basic-event name="a"/></or></define-gate>
		<define-gate name="g"><atleast min="2"><basic-event name="b"/><event name="a"/><house-event name="h"/></atleast></define-gate>
		<define-house-event name="h"><constant value="true"/></define-house-event>
		<define-basic-event name="a"><exponential><parameter name="p"/><float value="2"/></exponential></define-basic-event>
		<define-parameter name="p"><float value="1e-3"/></define-parameter>`))
	f.Add("\xFF\xFE<\x00o\x00")
	f.Add(`<opsa-mef><define-fault-tree name="x"><define-component name="y" role="private"/></define-fault-tree><model-data/></opsa-mef>`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Read(strings.NewReader(text), Options{})
		if err != nil {
			return
		}
		for _, top := range m.Tops {
			m.Tree.MinCuts(top.Ref, 2, 1<<12)
		}
		for _, e := range m.Events {
			if e.Unknown == "" && !(e.Probability >= 0 && e.Probability <= 1) {
				t.Fatalf("event %+v", e)
			}
		}
	})
}
