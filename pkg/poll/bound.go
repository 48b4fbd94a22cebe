package poll

import (
	"fmt"
	"slices"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Bounds of what a snapshot may hold beside its components.
const (
	linksPerComponent = 8
	mostErrors        = 200
)

// bound cuts a snapshot down to so many components. What speaks of a part that was cut goes with it: a group that lost its
// members here must not look as if the device had lost them.
func bound(s *snapshot.Snapshot, most int) {
	if len(s.Errors) > mostErrors {
		more := len(s.Errors) - mostErrors
		s.Errors = append(slices.Clone(s.Errors[:mostErrors]), snapshot.Error{At: s.Target, Error: fmt.Sprintf("and %d errors more", more), Class: snapshot.ClassLimit})
	}
	if len(s.Components) <= most && len(s.Links) <= most*linksPerComponent && len(s.Claims) <= most {
		return
	}
	said := fmt.Sprintf("the device shows %d components, %d links and %d claims, more than may be: %d components were kept", len(s.Components), len(s.Links), len(s.Claims), min(most, len(s.Components)))
	s.Errors = append(slices.Clone(s.Errors), snapshot.Error{At: s.Target, Error: said, Class: snapshot.ClassLimit, Hint: "see what the device repeats; report it if it is really that large"})
	if len(s.Components) > most {
		cut := make(map[component.ID]bool, len(s.Components)-most)
		for i := range s.Components[most:] {
			cut[s.Components[most+i].ID] = true
		}
		s.Components = s.Components[:most:most]
		s.Links = slices.DeleteFunc(slices.Clone(s.Links), func(l component.Link) bool { return cut[l.From] || cut[l.To] })
		s.Claims = slices.DeleteFunc(slices.Clone(s.Claims), func(c snapshot.Claim) bool {
			return cut[c.Carries] || slices.ContainsFunc(c.Members, func(id component.ID) bool { return cut[id] })
		})
	}
	s.Links = s.Links[:min(len(s.Links), most*linksPerComponent)]
	s.Claims = s.Claims[:min(len(s.Claims), most)]
}
