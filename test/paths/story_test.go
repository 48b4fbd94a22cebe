package paths_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/engine"
	"github.com/sparewatch/sparewatch/pkg/finding"
	"github.com/sparewatch/sparewatch/pkg/paths"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
	"github.com/sparewatch/sparewatch/pkg/state"
	"github.com/sparewatch/sparewatch/pkg/topology"
)

// site is a network as the daemon sees it: a table of paths, state, and the engine over a declared topology.
type site struct {
	t      *testing.T
	table  *paths.Table
	store  *state.Store
	engine *engine.Engine
	now    time.Time
}

func newSite(t *testing.T, o paths.Options, model *topology.Model, routers ...string) *site {
	t.Helper()
	var targets []state.Target
	for _, r := range append(routers, "bgp") {
		targets = append(targets, state.Target{URL: "bmp://" + r, Device: r})
	}
	model.Observed = append(model.Observed, append(routers, "bgp")...)
	e, err := engine.New(model, engine.Options{Settle: 1, Ask: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, table: paths.New(o), store: state.New(targets), engine: e, now: clock}
}

// judge lets a second pass and judges.
func (s *site) judge() *engine.Report {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	s.table.Tick(s.now)
	all := s.table.View(s.now).Snapshots(func(r string) string {
		if r == "" {
			r = "bgp"
		}
		return "bmp://" + r
	})
	for _, sn := range all {
		s.apply(sn)
	}
	s.engine.Evaluate(s.now)
	s.now = s.now.Add(2 * time.Second)
	r, _ := s.engine.Evaluate(s.now)
	return r
}

func (s *site) apply(sn *snapshot.Snapshot) {
	s.store.Apply(sn)
	s.engine.Update(s.store.Device(sn.Device.Name))
}

func (s *site) session(router, peer string) paths.Key {
	return paths.Key{Router: router, Peer: netip.MustParseAddr(peer)}
}

func (s *site) route(k paths.Key, prefix string, asns ...bgp.ASN) {
	s.table.Update(k, paths.AdjInPre, &bgp.Update{Classic: 1, Attrs: bgp.Attributes{ASPath: bgp.Path{{Type: bgp.Sequence, ASNs: asns}}, NextHop: k.Peer},
		Announced: []bgp.NLRI{{Prefix: netip.MustParsePrefix(prefix), SAFI: 1}}}, s.now)
}

// find returns the finding of a rule on a subject.
func find(r *engine.Report, rule finding.Rule, subject component.ID) *finding.Finding {
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Rule == rule && f.Subject == subject })
	if i < 0 {
		return nil
	}
	return &r.Findings[i]
}

func keys(r *engine.Report) string {
	var words []string
	for _, f := range r.Findings {
		words = append(words, string(f.Key)+" ("+f.Summary+")")
	}
	return strings.Join(words, "\n")
}

func group(r *engine.Report, id component.ID) engine.Group {
	for _, g := range r.Groups {
		if g.ID == id {
			return *g
		}
	}
	return engine.Group{}
}

func defaultOf() paths.Options {
	return paths.Options{Sets: []paths.Set{{Name: "default", Items: []paths.Item{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}}}}}
}

const theGroup = component.ID("bgp/group/path-default")

// up brings up two transit sessions with a default route each.
func (s *site) up() (a, b paths.Key) {
	a, b = s.session("r1", "203.0.113.1"), s.session("r2", "203.0.113.5")
	s.table.Up(a, paths.Info{PeerAS: 64510, LocalAS: 64500}, s.now)
	s.table.Up(b, paths.Info{PeerAS: 64520, LocalAS: 64500}, s.now)
	s.route(a, "0.0.0.0/0", 64510)
	s.route(b, "0.0.0.0/0", 64520)
	return a, b
}

func TestLinkDown(t *testing.T) {
	s := newSite(t, defaultOf(), &topology.Model{Site: "lab"}, "r1", "r2")
	a, _ := s.up()
	if g := group(s.judge(), theGroup); g.State != engine.Full || *g.Spares != 1 {
		t.Fatalf("%+v", g)
	}
	s.table.Down(a, paths.Reason{Text: "hold timer expired"}, s.now)
	r := s.judge()
	f := find(r, finding.RedundancyLost, theGroup)
	if f == nil || group(r, theGroup).State != engine.Lost {
		t.Fatalf("%+v\n%s", group(r, theGroup), keys(r))
	}
	root := f // one page for one cause: the group's loss may hang under the session's
	if i := slices.IndexFunc(r.Findings, func(x finding.Finding) bool { return x.Key == f.Under }); i >= 0 {
		root = &r.Findings[i]
	}
	if !root.Pages {
		t.Errorf("nobody is paged:\n%s", keys(r))
	}
	s.table.Up(a, paths.Info{}, s.now)
	s.route(a, "0.0.0.0/0", 64510)
	if r := s.judge(); find(r, finding.RedundancyLost, theGroup) != nil || group(r, theGroup).State != engine.Full {
		t.Errorf("%s", keys(r))
	}
}

func TestWithdrawsEverything(t *testing.T) {
	s := newSite(t, defaultOf(), &topology.Model{Site: "lab"}, "r1", "r2")
	a, _ := s.up()
	s.judge()
	s.table.Update(a, paths.AdjInPre, &bgp.Update{Withdrawn: []bgp.NLRI{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), SAFI: 1}}}, s.now)
	r := s.judge()
	f := find(r, finding.RedundancyLost, theGroup)
	if f == nil {
		t.Fatalf("%s", keys(r))
	}
	if text := strings.Join(f.Evidence, " ") + f.Summary; !strings.Contains(text, "without any prefix") && !strings.Contains(text, "no prefix at all") {
		t.Errorf("the silent loss is not told of: %+v", f)
	}
}

func TestShareAnUpstream(t *testing.T) {
	s := newSite(t, defaultOf(), &topology.Model{Site: "lab"}, "r1", "r2")
	a, b := s.up()
	s.judge()
	s.route(a, "0.0.0.0/0", 64510, 3356)
	s.route(b, "0.0.0.0/0", 64520, 3356)
	r := s.judge()
	f := find(r, finding.FalseRedundancy, theGroup)
	if f == nil || len(f.Causes) == 0 || f.Causes[0].ID != "bgp/upstream/AS3356" || f.Pages {
		t.Fatalf("%+v\n%s", f, keys(r))
	}
	if !strings.Contains(f.Summary, "AS3356") {
		t.Errorf("the AS is not named: %s", f.Summary)
	}
}

func TestShutDownOnPurpose(t *testing.T) {
	s := newSite(t, defaultOf(), &topology.Model{Site: "lab"}, "r1", "r2")
	a, _ := s.up()
	s.judge()
	s.table.Down(a, paths.Reason{Admin: true, Text: "the router closed it: cease: administrative shutdown"}, s.now)
	r := s.judge()
	if f := find(r, finding.ComponentFailed, "r1/bgp_session/203.0.113.1"); f != nil {
		t.Errorf("what was shut down on purpose has not failed: %s", f.Summary)
	}
}

func TestOneRouter(t *testing.T) {
	s := newSite(t, defaultOf(), &topology.Model{Site: "lab"}, "r1")
	a, b := s.session("r1", "203.0.113.1"), s.session("r1", "203.0.113.5")
	s.table.Up(a, paths.Info{PeerAS: 64510, LocalAS: 64500}, s.now)
	s.table.Up(b, paths.Info{PeerAS: 64520, LocalAS: 64500}, s.now)
	s.route(a, "0.0.0.0/0", 64510)
	s.route(b, "0.0.0.0/0", 64520)
	f := find(s.judge(), finding.FalseRedundancy, theGroup)
	if f == nil || f.Causes[0].ID != "r1/router/1" {
		t.Fatalf("%+v", f)
	}
}

// TestFeed: both transit routers hang on feed A. Nothing in BGP says so; the topology does.
func TestFeed(t *testing.T) {
	link := func(from, to string) topology.Link {
		return topology.Link{Link: component.Link{From: component.ID(from), To: component.ID(to), Kind: component.Feeds}}
	}
	model := &topology.Model{Site: "lab", Components: []topology.Component{{ID: "lab/feed/feed-a"}},
		Links: []topology.Link{link("lab/feed/feed-a", "r1/router/1"), link("lab/feed/feed-a", "r2/router/1")}}
	s := newSite(t, defaultOf(), model, "r1", "r2")
	s.up()
	f := find(s.judge(), finding.FalseRedundancy, theGroup)
	if f == nil || f.Causes[0].ID != "lab/feed/feed-a" {
		t.Fatalf("%+v", f)
	}
}

// TestSilentStation: nobody tells of a router any more. That is no loss, and no page.
func TestSilentStation(t *testing.T) {
	s := newSite(t, defaultOf(), &topology.Model{Site: "lab"}, "r1", "r2")
	s.up()
	s.judge()
	s.table.Silence("r1", s.now)
	for range 4 {
		s.now = s.now.Add(2 * time.Minute)
		r := s.judge()
		if f := find(r, finding.RedundancyLost, theGroup); f != nil {
			t.Fatalf("%s", f.Summary)
		}
		if g := group(r, theGroup); g.State != engine.StateUnknown && g.State != engine.Full {
			t.Errorf("%+v", g)
		}
	}
}
