package bmp

import (
	"encoding/hex"
	"testing"
)

// What FRR 8.4 sends of a session with BIRD 2 that has add-path for IPv4: its messages have no path ids.
var noIDs = []string{
	"030000010803000000000000000000000000000000000000000000007f0008020000fe4d0aff08026b022e5100066c930000000000000000000000007f000801049bc927ffffffffffffffffffffffffffffffff00690104fdf200030aff08014c0206010400010001020280000202020002024600020641040000fdf20202060002064504000101010211490f0d6672722d3132372e302e382e310002044002c0780209470700010180000000ffffffffffffffffffffffffffffffff003b0104fe4d00030aff08021e021c01040001000102004002007841040000fe4d45040001010246004700",
	"030000006500004000000000000000000000000000000000000000007f0008020000fe4d0aff08026b026ce800066c93ffffffffffffffffffffffffffffffff0035020000001d400101005002000e02030000fdf20000fe4d0000fbf5400304c000020200",
}

func TestPathIDsLeftOut(t *testing.T) {
	d := NewDecoder()
	for i, text := range noIDs {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		b[1], b[2], b[3], b[4] = 0, 0, byte(len(b)>>8), byte(len(b))
		for range 1 + i { // the second time it is known
			m, err := d.Message(b)
			if err != nil {
				t.Fatal(err)
			}
			if i == 1 && (len(m.Update.Announced) != 1 || m.Update.Announced[0].Prefix.String() != "0.0.0.0/0" || m.Update.Announced[0].PathID != 0) {
				t.Errorf("announced is %v", m.Update.Announced)
			}
		}
	}
}
