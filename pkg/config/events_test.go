package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEvents: every sentence that a person may read about events, and what a good section makes.
func TestEvents(t *testing.T) {
	const devs = "devices: [{name: a, kind: host}]\n"
	for _, c := range []struct{ text, want string }{
		{`events: {listen: "10.0.0.5:9621"}`, ""},
		{`events: {listen: "0.0.0.0:9621", url: "https://watch.example.net:9621/"}`, ""},
		{`events: {}`, `c.yaml:2: events does not say where they are heard; write listen: "0.0.0.0:9621"`},
		{`events: {listen: 9621}`, `c.yaml:2: listen is "9621", which has no port; write listen: "0.0.0.0:9621"`},
		{`events: {listen: ":9621"}`, `c.yaml:2: events does not say by which URL the BMCs reach :9621; write url: https://HOST:9621, by a name or an address that the BMCs can reach`},
		{`events: {listen: "[::]:9621"}`, `c.yaml:2: events does not say by which URL the BMCs reach [::]:9621; write url: https://HOST:9621, by a name or an address that the BMCs can reach`},
		{`events: {listen: ":9621", url: watch}`, `c.yaml:2: url is no address that a BMC can post to; write url: https://HOST:9621, by a name or an address that the BMCs can reach`},
		{`events: {listen: ":9621", url: "redfish://watch"}`, `c.yaml:2: url is no address that a BMC can post to; write url: https://HOST:9621, by a name or an address that the BMCs can reach`},
		{`events: {listen: ":9621", url: "https://watch/events"}`, `c.yaml:2: url goes on after the host; write only https://HOST:PORT`},
		{`events: {listen: ":9621", url: "https://u:hunter2@watch"}`, `c.yaml:2: url goes on after the host; write only https://HOST:PORT`},
		{`events: {listen: ":9621", url: "https://watch", cert: pw}`, `c.yaml:2: events has only one of cert and key; write both cert: FILE and key: FILE`},
		{`events: {listen: ":9621", url: "http://watch", cert: pw, key: pw}`, `c.yaml:2: events has a certificate, but its url is plain http; write url: https://..., or take cert and key out`},
		{`events: {listen: ":9621", url: "https://watch", cert: missing, key: pw}`, `c.yaml:2: cert missing: no such file or directory; put it there, or make it readable for the user that runs sparewatch`},
		{`events: {listen: ":9621", url: "https://watch", cert: pw, key: missing}`, `c.yaml:2: key missing: no such file or directory; put it there, or make it readable for the user that runs sparewatch`},
		{`events: {listen: ":9621", url: "https://watch", cert: pw, key: pw}`, `c.yaml:2: cert and key are no pair: tls: failed to find any PEM data in certificate input; give a certificate and its private key in PEM`},
		{`events: {listen: ":9621", url: "https://watch", secret_file: none}`, `c.yaml:2: secret_file none is empty; put the secret in it, on one line`},
		{`events: {listen: ":9621", lisen: x}`, `c.yaml:2: events has no key "lisen"; did you mean listen?`},
	} {
		_, got := load(t, devs+c.text+"\n")
		got, _, _ = strings.Cut(got, "\n")
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s shows a password", got)
		}
	}
	cfg, _ := load(t, devs+`events: {listen: ":9621", url: "http://watch:9621", secret_file: pw}`+"\n")
	if e := cfg.Events; e.Listen != ":9621" || e.URL != "http://watch:9621" || !e.Plain || e.Secret.Reveal() != "hunter2" || e.Certificate != nil {
		t.Errorf("%+v", e)
	}
	if w := strings.Join(cfg.Warnings, "\n"); !strings.Contains(w, "c.yaml:2: http: whoever listens on the way reads the address of a subscription, and may send events to it; write https://") {
		t.Errorf("the warnings are\n%s", w)
	}
}

func TestEventsCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, mistakes := load(t, "devices: [{name: a, kind: host}]\nevents: {listen: \"127.0.0.1:0\", cert: "+dir+"/cert.pem, key: "+dir+"/key.pem}\n")
	if mistakes != "" || cfg.Events.Certificate == nil {
		t.Fatalf("%s", mistakes)
	}
}
