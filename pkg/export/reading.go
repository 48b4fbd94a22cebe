package export

import (
	"strings"
	"unicode/utf8"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// units gives the base unit's name for each unit of a reading, and what to multiply by.
var units = map[string]struct {
	name   string
	factor float64
}{
	"W": {"watts", 1}, "VA": {"volt_amperes", 1}, "A": {"amperes", 1}, "V": {"volts", 1}, "Hz": {"hertz", 1},
	"Cel": {"celsius", 1}, "%": {"ratio", 0.01}, "s": {"seconds", 1}, "Wh": {"joules", 3600}, "rpm": {"revolutions_per_minute", 1},
	"B": {"bytes", 1},
}

// Quantity is the name of a reading with its base unit, as "input_power_watts", and the factor from its own unit to
// that.
func Quantity(r component.Reading) (name string, factor float64) {
	name = strings.Trim(strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c - 'A' + 'a'
		}
		return '_'
	}, r.Name), "_")
	if name == "" {
		name = "reading"
	}
	u, ok := units[r.Unit]
	if !ok {
		return name, 1
	}
	return name + "_" + u.name, u.factor
}

// longest is how many bytes of a text from a device are passed on.
const longest = 1024

// Text makes of what a device says something that receivers take: valid UTF-8, and no longer than anybody reads.
func Text(s string) string {
	if len(s) > longest {
		s = s[:longest]
	}
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "�")
}

// Line is Text in one line, without control characters.
func Line(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, Text(s))
}
