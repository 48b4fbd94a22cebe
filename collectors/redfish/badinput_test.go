package redfish_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

// bad is a service that somebody meets by mistake, or that misbehaves.
type bad struct {
	name   string
	target func(t *testing.T) collectors.Target
	class  snapshot.Class
	says   string // in the error
	hint   string // in what to do
	reach  bool   // it was reached all the same
}

// faulty is a duo with faults.
func faulty(change func(*collectors.Target), faults ...lab.HTTPFault) func(t *testing.T) collectors.Target {
	return func(t *testing.T) collectors.Target {
		_, target := serve(t, duo(false), faults...)
		if change != nil {
			change(&target)
		}
		return target
	}
}

// over serves a duo with a TLS configuration of its own, or without TLS.
func over(config *tls.Config, change func(*collectors.Target)) func(t *testing.T) collectors.Target {
	return func(t *testing.T) collectors.Target {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		target := collectors.Target{Device: "srv-1", URL: "redfish://" + l.Addr().String(), Timeout: 5 * time.Second,
			Credentials: collectors.Credentials{User: user, Password: secret.New(password), TLS: collectors.TLS{Insecure: true}}}
		if config != nil {
			l = tls.NewListener(l, config)
		}
		s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: &lab.BMC{Resources: lab.NewResources(duo(false)), User: user, Password: password}, ReadHeaderTimeout: time.Minute}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Close() })
		if change != nil {
			change(&target)
		}
		return target
	}
}

// oldTLS is what a BMC of 2010 speaks.
func oldTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*labCertificate}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, //nolint:gosec // that is what is tried
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}}
}

// TestBadInput: for everything that goes wrong there is one line that says what, and what to do next. The lines are printed.
func TestBadInput(t *testing.T) {
	const power, system = "/redfish/v1/Chassis/1/Power", "/redfish/v1/Systems/1"
	expired, foreign := certificate(t, "127.0.0.1", -time.Hour), certificate(t, "bmc.example", time.Hour)
	for _, c := range []bad{
		{"a wrong password", faulty(func(t *collectors.Target) { t.Credentials.Password = secret.New("guess") }),
			snapshot.ClassAuth, "401", `check user "reader" and its password; too many tries may lock the account`, false},
		{"a wrong password, of a credential that has a name", faulty(func(t *collectors.Target) { t.Credentials.Password, t.Credentials.Name = secret.New("guess"), "bmc" }),
			snapshot.ClassAuth, "401", `check user "reader" and its password in credential "bmc"`, false},
		{"no login", faulty(func(t *collectors.Target) { t.Credentials.User = "" }),
			snapshot.ClassAuth, "401", "give a login: --user NAME --password-file FILE", false},
		{"no right to read a part", faulty(nil, lab.HTTPFault{Path: power, Status: 403}),
			snapshot.ClassAuth, "403", "give it the role ReadOnly", true},
		{"a certificate that nobody vouches for", faulty(func(t *collectors.Target) { t.Credentials.TLS = collectors.TLS{} }),
			snapshot.ClassCertificate, "does not verify", "pin it: sparewatch inspect redfish://127.0.0.1:", false},
		{"a certificate that has expired", over(&tls.Config{Certificates: []tls.Certificate{expired}}, func(t *collectors.Target) { t.Credentials.TLS = collectors.TLS{CA: pool(expired)} }),
			snapshot.ClassCertificate, "expired", "--fingerprint", false},
		{"another host's certificate", over(&tls.Config{Certificates: []tls.Certificate{foreign}}, func(t *collectors.Target) { t.Credentials.TLS = collectors.TLS{CA: pool(foreign)} }),
			snapshot.ClassCertificate, "doesn't contain any IP SANs", "--fingerprint", false},
		{"another certificate than the pinned", faulty(func(t *collectors.Target) { t.Credentials.TLS.Fingerprint = strings.Repeat("ab", 32) }),
			snapshot.ClassPinChanged, "is not the pinned one", "somebody may be in between", false},
		{"nothing newer than TLS 1.0", over(oldTLS(), nil),
			snapshot.ClassCertificate, "it offers no TLS 1.2 or newer", "allow_tls10: true", false},
		{"no cipher that is safe", over(oldCipher(t), nil),
			snapshot.ClassCertificate, "it knows no cipher that is safe", "allow_tls10: true", false},
		{"plain HTTP where TLS was meant", over(nil, nil),
			snapshot.ClassGarbage, "it speaks no TLS on this port", "redfish+http://", false},
		{"TLS where plain HTTP was meant", over(&tls.Config{Certificates: []tls.Certificate{*labCertificate}}, func(t *collectors.Target) { t.URL = strings.Replace(t.URL, "redfish://", "redfish+http://", 1) }),
			snapshot.ClassGarbage, "speaks TLS on this port", "write redfish://", false},
		{"an SSH server", babble("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "redfish://"),
			snapshot.ClassGarbage, "it speaks no TLS on this port", "check the port", false},
		{"an SSH server, asked without TLS", babble("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "redfish+http://"),
			snapshot.ClassGarbage, "what it answers is no HTTP", "check the port in the URL", false},
		{"a web page everywhere", faulty(nil, lab.HTTPFault{Garbage: true}),
			snapshot.ClassGarbage, "it is no JSON", "check that the URL is that of a Redfish service", false},
		{"a web server without Redfish", faulty(nil, lab.HTTPFault{Status: 404}),
			snapshot.ClassGarbage, "there is no Redfish service here: it answers 404 Not Found", "that Redfish is enabled on the BMC", false},
		{"a name that nobody knows", faulty(func(t *collectors.Target) { t.URL = "redfish://no-such-bmc.invalid" }),
			snapshot.ClassUnreachable, "its name is not known", "check the host in the URL", false},
		{"nobody at the port", faulty(func(t *collectors.Target) { t.URL = "redfish://127.0.0.1:1" }),
			snapshot.ClassUnreachable, "the connection is refused", "that Redfish is enabled on the BMC", false},
		{"a part that may not be asked for", faulty(nil, lab.HTTPFault{Path: power, Status: 405}),
			snapshot.ClassPartial, "it answers 405 Method Not Allowed", "", true},
		{"a part with a fault of its own", faulty(nil, lab.HTTPFault{Path: power, Status: 500}),
			snapshot.ClassPartial, "it answers 500 Internal Server Error: A fault that was asked for.", "restart the BMC", true},
		{"a part that is busy for a minute", faulty(nil, lab.HTTPFault{Path: power, Status: 503, RetryAfter: 60}),
			snapshot.ClassPartial, "503 Service Unavailable", "in 1m0s", true},
		{"a BMC that is busy for a minute", faulty(nil, lab.HTTPFault{Status: 503, RetryAfter: 60}),
			snapshot.ClassUnreachable, "503 Service Unavailable", "in 1m0s", false},
		{"a part that redirects for ever", faulty(nil, lab.HTTPFault{Path: power, Redirect: "self"}),
			snapshot.ClassGarbage, "it redirects for ever", "", true},
		{"everything redirected to another host", faulty(nil, lab.HTTPFault{Redirect: "https://192.0.2.1/redfish/v1/"}),
			snapshot.ClassGarbage, "it redirects to https://192.0.2.1, which is not followed", "write redfish://192.0.2.1", false},
		{"half a JSON", faulty(nil, lab.HTTPFault{Path: power, Half: true}),
			snapshot.ClassGarbage, "the JSON ends in the middle", "", true},
		{"a list where an object was meant", faulty(nil, lab.HTTPFault{Path: system, Body: `[1,2,3]`}),
			snapshot.ClassGarbage, "it answers JSON that is no resource", "", true},
		{"JSON without end, nested", faulty(nil, lab.HTTPFault{Path: power, Body: strings.Repeat(`{"a":[`, 60)}),
			snapshot.ClassGarbage, "nested too deep", "", true},
		{"a connection that ends in the middle", faulty(nil, lab.HTTPFault{Path: power, Cut: true}),
			snapshot.ClassGarbage, "the answer ends in the middle", "", true},
		{"an answer without end", faulty(nil, lab.HTTPFault{Path: power, Endless: true}),
			snapshot.ClassLimit, "its answer is larger than", "", true},
		{"a BMC that restarts", faulty(nil, lab.HTTPFault{Close: true}),
			snapshot.ClassUnreachable, "it closed the connection in the middle", "the BMC may be restarting", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.target(t))
			snap := poll(t, s, collectors.Full)
			if snap.Reachable != c.reach {
				t.Errorf("reached: %v", snap.Reachable)
			}
			for _, e := range snap.Errors {
				if e.Class == c.class && strings.Contains(e.Error, c.says) && strings.Contains(e.Hint, c.hint) {
					t.Logf("%s: %s (%s)", e.At, e.Error, e.Hint)
					return
				}
			}
			t.Errorf("it says %+v, want %s, %q, %q", snap.Errors, c.class, c.says, c.hint)
		})
	}
}

// TestBadTargets are refused before anything is sent.
func TestBadTargets(t *testing.T) {
	for _, c := range []struct {
		change func(*collectors.Target)
		says   string
	}{
		{func(t *collectors.Target) { t.Credentials.TLS.Fingerprint = "ab:cd" }, `"ab:cd" is no fingerprint: write the SHA-256 of the device's certificate, 64 hexadecimal digits`},
		{func(t *collectors.Target) { t.Credentials.TLS.Fingerprint = strings.Repeat("xy", 32) }, "is no fingerprint"},
		{func(t *collectors.Target) { t.URL = "redfish://" }, "names no host"},
		{func(t *collectors.Target) { t.URL = "redfish://root:calvin@10.0.0.1" }, "holds a login: give it with --user and --password-file"},
		{func(t *collectors.Target) { t.URL = "redfish://10.0.0.1/redfish/v1/Systems" }, "holds a path: write only redfish://host[:port]"},
		{func(t *collectors.Target) { t.URL = "https://10.0.0.1" }, "is no Redfish URL: write redfish://host[:port]"},
		{func(t *collectors.Target) { t.URL = "redfish://10.0.0.1:port" }, "is no URL"},
		{func(t *collectors.Target) { t.Device = "a/b" }, "is no device name"},
	} {
		target := collectors.Target{Device: "srv-1", URL: "redfish://10.0.0.1"}
		c.change(&target)
		_, err := redfish.Collector{}.Open(target)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "calvin") {
			t.Errorf("it says %v, want %s", err, c.says)
		}
	}
	good := collectors.Target{Device: "srv-1", URL: "redfish://[fd00::1]:8443", Credentials: collectors.Credentials{TLS: collectors.TLS{Fingerprint: "SHA256:" + strings.Repeat("AB:", 31) + "AB"}}}
	if _, err := (redfish.Collector{}).Open(good); err != nil {
		t.Error(err)
	}
}

// TestBusyServiceIsLeftAlone for as long as it wishes: what it has said stands, and nothing is sent.
func TestBusyServiceIsLeftAlone(t *testing.T) {
	const power = "/redfish/v1/Chassis/1/Power"
	bmc, target := serve(t, duo(false))
	s := open(t, target)
	noErrors(t, poll(t, s, collectors.Full))
	bmc.Inject(lab.HTTPFault{Path: power, Status: 503, RetryAfter: 60})
	first := poll(t, s, collectors.Full)
	bmc.Inject()
	before := bmc.Requests()
	second := poll(t, s, collectors.Fast)
	for _, snap := range []*snapshot.Snapshot{first, second} {
		if c := condition(t, snap, "psu/1"); c.Condition != component.Unknown || !strings.Contains(c.Why, "503") {
			t.Errorf("psu/1 is %s (%s)", c.Condition, c.Why)
		}
	}
	if got := bmc.Requests() - before; got > 6 {
		t.Errorf("%d requests", got)
	}
}

// TestOldTLSWhereItIsAllowed: what is refused by default is spoken where the credential allows it.
func TestOldTLSWhereItIsAllowed(t *testing.T) {
	for name, config := range map[string]*tls.Config{"TLS 1.0": oldTLS(), "a cipher of old": oldCipher(t)} {
		t.Run(name, func(t *testing.T) {
			snap := poll(t, open(t, over(config, func(t *collectors.Target) { t.Credentials.TLS.AllowTLS10 = true })(t)), collectors.Full)
			noErrors(t, snap)
			condition(t, snap, "psu/1")
		})
	}
}

// oldCipher is what a BMC of 2013 speaks: TLS 1.2, with keys that keep no secret for long.
func oldCipher(t *testing.T) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{rsaCertificate(t)}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}} //nolint:gosec // that is what is tried
}

// TestNestedForEver: every resource leads to another one, ten levels deep and without end; the poll ends, with what it has.
func TestNestedForEver(t *testing.T) {
	inner := lab.NewResources(duo(false))
	_, target := watched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, ok := inner.Get(r.URL.Path); ok {
			_, _ = w.Write(body)
			return
		}
		// Whatever is asked for exists, contains two of its kind, and a subsystem that leads on.
		at := strings.TrimSuffix(r.URL.Path, "/")
		if len(at) > 400 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(`{"@odata.id":"` + at + `","@odata.type":"#Chassis.v1_0_0.Chassis","Id":"x","Name":"x","Members":[{"@odata.id":"` + at + `/a"},{"@odata.id":"` + at + `/b"}],"Drives":[{"@odata.id":"` + at + `/d"}],
			"Links":{"Contains":[{"@odata.id":"` + at + `/c"}],"Drives":[{"@odata.id":"` + at + `/e"}],"Volumes":[{"@odata.id":"` + at + `/v"}]},"Power":{"@odata.id":"` + at + `/Power"},"Volumes":{"@odata.id":"` + at + `/Volumes"}}`))
	}))
	if err := inner.Set("/redfish/v1/Systems/1/Storage", "/Members", []j{link("/redfish/v1/Systems/1/Storage/R1"), link("/redfish/v1/Systems/1/Storage/loop")}); err != nil {
		t.Fatal(err)
	}
	target.Limits = collectors.Limits{Requests: 500}
	target.Credentials = collectors.Credentials{}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	snap := open(t, target).Poll(ctx, collectors.Full)
	if ctx.Err() != nil || snap.Requests > 500 {
		t.Fatalf("%d requests, %v", snap.Requests, ctx.Err())
	}
	condition(t, snap, "psu/1")
	condition(t, snap, "drive/1")
}

// certificate signs itself, for a host, until then.
func certificate(t *testing.T, host string, until time.Duration) tls.Certificate {
	t.Helper()
	return selfSigned(t, host, time.Now().Add(until-24*time.Hour), time.Now().Add(until))
}

func pool(c tls.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err == nil {
		p.AddCert(leaf)
	}
	return p
}

// babble is a server that says one line and waits.
func babble(line, scheme string) func(t *testing.T) collectors.Target {
	return func(t *testing.T) collectors.Target {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte(line))
				t.Cleanup(func() { _ = c.Close() })
			}
		}()
		return collectors.Target{Device: "srv-1", URL: scheme + l.Addr().String(), Timeout: 2 * time.Second, Credentials: collectors.Credentials{User: user, Password: secret.New(password)}}
	}
}
