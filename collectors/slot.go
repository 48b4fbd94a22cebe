package collectors

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// slot is called for every component of every poll: it reads letter by letter what these expressions say.
//
//	^0*([0-9]+)$
//	^[A-Za-z][A-Za-z .:_#-]*?[ .:_#-]*0*([0-9]+[A-Za-z]?)$   a last number behind words: "PSU.Slot.1", "PS-3", "Fan 4A"
//	[^A-Za-z0-9._:+@()=,/-]+                                 becomes "-"
func slot(_ component.Kind, name string) string {
	name = strings.TrimSpace(name)
	if n := lastNumber(name); n != "" {
		return n
	}
	if s := strings.Trim(safe(name), "-"); s != "" {
		return s
	}
	return "unnamed"
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// lastNumber is the number at the end of a name that is a number, or words and a number, with the letter behind it; "" where
// there is none.
func lastNumber(name string) string {
	start := 0
	for start < len(name) && !isDigit(name[start]) {
		if c := name[start]; !isLetter(c) && (start == 0 || strings.IndexByte(" .:_#-", c) < 0) {
			return ""
		}
		start++
	}
	end := start
	for end < len(name) && isDigit(name[end]) {
		end++
	}
	digits := end
	if start > 0 && end < len(name) && isLetter(name[end]) {
		end++
	}
	if start == digits || end < len(name) {
		return ""
	}
	for start < digits-1 && name[start] == '0' {
		start++
	}
	return name[start:end]
}

// safe puts "-" in the place of what an id may not hold.
// Name is a local id that is a name, with its unsafe characters replaced: an interface's, whose number means nothing without it.
func Name(name string) string { return strings.Trim(safe(strings.TrimSpace(name)), "-") }

func safe(name string) string {
	ok := func(r rune) bool {
		return r < 0x80 && (isLetter(byte(r)) || isDigit(byte(r)) || strings.IndexByte("._:+@()=,/-", byte(r)) >= 0)
	}
	if strings.IndexFunc(name, func(r rune) bool { return !ok(r) }) < 0 {
		return name
	}
	var b strings.Builder
	within := false
	for _, r := range name {
		if ok(r) {
			b.WriteRune(r)
		} else if !within {
			b.WriteByte('-')
		}
		within = !ok(r)
	}
	return b.String()
}
