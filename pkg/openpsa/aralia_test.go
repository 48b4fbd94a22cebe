package openpsa

import (
	"bufio"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// data is the folder of published fault trees, or the test is skipped.
func data(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SPAREWATCH_ENGINE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "engine")
	}
	if _, err := os.Stat(filepath.Join(dir, "counts.tsv")); err != nil {
		t.Skip("no fault trees: SPAREWATCH_ENGINE_DATA is not set and ../shared/engine is not there")
	}
	return dir
}

func load(t testing.TB, path string) (*Model, redundancy.Ref) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m, err := Read(file, Options{})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(m.Tops) != 1 {
		t.Fatalf("%s: %d top gates", path, len(m.Tops))
	}
	return m, m.Tops[0].Ref
}

// counted is a line of counts.tsv.
type counted struct{ name, all, byOrder string }

func counts(t testing.TB) []counted {
	t.Helper()
	file, err := os.Open(filepath.Join(data(t), "counts.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []counted
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if f := strings.Split(lines.Text(), "\t"); len(f) == 3 && !strings.HasPrefix(f[0], "#") {
			all = append(all, counted{f[0], f[1], f[2]})
		}
	}
	return all
}

// byOrder writes counts as counts.tsv does, from order 1.
func byOrder(counts []*big.Int) string {
	var text []string
	for _, n := range counts[min(1, len(counts)):] {
		text = append(text, n.String())
	}
	return strings.Join(text, ",")
}

// slow are the trees that take more than a tenth of a second.
var slow = map[string]bool{
	"cea9601": true, "edf9203": true, "edf9204": true, "edfpa14b": true, "edfpa14o": true, "edfpa14p": true,
	"edfpa14q": true,
}

// The Aralia set: the numbers of minimal cut sets, all and by order, that two other engines found.
func TestAralia(t *testing.T) {
	dir, done := data(t), 0
	for _, want := range counts(t) {
		if testing.Short() && slow[want.name] {
			continue
		}
		path := filepath.Join(dir, "aralia", want.name+".xml")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		m, top := load(t, path)
		cuts := m.Tree.MinCuts(top, 0, 16<<20)
		if !cuts.Exact || cuts.ExactUpTo != redundancy.AnyOrder {
			t.Errorf("%s: exact only up to %d", want.name, cuts.ExactUpTo)
		}
		if got := cuts.Count().String(); got != want.all {
			t.Errorf("%s: %s minimal cut sets, want %s", want.name, got, want.all)
		}
		if got := byOrder(cuts.ByOrder()); got != want.byOrder {
			t.Errorf("%s: by order %s, want %s", want.name, got, want.byOrder)
		}
		checkUpTo(t, m, top, want, 3)
		done++
	}
	t.Logf("%d trees", done)
}

// checkUpTo counts again up to an order, which is another way through the engine where the tree is coherent.
func checkUpTo(t *testing.T, m *Model, top redundancy.Ref, want counted, order int) {
	t.Helper()
	if !m.Tree.Coherent(top) {
		return
	}
	cuts := m.Tree.MinCuts(top, order, 0)
	counts := strings.Split(want.byOrder, ",")
	counts = counts[:min(order, len(counts))]
	for len(counts) > 0 && counts[len(counts)-1] == "0" {
		counts = counts[:len(counts)-1]
	}
	if got := byOrder(cuts.ByOrder()); !cuts.Exact || got != strings.Join(counts, ",") {
		t.Errorf("%s up to order %d: %s, want %s, exact %v", want.name, order, got, strings.Join(counts, ","), cuts.Exact)
	}
}

// nus9601, of which the full count is not known, up to order 4.
func TestNus9601(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	m, top := load(t, filepath.Join(data(t), "aralia", "nus9601.xml"))
	cuts := m.Tree.MinCuts(top, 4, 0)
	if got := byOrder(cuts.ByOrder()); !cuts.Exact || cuts.ExactUpTo != 4 || got != "0,0,10,2" {
		t.Errorf("by order %s, exact %v up to %d", got, cuts.Exact, cuts.ExactUpTo)
	}
}

// das9701 has 992 negations. 26,299,506 is the number in openpra-org/aralia-fault-tree-dataset.
func TestDas9701(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	m, top := load(t, filepath.Join(data(t), "aralia", "das9701.xml"))
	if m.Tree.Coherent(top) {
		t.Error("said to be coherent")
	}
	cuts := m.Tree.MinCuts(top, 0, 32<<20)
	if got := cuts.Count().String(); !cuts.Exact || got != "26299506" {
		t.Errorf("%s minimal cut sets, exact %v up to %d", got, cuts.Exact, cuts.ExactUpTo)
	}
}

// Exact top event probabilities of coherent trees, of an independent engine.
func TestProbabilities(t *testing.T) {
	dir := data(t)
	for name, want := range map[string]float64{
		"baobab1": 1.017081e-04, "baobab2": 7.130183e-04, "chinese": 1.170582e-03, "das9201": 1.342367e-02,
		"das9202": 1.011538e-02, "das9203": 1.348797e-03, "das9205": 1.384077e-08, "das9206": 2.296868e-01,
		"das9207": 3.466959e-01, "das9209": 1.058002e-13, "edf9201": 3.245914e-01, "edf9202": 7.813025e-01,
		"edf9206": 8.615002e-12, "edfpa15b": 3.627365e-01, "edfpa15o": 3.629559e-01, "edfpa15p": 7.363024e-02,
		"edfpa15r": 1.897503e-02, "ftr10": 4.486771e-01, "isp9601": 5.712449e-02, "isp9602": 1.724474e-02,
		"isp9603": 3.233264e-03, "isp9605": 1.371709e-05, "isp9606": 5.431736e-02, "isp9607": 9.495102e-07,
	} {
		m, top := load(t, filepath.Join(dir, "aralia", name+".xml"))
		c, err := m.Tree.Compile(top, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := func(event int) float64 {
			if m.Events[event].Unknown != "" {
				t.Fatalf("%s: %s: %s", name, m.Events[event].Name, m.Events[event].Unknown)
			}
			return m.Events[event].Probability
		}
		got, importances := c.Importances(p)
		if math.Abs(got/want-1) > 1e-6 {
			t.Errorf("%s: probability %e, want %e", name, got, want)
		}
		for event, i := range importances {
			if i.Birnbaum < -1e-12 || i.FussellVesely < -1e-9 || i.FussellVesely > 1+1e-9 {
				t.Errorf("%s: %s: %+v of a coherent tree", name, m.Events[event].Name, i)
			}
		}
	}
}

// Fat trees: two replicas have 5*2^(k/2) minimal cut sets, three 19*2^(k/2)-10.
func TestFatTrees(t *testing.T) {
	dir := data(t)
	for _, ports := range []int{16, 24, 48, 64} {
		for _, replicas := range []int{2, 3} {
			m, top := load(t, filepath.Join(dir, "fattree", fmt.Sprintf("ft_%d_%d.xml", ports, replicas)))
			want := new(big.Int).Lsh(big.NewInt(5), uint(ports/2))
			if replicas == 3 {
				want.Lsh(big.NewInt(19), uint(ports/2))
				want.Sub(want, big.NewInt(10))
			}
			cuts := m.Tree.MinCuts(top, 0, 0)
			if got := cuts.Count(); !cuts.Exact || got.Cmp(want) != 0 {
				t.Errorf("%d ports, %d replicas: %v minimal cut sets, want %v", ports, replicas, got, want)
			}
		}
	}
}

func BenchmarkAralia(b *testing.B) {
	dir := data(b)
	for _, want := range counts(b) {
		m, top := load(b, filepath.Join(dir, "aralia", want.name+".xml"))
		b.Run(want.name, func(b *testing.B) {
			for b.Loop() {
				if got := m.Tree.MinCuts(top, 0, 32<<20).Count().String(); got != want.all {
					b.Fatalf("%s minimal cut sets, want %s", got, want.all)
				}
			}
		})
	}
}

// The two that other engines do not finish.
func BenchmarkHard(b *testing.B) {
	dir := data(b)
	b.Run("nus9601 up to order 4", func(b *testing.B) {
		m, top := load(b, filepath.Join(dir, "aralia", "nus9601.xml"))
		for b.Loop() {
			if got := byOrder(m.Tree.MinCuts(top, 4, 0).ByOrder()); got != "0,0,10,2" {
				b.Fatal(got)
			}
		}
	})
	b.Run("das9701", func(b *testing.B) {
		m, top := load(b, filepath.Join(dir, "aralia", "das9701.xml"))
		for b.Loop() {
			if got := m.Tree.MinCuts(top, 0, 32<<20).Count().String(); got != "26299506" {
				b.Fatal(got)
			}
		}
	})
}

func BenchmarkFatTree(b *testing.B) {
	dir := data(b)
	for _, ports := range []int{16, 24, 48, 64} {
		for _, replicas := range []int{2, 3} {
			m, top := load(b, filepath.Join(dir, "fattree", fmt.Sprintf("ft_%d_%d.xml", ports, replicas)))
			b.Run(fmt.Sprintf("ports=%d/replicas=%d", ports, replicas), func(b *testing.B) {
				for b.Loop() {
					m.Tree.MinCuts(top, 0, 0).Count()
				}
			})
		}
	}
}
