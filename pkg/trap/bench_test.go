package trap

import (
	"testing"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/secret"
)

// BenchmarkTake is what one trap costs, from the datagram to the fold: a storm of them must not take the daemon's time.
func BenchmarkTake(b *testing.B) {
	g := newRig(b, Secrets{Communities: []secret.Text{secret.New("public")}, Users: []collectors.V3{watcher}})
	f := NewFold()
	book := NewBook([]Entry{{Device: "ups"}})
	g.known = func(tr *Trap) Result {
		g.got = g.got[:0]
		book.Find(tr)
		f.Take(g.now, "ups", tr.Line())
		return Folded
	}
	for name, in := range map[string][]byte{
		"v2c": v2c("public", trapPDU(trapV2, upsTrap)),
		"v3":  newSender(b, "\x80\x00\x01\x02\x05one", userOf(watcher)).trap(begin),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, len(in))
			for b.Loop() {
				copy(buf, in)
				g.Take(buf, someone)
			}
		})
	}
}
