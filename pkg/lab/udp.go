package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// SNMPServer serves an agent on a UDP socket until it is closed.
type SNMPServer struct {
	*Agent
	conn  *net.UDPConn
	stop  chan struct{} // closed: answers that wait are given up
	done  chan struct{} // closed: serve has returned
	delay atomic.Int64
	later sync.WaitGroup
	once  sync.Once
}

// requestSize is the largest request taken, in octets: 60 varbinds of 30 octets and room to spare.
const requestSize = 4096

// ServeSNMP serves the agent on a UDP address; see loopback for what may be left out.
func ServeSNMP(addr string, a *Agent) (*SNMPServer, error) {
	at, err := net.ResolveUDPAddr("udp", loopback(addr))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s := &SNMPServer{Agent: a, conn: conn, stop: make(chan struct{}), done: make(chan struct{})}
	go s.serve()
	return s, nil
}

// Addr is where the agent listens.
func (s *SNMPServer) Addr() netip.AddrPort { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// URL is snmp://host:port, as it is reached from this machine.
func (s *SNMPServer) URL() string { return "snmp://" + reached(s.Addr()) }

// Delay makes every answer wait from now on; 0 ends that. Requests are not held up by answers that wait.
func (s *SNMPServer) Delay(d time.Duration) { s.delay.Store(int64(d)) }

// Close ends the server and waits for it.
func (s *SNMPServer) Close() error {
	var err error
	s.once.Do(func() {
		close(s.stop)
		err = s.conn.Close()
	})
	<-s.done
	s.later.Wait()
	return err
}

func (s *SNMPServer) serve() {
	defer close(s.done)
	buf := make([]byte, requestSize)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier answer
		}
		out := s.Answer(buf[:n])
		if out == nil {
			continue
		}
		if d := time.Duration(s.delay.Load()); d > 0 {
			s.later.Go(func() {
				select {
				case <-time.After(d):
					s.send(out, from)
				case <-s.stop:
				}
			})
			continue
		}
		s.send(out, from)
	}
}

// send has nobody to tell of an error: a datagram that gets lost is lost.
func (s *SNMPServer) send(out []byte, to netip.AddrPort) { _, _ = s.conn.WriteToUDPAddrPort(out, to) }
