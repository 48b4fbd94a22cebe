package redfish

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// session is the conversation with one service. What it has read it keeps from poll to poll.
type session struct {
	target collectors.Target
	client *client
	tree   *tree
	tries  int                // polls so far
	read   bool               // one of them has read the whole service
	last   *snapshot.Snapshot // what the tree was last turned into
	now    func() time.Time

	pushed *pushed // nil: there is nowhere to push to

	hot     sync.Mutex
	origins map[string]bool // resources that events spoke of since the last poll
	kinds   map[role]bool   // and kinds of resources, where they named none
}

func newSession(t collectors.Target, endpoint, host string) *session {
	return &session{target: t, client: newClient(t, endpoint, host), tree: newTree(), now: time.Now}
}

// Poll reads the service and returns what it saw.
func (s *session) Poll(ctx context.Context, scope collectors.Scope) *snapshot.Snapshot {
	start := s.now()
	s.client.begin()
	s.tries++
	spare := true
	if !s.read || s.tree.rescan {
		scope, spare = collectors.Full, false
	}
	s.tree.rescan = false
	w := walk{client: s.client, tree: s.tree, scope: scope, poll: s.tries, spare: spare}
	w.about, w.kinds = s.concerns()
	w.run(ctx)
	if scope == collectors.Full && s.pushed != nil {
		select {
		case s.pushed.look <- struct{}{}:
		default:
		}
	}
	s.read = s.read || w.complete && w.inside
	if w.news || s.last == nil {
		s.last, s.tree.differ = parseTree(s.tree, s.target.Device)
	}
	snap := new(*s.last) // the parts are shared: nobody changes a snapshot
	snap.Target = s.target.URL
	snap.Reachable = w.reached
	if !w.reached {
		snap.Components, snap.Claims, snap.Links = []component.Component{}, []snapshot.Claim{}, []component.Link{}
	}
	snap.Errors = append(append([]snapshot.Error{}, w.errors...), snap.Errors...)
	bound(snap, s.client.target.Limits.Components)
	snap.At = s.now()
	snap.Took = snap.At.Sub(start)
	snap.Requests = int(s.client.requests.Load())
	return snap
}

// Close deletes what the service holds for us: the subscription to its events, and the session.
func (s *session) Close(ctx context.Context) error {
	return errors.Join(s.unsubscribe(ctx), s.client.logout(ctx))
}

// bound drops what is more than one snapshot may hold, and says so.
func bound(s *snapshot.Snapshot, components int) {
	if len(s.Components) <= components {
		return
	}
	s.Errors = append(s.Errors, snapshot.Error{
		At: s.Target, Class: snapshot.ClassLimit,
		Error: "it shows more components than one snapshot may hold; the rest was dropped",
	})
	s.Components = s.Components[:components]
	kept := map[component.ID]bool{}
	for _, c := range s.Components {
		kept[c.ID] = true
	}
	links := []component.Link{}
	for _, l := range s.Links {
		if kept[l.From] && kept[l.To] {
			links = append(links, l)
		}
	}
	s.Links = links
	claims := []snapshot.Claim{}
	for _, c := range s.Claims {
		whole := c.Carries == "" || kept[c.Carries]
		for _, m := range c.Members {
			whole = whole && kept[m]
		}
		if whole {
			claims = append(claims, c)
		}
	}
	s.Claims = claims
}
