package recording

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func scrubber(n byte) *Scrubber { return newScrubber([32]byte{n}) }

// sameForm reports whether two texts have letters for letters of the same case, digits for digits, and all else equal.
func sameForm(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		switch {
		case unicode.IsDigit(x[i]):
			if !unicode.IsDigit(y[i]) {
				return false
			}
		case unicode.IsUpper(x[i]):
			if !unicode.IsUpper(y[i]) {
				return false
			}
		case unicode.IsLetter(x[i]):
			if !unicode.IsLetter(y[i]) {
				return false
			}
		case x[i] != y[i]:
			return false
		}
	}
	return true
}

func TestPseudonymsKeepTheirForm(t *testing.T) {
	s := scrubber(1)
	seen := map[string]string{}
	for _, v := range []string{"MXQ019020B", "srv-101", "srv-102", "Amsterdam, Row 5 Rack 12", "+31 20 123 4567", "John Doe", "10.0.9.1", "10.0.9.2", "172.16.254.7", "8.8.4.100",
		"fe80::1234:56ff:fe78:9abc", "2a02:898:52::15", "aa:bb:cc:dd:ee:ff", "AA-BB-CC-00-11-22", "5ba7e0a0-0000-4000-8000-000000000101", "john.doe@example.org",
		"AB12", "007", "a1b2c3d4e5f60718"} {
		p := s.pseudonym(v)
		if p == v || !sameForm(v, p) {
			t.Errorf("%q became %q", v, p)
		}
		if p != s.pseudonym(v) {
			t.Errorf("%q became another thing the second time", v)
		}
		if before, ok := seen[p]; ok {
			t.Errorf("%q and %q both became %q", v, before, p)
		}
		seen[p] = v
	}
	for _, v := range []string{"", "N/A", "Unknown", "To be filled by O.E.M.", "0000000000", "00:00:00:00:00:00", "FF-FF", "Default string", "127.0.0.1", "0.0.0.0", "255.255.255.0", "::1", "224.0.0.1"} {
		if p := s.pseudonym(v); p != v {
			t.Errorf("%q stands for nothing and became %q", v, p)
		}
	}
}

func TestPseudonymsOfOneThingAgree(t *testing.T) {
	s := scrubber(2)
	mac := s.pseudonym("aa:bb:cc:dd:ee:f0")
	bare := strings.ReplaceAll(mac, ":", "")
	for v, want := range map[string]string{
		"AA:BB:CC:DD:EE:F0": strings.ToUpper(mac),
		"aa-bb-cc-dd-ee-f0": strings.ReplaceAll(mac, ":", "-"),
		"aabb.ccdd.eef0":    bare[:4] + "." + bare[4:8] + "." + bare[8:],
	} {
		if got := s.pseudonym(v); got != want {
			t.Errorf("%s became %s, want %s", v, got, want)
		}
	}
	raw, _ := hex.DecodeString("aabbccddeef0")
	if got := hex.EncodeToString(s.octets(raw)); got != bare {
		t.Errorf("in binary %s, in text %s", got, bare)
	}
	one, two, far := s.pseudonym("10.1.2.3"), s.pseudonym("10.1.2.4"), s.pseudonym("10.7.2.3")
	net := func(a string) string { return a[:strings.LastIndex(a, ".")] }
	if net(one) != net(two) || net(one) == net(far) {
		t.Errorf("networks: %s %s %s", one, two, far)
	}
	host := s.pseudonym("srv-payments.ams.example")
	if short := s.pseudonym("srv-payments"); !strings.HasPrefix(host, short+".") {
		t.Errorf("%s and %s were one machine", host, short)
	}
	if up := s.pseudonym("SRV-Payments"); !strings.EqualFold(up, s.pseudonym("srv-payments")) {
		t.Errorf("another case, another name: %s", up)
	}
	if a, b := scrubber(2).pseudonym("srv-payments"), scrubber(3).pseudonym("srv-payments"); a == b || a != s.pseudonym("srv-payments") {
		t.Errorf("keys: %s %s", a, b)
	}
}

const plantedTree = `{
"/redfish/v1": {"@odata.id":"/redfish/v1","@odata.type":"#ServiceRoot.v1_5_1.ServiceRoot","Id":"RootService","Vendor":"HPE","UUID":"5BA7E0A0-1111-4222-8333-ABCDEF012345","Oem":{"Hpe":{"Manager":[{"FQDN":"ilo-wilhelmina.oranje.example","HostName":"ilo-wilhelmina","ManagerFirmwareVersion":"2.46"}]}}},
"/redfish/v1/Systems/CZQSECRET7": {"@odata.id":"/redfish/v1/Systems/CZQSECRET7","@odata.type":"#ComputerSystem.v1_10_0.ComputerSystem","Id":"CZQSECRET7","Name":"wilhelmina","HostName":"wilhelmina.oranje.example","SerialNumber":"CZQSECRET7","AssetTag":"ASSET-4711-X","Model":"ProLiant DL365 Gen10 Plus","SKU":"P16692-B21","Manufacturer":"HPE","UUID":"5ba7e0a0-1111-4222-8333-abcdef012345","BiosVersion":"A42 v2.84 (08/17/2023)","Description":"the machine wilhelmina, see https://wiki.oranje.example/x?m=CZQSECRET7 or ask willem@oranje.example",
  "Status":{"Health":"OK","State":"Enabled"},"PowerState":"On"},
"/redfish/v1/Managers/1": {"@odata.id":"/redfish/v1/Managers/1","FirmwareVersion":"6.00.30.00","EthernetInterfaces":[{"MACAddress":"94:40:C9:5C:86:BC","IPv4Addresses":[{"Address":"10.254.1.12","Gateway":"10.254.1.1","SubnetMask":"255.255.255.0","AddressOrigin":"DHCP"}],"IPv6Addresses":[{"Address":"fe80::9640:c9ff:fe5c:86bc"}],"NameServers":["10.254.0.53"]}],
  "Location":{"PostalAddress":{"Street":"Paleisstraat 7","City":"Apeldoorn"},"Placement":{"Rack":"R-Oranje-3","Row":"West","RackOffset":12},"Info":"room behind the kitchen","PartLocation":{"ServiceLabel":"PSU 1"},"Latitude":52.234567},
  "Oem":{"Hpe":{"Password":"Sesam,0pen-U!","License":{"LicenseKey":"ABCDE-FGHIJ-12345-KLMNO"},"Note":"ILOCZQSECRET7 at 10.254.1.12 says Sesam,0pen-U! loudly"}},"Links":{"ManagerForServers":[{"@odata.id":"/redfish/v1/Systems/CZQSECRET7"}]}},
"/redfish/v1/Chassis/1/Power": {"@odata.id":"/redfish/v1/Chassis/1/Power","PowerSupplies":[{"SerialNumber":"5WBXK0FLLDIKPU","Model":"865408-B21","FirmwareVersion":"1.00","PowerCapacityWatts":800,"Name":"HpeServerPowerSupply","SerialNumberOld":"N/A"},{"SerialNumber":"5WBXK0FLLDIKPV"}]},
"/redfish/v1/Systems/CZQSECRET7/Storage/1/Volumes/1": {"@odata.type":"#Volume.v1_6_2.Volume","Name":"Logical Drive 1","DisplayName":"wedding-photos","Identifiers":[{"DurableName":"600508B1001C9F462DF9151C6F566A7A","DurableNameFormat":"NAA"}]}
}`

var planted = []string{"wilhelmina", "oranje", "czqsecret7", "4711", "5ba7e0a0", "abcdef012345", "willem", "94:40:c9:5c:86:bc", "9640:c9ff", "10.254.", "paleis", "apeldoorn", "west\"", "kitchen",
	"sesam", "abcde-fghij", "klmno", "5wbxk0flldikpu", "5wbxk0flldikpv", "600508b1001c9f", "wedding", "photos", "52.2345"}

func TestNothingPlantedInATreeSurvives(t *testing.T) {
	tree, err := ReadRedfish(strings.NewReader(plantedTree))
	if err != nil {
		t.Fatal(err)
	}
	for n := range byte(5) {
		out, err := scrubber(n).Redfish(tree)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := WriteRedfish(&b, out); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, p := range planted {
			if strings.Contains(strings.ToLower(text), p) {
				t.Errorf("%q survives:\n%s", p, text)
			}
		}
		for _, stays := range []string{`"ProLiant DL365 Gen10 Plus"`, `"P16692-B21"`, `"A42 v2.84 (08/17/2023)"`, `"6.00.30.00"`, `"865408-B21"`, `"HPE"`, `"255.255.255.0"`, `"Enabled"`, `"DHCP"`,
			`"ServiceLabel":"PSU 1"`, `"RackOffset":12`, `"PowerCapacityWatts":800`, `"Logical Drive 1"`, `"N/A"`, `"NAA"`, `"#ComputerSystem.v1_10_0.ComputerSystem"`} {
			if !strings.Contains(text, stays) {
				t.Errorf("%s is lost:\n%s", stays, text)
			}
		}
		// What was one thing is one thing: the system's serial number is its id, its path, and what links lead to.
		m := regexp.MustCompile(`"/redfish/v1/Systems/([A-Z]{9}\d)": `).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("the path lost its form:\n%s", text)
		}
		for _, same := range []string{`"Id":"` + m[1] + `"`, `"SerialNumber":"` + m[1] + `"`, `"ManagerForServers":[{"@odata.id":"/redfish/v1/Systems/` + m[1] + `"}]`, "?m=" + m[1], "ILO" + m[1]} {
			if !strings.Contains(text, same) {
				t.Errorf("%s is not what it was:\n%s", same, text)
			}
		}
	}
}

func TestNothingPlantedInAWalkSurvives(t *testing.T) {
	mac := "4x|9440c95c86bc"
	walk := strings.Join([]string{
		"1.3.6.1.2.1.1.1.0|4|APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.8.2 PN:apc_hw05_aos_682.bin AF1:v6.8.0 AN1:apc_hw05_rpdu2g_680.bin MN:AP8853 HR:02 SN: ZA2001002384 MD:01/03/2020) ",
		"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.318.1.3.4.6", "1.3.6.1.2.1.1.4.0|4|Willem, willem@oranje.example", "1.3.6.1.2.1.1.5.0|4|pdu-wilhelmina", "1.3.6.1.2.1.1.6.0|4|Apeldoorn, kitchen",
		"1.3.6.1.2.1.2.2.1.2.1|4|GigabitEthernet1/0/1", "1.3.6.1.2.1.2.2.1.6.1|" + mac, "1.3.6.1.2.1.31.1.1.1.18.1|4|uplink to oranje",
		"1.3.6.1.2.1.4.20.1.1.10.254.1.12|64|10.254.1.12", "1.3.6.1.2.1.4.20.1.3.10.254.1.12|64|255.255.255.0",
		"1.3.6.1.2.1.4.22.1.2.1.10.254.1.1|" + mac, "1.3.6.1.2.1.25.4.2.1.5.77|4|--password sesam",
		"1.3.6.1.2.1.47.1.1.1.1.11.1|4|ZA2001002384", "1.3.6.1.2.1.47.1.1.1.1.13.1|4|SMX3000RMHV2UNC", "1.3.6.1.2.1.15.3.1.2.10.254.1.99|2|6",
		"1.3.6.1.4.1.318.1.1.26.2.1.3.1|4|pdu-wilhelmina", "1.3.6.1.4.1.318.1.1.26.2.1.8.1|4|AP8853", "1.3.6.1.4.1.318.1.1.26.2.1.9.1|4x|" + hex.EncodeToString([]byte("ZA2001002384")),
		"1.3.6.1.4.1.318.1.1.26.9.2.3.1.3.1|4|Outlet 1", "1.3.6.1.4.1.318.1.1.26.9.2.3.1.3.2|4|wedding-photos PS2", "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1|2|114",
		"1.3.6.1.4.1.99999.1.1|4|notSupported", "1.3.6.1.4.1.99999.1.2|4|normal", "1.3.6.1.4.1.99999.1.3|4|SMX3000RMHV2UNC", "1.3.6.1.4.1.99999.1.4|4|5WBXK0FLLDIKPU", "1.3.6.1.4.1.99999.1.5|4|sesam0pen",
		"1.3.6.1.4.1.99999.1.6|4|http://10.254.1.12/oranje", "1.3.6.1.4.1.99999.1.7|4x|0104" + "0afe010c" + "00", "1.3.6.1.4.1.99999.1.8|4x|9440c9000001", "1.3.6.1.4.1.99999.1.9|4|01/22/2019 12:54:53",
		"1.3.6.1.4.1.99999.2.1.2.1.4.10.254.1.12|2|1", "1.3.6.1.4.1.99999.2.1.3.14." + strings.Trim(strings.ReplaceAll(fmt.Sprint([]byte("pdu-wilhelmina")), " ", "."), "[]") + "|2|1",
		"1.3.6.1.6.3.18.1.1.1.2.1|4|sesam", "1.3.6.1.6.3.10.2.1.1.0|4x|80001f8803" + "9440c95c86bc",
	}, "\n")
	rec, err := Read("x.snmprec", strings.NewReader(walk))
	if err != nil || len(rec.Problems) > 0 {
		t.Fatal(err, rec.Problems)
	}
	for n := range byte(5) {
		out := scrubber(n).SNMP(rec.SNMP)
		var text strings.Builder
		for _, o := range out {
			fmt.Fprintf(&text, "%s %s %d %d %s\n", o.OID, o.Bytes, o.Int, o.Uint, hex.EncodeToString(o.Bytes))
		}
		lower := strings.ToLower(text.String())
		for _, p := range []string{"wilhelmina", "oranje", "willem", "apeldoorn", "kitchen", "za2001002384", "9440c95c86bc", "9440c9000001", "10.254.1", "wedding", "photos", "5wbxk0flldikpu", "sesam", "0afe01",
			strings.Trim(strings.ReplaceAll(fmt.Sprint([]byte("wilhelmina")), " ", "."), "[]")} {
			if strings.Contains(lower, p) {
				t.Errorf("%q survives:\n%s", p, text.String())
			}
		}
		at := func(oid string) string {
			o, _ := ParseOID(oid)
			if i, ok := Find(out, o); ok {
				return string(out[i].Bytes)
			}
			return "not there"
		}
		for oid, want := range map[string]string{
			"1.3.6.1.2.1.2.2.1.2.1": "GigabitEthernet1/0/1", "1.3.6.1.2.1.47.1.1.1.1.13.1": "SMX3000RMHV2UNC", "1.3.6.1.4.1.318.1.1.26.2.1.8.1": "AP8853",
			"1.3.6.1.4.1.318.1.1.26.9.2.3.1.3.1": "Outlet 1", "1.3.6.1.4.1.99999.1.1": "notSupported", "1.3.6.1.4.1.99999.1.2": "normal", "1.3.6.1.4.1.99999.1.3": "SMX3000RMHV2UNC",
			"1.3.6.1.4.1.99999.1.9": "01/22/2019 12:54:53",
		} {
			if got := at(oid); got != want {
				t.Errorf("%s became %q, was %q", oid, got, want)
			}
		}
		if d := at("1.3.6.1.2.1.1.1.0"); !strings.Contains(d, "AF1:v6.8.0 AN1:apc_hw05_rpdu2g_680.bin MN:AP8853 HR:02 SN: ") || !strings.Contains(d, at("1.3.6.1.2.1.47.1.1.1.1.11.1")) ||
			at("1.3.6.1.2.1.47.1.1.1.1.11.1") != at("1.3.6.1.4.1.318.1.1.26.2.1.9.1") {
			t.Errorf("the description became %q beside %q", d, at("1.3.6.1.2.1.47.1.1.1.1.11.1"))
		}
		if at("1.3.6.1.2.1.1.5.0") != at("1.3.6.1.4.1.318.1.1.26.2.1.3.1") {
			t.Error("one name became two")
		}
		if got := at("1.3.6.1.4.1.318.1.1.26.9.2.3.1.3.2"); !strings.HasSuffix(got, " PS2") {
			t.Errorf("the outlet's name became %q", got)
		}
	}
}

// The real recordings, scrubbed: they stay readable, keep their number of resources and every number, and lose their
// serial numbers.
func TestScrubbedRecordings(t *testing.T) {
	dir, ok := Dir()
	if !ok {
		t.Skip("no recordings: set SPAREWATCH_RECORDINGS; 1 test skipped")
	}
	serial := regexp.MustCompile(`"(?:SerialNumber|UUID|HostName|MACAddress|ServiceTag)":"([^"]{5,})"`)
	files, _ := filepath.Glob(filepath.Join(dir, "redfish", "*.json"))
	for _, file := range files {
		rec, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		out, err := NewScrubber().Redfish(rec.Redfish)
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != len(rec.Redfish) {
			t.Errorf("%s: %d resources became %d", filepath.Base(file), len(rec.Redfish), len(out))
		}
		var before, after strings.Builder
		for _, p := range rec.Redfish.Paths() {
			before.Write(rec.Redfish[p])
		}
		for _, p := range out.Paths() {
			if !json.Valid(out[p]) {
				t.Errorf("%s: %s is no JSON", filepath.Base(file), p)
			}
			after.WriteString(p + " ")
			after.Write(out[p])
		}
		for _, m := range serial.FindAllStringSubmatch(before.String(), -1) {
			if v := strings.TrimSpace(m[1]); !dummy(v) && len(v) > 5 && strings.Contains(after.String(), v) {
				t.Errorf("%s: %q survives", filepath.Base(file), v)
			}
		}
	}
	walks, _ := filepath.Glob(filepath.Join(dir, "snmp", "*", "*.snmp*"))
	for _, file := range walks {
		rec, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(rec.SNMP) > 3000 {
			continue
		}
		out := NewScrubber().SNMP(rec.SNMP)
		kept := 0
		for _, o := range rec.SNMP {
			if !under(leftOut, o.OID) {
				kept++
			}
		}
		if len(out) != kept {
			t.Errorf("%s: %d objects became %d", filepath.Base(file), kept, len(out))
		}
	}
	t.Logf("%d trees, %d walks scrubbed", len(files), len(walks))
}

func FuzzScrub(f *testing.F) {
	f.Add("see https://u:p@10.0.0.1:8/x fe80::1%eth0 SN: A1 aa:bb:cc:dd:ee:ff, nqn.2014-08.org:uuid:5ba7e0a0-1111-4222-8333-abcdef012345", "A1B2C3D4")
	f.Fuzz(func(t *testing.T, text, secret string) {
		s := scrubber(9)
		s.Also(secret)
		for _, out := range []string{s.text(text, true), s.text(text, false), s.guarded(text), s.pseudonym(text)} {
			if len([]rune(out)) != len([]rune(text)) {
				t.Errorf("%q became %q", text, out)
			}
		}
		if len(secret) > 8 && telling(strings.ToLower(secret)) && wordRun.FindString(secret) == secret {
			if out := s.text("x "+secret+" y", true); strings.Contains(out, secret) {
				t.Errorf("%q survives as %q", secret, out)
			}
		}
	})
}
