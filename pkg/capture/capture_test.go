package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/collectors/redfish"
	"github.com/sparewatch/sparewatch/collectors/snmp"
	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
	"github.com/sparewatch/sparewatch/pkg/secret"
	"github.com/sparewatch/sparewatch/pkg/snapshot"
)

func target(r *lab.Replaying) collectors.Target {
	t := collectors.Target{Device: "dev", URL: r.URL, Timeout: 2 * time.Second}
	if r.Redfish != nil {
		t.Credentials.TLS.Fingerprint = r.Redfish.Fingerprint()
	}
	return t
}

func replay(t *testing.T, file string) *lab.Replaying {
	t.Helper()
	r, err := lab.Replay(file, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Stop() })
	return r
}

// poll reads a replayed device as the program would.
func poll(t *testing.T, r *lab.Replaying) *snapshot.Snapshot {
	t.Helper()
	var c collectors.Collector = redfish.Collector{}
	if r.SNMP != nil {
		profiles, err := builtin()
		if err != nil {
			t.Fatal(err)
		}
		c = snmp.Collector{Profiles: profiles}
	}
	s, err := c.Open(target(r))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	defer s.Close(ctx)
	return s.Poll(ctx, collectors.Full)
}

// facts are what a snapshot says but for names: one line a component, claim and link.
func facts(s *snapshot.Snapshot, models bool) []string {
	// A model that is called like the host is a pseudonym afterwards, as the host's name is.
	unnamed := func(model string) string {
		if !models {
			return ""
		}
		for _, word := range strings.Fields(s.Device.Hostname) {
			model = strings.ReplaceAll(model, word, "HOST")
		}
		return serial.ReplaceAllString(model, "SN")
	}
	out := []string{fmt.Sprintf("device %q %q", s.Device.Vendor, unnamed(s.Device.Model))}
	for _, c := range s.Components {
		out = append(out, fmt.Sprintf("%s %+v %v %v %v", c.Kind, c.Status, c.Rating, unnamed(c.Attributes["model"]), c.Readings))
	}
	for _, c := range s.Claims {
		out = append(out, fmt.Sprintf("claim %s %d of %d: %d members, %q", c.Kind, c.Needed, c.Designed, len(c.Members), c.State))
	}
	out = append(out, fmt.Sprintf("%d links", len(s.Links)))
	slices.Sort(out)
	return out
}

// builtin are the profiles, loaded once.
var builtin = sync.OnceValues(func() (*mibs.Set, error) { return snmp.Builtin() })

// A captured device, replayed, says what the device itself says.
func TestCapturedDeviceSaysTheSame(t *testing.T) {
	dir, ok := recording.Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS; 1 test skipped")
	}
	var files []string
	for _, pattern := range []string{"redfish/*.json", "snmp/ups/*.snmp*", "snmp/pdu/*.snmp*", "snmp/ats/*.snmp*", "snmp/server/*.snmp*", "snmp/storage/*.snmp*", "snmp/dc-power/*.snmp*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	compared := 0
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Size() > 200_000 || testing.Short() && info.Size() > 60_000 {
			continue
		}
		compared++
		t.Run(filepath.Base(file), func(t *testing.T) {
			original := replay(t, file)
			var out bytes.Buffer
			sum, err := Device(t.Context(), target(original), &out)
			if err != nil {
				t.Fatal(err)
			}
			captured := filepath.Join(t.TempDir(), "captured."+map[bool]string{true: "json", false: "snmprec"}[original.Redfish != nil])
			if err := os.WriteFile(captured, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			models := !strings.HasPrefix(filepath.Base(file), "centreon-") // whose texts are pseudonyms already
			want, got := facts(poll(t, original), models), facts(poll(t, replay(t, captured)), models)
			if !slices.Equal(want, got) {
				t.Errorf("%d items, %d missing\n%s", sum.Items, len(sum.Missing), difference(want, got))
			}
		})
	}
	t.Logf("%d devices captured and compared", compared)
}

// serial is what a description, which stands for the model where there is no other, says of the serial number.
var serial = regexp.MustCompile(`(?i)\bS/?N: ?\w+`)

func difference(want, got []string) string {
	var b strings.Builder
	for _, w := range want {
		if !slices.Contains(got, w) {
			fmt.Fprintf(&b, "- %.300s\n", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			fmt.Fprintf(&b, "+ %.300s\n", g)
		}
	}
	return b.String()
}

func TestCaptureGivesItsSessionBack(t *testing.T) {
	b := &lab.BMC{Resources: lab.NewResources(recording.Tree{
		"/redfish/v1":                       []byte(`{"@odata.id":"/redfish/v1","Chassis":{"@odata.id":"/redfish/v1/Chassis"},"AccountService":{"@odata.id":"/redfish/v1/AccountService"}}`),
		"/redfish/v1/Chassis":               []byte(`{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"},{"@odata.id":"/redfish/v1/Chassis/Enclosure.Internal.0-1:RAID.Slot.1"}]}`),
		"/redfish/v1/Chassis/1":             []byte(`{"Note":"root calvin is monitor-7f","AssetTag":"calvin-the-third","Thermal":{"@odata.id":"/redfish/v1/Chassis/1/Thermal"},"Logs":{"@odata.id":"/redfish/v1/Chassis/1/LogServices"}}`),
		"/redfish/v1/AccountService":        []byte(`{"secret":true}`),
		"/redfish/v1/Chassis/1/LogServices": []byte(`{"secret":true}`),
	}), User: "monitor-7f", Password: "calvin"}
	s, err := lab.ServeRedfish("", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	to := collectors.Target{URL: s.URL(), Credentials: collectors.Credentials{User: "monitor-7f", Password: secret.New("calvin"), TLS: collectors.TLS{Fingerprint: s.Fingerprint()}}}
	var out bytes.Buffer
	sum, err := Device(t.Context(), to, &out)
	if err != nil {
		t.Fatal(err)
	}
	open, opened := b.Sessions()
	if open != 0 || opened != 1 || b.MostAtOnce() != 1 {
		t.Errorf("%d of %d sessions are open; %d requests at once", open, opened, b.MostAtOnce())
	}
	if sum.Items != 3 || sum.LeftOut != 3 || len(sum.Missing) != 1 || sum.Missing[0].At != "/redfish/v1/Chassis/1/Thermal" {
		t.Errorf("%+v", sum)
	}
	for _, private := range []string{"calvin", "monitor-7f", "third"} {
		if strings.Contains(out.String(), private) {
			t.Errorf("%s survives: %s", private, out.String())
		}
	}
	to.Credentials.Password = secret.New("wrong")
	out.Reset()
	if _, err := Device(t.Context(), to, &out); err == nil || !strings.Contains(err.Error(), "--password-file") || out.Len() > 0 {
		t.Errorf("a wrong password: %v, %d bytes written", err, out.Len())
	}
	to.Credentials.TLS = collectors.TLS{}
	var cert *collectors.CertificateError
	if _, err := Device(t.Context(), to, &out); !errors.As(err, &cert) || cert.Fingerprint != s.Fingerprint() {
		t.Errorf("a certificate that does not verify: %v", err)
	}
}

func TestCaptureOfASickBMC(t *testing.T) {
	b := &lab.BMC{Resources: lab.NewResources(recording.Tree{
		"/redfish/v1":           []byte(`{"A":{"@odata.id":"/redfish/v1/A"},"B":{"@odata.id":"/redfish/v1/B"},"C":{"@odata.id":"/redfish/v1/C"}}`),
		"/redfish/v1/A":         []byte(`{"A":{"@odata.id":"/redfish/v1/A"},"X":{"@odata.id":"/redfish/v1#/X"},"Out":{"@odata.id":"/etc/passwd"},"Members@odata.nextLink":"/redfish/v1/A?$skip=1"}`),
		"/redfish/v1/A?$skip=1": []byte(`{"Members@odata.nextLink":"/redfish/v1/A?$skip=1"}`),
		"/redfish/v1/B":         []byte(`{"Id":"B"}`),
		"/redfish/v1/C":         []byte(`{"Id":"C"}`),
	})}
	s, err := lab.ServeRedfish("", b, lab.Plain)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b.Inject(lab.HTTPFault{Path: "/redfish/v1/B", Half: true}, lab.HTTPFault{Path: "/redfish/v1/C", Redirect: "https://elsewhere.example/"})
	var out bytes.Buffer
	sum, err := Device(t.Context(), collectors.Target{URL: s.URL(), Timeout: time.Second}, &out)
	if err != nil || sum.Items != 3 || len(sum.Missing) != 2 {
		t.Errorf("%+v %v\n%s", sum, err, out.String())
	}
	b.Inject(lab.HTTPFault{Hang: true})
	out.Reset()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Device(ctx, collectors.Target{URL: s.URL()}, &out); err == nil || out.Len() > 0 {
		t.Errorf("a BMC that hangs: %v", err)
	}
}

func TestCaptureOfASickAgent(t *testing.T) {
	rec, err := recording.Read("x.snmprec", strings.NewReader("1.3.6.1.2.1.1.1.0|4|a\n1.3.6.1.2.1.1.5.0|4|wilhelmina\n1.3.6.1.4.1.9.1.1|2|1\n1.3.6.1.4.1.9.1.2|70|2\n1.3.6.1.4.1.9.2.1|2|3\n1.3.6.1.4.1.9.3.1|68x|9f78043f000000\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := &lab.Agent{Objects: lab.NewObjects(rec.SNMP), Community: "orange-7", MaxRepetitions: 2}
	s, err := lab.ServeSNMP("", a)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	to := collectors.Target{URL: s.URL(), Timeout: 60 * time.Millisecond, Credentials: collectors.Credentials{Community: secret.New("orange-7")}}
	capture := func() (Summary, string, error) {
		var out bytes.Buffer
		sum, err := Device(t.Context(), to, &out)
		return sum, out.String(), err
	}
	sum, text, err := capture()
	if err != nil || sum.Items != 6 || len(sum.Missing) != 0 || strings.Contains(text, "wilhelmina") || !strings.Contains(text, "1.3.6.1.4.1.9.3.1|68x|9f78043f000000\n") {
		t.Errorf("well: %+v %v\n%s", sum, err, text)
	}
	to.Credentials.Version = "1"
	if sum, text, err = capture(); err != nil || sum.Items != 5 {
		t.Errorf("version 1 carries no Counter64: %+v %v\n%s", sum, err, text)
	}
	to.Credentials.Version = ""
	a.Inject(lab.SNMPFaults{Status: lab.GenErr, Below: recording.OID{1, 3, 6, 1, 4, 1, 9, 1}})
	if sum, text, err = capture(); err != nil || len(sum.Missing) == 0 || !strings.Contains(text, "1.3.6.1.4.1.9.2.1|2|3") {
		t.Errorf("genErr: %+v %v\n%s", sum, err, text)
	}
	a.Inject(lab.SNMPFaults{Loop: true})
	if sum, _, err = capture(); err != nil || sum.Items != 6 || len(sum.Missing) != 1 || !strings.Contains(sum.Missing[0].Err.Error(), "circles") {
		t.Errorf("circles: %+v %v", sum, err)
	}
	a.Inject(lab.SNMPFaults{AnswerOnly: 2})
	if sum, _, err = capture(); err != nil || sum.Items != 4 || len(sum.Missing) != 1 {
		t.Errorf("silent in the middle: %+v %v", sum, err)
	}
	to.Credentials.Community = secret.New("wrong")
	if _, text, err = capture(); err == nil || text != "" || !strings.Contains(err.Error(), "community") {
		t.Errorf("a wrong community: %v", err)
	}
}

func TestWhatCannotBeCaptured(t *testing.T) {
	for url, want := range map[string]string{"": "write snmp://", "ipmi://10.0.0.1": "ipmi:// cannot be captured", "redfish://u:p@127.0.0.1": "holds a login", "snmp://127.0.0.1:99999": "no port"} {
		if _, err := Device(t.Context(), collectors.Target{URL: url}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// Version 3, from the agent through the collector and the capture.
func TestCaptureByVersion3(t *testing.T) {
	a := &lab.Agent{Objects: lab.NewObjects([]recording.Object{
		{OID: recording.OID{1, 3, 6, 1, 2, 1, 1, 1, 0}, Value: recording.StringValue("Lab UPS")},
		{OID: recording.OID{1, 3, 6, 1, 2, 1, 1, 5, 0}, Value: recording.StringValue("wilhelmina")},
		{OID: recording.OID{1, 3, 6, 1, 2, 1, 33, 1, 2, 1, 0}, Value: recording.IntValue(2)},
		{OID: recording.OID{1, 3, 6, 1, 2, 1, 33, 1, 4, 1, 0}, Value: recording.IntValue(3)},
	}), Community: "nobody's"}
	if err := a.Users(lab.SNMPUser{Name: "monitor-7f", AuthProtocol: "SHA-256", AuthKey: "authpass123", PrivProtocol: "AES", PrivKey: "privpass123"}); err != nil {
		t.Fatal(err)
	}
	s, err := lab.ServeSNMP("", a)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	to := collectors.Target{Device: "ups", URL: s.URL(), Timeout: time.Second, Credentials: collectors.Credentials{Version: "3", V3: collectors.V3{User: "monitor-7f",
		AuthProtocol: "SHA-256", AuthKey: secret.New("authpass123"), PrivProtocol: "AES", PrivKey: secret.New("privpass123")}}}
	var out bytes.Buffer
	sum, err := Device(t.Context(), to, &out)
	if err != nil || sum.Items != 4 || strings.Contains(out.String(), "wilhelmina") {
		t.Errorf("%+v %v\n%s", sum, err, out.String())
	}
	profiles, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	session, err := snmp.Collector{Profiles: profiles}.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	sn := session.Poll(t.Context(), collectors.Full)
	if !slices.ContainsFunc(sn.Components, func(c component.Component) bool { return c.ID == "ups/ups/1" && c.Condition == component.OK }) {
		t.Errorf("%+v", sn)
	}
}
