package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/openpsa"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Cuts asks for the minimal cut sets of a service, group or component as things stand. The judge only lays the question
// out; it is answered beside it.
func (a *App) Cuts(ctx context.Context, of string, order, limit int) (*engine.CutSets, error) {
	q, err := ask(ctx, a.judge, func(j *judge) (*engine.CutsQuestion, error) {
		ids, err := j.resolve([]string{of})
		if err != nil {
			return nil, err
		}
		return j.engine.AskCuts(ids[0], order, limit)
	})
	if err != nil {
		return nil, err
	}
	return answer(ctx, a.desk, q.Answer)
}

// CutsDesign finds the minimal cut sets in the declared topology, as far as it comes within a time (0: without end).
func CutsDesign(ctx context.Context, c *config.Config, of string, order, limit int, now time.Time, within time.Duration) (*engine.CutSets, error) {
	e, err := offline(c, now)
	if err != nil {
		return nil, err
	}
	id, err := e.Resolve(of)
	if err != nil {
		return nil, err
	}
	q, err := e.AskCuts(id, order, limit)
	if err != nil {
		return nil, err
	}
	return timed(ctx, within, q.Answer), nil
}

// TreeQuestion asks for the minimal cut sets of a fault tree in the Open-PSA format: of its only top gate, or of Gate.
type TreeQuestion struct {
	Gate         string
	Order, Limit int // as of Cuts
	// Probabilities adds the top's probability and what each event matters to it, where they are known.
	Probabilities bool
	// MissionTime is the file's system-mission-time, in the unit that the file uses; 0: not known.
	MissionTime float64
	// CommonCauses applies the file's common cause groups.
	CommonCauses bool
	// Budget bounds the work, see redundancy.Question, and Within its time; 0: without end.
	Budget int
	Within time.Duration
}

// CutsOfTree answers a TreeQuestion.
func CutsOfTree(ctx context.Context, r io.Reader, q TreeQuestion) (*engine.CutSets, error) {
	model, err := openpsa.Read(r, openpsa.Options{MissionTime: q.MissionTime, CommonCauses: q.CommonCauses})
	if err != nil {
		return nil, err
	}
	top, err := topGate(model, q.Gate)
	if err != nil {
		return nil, err
	}
	return timed(ctx, q.Within, func(ctx context.Context) *engine.CutSets {
		name := func(n redundancy.Node) string { return model.Events[n].Name }
		cuts := model.Tree.MinCutsContext(ctx, top.Ref, q.Order, q.Budget)
		c := engine.NewCutSets(top.Name, cuts, q.Limit, name)
		c.Hull = !model.Tree.Coherent(top.Ref)
		c.LeftOut = leftOut(model, q.CommonCauses)
		if q.Probabilities {
			if err := addProbabilities(ctx, c, model, top, q.Budget); err != nil {
				c.NoProbability = err.Error()
			}
			if c.Probability == nil && unknown(model, top) == nil {
				low, high := cuts.Bounds(func(e int) float64 { return model.Events[e].Probability }, model.Tree.EventsBelow(top.Ref), !c.Hull)
				c.Bounds = &[2]float64{low, high}
			}
		}
		return c
	}), nil
}

// leftOut says what in the file bears on an analysis and is no part of the answer.
func leftOut(m *openpsa.Model, commonCauses bool) []string {
	var list []string
	if len(m.CommonCauses) > 0 && !commonCauses {
		list = append(list, "common cause groups, whose members count as independent (--ccf applies them): "+strings.Join(m.CommonCauses, ", "))
	}
	for _, element := range m.Ignored {
		list = append(list, element+" is not read")
	}
	return list
}

func topGate(m *openpsa.Model, name string) (openpsa.Gate, error) {
	if name != "" {
		if i := slices.IndexFunc(m.Gates, func(g openpsa.Gate) bool { return g.Name == name }); i >= 0 {
			return m.Gates[i], nil
		}
		return openpsa.Gate{}, fmt.Errorf("the file has no gate %q", name)
	}
	switch len(m.Tops) {
	case 0:
		return openpsa.Gate{}, errors.New("the file has no gate")
	case 1:
		return m.Tops[0], nil
	}
	names := make([]string, 0, 5)
	for _, g := range m.Tops[:min(len(m.Tops), 5)] {
		names = append(names, g.Name)
	}
	return openpsa.Gate{}, fmt.Errorf("the file has %d top gates: name one of them with --gate (%v ...)", len(m.Tops), names)
}

// unknown says which event below a gate has a probability that is not known.
func unknown(m *openpsa.Model, top openpsa.Gate) error {
	for _, e := range m.Tree.EventsBelow(top.Ref) {
		if m.Events[e].Unknown != "" {
			return fmt.Errorf("the probability of %s is not known: %s", m.Events[e].Name, m.Events[e].Unknown)
		}
	}
	return nil
}

func addProbabilities(ctx context.Context, c *engine.CutSets, m *openpsa.Model, top openpsa.Gate, budget int) error {
	if err := unknown(m, top); err != nil {
		return err
	}
	compiled, err := m.Tree.CompileContext(ctx, top.Ref, budget)
	if ctx.Err() != nil {
		return errors.New("the time was over before the exact one was found")
	}
	if err != nil {
		return fmt.Errorf("the tree is too hard for its probability: %w", err)
	}
	p, by := compiled.Importances(func(event int) float64 { return m.Events[event].Probability })
	if math.IsNaN(p) {
		return errors.New("the tree is too hard for its probability")
	}
	c.Probability = &p
	for _, e := range m.Tree.EventsBelow(top.Ref) {
		c.Importance = append(c.Importance, engine.ImportanceOf(m.Events[e].Name, by[e]))
	}
	slices.SortStableFunc(c.Importance, func(a, b engine.Importance) int {
		return cmp.Or(cmp.Compare(b.FussellVesely, a.FussellVesely), cmp.Compare(b.Birnbaum, a.Birnbaum))
	})
	return nil
}
