package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// checkLoops refuses things that hold one another up, every loop that can be told apart; also where there are other
// mistakes, as far as what is there can be compiled.
func (l *loader) checkLoops() {
	wrong := len(l.mistakes) > 0
	m := l.cfg.Model
	m.Links = slices.Clone(m.Links)
	for range 50 {
		_, err := topology.Compile(&m, topology.Found{})
		var loop *topology.LoopError
		if err == nil {
			return
		}
		switch {
		case errors.As(err, &loop):
		case wrong && len(m.Services) > 0:
			m.Services = nil // what a service lacks was said
			continue
		case wrong:
			return
		}
		if loop == nil {
			l.wrong(place{l.firstFile(), 0}, "", "%s", err)
			return
		}
		in := loopLinks(m.Links, loop.IDs)
		at := place{l.firstFile(), 0}
		if len(in) > 0 {
			at = parsePosition(m.Links[in[0]].At)
		} else if p, ok := l.loopPlace(loop.IDs); ok {
			at = p
		}
		l.wrong(at, "take one of these links out", "%s", loop)
		if len(in) == 0 {
			return
		}
		m.Links = slices.Delete(m.Links, in[0], in[0]+1)
	}
}

// loopLinks are the declared links between members of the loop.
func loopLinks(links []topology.Link, ids []component.ID) (in []int) {
	next := map[component.ID]component.ID{}
	for i, id := range ids {
		next[id] = ids[(i+1)%len(ids)]
	}
	for i, link := range links {
		if next[link.To] == link.From && link.Kind != component.Neighbour {
			in = append(in, i)
		}
	}
	return in
}

// loopPlace is where a group or service of the loop was declared.
func (l *loader) loopPlace(ids []component.ID) (place, bool) {
	for _, id := range ids {
		if at, ok := l.names.ids[id]; ok {
			return at, true
		}
	}
	return place{}, false
}

func parsePosition(p topology.Position) place {
	i := strings.LastIndexByte(string(p), ':')
	at := place{file: string(p)}
	if i >= 0 {
		at.file = string(p[:i])
		for _, c := range string(p[i+1:]) {
			at.line = at.line*10 + int(c-'0')
		}
	}
	return at
}
