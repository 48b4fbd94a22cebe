package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// RedfishServer serves a BMC over HTTPS (or plain HTTP) until it is closed.
type RedfishServer struct {
	*BMC
	http *http.Server
	at   net.Listener
	cert atomic.Pointer[tls.Certificate] // nil: plain HTTP
	done chan struct{}
}

// Plain in the place of a certificate means HTTP without TLS.
var Plain = &tls.Certificate{}

// ServeRedfish serves the BMC on a TCP address; see loopback for what may be left out. Without a certificate it makes
// a self-signed one, as BMCs come with; thousands of services may share one.
func ServeRedfish(addr string, b *BMC, cert *tls.Certificate) (*RedfishServer, error) {
	if cert == nil {
		made, err := SelfSigned("lab")
		if err != nil {
			return nil, err
		}
		cert = &made
	}
	at, err := net.Listen("tcp", loopback(addr))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	at = powered{at, b}
	s := &RedfishServer{BMC: b, at: at, done: make(chan struct{})}
	s.http = &http.Server{Handler: b, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	if cert != Plain {
		s.cert.Store(cert)
		at = tls.NewListener(at, &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.Load(), nil },
		})
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(at) // it ends when it is closed
	}()
	return s, nil
}

// powered takes no connections for a device without power.
type powered struct {
	net.Listener
	b *BMC
}

func (l powered) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.b.alive() {
			return c, err
		}
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // a reset, as nothing is there to say goodbye
		}
		_ = c.Close()
	}
}

// Addr is where the service listens.
func (s *RedfishServer) Addr() netip.AddrPort { return s.at.Addr().(*net.TCPAddr).AddrPort() }

// URL is redfish://host:port, or redfish+http://host:port for a plain service, as it is reached from this machine.
func (s *RedfishServer) URL() string {
	if s.cert.Load() == nil {
		return "redfish+http://" + reached(s.Addr())
	}
	return "redfish://" + reached(s.Addr())
}

// Fingerprint is the SHA-256 of the service's certificate in lower-case hex; empty for a plain service.
func (s *RedfishServer) Fingerprint() string {
	cert := s.cert.Load()
	if cert == nil {
		return ""
	}
	sum := sha256.Sum256(cert.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// Renew gives the service a new self-signed certificate, as a BMC that was reset has. Connections that are open keep
// the old one.
func (s *RedfishServer) Renew() error {
	cert, err := SelfSigned("lab")
	if err == nil {
		s.cert.Store(&cert)
	}
	return err
}

// Close ends the server, and with it every connection; a request in hand sees its context done.
func (s *RedfishServer) Close() error {
	err := s.http.Close()
	<-s.done
	s.events.end()
	return err
}

// SelfSigned makes a certificate for loopback that nobody vouches for.
func SelfSigned(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Sparewatch lab"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
