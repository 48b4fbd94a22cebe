// Package lab gives devices that are not there: agents and services that speak the real protocols over real sockets,
// from recordings of real devices (Replay) or from a small model of a datacenter that can be broken at will (Start).
//
// A lab device answers like a well-behaved one unless a fault is injected. It listens on loopback unless told
// otherwise, and it knows nothing of what reads it: no room of the program but app uses this one.
//
//	r, err := lab.Replay("apc_smt1500.snmprec", "127.0.0.1:0")
//	fmt.Println(r.URL, r.Command) // snmp://127.0.0.1:40123
//	defer r.Stop()
//
// One process holds thousands of devices: agents share the objects of their make and keep only what differs, and each
// costs one socket and one goroutine.
package lab

import (
	"net"
	"net/netip"
)

// loopback completes an address to listen on: without a host it is 127.0.0.1, without a port any free one.
func loopback(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		if _, perr := netip.ParseAddr(addr); perr != nil && addr != "" {
			return addr // the listener says what is wrong with it
		}
		host, port = addr, "0"
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// reached is an address that leads to a listener from its own machine: one that listens on all addresses is reached on
// loopback.
func reached(at netip.AddrPort) string {
	if a := at.Addr(); a.IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return at.String()
}
