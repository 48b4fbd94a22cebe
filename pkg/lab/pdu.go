package lab

import (
	"fmt"
	"math"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// A rack PDU's agent in the form of APC's second generation: the system group and PowerNet-MIB's rPDU2
// (1.3.6.1.4.1.318.1.1.26). One phase, two banks, outlets that are switched and metered. It runs from the PDU's own
// input: a PDU without input is silent.

var rPDU2 = recording.OID{1, 3, 6, 1, 4, 1, 318, 1, 1, 26}

// under makes the OID of an object below a base.
func under(base recording.OID, arcs ...uint32) recording.OID {
	return append(append(make(recording.OID, 0, len(base)+len(arcs)), base...), arcs...)
}

func system(arc uint32) recording.OID { return recording.OID{1, 3, 6, 1, 2, 1, 1, arc, 0} }

// tableau collects an agent's objects: what never changes into one sorted base, what follows the plant as live values.
type tableau struct {
	base []recording.Object
	live []liveObject
}

type liveObject struct {
	oid recording.OID
	f   func() recording.Value
}

func (t *tableau) text(oid recording.OID, s string) {
	t.base = append(t.base, recording.Object{OID: oid, Value: recording.StringValue(s)})
}

func (t *tableau) number(oid recording.OID, n int64) {
	t.base = append(t.base, recording.Object{OID: oid, Value: recording.IntValue(n)})
}

func (t *tableau) value(oid recording.OID, v recording.Value) {
	t.base = append(t.base, recording.Object{OID: oid, Value: v})
}

func (t *tableau) follows(oid recording.OID, f func() float64) {
	t.live = append(t.live, liveObject{oid, func() recording.Value { return recording.IntValue(int64(math.Round(f()))) }})
}

func (t *tableau) objects() *Objects {
	sorted, _, _ := recording.Sort(t.base)
	o := NewObjects(sorted)
	for _, l := range t.live {
		o.Live(l.oid, l.f)
	}
	return o
}

func (t *tableau) systemGroup(d *Datacenter, descr string, id recording.OID, name, place string) {
	t.text(system(1), descr)
	t.value(system(2), recording.OIDValue(id))
	t.live = append(t.live, liveObject{system(3), func() recording.Value {
		return recording.UintValue(recording.TimeTicks, uint64(d.now().Sub(d.started)/(10*time.Millisecond))&math.MaxUint32)
	}})
	t.text(system(4), "datacenter operations")
	t.text(system(5), name)
	t.text(system(6), place)
	t.number(system(7), 72)
}

// Load states of rPDU2: lowLoad 1, normal 2, nearOverload 3, overload 4.
func loadState(amps, near, over float64) float64 {
	switch {
	case amps >= over:
		return 4
	case amps >= near:
		return 3
	}
	return 2
}

const (
	pduAmps  = 32.0
	bankAmps = 16.0
	nearAmps = 25 // of the whole PDU
)

func (d *Datacenter) pduObjects(name string) *Objects {
	u := d.plant.pdus[name]
	t := &tableau{}
	t.systemGroup(d, "APC Web/SNMP Management Card (MB:v4.3.0 PF:v7.1.2 PN:apc_hw05_aos_712.bin AF1:v7.1.2 AN1:apc_hw05_rpdu2g_712.bin MN:AP8653 HR:02 SN: "+u.serial+" MD:03/14/2025)",
		recording.OID{1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6}, name, "lab rack "+name[4:7])
	at := func(arcs ...uint32) recording.OID { return under(rPDU2, arcs...) }
	// row writes a table's row as far as it never changes: text and numbers in the order of the columns.
	row := func(table recording.OID, index uint32, columns ...any) {
		for i, c := range columns {
			oid := under(table, uint32(i+1), index)
			switch c := c.(type) {
			case string:
				t.text(oid, c)
			case int:
				t.number(oid, int64(c))
			case func() float64:
				t.follows(oid, c)
			}
		}
	}
	// see reads the plant for a live value.
	see := func(f func(p *plant, now time.Time) float64) func() float64 {
		return func() float64 { return d.look(func(p *plant, now time.Time) float64 { return f(p, now) }) }
	}
	watts := func(p *plant, now time.Time) float64 { return p.pduWatts(name, now) }
	amps := func(p *plant, now time.Time) float64 { return watts(p, now) / mains }

	t.number(at(1, 0), 1)
	row(at(2, 1), 1, 1, 1, name, "lab rack "+name[4:7], "02", "7.1.2", "03/14/2025", "AP8653", u.serial, "datacenter operations")
	t.number(at(3, 0), 1)
	row(at(4, 1, 1), 1, 1, 1, name, "lab rack "+name[4:7], 2, 0, 0, 51, 66)
	row(at(4, 2, 1), 1, 1, 1, name, pduOutlets, pduOutlets, pduOutlets, 1, pduBanks, int(pduAmps), 2, 1, int(pduAmps), int(pduAmps))
	row(at(4, 3, 1), 1, 1, 1, name,
		see(func(p *plant, now time.Time) float64 { return loadState(amps(p, now), pduAmps*0.8, pduAmps) }),
		see(func(p *plant, now time.Time) float64 { return watts(p, now) / 10 }), // hundredths of kW
		310, "03/14/2025 09:00:00", "03/14/2025 09:00:00", 40211, "03/14/2025 09:00:00",
		2, 1, 1, 1, "03/14/2025 09:00:00",
		see(func(p *plant, now time.Time) float64 { return watts(p, now) / 0.97 / 10 }), 97, 1)
	t.number(at(5, 0), 1)
	row(at(6, 1, 1), 1, 1, 1, 1, 1, 0, nearAmps, int(pduAmps), 1)
	row(at(6, 2, 1), 1, 1, 1, 1)
	row(at(6, 3, 1), 1, 1, 1, 1,
		see(func(p *plant, now time.Time) float64 { return loadState(amps(p, now), pduAmps*0.8, pduAmps) }),
		see(func(p *plant, now time.Time) float64 { return 10 * amps(p, now) }),
		int(mains),
		see(func(p *plant, now time.Time) float64 { return watts(p, now) / 10 }),
		see(func(p *plant, now time.Time) float64 { return watts(p, now) / 0.97 / 10 }), 97, 140)
	t.number(at(7, 0), pduBanks)
	for b := range pduBanks {
		n := uint32(b + 1)
		bank := func(p *plant, now time.Time) float64 { return p.bankWatts(name, b, now) / mains }
		row(at(8, 1, 1), n, int(n), 1, int(n), 1, 0, int(bankAmps)*8/10, int(bankAmps), 1)
		row(at(8, 2, 1), n, int(n), 1, int(n), 1, int(bankAmps))
		row(at(8, 3, 1), n, int(n), 1, int(n),
			see(func(p *plant, now time.Time) float64 { return loadState(bank(p, now), bankAmps*0.8, bankAmps) }),
			see(func(p *plant, now time.Time) float64 { return 10 * bank(p, now) }))
	}
	t.number(at(9, 1, 0), pduOutlets)
	for o := 1; o <= pduOutlets; o++ {
		d.outletRows(row, see, name, o)
	}
	t.number(at(9, 3, 0), pduOutlets)
	return t.objects()
}

// outletRows writes one outlet's rows in rPDU2's tables of switched and of metered outlets.
func (d *Datacenter) outletRows(row func(recording.OID, uint32, ...any), see func(func(*plant, time.Time) float64) func() float64, pdu string, o int) {
	name := fmt.Sprintf("Outlet %d", o)
	index, bank := uint32(o), bankOf(o)+1
	state := see(func(p *plant, _ time.Time) float64 { // off 1, on 2
		if p.pdus[pdu].off[o-1] {
			return 1
		}
		return 2
	})
	row(under(rPDU2, 9, 2, 1, 1), index, o, 1, name, o, 0, 0, 5)
	row(under(rPDU2, 9, 2, 2, 1), index, o, 1, name, o, 1, bank)
	row(under(rPDU2, 9, 2, 3, 1), index, o, 1, name, o, state, 2)
	row(under(rPDU2, 9, 4, 3, 1), index, o, 1, name, o, state,
		see(func(p *plant, now time.Time) float64 { return 10 * p.outletWatts(pdu, o, now) / mains }),
		see(func(p *plant, now time.Time) float64 { return p.outletWatts(pdu, o, now) }))
}
