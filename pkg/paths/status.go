package paths

import (
	"net/netip"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/bmp"
)

// Status is what a router says that it does with a path: bits of bmp.Status*. 0: it does not say.
type Status uint16

// statusKept are the bits that mean the same in every version of draft-ietf-grow-bmp-path-marking-tlv.
const statusKept = bmp.StatusInvalid | bmp.StatusBest | bmp.StatusNonSelected | bmp.StatusPrimary | bmp.StatusBackup | bmp.StatusNonInstalled |
	bmp.StatusBestExternal | bmp.StatusAddPath | bmp.StatusFilteredInbound | bmp.StatusFilteredOutbound

// use is what a status means for a way out, the better before the worse.
type use uint8

const (
	active  use = iota // traffic goes that way
	unsaid             // nobody says
	backup             // it is what the router takes next
	idle               // it may be chosen when those before it are gone
	useless            // it cannot be chosen: not valid, or refused by policy
)

func (s Status) use() use {
	switch {
	case s&(bmp.StatusInvalid|bmp.StatusFilteredInbound) != 0:
		return useless
	case s&bmp.StatusPrimary != 0, s&bmp.StatusBest != 0 && s&bmp.StatusNonInstalled == 0:
		return active
	case s&(bmp.StatusBackup|bmp.StatusBestExternal) != 0:
		return backup
	case s&(bmp.StatusBest|bmp.StatusNonSelected|bmp.StatusNonInstalled) != 0:
		return idle
	}
	return unsaid
}

// why says of a useless path why it is.
func (s Status) why() string {
	if s&bmp.StatusInvalid != 0 {
		return "gives a path that the router holds to be invalid"
	}
	return "gives a path that the router's policy refuses"
}

// String is the status in the draft's words: "best, primary".
func (s Status) String() string {
	words := strings.ToLower(strings.ReplaceAll(bmp.StatusWords(uint32(s)), " | ", ", "))
	return strings.ReplaceAll(words, "_", " ")
}

// marks are the statuses of the paths that an UPDATE announces, by their place; nil: none were told.
type marks func(announced int) Status

// marksOf are the statuses that came with a message.
func marksOf(m *bmp.Message) marks {
	if len(m.Status) == 0 {
		return nil
	}
	return func(announced int) Status {
		status, _ := m.StatusOf(announced)
		return Status(status & statusKept)
	}
}

func (m marks) of(announced int) Status {
	if m == nil {
		return 0
	}
	return m(announced)
}

// statusOf is what a router says that it does with a path of a session's: with the path itself, or with the same path in
// another of the session's RIBs.
func (e *evaluation) statusOf(s *session, r *Route) Status {
	if r.Status != 0 {
		return r.Status
	}
	for _, rib := range []RIB{AdjInPost, AdjInPre} {
		if rib == s.inRIB() || s.saw&(1<<rib) == 0 {
			continue
		}
		for _, same := range e.t.lookup(s, rib, r.Prefix, false) {
			if same.PathID == r.PathID && same.Status != 0 {
				return same.Status
			}
		}
	}
	return 0
}

// choose asks the Loc-RIBs of routers (RFC 9069) what their own ways are to them, where the ways themselves do not say:
// a way whose AS path and next hop stand in its router's Loc-RIB has that path's status, and is the best where that is the
// only path there; the router's other ways are not. Where the policy rewrote both nothing is found, and nothing said.
func (e *evaluation) choose(ways []*found, p netip.Prefix) {
	by := map[*session][]*found{} // by Loc-RIB
	for _, f := range ways {
		if f.router == "" || f.session == nil || !e.t.direct(f.session) || f.paths[0].status != 0 {
			continue
		}
		if s := e.t.sessions[Key{Router: f.router, RD: f.session.key.RD}]; s != nil && s.state == Up {
			by[s] = append(by[s], f)
		}
	}
	for s, own := range by {
		chosen := e.covering(s, p)
		matched := false
		for _, f := range own {
			for i := range f.paths {
				f.paths[i].status = statusIn(chosen, &f.paths[i].route)
				matched = matched || f.paths[i].status != 0
			}
		}
		for _, f := range own {
			for i := range f.paths {
				if matched && f.paths[i].status == 0 && len(chosen) == 1 {
					f.paths[i].status = bmp.StatusNonSelected
				}
			}
		}
	}
}

// statusIn is the status of a path among those of a Loc-RIB; 0: it is not there, or nobody says.
func statusIn(chosen []Route, r *Route) Status {
	for i := range chosen {
		c := &chosen[i]
		if c.Prefix != r.Prefix || c.Attrs.NextHop != r.Attrs.NextHop || c.Attrs.ASPath.String() != r.Attrs.ASPath.String() {
			continue
		}
		if c.Status == 0 && len(chosen) == 1 {
			return bmp.StatusBest
		}
		return c.Status
	}
	return 0
}
