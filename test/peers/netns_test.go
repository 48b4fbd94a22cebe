package peers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// insideEnv says to a test binary that it runs in namespaces of its own.
const insideEnv = "SPAREWATCH_TEST_INSIDE"

// place says where a test runs.
type place int

const (
	outside  place = iota // namespaces are not allowed here
	inside                // in namespaces of its own
	wasThere              // outside, and all of it ran inside already
)

// inNamespaces has the test run a second time, in network, mount and process namespaces of its own. Whatever it makes
// there, links and daemons too, is gone with it, however it ends. Where that is not allowed it says so.
func inNamespaces(t *testing.T) place {
	t.Helper()
	ip := daemon(t, "ip", "iproute2")
	if os.Getenv(insideEnv) != "" {
		furnish(t)
		return inside
	}
	// Some sandboxes let namespaces be made, and no links.
	if out, err := separately(ip, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"); err != nil {
		t.Logf("network namespaces with veth pairs cannot be had (they need root): %v %s", err, bytes.TrimSpace(out))
		return outside
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.count=1"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	t.Setenv(insideEnv, "1")
	out, err := separately(self, args...)
	t.Logf("in namespaces of its own:\n%s", out)
	if err != nil {
		t.Error(err)
	}
	return wasThere
}

// separately runs a command in namespaces of its own. It dies with us, and takes all that it started along.
func separately(name string, args ...string) ([]byte, error) {
	runtime.LockOSThread() // the signal comes when the thread ends that started the command
	defer runtime.UnlockOSThread()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	return cmd.CombinedOutput()
}

// furnish makes new namespaces fit to live in: processes as they are numbered here, a /run for the names of further
// network namespaces, and loopback.
func furnish(t *testing.T) {
	t.Helper()
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal("keep mounts to ourselves: ", err)
	}
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"tmpfs", "/run"}} {
		if err := syscall.Mount(m.kind, m.at, m.kind, syscall.MS_NOSUID|syscall.MS_NODEV, ""); err != nil {
			t.Fatalf("mount %s: %v", m.at, err)
		}
	}
	ipIn(t, "", "link set lo up")
}

// ipIn gives ip(8) several commands at once, in a namespace; "" is our own.
func ipIn(t *testing.T, namespace string, commands ...string) {
	t.Helper()
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	cmd := exec.Command(daemon(t, "ip", "iproute2"), args...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v\n%s\n%s", args, err, strings.Join(commands, "\n"), out)
	}
}

// ground is where the routers of one story stand, and how they reach each other and the program.
type ground interface {
	// join makes a link between two of them, each called by its name; the program is called us.
	join(own, other string)
	// address is one's own address on the link to the other.
	address(own, other string) string
	// source is the address from which one connects to the other where nobody says from which.
	source(own, other string) string
	// place says to a daemon where it stands.
	place(name string, s *speaker)
	// cut takes a link down at the side of the first, whose daemon is given; mend puts it up again.
	cut(own, other string, s *speaker)
	mend(own, other string, s *speaker)
	// how says what a cut is, for people.
	how() string
}

// us is the program's name among the routers.
const us = "us"

// fields are grounds of network namespaces, one for each router, with veth pairs between them; the program stands in
// the test's own.
type fields struct {
	t      *testing.T
	number int // of the test's grounds
	spaces map[string]bool
	links  map[[2]string]int // in both directions
}

func newFields(t *testing.T, number int) *fields {
	return &fields{t: t, number: number, spaces: map[string]bool{us: true}, links: map[[2]string]int{}}
}

func (f *fields) how() string { return "link set down" }

// space is the namespace of one; "" is our own.
func (f *fields) space(name string) string {
	if name == us {
		return ""
	}
	return fmt.Sprintf("g%d-%s", f.number, name)
}

// device is an interface towards the other; names have at most 15 octets.
func (f *fields) device(own, other string) string {
	if own == us {
		return fmt.Sprintf("g%d-%s", f.number, other)
	}
	return "to-" + other
}

// end is the part of ip(8)'s "link add" that says what one end of a veth pair is called and where it is.
func (f *fields) end(device, name string) string {
	if name == us {
		return device
	}
	return device + " netns " + f.space(name)
}

// numbered gives the link its place among the addresses, and makes the namespaces that it needs.
func (f *fields) numbered(own, other string) {
	f.t.Helper()
	f.links[[2]string{own, other}] = len(f.links)/2 + 1
	f.links[[2]string{other, own}] = f.links[[2]string{own, other}]
	for _, name := range []string{own, other} {
		if !f.spaces[name] {
			f.spaces[name] = true
			ipIn(f.t, "", "netns add "+f.space(name))
			ipIn(f.t, f.space(name), "link set lo up")
		}
	}
}

func (f *fields) join(own, other string) {
	f.t.Helper()
	f.numbered(own, other)
	ipIn(f.t, "", "link add "+f.end(f.device(own, other), own)+" type veth peer name "+f.end(f.device(other, own), other))
	f.raise(own, other)
	f.raise(other, own)
}

// joinOverSwitch makes a link with a switch in its middle: when one side goes down the other keeps its carrier.
func (f *fields) joinOverSwitch(own, other string) {
	f.t.Helper()
	f.numbered(own, other)
	bridge := fmt.Sprintf("g%d-sw%d", f.number, f.links[[2]string{own, other}])
	commands := []string{"link add " + bridge + " type bridge", "link set " + bridge + " up"}
	for i, names := range [][2]string{{own, other}, {other, own}} {
		port := fmt.Sprintf("%s-%d", bridge, i)
		commands = append(commands, "link add "+port+" type veth peer name "+f.end(f.device(names[0], names[1]), names[0]), "link set "+port+" master "+bridge+" up")
	}
	ipIn(f.t, "", commands...)
	f.raise(own, other)
	f.raise(other, own)
}

func (f *fields) raise(own, other string) {
	f.t.Helper()
	device := f.device(own, other)
	ipIn(f.t, f.space(own), "addr add "+f.address(own, other)+"/24 dev "+device, "link set "+device+" up")
}

func (f *fields) address(own, other string) string {
	host := 1
	if own < other {
		host = 2
	}
	return fmt.Sprintf("10.%d.%d.%d", f.number, f.links[[2]string{own, other}], host)
}

func (f *fields) source(own, other string) string { return f.address(own, other) }

func (f *fields) place(name string, s *speaker) { s.space = f.space(name) }

func (f *fields) cut(own, other string, _ *speaker) {
	f.t.Helper()
	ipIn(f.t, f.space(own), "link set "+f.device(own, other)+" down")
}

func (f *fields) mend(own, other string, _ *speaker) {
	f.t.Helper()
	ipIn(f.t, f.space(own), "link set "+f.device(own, other)+" up")
}

// loopback is the ground where namespaces are not allowed: everyone has one address of 127/8, and a link is cut by
// stopping the daemon at its end.
type loopback struct {
	at    func(host int) string
	hosts map[string]int
}

func newLoopback(number int) *loopback {
	return &loopback{at: network(number), hosts: map[string]int{}}
}

func (l *loopback) how() string { return "daemon stopped" }

func (l *loopback) join(own, other string) {
	for _, name := range []string{own, other} {
		if l.hosts[name] == 0 {
			l.hosts[name] = len(l.hosts) + 1
		}
	}
}

func (l *loopback) address(own, _ string) string { return l.at(l.hosts[own]) }

func (l *loopback) source(string, string) string { return "127.0.0.1" }

func (l *loopback) place(string, *speaker) {}

func (l *loopback) cut(_, _ string, s *speaker) { s.cut() }

func (l *loopback) mend(_, _ string, s *speaker) { s.mend() }
