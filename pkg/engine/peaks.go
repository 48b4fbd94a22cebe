package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// peaks are the highest loads of one thing in the parts of the window that are not over.
type peaks struct {
	list []state.LoadPeak // oldest first
}

// bucketsOfWindow is into how many parts the window is cut: a peak is forgotten one part of it late at most.
const bucketsOfWindow = 7

func (e *Engine) bucket() time.Duration { return e.opt.Capacity.Window / bucketsOfWindow }

// alikeLoad is by how much a load has to grow to be another one: what follows from it is reckoned again.
const alikeLoad = 1.01

// note takes in what something draws now.
func (e *Engine) note(key string, va, w float64) {
	p := e.load.peaks[key]
	if p == nil {
		p = &peaks{}
		e.load.peaks[key] = p
	}
	since := e.now.Truncate(e.bucket())
	last := len(p.list) - 1
	switch {
	case last >= 0 && !p.list[last].Since.Before(since):
		if va <= alikeLoad*p.list[last].VA {
			return
		}
		p.list[last].VA, p.list[last].W = va, w
	default:
		p.list = append(p.list, state.LoadPeak{Since: since, VA: va, W: w})
	}
	p.forget(e.now.Add(-e.opt.Capacity.Window))
	e.load.learned[key] = slices.Clone(p.list)
}

// forget drops the parts of the window that ended before then.
func (p *peaks) forget(then time.Time) {
	p.list = slices.DeleteFunc(p.list, func(l state.LoadPeak) bool { return l.Since.Before(then) })
}

// peak is the highest load within the window.
func (e *Engine) peak(key string) (top state.LoadPeak) {
	p := e.load.peaks[key]
	if p == nil {
		return top
	}
	then := e.now.Add(-e.opt.Capacity.Window - e.bucket())
	for _, l := range p.list {
		if l.VA > top.VA && !l.Since.Before(then) {
			top = l
		}
	}
	return top
}

// LoadLearning is the highest loads of something in the parts of the window, to be remembered over restarts.
type LoadLearning struct {
	Device string
	Key    string
	Peaks  []state.LoadPeak
}

// LearnedLoads returns the loads that have to be remembered and were learned since the last call; see
// state.Store.LearnLoad.
func (e *Engine) LearnedLoads() []LoadLearning {
	if len(e.load.learned) == 0 {
		return nil
	}
	all := make([]LoadLearning, 0, len(e.load.learned))
	for _, key := range slices.Sorted(maps.Keys(e.load.learned)) {
		all = append(all, LoadLearning{Device: cmp.Or(e.load.keepers[key], ownerOf(key)), Key: key, Peaks: e.load.learned[key]})
	}
	clear(e.load.learned)
	return all
}

func ownerOf(key string) string {
	for i := range key {
		if key[i] == '/' {
			return key[:i]
		}
	}
	return key
}

// recallLoads takes up what was remembered of a device's loads.
func (e *Engine) recallLoads(view *state.Device) {
	for key, list := range view.Loads {
		if e.load.peaks[key] == nil {
			e.load.peaks[key] = &peaks{list: slices.Clone(list)}
			if id, _, rest := strings.Cut(key, restMark); rest {
				e.load.restOn[component.ID(id)] = true
			}
		}
	}
}
