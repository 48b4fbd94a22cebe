//go:build linux

package fleet

import (
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"github.com/sparewatch/sparewatch/pkg/lab"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// make of an agent: what all of its kind share, and what differs.
type product struct {
	name  string
	share float64 // of the fleet
	base  []recording.Object
	own   func(o *lab.Objects, name string, number int)
}

// serveSNMP starts PDUs, switches, UPSes and transfer switches, all SNMPv2c, each with measurements of its own that change
// from second to second.
func serveSNMP(n int) (int, string, error) {
	l, err := listenLoopback()
	if err != nil {
		return 0, "", err
	}
	agents := map[netip.Addr]*lab.Agent{}
	config := "credentials:\n  fleet: {community: fleet}\ndevices:\n"
	for i, p := range []product{rackPDU(), accessSwitch(), lineUPS(), transferSwitch()} {
		b := blockOf(16+i, int(float64(n)*p.share+0.5))
		for k := range b.size() {
			o := lab.NewObjects(p.base)
			name := b.name(p.name, k)
			o.Set(recording.OID{1, 3, 6, 1, 2, 1, 1, 5, 0}, recording.StringValue(name))
			p.own(o, name, k)
			agents[b.at(k)] = &lab.Agent{Objects: o, Community: "fleet"}
		}
		config += fmt.Sprintf("  - {name: %q, url: \"snmp://%s:%d\", credentials: fleet}\n", b.names(p.name), b.pattern(), l.port)
	}
	for range runtime.GOMAXPROCS(0) {
		go l.serve(func(to netip.Addr, datagram []byte) []byte {
			if a := agents[to]; a != nil {
				return a.Answer(datagram)
			}
			return nil
		})
	}
	return len(agents), config, nil
}

// listing collects a product's objects.
type listing []recording.Object

func (l *listing) put(oid string, v recording.Value) {
	o, err := recording.ParseOID(oid)
	if err != nil {
		panic(err) // written here
	}
	*l = append(*l, recording.Object{OID: o, Value: v})
}

func (l *listing) number(oid string, n int64)      { l.put(oid, recording.IntValue(n)) }
func (l *listing) text(oid, s string)              { l.put(oid, recording.StringValue(s)) }
func (l *listing) object(oid string, id ...uint32) { l.put(oid, recording.OIDValue(recording.OID(id))) }

func (l *listing) system(descr string, id ...uint32) {
	l.text("1.3.6.1.2.1.1.1.0", descr)
	l.object("1.3.6.1.2.1.1.2.0", id...)
	l.put("1.3.6.1.2.1.1.3.0", recording.UintValue(recording.TimeTicks, 123456))
}

func (l listing) sorted() []recording.Object {
	out, _, _ := recording.Sort(l)
	return out
}

// row writes a row: columns by their numbers under the entry.
func (l *listing) row(entry, index string, columns map[int]any) {
	for c, v := range columns {
		oid := fmt.Sprintf("%s.%d.%s", entry, c, index)
		switch v := v.(type) {
		case int:
			l.number(oid, int64(v))
		case string:
			l.text(oid, v)
		}
	}
}

// sways makes a measurement that changes each second between low and low+span.
func sways(o *lab.Objects, oid string, number int, low, span int64) {
	at, err := recording.ParseOID(oid)
	if err != nil {
		panic(err)
	}
	o.Live(at, func() recording.Value {
		return recording.IntValue(low + (time.Now().Unix()*7+int64(number)*13)%max(1, span))
	})
}

func serial(o *lab.Objects, oid, name string) {
	at, err := recording.ParseOID(oid)
	if err != nil {
		panic(err)
	}
	o.Set(at, recording.StringValue("SN"+name))
}

// rackPDU has one phase, two banks and twenty-four switched outlets (PowerNet-MIB, rPDU2).
func rackPDU() product {
	const r = "1.3.6.1.4.1.318.1.1.26"
	var l listing
	l.system("APC Web/SNMP Management Card", 1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6)
	l.row(r+".2.1", "1", map[int]any{6: "v6.8.0", 8: "AP8853", 9: ""})
	l.row(r+".4.2.1", "1", map[int]any{7: 1, 9: 32})
	l.row(r+".4.3.1", "1", map[int]any{2: 1, 3: "pdu", 4: 2, 5: 187, 12: 1, 13: 1, 14: 1})
	l.row(r+".6.3.1", "1", map[int]any{2: 1, 3: 1, 4: 2, 5: 81, 6: 231})
	for b := 1; b <= 2; b++ {
		l.row(r+".8.2.1", fmt.Sprint(b), map[int]any{4: 1, 5: 16})
		l.row(r+".8.3.1", fmt.Sprint(b), map[int]any{2: 1, 3: b, 4: 2, 5: 40})
	}
	for o := 1; o <= 24; o++ {
		l.row(r+".9.2.2.1", fmt.Sprint(o), map[int]any{5: 1, 6: (o-1)/12 + 1})
		l.row(r+".9.2.3.1", fmt.Sprint(o), map[int]any{2: 1, 3: fmt.Sprintf("Outlet %d", o), 4: o, 5: 2})
	}
	return product{"pdu", 0.4, l.sorted(), func(o *lab.Objects, name string, n int) {
		serial(o, r+".2.1.9.1", name)
		sways(o, r+".4.3.1.5.1", n, 150, 40)
		sways(o, r+".6.3.1.5.1", n, 70, 20)
		sways(o, r+".8.3.1.5.1", n, 35, 10)
		sways(o, r+".8.3.1.5.2", n, 35, 10)
	}}
}

// accessSwitch has two supplies, three fans, and sensors (ENTITY-MIB, CISCO-ENTITY-FRU-CONTROL-MIB, CISCO-ENTITY-SENSOR-MIB).
func accessSwitch() product {
	const phys, fru, tray, sensor = "1.3.6.1.2.1.47.1.1.1.1", "1.3.6.1.4.1.9.9.117.1.1.2.1", "1.3.6.1.4.1.9.9.117.1.4.1.1", "1.3.6.1.4.1.9.9.91.1.1.1.1"
	var l listing
	l.system("Cisco IOS Software [Amsterdam], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 17.3.4, RELEASE SOFTWARE (fc3)", 1, 3, 6, 1, 4, 1, 9, 1, 2494)
	part := func(index, in, class int, name, descr, model string) {
		l.row(phys, fmt.Sprint(index), map[int]any{2: descr, 4: in, 5: class, 7: name, 9: "", 10: "17.3.4", 11: "", 12: "Cisco", 13: model, 16: 1})
	}
	part(1, 0, 3, "Chassis", "Catalyst 9300 chassis", "C9300-48P")
	for i := 1; i <= 2; i++ {
		part(10+i, 1, 5, fmt.Sprintf("Power Supply Bay %d", i), "power supply bay", "")
		part(20+i, 10+i, 6, fmt.Sprintf("Power Supply %d", i), "power supply", "PWR-C1-715WAC")
		l.row(fru, fmt.Sprint(20+i), map[int]any{1: 1, 2: 2})
		part(40+i, 20+i, 8, fmt.Sprintf("Power Supply %d temperature", i), "temperature", "")
		l.row(sensor, fmt.Sprint(40+i), map[int]any{1: 8, 2: 9, 3: 0, 4: 34, 5: 1})
	}
	for i := 1; i <= 3; i++ {
		part(30+i, 1, 7, fmt.Sprintf("Fan %d", i), "fan", "FAN-T1")
		l.row(tray, fmt.Sprint(30+i), map[int]any{1: 2})
	}
	return product{"sw", 0.3, l.sorted(), func(o *lab.Objects, name string, n int) {
		serial(o, phys+".11.1", name)
		sways(o, sensor+".4.41", n, 30, 8)
		sways(o, sensor+".4.42", n, 30, 8)
	}}
}

// lineUPS has one line in and one out (RFC 1628).
func lineUPS() product {
	const u = "1.3.6.1.2.1.33.1"
	var l listing
	l.system("Line Power LP-16K network card 2.3.1", 1, 3, 6, 1, 2, 1, 33)
	for oid, v := range map[string]string{".1.1.0": "Line Power", ".1.2.0": "LP-16K", ".1.3.0": "5.02", ".1.4.0": "2.3.1", ".1.5.0": "ups"} {
		l.text(u+oid, v)
	}
	for oid, v := range map[string]int64{
		".2.1.0": 2, ".2.2.0": 0, ".2.3.0": 42, ".2.4.0": 100, ".2.5.0": 2180, ".2.7.0": 26, ".3.1.0": 4, ".3.2.0": 1,
		".4.1.0": 3, ".4.2.0": 500, ".4.3.0": 1, ".6.1.0": 0, ".9.1.0": 230, ".9.2.0": 500, ".9.3.0": 230, ".9.4.0": 500, ".9.5.0": 17777, ".9.6.0": 16000,
	} {
		l.number(u+oid, v)
	}
	l.row(u+".3.3.1", "1", map[int]any{2: 500, 3: 230, 4: 210, 5: 4600})
	l.row(u+".4.4.1", "1", map[int]any{2: 230, 3: 200, 4: 4400, 5: 27})
	return product{"ups", 0.2, l.sorted(), func(o *lab.Objects, _ string, n int) {
		sways(o, u+".3.3.1.3.1", n, 228, 5)
		sways(o, u+".4.4.1.4.1", n, 4300, 200)
		sways(o, u+".4.4.1.5.1", n, 25, 4)
	}}
}

// transferSwitch has two sources and one output (PowerNet-MIB, ats).
func transferSwitch() product {
	const a = "1.3.6.1.4.1.318.1.1.8"
	var l listing
	l.system("APC Web/SNMP Management Card", 1, 3, 6, 1, 4, 1, 318, 1, 3, 11)
	for oid, v := range map[string]string{".1.2.0": "v7", ".1.5.0": "AP4423"} {
		l.text(a+oid, v)
	}
	for oid, v := range map[string]int64{
		".1.7.0": 230, ".1.9.0": 16, ".5.1.1.0": 2, ".5.1.2.0": 1, ".5.1.3.0": 2, ".5.1.4.0": 2, ".5.1.10.0": 2, ".5.1.12.0": 2, ".5.1.13.0": 2, ".5.1.14.0": 1, ".5.1.15.0": 2, ".5.1.16.0": 2,
	} {
		l.number(a+oid, v)
	}
	for i := 1; i <= 2; i++ {
		l.row(a+".5.3.2.1", fmt.Sprint(i), map[int]any{4: 50, 6: fmt.Sprintf("Source %c", 'A'-1+i)})
		l.row(a+".5.3.3.1", fmt.Sprintf("%d.1.1", i), map[int]any{3: 231})
	}
	l.row(a+".5.4.2.1", "1", map[int]any{4: 50})
	l.row(a+".5.4.3.1", "1.1.1", map[int]any{3: 230, 4: 41, 7: 943, 10: 25, 13: 900, 19: 1})
	return product{"ats", 0.1, l.sorted(), func(o *lab.Objects, name string, n int) {
		serial(o, a+".1.6.0", name)
		sways(o, a+".5.4.3.1.4.1.1.1", n, 38, 6)
		sways(o, a+".5.3.3.1.3.1.1.1", n, 229, 4)
	}}
}
