package spelling

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"credentials", "devices", "topology", "urls", "fed_by"}
	for word, want := range map[string]string{
		"credential": "credentials", "device": "devices", "topolgoy": "topology", "url": "urls", "fed-by": "fed_by", "Devices": "devices", "zzz": "", "x": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("nearest to %s is %q, want %q", word, got, want)
		}
	}
}
