package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/export/prom"
)

// Redfish services push their events to an address of ours, where the configuration gives one.

// withPush gives the Redfish collectors a receiver for pushed events, where the configuration has events.
func (a *App) withPush(all map[string]collectors.Collector) map[string]collectors.Collector {
	c := a.o.Config
	if c.Events.Listen == "" {
		return all
	}
	a.pushed = redfish.NewReceiver(c.Site, c.Events.Secret.Reveal())
	all = maps.Clone(all)
	for scheme, collector := range all {
		if r, ok := collector.(redfish.Collector); ok {
			r.Push = a.pushed
			all[scheme] = r
		}
	}
	return all
}

// openEvents takes the address to which services push, and answers there until the poller has stopped: it takes the
// subscriptions back.
func (a *App) openEvents(ctx context.Context) error {
	if a.pushed == nil {
		return nil
	}
	e := a.o.Config.Events
	l, err := net.Listen("tcp", e.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s for events: %w; choose another address with events: {listen: ...}", e.Listen, err)
	}
	base := e.URL
	if base == "" {
		base = "https://" + l.Addr().String() // the port may have been any free one
	}
	a.pushed.SetURL(base)
	if !e.Plain {
		cert := e.Certificate
		if cert == nil {
			if cert, err = selfSigned(base); err != nil {
				_ = l.Close()
				return err
			}
		}
		// BMCs of ten years know nothing newer than TLS 1.2, and do not verify.
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*cert}, NextProtos: []string{"http/1.1"}})
	}
	a.log.Info("events are heard", "at", base, "listen", l.Addr().String())
	a.start(ctx, "receiver of events", func(ctx context.Context) error { return serveEvents(ctx, l, a.pushed) })
	return nil
}

// serveEvents answers on the listener until ctx is done.
func serveEvents(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // handshakes that strangers break off
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = server.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// selfSigned makes the certificate that the receiver of events shows where none is configured.
func selfSigned(base string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for events: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a certificate for events: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "sparewatch events"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(5, 0, 0), // BMCs' clocks are seldom right
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	host := base
	if u, err := url.Parse(base); err == nil {
		host = u.Hostname()
	}
	if net.ParseIP(host) != nil {
		template.IPAddresses = []net.IP{net.ParseIP(host)}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for events: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// sameEvents reports whether two configurations hear events in the same way.
func sameEvents(a, b config.Events) bool {
	return a.Listen == b.Listen && a.URL == b.URL && a.Secret.Reveal() == b.Secret.Reveal() &&
		(a.Certificate == nil) == (b.Certificate == nil)
}

// pushStats are the receiver's counts for the metrics; nil where there is none.
func (a *App) pushStats() *prom.Pushed {
	if a.pushed == nil {
		return nil
	}
	s := a.pushed.Stats()
	return &prom.Pushed{Events: s.Events, Ignored: s.Ignored, Strangers: s.Strangers, Garbage: s.Garbage, Lost: s.Lost, Refused: s.Refused, Standing: s.Standing}
}
