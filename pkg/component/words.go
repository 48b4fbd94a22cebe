package component

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kindWords are the kinds that people call something else than their names, one and several.
var kindWords = map[Kind][2]string{
	PSU: {"supply", "supplies"}, Battery: {"battery", "batteries"}, Utility: {"utility", "utilities"}, Switch: {"switch", "switches"},
	ATS: {"transfer switch", "transfer switches"}, UPS: {"UPS", "UPSes"}, PDU: {"PDU", "PDUs"}, NIC: {"NIC", "NICs"}, CPU: {"CPU", "CPUs"},
	Memory: {"memory module", "memory modules"}, Cooling: {"cooler", "coolers"}, BGPSession: {"session", "sessions"}, Path: {"way", "ways"},
}

// Plural names several of a kind for people: "supplies".
func (k Kind) Plural() string {
	if w, ok := kindWords[k]; ok {
		return w[1]
	}
	return strings.ReplaceAll(string(k), "_", " ") + "s"
}

// Count names so many of a kind for people: "1 supply", "3 supplies".
func (k Kind) Count(n int) string {
	switch w, ok := kindWords[k]; {
	case n != 1:
		return fmt.Sprintf("%d %s", n, k.Plural())
	case ok:
		return "1 " + w[0]
	}
	return "1 " + strings.ReplaceAll(string(k), "_", " ")
}

// Quantity is a reading's value for people: "228 V", "22 °C", "5 h 56 min" in the place of 21360 s.
func Quantity(v float64, unit string) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	switch unit {
	case "", "1":
		return s
	case "Cel":
		return s + " °C"
	case "s":
		if v >= 120 && v < 1e9 {
			return Lasting(time.Duration(v) * time.Second)
		}
	}
	return s + " " + unit
}

// Lasting is how long something lasts, as coarse as people say it: "40 s", "12 min", "5 h 56 min", "3 days".
func Lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Stamp is a moment for people: what a device said may be of days ago.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
