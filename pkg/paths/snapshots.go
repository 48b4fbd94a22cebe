package paths

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// Snapshots are the view in the words of the house: one snapshot for each router (its sessions, each carried by the
// router), and last one for the device that Options.Device names: upstreams, the ways of each watched set, and a claim
// for each destination, in order that the engine forms the group. target gives the URL of each; "" is the diversity
// device. Sessions with a VRF's own routes only, Loc-RIBs, and paths stay here.
func (v *View) Snapshots(target func(router string) string) []*snapshot.Snapshot {
	var all []*snapshot.Snapshot
	for i := range v.Routers {
		all = append(all, v.router(&v.Routers[i], target(v.Routers[i].Name)))
	}
	return append(all, v.diversity(target("")))
}

func (v *View) main(router string) component.ID {
	if v.Main != nil {
		if id := v.Main(router); id != "" {
			return id
		}
	}
	return component.NewID(router, component.Router, "1")
}

// blank is a snapshot without anything in it.
func (v *View) blank(device, target string) *snapshot.Snapshot {
	return &snapshot.Snapshot{
		Target: target, Collector: "bgp", Device: snapshot.Device{Name: device}, At: v.At, Reachable: true,
		Components: []component.Component{}, Claims: []snapshot.Claim{}, Links: []component.Link{}, Errors: []snapshot.Error{},
	}
}

func (v *View) router(r *RouterView, target string) *snapshot.Snapshot {
	s := v.blank(r.Name, target)
	s.Device.Hostname = r.SysName
	if r.Silent {
		s.Reachable = false
		s.Errors = append(s.Errors, snapshot.Error{At: target, Error: "the router tells nothing any more", Class: snapshot.ClassUnreachable,
			Hint: "see whether it runs, and whether it still reaches this station"})
		return s
	}
	main := v.main(r.Name)
	if main == component.NewID(r.Name, component.Router, "1") {
		s.Components = append(s.Components, component.Component{ID: main, Kind: component.Router, Name: nameOr(r.SysName, r.Name), Aliases: []string{},
			Status: component.Status{Condition: component.OK}, Why: "it tells of its sessions", Attributes: attributes("description", r.SysDescr), Readings: []component.Reading{}})
	}
	for i := range v.Sessions {
		x := &v.Sessions[i]
		if x.Router != r.Name || !x.Peer.IsValid() || x.Peer.IsUnspecified() {
			continue
		}
		s.Components = append(s.Components, v.session(x))
		if !v.Written {
			s.Links = append(s.Links, component.Link{From: main, To: x.ID, Kind: component.Carries})
		}
	}
	return s
}

func nameOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// attributes makes a map of pairs and leaves out what is empty.
func attributes(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
	return m
}

// session is a session as a component. Down on purpose is absent: not there to be counted on, and not failed.
func (v *View) session(x *SessionView) component.Component {
	c := component.Component{ID: x.ID, Kind: component.BGPSession, Name: strings.TrimPrefix(fmt.Sprintf("%s %s", asName(x.PeerAS), x.Peer), " "), Aliases: []string{},
		Attributes: attributes("remote_as", number(x.PeerAS), "local_as", number(x.LocalAS), "vrf", x.VRF, "bfd", x.BFD),
		Readings:   []component.Reading{}}
	if x.Local.IsValid() {
		c.Attributes["local_address"] = x.Local.String()
	}
	if x.Hold > 0 {
		c.Attributes["hold_s"] = strconv.Itoa(int(x.Hold.Seconds()))
	}
	read := func(name, unit string, value float64) {
		c.Readings = append(c.Readings, component.Reading{Name: name, Unit: unit, Value: component.Value(value)})
	}
	switch x.State {
	case Unheard:
		c.Why = "nobody tells of it"
	case AdminDown:
		c.Condition, c.Why = component.Absent, "down on purpose: "+x.Reason
		c.Attributes["admin"] = "stop"
	case Down:
		c.Condition, c.Why = component.Failed, "down: "+nameOr(x.Reason, "no reason was given")
	case Up:
		c.Condition, c.Why = component.OK, "established"
		read("uptime", "s", float64(int(v.At.Sub(x.Since).Seconds())))
		v.established(x, &c)
	}
	read("prefixes", "", float64(x.Count))
	if x.Usual > 0 {
		read("prefixes_usual", "", float64(x.Usual))
	}
	for _, n := range []struct {
		name  string
		value *uint64
	}{{"prefixes_received", x.Received}, {"prefixes_accepted", x.Accepted}, {"prefixes_advertised", x.Advertised}} {
		if n.value != nil {
			read(n.name, "", float64(*n.value))
		}
	}
	read("flaps", "", float64(x.Flaps))
	return c
}

// established says how well an established session does.
func (v *View) established(x *SessionView, c *component.Component) {
	switch {
	case x.Empty:
		c.Condition, c.Why = component.Failed, fmt.Sprintf("established without any prefix; it usually has %d", x.Usual)
		c.Attributes[component.Trouble] = component.TroubleSilent
	case x.Low:
		c.Condition, c.Why = component.Impaired, fmt.Sprintf("established with %d prefixes; it usually has %d", x.Count, x.Usual)
		c.Attributes[component.Trouble] = component.TroubleLow
	case x.Flapping:
		c.Condition, c.Predicted, c.Why = component.Impaired, true, fmt.Sprintf("flaps: %d times in the last hour", x.FlapsHour)
		c.Attributes[component.Trouble] = component.TroubleFlapping
	case x.BFD == "down":
		c.Condition, c.Predicted, c.Why = component.Impaired, true, "established, and BFD is down"
	case x.Limit > 0 && x.Count*10 >= x.Limit*9:
		c.Predicted, c.Why = true, fmt.Sprintf("%d prefixes of %d that the router takes: beyond that it closes the session", x.Count, x.Limit)
		c.Attributes[component.Trouble] = component.TroubleLimit
	}
}

func asName(as bgp.ASN) string {
	if as == 0 {
		return ""
	}
	return as.String()
}

func number(as bgp.ASN) string {
	if as == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(as), 10)
}

// diversity is the device of the watched sets.
func (v *View) diversity(target string) *snapshot.Snapshot {
	s := v.blank(v.Device, target)
	ases := map[bgp.ASN]component.Condition{}
	for i := range v.Sets {
		set := &v.Sets[i]
		route := component.Component{ID: set.ID, Kind: component.Route, Name: set.Name, Aliases: []string{}, Attributes: attributes(), Readings: []component.Reading{},
			Status: component.Status{Condition: component.OK}, Why: "its ways decide"}
		for j := range set.Items {
			if len(set.Items[j].Ways) == 0 { // it is not known that there is one
				route.Condition, route.Why = component.Unknown, "no way to "+set.Items[j].Prefix.String()+" was ever seen"
			}
			v.item(s, set, &set.Items[j], ases)
		}
		s.Components = append(s.Components, route)
	}
	for as, condition := range ases {
		c := component.Component{ID: v.upstream(as), Kind: component.Upstream, Name: as.String(), Aliases: []string{number(as)}, Attributes: attributes(), Readings: []component.Reading{},
			Status: component.Status{Condition: condition}, Why: "paths go through it"}
		if condition != component.OK {
			c.Why = "no path goes through it now"
		}
		if as.Private() {
			c.Attributes["private"] = "true"
		}
		s.Components = append(s.Components, c)
	}
	slices.SortFunc(s.Components, func(a, b component.Component) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.SortFunc(s.Links, func(a, b component.Link) int {
		return strings.Compare(string(a.To)+" "+string(a.From)+" "+string(a.Kind), string(b.To)+" "+string(b.From)+" "+string(b.Kind))
	})
	s.Links = slices.Compact(s.Links)
	return s
}

func (v *View) upstream(as bgp.ASN) component.ID {
	return component.NewID(v.Device, component.Upstream, as.String())
}

// item adds the ways of one destination, what they cannot do without, and the claim that makes them a group. A destination
// that nobody ever had a way to has no group.
func (v *View) item(s *snapshot.Snapshot, set *SetView, item *ItemView, ases map[bgp.ASN]component.Condition) {
	if len(item.Ways) == 0 {
		return
	}
	claim := snapshot.Claim{Group: item.Group, Kind: component.Path, Needed: set.Needed, Carries: set.ID, Why: item.Why,
		Raw: map[string]string{"prefix": item.Prefix.String()}}
	shared := map[bgp.ASN]bool{}
	for _, a := range item.Shared {
		shared[a.AS] = true
	}
	for i := range item.Ways {
		w := &item.Ways[i]
		claim.Members = append(claim.Members, w.ID)
		s.Components = append(s.Components, way(w))
		switch {
		case w.Session == "" || set.In:
		case v.relays(w.Session): // it tells of the way, and the way does not lead over it
			s.Links = append(s.Links, component.Link{From: v.main(w.Router), To: w.ID, Kind: component.Carries})
		default:
			s.Links = append(s.Links, component.Link{From: w.Session, To: w.ID, Kind: component.Carries})
		}
		for n, as := range w.Crosses {
			// Beyond the first only what is shared: an AS that one way alone crosses fails with that way.
			if n > 0 && !shared[as] {
				continue
			}
			s.Links = append(s.Links, component.Link{From: v.upstream(as), To: w.ID, Kind: component.Contains})
			if w.Working != nil && *w.Working {
				ases[as] = component.OK
			} else if _, known := ases[as]; !known {
				ases[as] = component.Unknown
			}
		}
	}
	s.Claims = append(s.Claims, claim)
}

func (v *View) relays(session component.ID) bool {
	i := slices.IndexFunc(v.Sessions, func(s SessionView) bool { return s.ID == session })
	return i >= 0 && v.Sessions[i].Relay
}

// way is a way as a component.
func way(w *WayView) component.Component {
	c := component.Component{ID: w.ID, Kind: component.Path, Name: wayName(w), Aliases: []string{}, Why: w.Why, Readings: []component.Reading{},
		Attributes: attributes("as_path", w.Path, "upstream", asName(w.Upstream), "route_server", asName(w.Server), "router", w.Router, "path_status", w.Status)}
	if w.Route.IsValid() {
		c.Attributes["route"] = w.Route.String()
	}
	switch {
	case w.Working == nil:
	case *w.Working:
		c.Condition, c.Standby, c.Predicted = component.OK, w.Standby, w.Leaving
	case w.Intended:
		c.Condition = component.Absent
		c.Attributes["admin"] = "stop"
	default:
		c.Condition = component.Failed
	}
	return c
}

func wayName(w *WayView) string {
	text := "via " + w.Upstream.String()
	if w.Upstream == 0 {
		text = "via an AS set"
	}
	if w.Router != "" {
		text += " at " + w.Router
	}
	return text
}
