package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxExpansion bounds what one pattern may stand for.
const maxExpansion = 100_000

// expand returns what a pattern stands for, in order: "srv-[01-12]", "pdu-[a,b]", "r[1-2]-[a-c]" (the first bracket
// turns slowest), "[a,b-[1-2]]". A pattern without brackets stands for itself. The brackets of an IPv6 address in a URL
// stay: "redfish://[fd00::[1-9]]".
func expand(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "[]") {
		return []string{pattern}, nil
	}
	out, rest, err := expandSequence(pattern, "", 0)
	if err != nil {
		return nil, fmt.Errorf("%q %w", pattern, err)
	}
	if rest != "" {
		return nil, fmt.Errorf("%q has a ] without [", pattern)
	}
	return out, nil
}

const maxNesting = 8

// expandSequence reads literals and groups up to one of the runes in stop, or to the end.
func expandSequence(s, stop string, depth int) (out []string, rest string, err error) {
	out = []string{""}
	for s != "" && !strings.ContainsRune(stop, rune(s[0])) {
		switch s[0] {
		case ']':
			return nil, "", errors.New("has a ] without [")
		case '[':
			if depth == maxNesting {
				return nil, "", fmt.Errorf("nests more than %d brackets", maxNesting)
			}
			var group []string
			group, s, err = expandGroup(s[1:], isAuthority(out[0]), depth+1)
			if err != nil {
				return nil, "", err
			}
			if len(out)*len(group) > maxExpansion {
				return nil, "", fmt.Errorf("stands for more than %d names", maxExpansion)
			}
			out = cross(out, group)
		default:
			end := strings.IndexAny(s, "[]"+stop)
			if end < 0 {
				end = len(s)
			}
			for i := range out {
				out[i] += s[:end]
			}
			s = s[end:]
		}
	}
	return out, s, nil
}

// isAuthority reports whether a bracket after this text begins an IPv6 address.
func isAuthority(before string) bool {
	return strings.HasSuffix(before, "://") || (strings.Contains(before, "://") && strings.HasSuffix(before, "@"))
}

// expandGroup reads "a,b,1-3]" and what follows it.
func expandGroup(s string, authority bool, depth int) (out []string, rest string, err error) {
	if authority {
		if in, after, err := expandSequence(s, "]", depth); err == nil && after != "" && strings.Count(in[0], ":") >= 2 {
			for i := range in {
				in[i] = "[" + in[i] + "]"
			}
			return in, after[1:], nil
		}
	}
	for {
		raw := s
		items, after, err := expandSequence(s, ",]", depth)
		if err != nil {
			return nil, "", err
		}
		if after == "" {
			return nil, "", errors.New("has a [ without ]")
		}
		if word := raw[:len(raw)-len(after)]; !strings.Contains(word, "[") {
			if items, err = expandItem(strings.TrimSpace(word)); err != nil {
				return nil, "", err
			}
		}
		if out = append(out, items...); len(out) > maxExpansion {
			return nil, "", fmt.Errorf("stands for more than %d names", maxExpansion)
		}
		s = after[1:]
		if after[0] == ']' {
			return out, s, nil
		}
	}
}

// expandItem expands one item between commas: a range of numbers, of letters, or a word.
func expandItem(item string) ([]string, error) {
	if item == "" {
		return nil, errors.New("has an empty place in its brackets")
	}
	from, to, found := strings.Cut(item, "-")
	switch {
	case !found:
		return []string{item}, nil
	case digits(from) && digits(to):
		return numbers(from, to)
	case letter(from) && letter(to):
		return letters(from[0], to[0])
	case digits(from) || digits(to):
		return nil, fmt.Errorf("has %q, which is no range: write [1-12], [01-12], [a-c] or [a,b]", item)
	}
	return []string{item}, nil
}

func numbers(from, to string) ([]string, error) {
	padded := (len(from) > 1 && from[0] == '0') || (len(to) > 1 && to[0] == '0')
	if padded && len(from) != len(to) {
		return nil, fmt.Errorf("has [%s-%s], whose ends are padded to different widths: write both with as many digits", from, to)
	}
	a, err := strconv.Atoi(from)
	b, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || len(from) > 9 || len(to) > 9 {
		return nil, fmt.Errorf("has [%s-%s], whose numbers are too great", from, to)
	}
	if a > b {
		return nil, fmt.Errorf("has [%s-%s], which counts backwards: write [%s-%s]", from, to, to, from)
	}
	if b-a >= maxExpansion {
		return nil, fmt.Errorf("stands for more than %d names", maxExpansion)
	}
	width := 0
	if padded {
		width = len(from)
	}
	out := make([]string, 0, b-a+1)
	for i := a; i <= b; i++ {
		out = append(out, fmt.Sprintf("%0*d", width, i))
	}
	return out, nil
}

func letters(from, to byte) ([]string, error) {
	if (from >= 'a') != (to >= 'a') {
		return nil, fmt.Errorf("has [%c-%c], which mixes capital and small letters", from, to)
	}
	if from > to {
		return nil, fmt.Errorf("has [%c-%c], which counts backwards: write [%c-%c]", from, to, to, from)
	}
	var out []string
	for c := int(from); c <= int(to); c++ {
		out = append(out, string(rune(c)))
	}
	return out, nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func letter(s string) bool {
	return len(s) == 1 && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z')
}

func cross(a, b []string) []string {
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// splitList splits at the commas that stand outside brackets and trims the parts.
func splitList(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth <= 0 {
				parts = append(parts, strings.TrimSpace(s[from:i]))
				from = i + 1
			}
		}
	}
	return append(parts, strings.TrimSpace(s[from:]))
}
