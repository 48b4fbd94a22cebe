package collectors

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// TLS says how a device's certificate is verified: by the system's authorities (zero value), by an authority of one's
// own, by its pinned fingerprint, or not at all.
type TLS struct {
	Fingerprint string // SHA-256 of the leaf certificate, hex, colons allowed
	CA          *x509.CertPool
	Insecure    bool
	AllowTLS10  bool // some old BMCs know nothing newer
}

// Check says what is wrong with a fingerprint that was written by hand; nil where there is none or it may be one.
func (t TLS) Check() error {
	f := normalFingerprint(t.Fingerprint)
	if t.Fingerprint == "" {
		return nil
	}
	if b, err := hex.DecodeString(f); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("%q is no fingerprint: write the SHA-256 of the device's certificate, 64 hexadecimal digits; without one the error shows it", t.Fingerprint)
	}
	return nil
}

// CertificateError is a certificate that does not verify. Fingerprint is the SHA-256 of what the device showed, to pin
// it; Pinned is set where another certificate had been pinned.
type CertificateError struct {
	Host        string
	Fingerprint string
	Pinned      string
	Err         error
}

func (e *CertificateError) Error() string {
	if e.Pinned != "" {
		return fmt.Sprintf("the certificate of %s is not the pinned one: its SHA-256 is %s, pinned is %s", e.Host, e.Fingerprint, e.Pinned)
	}
	return fmt.Sprintf("the certificate of %s does not verify: %v; its SHA-256 is %s", e.Host, e.Err, e.Fingerprint)
}

func (e *CertificateError) Unwrap() error { return e.Err }

// Config returns a client configuration that verifies host's certificate as t says. A certificate that does not verify
// yields a *CertificateError from the handshake.
func (t TLS) Config(host string) *tls.Config {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t.AllowTLS10 {
		c.MinVersion, c.CipherSuites = tls.VersionTLS10, oldSuites()
	}
	// The standard verification is replaced, not left out: VerifyConnection below does it for every case.
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(s tls.ConnectionState) error { return t.verify(host, s) }
	return c
}

// oldSuites are the cipher suites of today, and behind them those that BMCs know that know nothing newer: without forward
// secrecy, or with 3DES (iLO 3 and 4, iDRAC 6 and 7, Supermicro X9 and X10).
func oldSuites() []uint16 {
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA)
}

func (t TLS) verify(host string, s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return &CertificateError{Host: host, Err: fmt.Errorf("it shows none")}
	}
	leaf := s.PeerCertificates[0]
	got := Fingerprint(leaf)
	if t.Fingerprint != "" {
		if normalFingerprint(t.Fingerprint) != got {
			return &CertificateError{Host: host, Fingerprint: got, Pinned: normalFingerprint(t.Fingerprint)}
		}
		return nil
	}
	if t.Insecure {
		return nil
	}
	others := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		others.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: t.CA, Intermediates: others}); err != nil {
		return &CertificateError{Host: host, Fingerprint: got, Err: err}
	}
	return nil
}

// Fingerprint is the SHA-256 of the certificate, in lower-case hex.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func normalFingerprint(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimPrefix(strings.TrimPrefix(s, "sha256:"), "sha-256:")
	return strings.NewReplacer(":", "", " ", "").Replace(s)
}
