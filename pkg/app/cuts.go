package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/openpsa"
	"github.com/sparewatch/sparewatch/pkg/redundancy"
)

// Cuts asks the engine for the minimal cut sets of a service, group or component as things stand.
func (a *App) Cuts(ctx context.Context, of string, order, limit int) (c *engine.CutSets, err error) {
	err = a.judge.do(ctx, func(j *judge) error {
		ids, err := j.resolve([]string{of})
		if err == nil {
			c, err = j.engine.Cuts(ids[0], order, limit)
		}
		return err
	})
	return c, err
}

// CutsDesign finds the minimal cut sets in the declared topology.
func CutsDesign(c *config.Config, of string, order, limit int, now time.Time) (*engine.CutSets, error) {
	e, err := offline(c, now)
	if err != nil {
		return nil, err
	}
	id, err := e.Resolve(of)
	if err != nil {
		return nil, err
	}
	return e.Cuts(id, order, limit)
}

// CutsOfTree finds the minimal cut sets of a fault tree in the Open-PSA format: of its only top gate, or of the gate
// named. With probabilities it adds the top's probability and what each event matters to it, where they are known.
func CutsOfTree(r io.Reader, gate string, order, limit int, probabilities bool) (*engine.CutSets, error) {
	model, err := openpsa.Read(r, openpsa.Options{})
	if err != nil {
		return nil, err
	}
	top, err := topGate(model, gate)
	if err != nil {
		return nil, err
	}
	name := func(n redundancy.Node) string { return model.Events[n].Name }
	c := engine.NewCutSets(top.Name, model.Tree.MinCuts(top.Ref, order, 0), limit, name)
	c.Hull = !model.Tree.Coherent(top.Ref)
	if !probabilities {
		return c, nil
	}
	if err := addProbabilities(c, model, top); err != nil {
		c.NoProbability = err.Error()
	}
	return c, nil
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

func addProbabilities(c *engine.CutSets, m *openpsa.Model, top openpsa.Gate) error {
	for _, e := range m.Events {
		if e.Unknown != "" {
			return fmt.Errorf("the probability of %s is not known: %s", e.Name, e.Unknown)
		}
	}
	compiled, err := m.Tree.Compile(top.Ref, 0)
	if err != nil {
		return fmt.Errorf("the tree is too hard for its probability: %w", err)
	}
	p, by := compiled.Importances(func(event int) float64 { return m.Events[event].Probability })
	if math.IsNaN(p) {
		return errors.New("the tree is too hard for its probability")
	}
	c.Probability = &p
	for i, x := range by {
		c.Importance = append(c.Importance, engine.Importance{Name: m.Events[i].Name, Birnbaum: x.Birnbaum, FussellVesely: x.FussellVesely})
	}
	slices.SortStableFunc(c.Importance, func(a, b engine.Importance) int { return cmp.Compare(b.FussellVesely, a.FussellVesely) })
	return nil
}
