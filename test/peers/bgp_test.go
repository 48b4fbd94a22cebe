package peers

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bgpPort is where every BGP daemon of the tests listens, each on a loopback address or in a namespace of its own.
const bgpPort = 1179

// neighbour is one session of a daemon.
type neighbour struct {
	addr     string
	from     string // the daemon's own address towards it; "": the daemon's only one
	port     int    // where it listens; 0: bgpPort
	as       uint32
	password string
	passive  bool // it waits for the other side
	bfd      bool
	// tell is what the neighbour is told: "own" prefixes, "all", "none".
	tell string
}

func (n neighbour) listens() int { return cmp.Or(n.port, bgpPort) }

// origin is a prefix that a daemon originates, with ASes behind it that are made up: the far end of the path.
type origin struct {
	prefix string
	behind []uint32
}

// speaker is one BGP daemon: FRR, BIRD or gobgpd, on a loopback address or in a network namespace.
type speaker struct {
	t     *testing.T
	kind  string // "frr", "bird", "gobgpd"
	addr  string // on loopback its only one
	space string // its namespace; "": it is on loopback
	as    uint32
	dir   string
	peers []neighbour
	told  []origin
	bmp   string // host:port of a station
	cmds  []*exec.Cmd
}

// startSpeaker runs a daemon and stops it at the test's end.
func startSpeaker(t *testing.T, s speaker) *speaker {
	t.Helper()
	s.t = t
	dir, err := os.MkdirTemp("", "bgp") // the path of a control socket is short
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if s.kind == "frr" {
		s.giveToFRR(dir)
	}
	switch s.kind {
	case "frr":
		s.startFRR()
	case "bird":
		s.write("bird.conf", s.birdConf())
		s.run(daemon(t, "bird", "bird2"), "-f", "-c", s.file("bird.conf"), "-s", s.file("ctl"), "-P", s.file("pid"))
		s.eventually("show", "status")
	case "gobgpd":
		s.write("gobgpd.toml", s.gobgpConf())
		s.run(daemon(t, "gobgpd", "gobgpd"), "-f", s.file("gobgpd.toml"), "--api-hosts", s.apiHost()+":50051", "--pprof-disable", "-l", "warn")
		s.eventually("neighbor")
		for _, o := range s.told {
			s.announce(o)
		}
	default:
		t.Fatalf("no daemon is called %s", s.kind)
	}
	return &s
}

// startFRR runs bgpd: on loopback by itself; in a namespace with zebra, which tells it how its links are, and with bfdd.
func (s *speaker) startFRR() {
	s.write("bgpd.conf", s.frrConf())
	common := func(name string) []string {
		return []string{"-P", "0", "--vty_socket", s.dir, "-i", s.file(name + ".pid"), "-z", s.file("zserv")}
	}
	bgpd := append(common("bgpd"), "-S", "-f", s.file("bgpd.conf"), "-M", "bmp", "-p", strconv.Itoa(bgpPort))
	if s.space == "" {
		s.run(daemon(s.t, "bgpd", "frr"), append(bgpd, "-Z", "-l", s.addr)...)
		s.eventually("show version")
		return
	}
	s.write("none.conf", "")
	s.run(daemon(s.t, "zebra", "frr"), append(common("zebra"), "-f", s.file("none.conf"))...)
	s.eventually("show interface")
	if slices.ContainsFunc(s.peers, func(n neighbour) bool { return n.bfd }) {
		s.run(daemon(s.t, "bfdd", "frr"), append(common("bfdd"), "-f", s.file("none.conf"), "--bfdctl", s.file("bfdd.sock"))...)
		s.eventually("show bfd peers")
	}
	s.run(daemon(s.t, "bgpd", "frr"), bgpd...)
	s.eventually("show bgp summary")
}

func (s *speaker) file(name string) string { return filepath.Join(s.dir, name) }

// giveToFRR lets the user frr, whom bgpd becomes where it exists, write into the folder.
func (s *speaker) giveToFRR(dir string) {
	u, err := osuser.Lookup("frr")
	if err != nil || os.Getuid() != 0 {
		return
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		s.t.Fatal(err)
	}
}

func (s *speaker) write(name, text string) {
	if err := os.WriteFile(s.file(name), []byte(text), 0o644); err != nil { //nolint:gosec // another user reads it
		s.t.Fatal(err)
	}
}

// run starts the daemon; what it prints goes to a file that a failed test shows.
func (s *speaker) run(bin string, args ...string) {
	name := filepath.Base(bin) + ".out"
	out, err := os.Create(s.file(name))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command(bin, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmds = append(s.cmds, cmd)
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
		if s.t.Failed() {
			if b, _ := os.ReadFile(s.file(name)); len(bytes.TrimSpace(b)) > 0 {
				s.t.Logf("%s of %s said:\n%s", filepath.Base(bin), s.addr, b[max(0, len(b)-2000):])
			}
		}
	})
}

// command is a program in the daemon's namespace.
func (s *speaker) command(bin string, args ...string) *exec.Cmd {
	if s.space == "" {
		return exec.Command(bin, args...)
	}
	return exec.Command(daemon(s.t, "ip", "iproute2"), append([]string{"netns", "exec", s.space, bin}, args...)...)
}

// apiHost is where gobgpd's API listens.
func (s *speaker) apiHost() string {
	if s.space == "" {
		return s.addr
	}
	return "127.0.0.1"
}

// ask gives the daemon one command of its own tool.
func (s *speaker) ask(args ...string) (string, error) {
	var cmd *exec.Cmd
	switch s.kind {
	case "frr":
		list := []string{"--vty_socket", s.dir}
		for _, a := range args {
			list = append(list, "-c", a)
		}
		cmd = s.command(daemon(s.t, "vtysh", "frr"), list...)
	case "bird":
		cmd = s.command(daemon(s.t, "birdc", "bird2"), append([]string{"-s", s.file("ctl")}, args...)...)
	case "gobgpd":
		cmd = s.command(daemon(s.t, "gobgp", "gobgpd"), append([]string{"-u", s.apiHost(), "-p", "50051"}, args...)...)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", s.kind, args, err, out)
	}
	return string(out), nil
}

func (s *speaker) must(args ...string) string {
	s.t.Helper()
	out, err := s.ask(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// eventually waits until the daemon answers.
func (s *speaker) eventually(args ...string) {
	s.t.Helper()
	s.eventuallySays("", args...)
}

// eventuallySays waits until the daemon's answer has a text in it.
func (s *speaker) eventuallySays(text string, args ...string) {
	s.t.Helper()
	var out string
	var err error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if out, err = s.ask(args...); err == nil && strings.Contains(out, text) {
			return
		}
	}
	s.t.Fatalf("%s does not say %q, but %s (%v)", s.kind, text, out, err)
}

func (s *speaker) frrConf() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("frr defaults datacenter")
	p("hostname %s", "frr-"+s.addr)
	p("bgp route-map delay-timer 0")
	p("route-map NONE deny 10")
	p("exit")
	p("route-map NH permit 10")
	if s.space == "" {
		p(" set ip next-hop %s", s.nextHop())
	}
	p("exit")
	for _, o := range s.told {
		p("route-map %s permit 10", mapName(o.prefix))
		if len(o.behind) > 0 {
			p(" set as-path prepend %s", join(o.behind, " "))
		}
		p("exit")
	}
	p("router bgp %d", s.as)
	p(" bgp router-id 10.255.%s", strings.Join(strings.Split(s.addr, ".")[2:], "."))
	p(" no bgp ebgp-requires-policy")
	p(" no bgp network import-check")
	p(" no bgp default ipv4-unicast")
	p(" bgp allow-martian-nexthop")
	for _, n := range s.peers {
		p(" neighbor %s remote-as %d", n.addr, n.as)
		p(" neighbor %s port %d", n.addr, n.listens())
		p(" neighbor %s update-source %s", n.addr, s.towards(n))
		if n.as != s.as && s.space == "" {
			p(" neighbor %s disable-connected-check", n.addr)
			p(" neighbor %s ebgp-multihop 2", n.addr)
		}
		if n.bfd { // it is to be the one that finds out
			p(" neighbor %s bfd 3 100 100", n.addr)
			p(" neighbor %s timers 30 90", n.addr)
		} else {
			p(" neighbor %s timers 1 3", n.addr)
		}
		p(" neighbor %s timers connect 1", n.addr)
		if n.passive {
			p(" neighbor %s passive", n.addr)
		}
		if n.password != "" {
			p(" neighbor %s password %s", n.addr, n.password)
		}
	}
	p(" address-family ipv4 unicast")
	for _, o := range s.told {
		p("  network %s route-map %s", o.prefix, mapName(o.prefix))
	}
	for _, n := range s.peers {
		p("  neighbor %s activate", n.addr)
		p("  neighbor %s soft-reconfiguration inbound", n.addr)
		if n.as == s.as || n.tell == "all" {
			p("  neighbor %s addpath-tx-all-paths", n.addr)
		}
		p("  neighbor %s route-map %s out", n.addr, map[bool]string{true: "NONE", false: "NH"}[n.tell == "none"])
	}
	p(" exit-address-family")
	if s.bmp != "" {
		host, port, _ := net.SplitHostPort(s.bmp)
		p(" bmp targets station")
		p("  bmp monitor ipv4 unicast pre-policy")
		p("  bmp monitor ipv4 unicast post-policy")
		p("  bmp stats interval 1000")
		p("  bmp connect %s port %s min-retry 200 max-retry 1000", host, port)
		p(" exit")
	}
	p("exit")
	return b.String()
}

// towards is the daemon's own address in a session.
func (s *speaker) towards(n neighbour) string { return cmp.Or(n.from, s.addr) }

// nextHop is what the daemon on loopback gives as next hop: an address of 127/8 is refused by all three.
func (s *speaker) nextHop() string { return "192.0.2." + s.addr[strings.LastIndexByte(s.addr, '.')+1:] }

func mapName(prefix string) string {
	return "M" + strings.NewReplacer(".", "_", "/", "_", ":", "_").Replace(prefix)
}

func join(as []uint32, by string) string {
	words := make([]string, len(as))
	for i, a := range as {
		words[i] = strconv.FormatUint(uint64(a), 10)
	}
	return strings.Join(words, by)
}

func (s *speaker) birdConf() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("log stderr all;")
	p("router id 10.255.%s;", strings.Join(strings.Split(s.addr, ".")[2:], "."))
	hop := ""
	if s.space == "" {
		hop = "bgp_next_hop = " + s.nextHop() + "; "
	}
	p("protocol device {}")
	p("protocol static origins { ipv4;")
	for _, o := range s.told {
		p(" route %s blackhole;", o.prefix)
	}
	p("}")
	p("function behind() {")
	for _, o := range s.told {
		for _, as := range slices.Backward(o.behind) {
			p(" if net = %s then bgp_path.prepend(%d);", o.prefix, as)
		}
	}
	p("}")
	p("filter tell_own { %sif source = RTS_STATIC then { behind(); accept; } reject; }", hop)
	p("filter tell_all { %sif source = RTS_STATIC then { behind(); accept; } if source = RTS_BGP then accept; reject; }", hop)
	p("filter tell_none { reject; }")
	for i, n := range s.peers {
		tell := map[string]string{"": "own"}[n.tell]
		if tell == "" {
			tell = n.tell
		}
		p("protocol bgp n%d { local %s port %d as %d; neighbor %s port %d as %d;", i, s.towards(n), bgpPort, s.as, n.addr, n.listens(), n.as)
		p(" hold time 3; connect retry time 1; connect delay time 1; error wait time 1,1; strict bind yes; graceful restart off;")
		switch {
		case n.as == s.as:
			p(" multihop; rr client;")
		case s.space == "":
			p(" multihop 2;")
		default:
			p(" direct; check link yes;")
		}
		if n.passive {
			p(" passive yes;")
		}
		if n.password != "" {
			p(" password %q;", n.password)
		}
		p(" ipv4 { import all; export filter tell_%s; add paths tx; }; }", tell)
	}
	return b.String()
}

func (s *speaker) gobgpConf() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("[global.config]\n as = %d\n router-id = \"10.255.%s\"\n port = %d", s.as, strings.Join(strings.Split(s.addr, ".")[2:], "."), bgpPort)
	if s.space == "" {
		p(" local-address-list = [%q]", s.addr)
	}
	var untold []string
	for _, n := range s.peers {
		if n.tell == "none" {
			untold = append(untold, strconv.Quote(n.addr+"/32"))
		}
	}
	if len(untold) > 0 {
		p("[global.apply-policy.config]\n export-policy-list = [\"none\"]\n default-export-policy = \"accept-route\"")
		p("[[defined-sets.neighbor-sets]]\n neighbor-set-name = \"untold\"\n neighbor-info-list = [%s]", strings.Join(untold, ", "))
		p("[[policy-definitions]]\n name = \"none\"\n[[policy-definitions.statements]]\n name = \"none\"\n[policy-definitions.statements.conditions.match-neighbor-set]\n neighbor-set = \"untold\"\n match-set-options = \"any\"\n[policy-definitions.statements.actions]\n route-disposition = \"reject-route\"")
	}
	for _, n := range s.peers {
		p("[[neighbors]]\n[neighbors.config]\n neighbor-address = %q\n peer-as = %d", n.addr, n.as)
		if n.password != "" {
			p(" auth-password = %q", n.password)
		}
		p("[neighbors.transport.config]\n local-address = %q\n remote-port = %d", s.towards(n), n.listens())
		if n.passive {
			p(" passive-mode = true")
		}
		switch {
		case n.as != s.as && s.space == "":
			p("[neighbors.ebgp-multihop.config]\n enabled = true\n multihop-ttl = 2")
		case n.as == s.as:
			p("[neighbors.route-reflector.config]\n route-reflector-client = true\n route-reflector-cluster-id = \"10.255.255.1\"")
		}
		p("[neighbors.timers.config]\n connect-retry = 1\n hold-time = 3\n keepalive-interval = 1\n idle-hold-time-after-reset = 1")
		p("[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\n afi-safi-name = \"ipv4-unicast\"")
		p("[neighbors.afi-safis.add-paths.config]\n send-max = 8")
	}
	if s.bmp != "" {
		host, port, _ := net.SplitHostPort(s.bmp)
		p("[[bmp-servers]]\n[bmp-servers.config]\n address = %q\n port = %s\n route-monitoring-policy = \"all\"\n statistics-timeout = 15", host, port)
	}
	return b.String()
}

// announce originates one more prefix, or the same with other ASes behind it.
func (s *speaker) announce(o origin) {
	s.t.Helper()
	switch s.kind {
	case "frr":
		_, _ = s.ask("configure terminal", fmt.Sprintf("router bgp %d", s.as), "address-family ipv4 unicast", "no network "+o.prefix) // it may be gone
		lines := []string{"configure terminal", "route-map " + mapName(o.prefix) + " permit 10"}
		if len(o.behind) > 0 {
			lines = append(lines, "set as-path prepend "+join(o.behind, " "))
		}
		lines = append(lines, "exit", fmt.Sprintf("router bgp %d", s.as), "address-family ipv4 unicast",
			"network "+o.prefix+" route-map "+mapName(o.prefix), "end", "clear bgp ipv4 unicast * soft out")
		s.must(lines...)
	case "bird":
		s.told = append(slices.DeleteFunc(s.told, func(x origin) bool { return x.prefix == o.prefix }), o)
		s.write("bird.conf", s.birdConf())
		s.must("configure")
		s.must("reload", "out", "all")
	case "gobgpd":
		args := []string{"global", "rib", "add", o.prefix}
		if s.space == "" {
			args = append(args, "nexthop", s.nextHop())
		}
		if len(o.behind) > 0 {
			args = append(args, "aspath", join(o.behind, ","))
		}
		s.must(args...)
	}
}

// announceAgain originates a prefix also where everything was withdrawn before.
func (s *speaker) announceAgain(o origin) {
	s.t.Helper()
	if s.kind == "bird" {
		s.must("enable", "origins")
	}
	s.announce(o)
}

// withdrawAll takes back everything that the daemon originates; its sessions stay up.
func (s *speaker) withdrawAll() {
	s.t.Helper()
	switch s.kind {
	case "frr":
		lines := []string{"configure terminal", fmt.Sprintf("router bgp %d", s.as), "address-family ipv4 unicast"}
		for _, o := range s.told {
			lines = append(lines, "no network "+o.prefix)
		}
		s.must(append(lines, "end")...)
	case "bird":
		s.must("disable", "origins")
	case "gobgpd":
		s.must("global", "rib", "del", "all")
	}
}

// cut makes the router as if its link were cut: nothing more comes from it, and nobody says good-bye.
func (s *speaker) cut() {
	s.t.Helper()
	s.stop("")
}

// stop stops the daemons with that in their name.
func (s *speaker) stop(name string) {
	s.t.Helper()
	for _, cmd := range s.cmds {
		if !slices.ContainsFunc(cmd.Args, func(a string) bool { return strings.Contains(a, name) }) {
			continue
		}
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *speaker) mend() {
	for _, cmd := range s.cmds {
		_ = cmd.Process.Signal(syscall.SIGCONT)
	}
}

// kill ends the daemon without a good-bye.
func (s *speaker) kill() {
	for _, cmd := range s.cmds {
		_ = cmd.Process.Kill()
	}
}

// bounce resets the session with a neighbour.
func (s *speaker) bounce(addr string) {
	s.t.Helper()
	switch s.kind {
	case "frr":
		s.must("clear bgp ipv4 " + addr)
	case "bird":
		i := slices.IndexFunc(s.peers, func(n neighbour) bool { return n.addr == addr })
		s.must("restart", fmt.Sprintf("n%d", i))
	case "gobgpd": // "reset" would keep it idle for half a minute
		s.must("neighbor", addr, "disable")
		s.must("neighbor", addr, "enable")
	}
}

// heardFrom is what the daemon has in its adj-in from a neighbour, in its own words; "" where there is nothing.
func (s *speaker) heardFrom(addr string) string {
	s.t.Helper()
	switch s.kind {
	case "frr":
		out := s.must("show bgp ipv4 unicast neighbors " + addr + " received-routes json")
		if strings.Contains(out, `"network"`) || strings.Contains(out, `"prefix"`) {
			return out
		}
		return ""
	case "bird":
		i := slices.IndexFunc(s.peers, func(n neighbour) bool { return n.addr == addr })
		out := s.must("show", "route", "all", "protocol", fmt.Sprintf("n%d", i))
		if strings.Contains(out, "BGP.as_path") {
			return out
		}
		return ""
	}
	out := s.must("neighbor", addr, "adj-in")
	if strings.Contains(out, "Network not in table") || !strings.Contains(out, "/") {
		return ""
	}
	return out
}
