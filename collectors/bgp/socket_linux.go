package bgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// Socket options that package syscall has no name for (linux/in6.h).
const ipv6MinHops = 73

// setPassword has a socket sign what it sends to a neighbour and refuse what comes from it unsigned (TCP MD5, RFC 2385).
// An empty password ends that.
func setPassword(fd uintptr, neighbour netip.Addr, password string) error {
	// struct tcp_md5sig: a sockaddr_storage, flags, a prefix's length, the key's length, an interface, 80 octets of key.
	var sig [128 + 8 + 80]byte
	if len(password) > 80 {
		return fmt.Errorf("the password has %d octets: 80 may be", len(password))
	}
	family := uint16(syscall.AF_INET)
	if neighbour.Is6() {
		family = syscall.AF_INET6
		copy(sig[8:], neighbour.AsSlice())
	} else {
		copy(sig[4:], neighbour.AsSlice())
	}
	binary.NativeEndian.PutUint16(sig[:], family)
	binary.NativeEndian.PutUint16(sig[130:], uint16(len(password)))
	copy(sig[136:], password)
	err := syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MD5SIG, string(sig[:]))
	if password == "" && errors.Is(err, syscall.ENOENT) { // there was none to take out
		return nil
	}
	return err
}

// setTTL sends with 255, as neighbours may ask for that look how many routers were crossed (RFC 5082).
func setTTL(fd uintptr, v6 bool) error {
	if v6 {
		return syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, 255)
	}
	return syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, 255)
}

// setLeastTTL drops packets of which less is left than this; 0: none.
func setLeastTTL(fd uintptr, v6 bool, least int) error {
	if v6 {
		return syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, ipv6MinHops, least)
	}
	return syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_MINTTL, least)
}
