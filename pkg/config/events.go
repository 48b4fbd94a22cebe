package config

import (
	"crypto/tls"
	"net"
	"net/url"

	"github.com/sparewatch/sparewatch/pkg/secret"
)

// Events is where Redfish services push their events. Without an address to listen on nobody is asked to.
type Events struct {
	Listen string // host:port, TCP
	URL    string // by which BMCs reach it, without a path; "" where Listen alone tells it once its port is known
	Plain  bool   // without TLS
	// Certificate is what it shows; nil: a self-signed one is made at each start, since BMCs do not look.
	Certificate *tls.Certificate
	Secret      secret.Text // keeps the subscriptions' addresses the same over restarts
}

func (l *loader) takeEvents(n node) {
	known := append([]string{"listen", "url", "cert", "key"}, secretKeys("secret")...)
	s := l.mapping(n, "events", known...)
	e := &l.cfg.Events
	e.Listen, e.URL, e.Secret = s.text("listen"), s.text("url"), l.secret(s, "secret")
	const instead = `write listen: "0.0.0.0:9621"`
	switch {
	case e.Listen == "":
		l.wrong(s.at(), instead, "events does not say where they are heard")
		return
	case badListen(e.Listen) != "":
		l.wrong(s.where("listen"), instead, "listen is %q, which %s", e.Listen, badListen(e.Listen))
		return
	}
	l.eventsURL(s, e)
	l.eventsCertificate(s, e)
}

// eventsURL checks by which URL BMCs reach the receiver.
func (l *loader) eventsURL(s *section, e *Events) {
	host, port, _ := net.SplitHostPort(e.Listen)
	example := "write url: https://HOST:" + port + ", by a name or an address that the BMCs can reach"
	if e.URL == "" {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			l.wrong(s.at(), example, "events does not say by which URL the BMCs reach %s", e.Listen)
		}
		return
	}
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || badHost(u.Hostname()) != "":
		l.wrong(s.where("url"), example, "url is no address that a BMC can post to")
		return
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		l.wrong(s.where("url"), "write only https://HOST:PORT", "url goes on after the host")
		return
	}
	if e.Plain = u.Scheme == "http"; e.Plain {
		l.warn(s.where("url"), "write https://", "http: whoever listens on the way reads the address of a subscription, and may send events to it")
	}
	e.URL = u.Scheme + "://" + u.Host
}

func (l *loader) eventsCertificate(s *section, e *Events) {
	cert, key := l.path(s.text("cert"), s.file), l.path(s.text("key"), s.file)
	switch {
	case cert == "" && key == "":
		return
	case e.Plain:
		l.wrong(s.at(), "write url: https://..., or take cert and key out", "events has a certificate, but its url is plain http")
		return
	case cert == "" || key == "":
		l.wrong(s.at(), "write both cert: FILE and key: FILE", "events has only one of cert and key")
		return
	}
	certText, mistake := readFile(cert, maxFile)
	if mistake != nil {
		l.wrong(s.where("cert"), mistake.Instead, "cert %s: %s", cert, mistake.What)
		return
	}
	keyText, mistake := readFile(key, maxFile)
	if mistake != nil {
		l.wrong(s.where("key"), mistake.Instead, "key %s: %s", key, mistake.What)
		return
	}
	l.warnReadable(s.where("key"), key, key+" holds a private key")
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		l.wrong(s.where("cert"), "give a certificate and its private key in PEM", "cert and key are no pair: %v", err)
		return
	}
	e.Certificate = &pair
}
