//go:build linux

package fleet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// loopbackUDP answers datagrams to all addresses 127.x.y.z from one socket: ten thousand devices cost one file
// descriptor. It hears nothing from outside: it is bound to the loopback device, and drops what is for another address.
type loopbackUDP struct {
	conn *net.UDPConn
	port int
}

// listenLoopback takes any free port.
func listenLoopback() (*loopbackUDP, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		return nil, err
	}
	l := &loopbackUDP{conn: conn, port: conn.LocalAddr().(*net.UDPAddr).Port}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = syscall.BindToDevice(int(fd), "lo"); failed != nil {
			failed = os.NewSyscallError("bind to lo", failed)
			return
		}
		if failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1); failed != nil {
			failed = os.NewSyscallError("IP_PKTINFO", failed)
			return
		}
		// As much as the kernel gives: a burst must wait, not get lost.
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<20)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listen on all of loopback: %w", err)
	}
	return l, nil
}

// serve answers each datagram by what answer makes of it, nil for nothing, until the socket is closed.
func (l *loopbackUDP) serve(answer func(to netip.Addr, datagram []byte) []byte) {
	buf, oob := make([]byte, 65535), make([]byte, 64)
	for {
		n, oobn, _, from, err := l.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier answer
		}
		to, ok := destination(oob[:oobn])
		if !ok || !to.IsLoopback() {
			continue
		}
		if out := answer(to, buf[:n]); out != nil {
			_, _, _ = l.conn.WriteMsgUDPAddrPort(out, source(to), from)
		}
	}
}

// destination reads the address that a datagram was sent to: struct in_pktinfo holds it in octets 8 to 11.
func destination(oob []byte) (netip.Addr, bool) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.Addr{}, false
	}
	for _, m := range messages {
		if m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_PKTINFO && len(m.Data) >= 12 {
			return netip.AddrFrom4([4]byte(m.Data[8:12])), true
		}
	}
	return netip.Addr{}, false
}

// source is the control message by which a datagram is sent from an address.
func source(from netip.Addr) []byte {
	oob := make([]byte, syscall.CmsgSpace(12))
	binary.NativeEndian.PutUint64(oob, uint64(syscall.CmsgLen(12)))
	binary.NativeEndian.PutUint32(oob[8:], syscall.IPPROTO_IP)
	binary.NativeEndian.PutUint32(oob[12:], syscall.IP_PKTINFO)
	a := from.As4()
	copy(oob[syscall.CmsgLen(0)+4:], a[:]) // ipi_spec_dst
	return oob
}

// block is a run of addresses that is written as a range: 127.net.[0-(n/250-1)].[1-250], or one row of fewer than 250.
type block struct {
	net, rows, columns int
}

func blockOf(network, n int) block {
	if n <= 250 {
		return block{network, 1, max(1, n)}
	}
	return block{network, min(250, n/250), 250}
}

func (b block) size() int { return b.rows * b.columns }

// at is the address of number i, from 0.
func (b block) at(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(b.net), byte(i / b.columns), byte(i%b.columns + 1)})
}

// pattern is the range as the configuration writes it.
func (b block) pattern() string {
	if b.rows == 1 {
		return fmt.Sprintf("127.%d.0.[1-%d]", b.net, b.columns)
	}
	return fmt.Sprintf("127.%d.[0-%d].[1-%d]", b.net, b.rows-1, b.columns)
}

// names is the range of names, "pdu-[00001-04000]".
func (b block) names(prefix string) string { return fmt.Sprintf("%s-[00001-%05d]", prefix, b.size()) }

// name is that of number i, from 0.
func (b block) name(prefix string, i int) string { return fmt.Sprintf("%s-%05d", prefix, i+1) }
