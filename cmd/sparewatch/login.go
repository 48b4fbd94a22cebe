package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/config"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// loginFlags are the credentials that a device may ask for. Secrets come from files or the environment, never from the
// command line, which everybody on the machine can read.
type loginFlags struct {
	User         string `help:"User name (Redfish, IPMI)." env:"SPAREWATCH_USER" placeholder:"NAME"`
	PasswordFile string `help:"File with the password; or SPAREWATCH_PASSWORD." type:"path" placeholder:"FILE"`

	CommunityFile string `help:"File with the SNMP community; or SPAREWATCH_COMMUNITY. Default: public." type:"path" placeholder:"FILE"`
	SNMPVersion   string `name:"snmp-version" help:"SNMP version: 1, 2c or 3 (3 with --v3-user)." enum:",1,2c,3" default:"" placeholder:"2c"`

	V3User        string `name:"v3-user" help:"SNMPv3 user." placeholder:"NAME"`
	V3Auth        string `name:"v3-auth" help:"SNMPv3 authentication: MD5, SHA, SHA-224, SHA-256, SHA-384 or SHA-512." placeholder:"SHA-256"`
	V3AuthKeyFile string `name:"v3-auth-key-file" help:"File with the authentication pass phrase; or SPAREWATCH_V3_AUTH_KEY." type:"path" placeholder:"FILE"`
	V3Priv        string `name:"v3-priv" help:"SNMPv3 privacy: DES, AES, AES-192 or AES-256." placeholder:"AES"`
	V3PrivKeyFile string `name:"v3-priv-key-file" help:"File with the privacy pass phrase; or SPAREWATCH_V3_PRIV_KEY." type:"path" placeholder:"FILE"`
	V3Context     string `name:"v3-context" help:"SNMPv3 context." placeholder:"NAME"`

	Fingerprint string `help:"SHA-256 of the device's certificate: trust this one." placeholder:"HEX"`
	CAFile      string `name:"ca-file" help:"PEM file with the authorities that sign the device's certificate." type:"path" placeholder:"FILE"`
	Insecure    bool   `help:"Do not verify the device's certificate."`
	TLS10       bool   `name:"tls10" help:"Accept TLS 1.0 and 1.1, for old BMCs."`

	AllowClearPassword bool `help:"Send an IPMI 1.5 BMC the password in the clear where it takes nothing else."`
}

// target is the one device that a command is about.
func (f *loginFlags) target(raw string, o config.Options) (collectors.Target, error) {
	t, err := config.Single(raw, o)
	if err != nil {
		return t, err
	}
	community := t.Credentials.Community
	if t.Credentials, err = f.credentials(); err != nil {
		return t, err
	}
	if t.Credentials.User != "" && !t.Credentials.Password.Set() && strings.HasPrefix(t.URL, "redfish") {
		return t, hinted(fmt.Errorf("there is no password for %s", t.Credentials.User), "give --password-file FILE, or set SPAREWATCH_PASSWORD")
	}
	if community.Set() {
		t.Credentials.Community = community
		fmt.Fprintln(os.Stderr, "sparewatch: the URL holds a community, which others can see in the list of processes; use --community-file")
	}
	return t, nil
}

// credentials reads what the flags name.
func (f *loginFlags) credentials() (collectors.Credentials, error) {
	c := collectors.Credentials{User: f.User, Version: f.SNMPVersion}
	for _, s := range []struct {
		into      *secret.Text
		file, env string
	}{
		{&c.Password, f.PasswordFile, "SPAREWATCH_PASSWORD"},
		{&c.Community, f.CommunityFile, "SPAREWATCH_COMMUNITY"},
		{&c.V3.AuthKey, f.V3AuthKeyFile, "SPAREWATCH_V3_AUTH_KEY"},
		{&c.V3.PrivKey, f.V3PrivKeyFile, "SPAREWATCH_V3_PRIV_KEY"},
	} {
		text, err := readSecret(s.file, s.env)
		if err != nil {
			return c, err
		}
		*s.into = text
	}
	c.V3.User, c.V3.AuthProtocol, c.V3.PrivProtocol, c.V3.Context = f.V3User, strings.ToUpper(f.V3Auth), strings.ToUpper(f.V3Priv), f.V3Context
	if f.V3User != "" && c.Version == "" {
		c.Version = "3"
	}
	c.AllowClearPassword = f.AllowClearPassword
	c.TLS = collectors.TLS{Fingerprint: f.Fingerprint, Insecure: f.Insecure, AllowTLS10: f.TLS10}
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			return c, fmt.Errorf("read the authorities: %w", err)
		}
		c.TLS.CA = x509.NewCertPool()
		if !c.TLS.CA.AppendCertsFromPEM(pem) {
			return c, fmt.Errorf("%s holds no certificate: give a PEM file", f.CAFile)
		}
	}
	return c, nil
}

// readSecret is the first line of a file, or the environment's.
func readSecret(file, env string) (secret.Text, error) {
	if file == "" {
		return secret.New(os.Getenv(env)), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read a secret: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
		return secret.Text{}, fmt.Errorf("%s is empty: write the secret on its first line", file)
	}
	return secret.New(string(line)), nil
}

// patience is how long a person waits for a device before being told that it is still asked.
const patience = 3 * time.Second

// waiting tells a person at a terminal that a device takes its time, until the function that it returns is called.
func waiting(url string, limit time.Duration) func() bool {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func() bool { return true }
	}
	return time.AfterFunc(patience, func() {
		fmt.Fprintf(os.Stderr, "sparewatch: asking %s, for up to %s (--timeout); Ctrl-C ends it\n", url, limit)
	}).Stop
}
