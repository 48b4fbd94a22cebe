package trap

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

func TestFirstTrapAsksAtOnce(t *testing.T) {
	f := NewFold()
	if !f.Take(begin, "ups", "a") {
		t.Error("the first is not asked for")
	}
	if f.Take(begin.Add(100*time.Millisecond), "ups", "b") || f.Take(begin.Add(200*time.Millisecond), "ups", "c") {
		t.Error("asked twice within the gap")
	}
	if !f.Take(begin.Add(200*time.Millisecond), "pdu", "d") {
		t.Error("one device waits for another")
	}
	at, ok := f.Next()
	if !ok || !at.Equal(begin.Add(shortestGap)) {
		t.Errorf("next at %s", at)
	}
	if due := f.Due(begin.Add(999 * time.Millisecond)); due != nil {
		t.Errorf("due too early: %v", due)
	}
	if due := f.Due(at); !slices.Equal(due, []Asked{{Device: "ups", Traps: 2, Line: "c"}}) {
		t.Errorf("due %v", due)
	}
	// And once more, for agents that send the trap before they know.
	if due := f.Due(begin.Add(4 * time.Second)); !slices.Equal(due, []Asked{{Device: "pdu", Again: true}, {Device: "ups", Again: true}}) {
		t.Errorf("due %v", due)
	}
	f.Due(begin.Add(time.Minute))
	if _, ok := f.Next(); ok || len(f.devices) > 0 {
		t.Errorf("it remembers %v for ever", f.devices)
	}
}

// TestStorm: ten thousand traps in twenty seconds cost a handful of polls, and the last word is asked for.
func TestStorm(t *testing.T) {
	f := NewFold()
	asked, traps := 0, 0
	last := time.Time{}
	for i := range 10_000 {
		now := begin.Add(time.Duration(i) * 2 * time.Millisecond)
		if f.Take(now, "ups", fmt.Sprint(i)) {
			asked, traps, last = asked+1, traps+1, now
		}
		for _, a := range f.Due(now) {
			asked, traps, last = asked+1, traps+a.Traps, now
		}
	}
	end := begin.Add(20 * time.Second)
	for _, a := range f.Due(end.Add(longestGap)) {
		asked, traps, last = asked+1, traps+a.Traps, end
	}
	if asked > 8 || traps != 10_000 || last.Before(end) {
		t.Errorf("%d polls for %d traps, the last at %s", asked, traps, last)
	}
	t.Logf("10000 traps in 20 s: %d polls", asked)
}

func TestBook(t *testing.T) {
	at := netip.MustParseAddrPort
	entries := []Entry{
		{Device: "ups", Addrs: []netip.AddrPort{at("10.0.0.1:161")}},
		{Device: "pdu", Addrs: []netip.AddrPort{at("10.0.0.2:161"), at("[2001:db8::2]:161")}, Engine: "\x80\x00\x01\x02\x05pdu"},
		{Device: "srv", Addrs: []netip.AddrPort{at("10.0.0.3:443"), at("10.0.0.3:623")}, Others: []netip.Addr{netip.MustParseAddr("10.9.9.9")}},
		{Device: "relay", Addrs: []netip.AddrPort{at("10.0.0.4:161")}},
	}
	for i := range 20 {
		entries = append(entries, Entry{Device: fmt.Sprint("nat-", i), Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("10.0.0.5"), uint16(1000+i))}})
	}
	b := NewBook(entries)
	for _, c := range []struct {
		what   string
		trap   Trap
		want   []string
		shared bool
	}{
		{"by its address", Trap{From: at("10.0.0.1:50000")}, []string{"ups"}, false},
		{"of version 4 in 6", Trap{From: at("[::ffff:10.0.0.1]:50000")}, []string{"ups"}, false},
		{"of version 6", Trap{From: at("[2001:db8::2]:50000")}, []string{"pdu"}, false},
		{"from another of its addresses", Trap{From: at("10.9.9.9:1")}, []string{"srv"}, false},
		{"through a relay", Trap{From: at("172.16.0.1:1"), Agent: netip.MustParseAddr("10.0.0.1")}, []string{"ups"}, false},
		{"through a relay that is watched itself", Trap{From: at("10.0.0.4:1"), Agent: netip.MustParseAddr("10.0.0.1")}, []string{"ups", "relay"}, false},
		{"by its engine", Trap{From: at("172.16.0.1:1"), Engine: "\x80\x00\x01\x02\x05pdu"}, []string{"pdu"}, false},
		{"by the address in its engine", Trap{From: at("172.16.0.1:1"), Engine: "\x80\x00\x01\x02\x01\x0a\x00\x00\x01"}, []string{"ups"}, false},
		{"an agent that calls itself localhost", Trap{From: at("10.0.0.1:1"), Agent: netip.MustParseAddr("127.0.0.1")}, []string{"ups"}, false},
		{"one of many behind one address, by its port", Trap{From: at("10.0.0.5:1003")}, []string{"nat-3"}, false},
		{"one of many behind one address", Trap{From: at("10.0.0.5:9")}, nil, true},
		{"nobody", Trap{From: at("172.16.0.1:1"), OID: recording.OID{1, 3}}, nil, false},
	} {
		got, shared := b.Find(&c.trap)
		if !slices.Equal(got, c.want) || shared != c.shared {
			t.Errorf("%s: got %v %v, want %v %v", c.what, got, shared, c.want, c.shared)
		}
	}
}
