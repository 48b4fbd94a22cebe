package trap

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// dell is the record of a PowerEdge R300 whose lid was opened, as its owner published it; the system's name at its end
// is not his.
func dell() []byte {
	b, err := hex.DecodeString(strings.ReplaceAll("44 45 4C 4C 4B 00 10 4A 80 4B C3 C0 4F 4D 4C 31 00 01 18 4A 74 D5 FF FF 20 20 10 20 73 18 00 80 01 FF 00 00 00 00 00 19 00 00 02 A2 01 00 68 6F 73 74 C1", " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func petTrap(number uint32, record []byte) *Trap {
	t := &Trap{OID: slices.Concat(petEnterprise, recording.OID{0, number})}
	if record != nil {
		t.Binds = []recording.Object{{OID: petRecord, Value: recording.Value{Type: recording.OctetString, Bytes: record}}}
	}
	return t
}

func TestPET(t *testing.T) {
	p, ok := DecodePET(petTrap(356096, dell()))
	if !ok || !p.Whole {
		t.Fatalf("%v %+v", ok, p)
	}
	if p.SensorType != 5 || p.EventType != 0x6f || p.Offset != 0 || p.Deasserted || p.Sequence != 1 || p.Source != 0x20 || p.Severity != 0x10 || p.Sensor != 0x73 || p.Entity != 24 || p.EventData[1] != 1 {
		t.Errorf("%+v", p)
	}
	if want := time.Date(2010, 11, 30, 19, 32, 37, 0, time.UTC); !p.At.Equal(want) {
		t.Errorf("at %s, want %s", p.At, want)
	}
	if !slices.Contains(p.UUIDs(), "4c4c4544004b4a10804bc3c04f4d4c31") {
		t.Errorf("%v has not the UUID that SMBIOS tells of this server", p.UUIDs())
	}
	if got, want := p.Line(), "platform event: chassis intrusion, entity 24: general chassis intrusion (critical), sensor 73h"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPETLines(t *testing.T) {
	supply := dell()
	supply[29], supply[30], supply[28], supply[26] = 0x0a, 2, 0x32, 0x10
	for _, c := range []struct {
		number uint32
		record []byte
		want   string
	}{
		{356224, nil, "platform event: chassis intrusion: no longer: general chassis intrusion"},
		{0x086f03, supply, "platform event: power supply 2: input lost (critical), sensor 32h"},
		{0x080b01, supply, "platform event: power supply 2: redundancy lost (critical), sensor 32h"},
		{0x040102, nil, "platform event: fan: below the lower critical threshold"},
		{0xc07001, nil, "platform event: sensor type C0h: event C0h/70h offset 1"},
		{0x086f0f, supply[:20], "platform event: power supply: event 08h/6Fh offset 15"},
	} {
		tr := petTrap(c.number, c.record)
		if got := tr.Line(); got != c.want {
			t.Errorf("%06x: got %q, want %q", c.number, got, c.want)
		}
	}
	for _, oid := range []recording.OID{petEnterprise[:8], slices.Concat(petEnterprise, recording.OID{0, 1, 2}), upsTrap, nil} {
		if _, ok := DecodePET(&Trap{OID: oid}); ok {
			t.Errorf("%s is taken for a platform event", oid)
		}
	}
}

func TestPETTime(t *testing.T) {
	b := dell()
	copy(b[18:], []byte{0, 0, 0x0e, 0x10, 0, 60}) // an hour after the epoch, an hour east of UTC
	p, _ := DecodePET(petTrap(1, b))
	if !p.At.Equal(epoch) {
		t.Errorf("at %s", p.At)
	}
}

// A trap that a BMC sends from anywhere is its own by its GUID.
func TestPETByGUID(t *testing.T) {
	b := NewBook([]Entry{{Device: "srv-1", UUID: "4C4C4544-004B-4A10-804B-C3C04F4D4C31", Addrs: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:443")}}, {Device: "srv-2", UUID: "ffffffff-ffff-ffff-ffff-ffffffffffff"}})
	tr := petTrap(356096, dell())
	tr.From = netip.MustParseAddrPort("172.16.0.1:1")
	if got, _ := b.Find(tr); !slices.Equal(got, []string{"srv-1"}) {
		t.Errorf("got %v", got)
	}
}

func FuzzPET(f *testing.F) {
	f.Add(uint32(356096), dell())
	f.Fuzz(func(t *testing.T, number uint32, record []byte) {
		p, ok := DecodePET(petTrap(number, record))
		if !ok {
			t.Fatal("not a platform event")
		}
		if line := p.Line(); line == "" || len(line) > longestLine || strings.ContainsAny(line, "\n\x1b") {
			t.Errorf("%q", line)
		}
		p.UUIDs()
	})
}
