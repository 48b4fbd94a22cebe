package snmp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sparewatch/sparewatch/mibs"
)

// verdict is what a rule says. The zero verdict says nothing.
type verdict struct {
	word  string
	flags []string
	why   []string
}

func (v verdict) said() bool { return v.word != "" }

// ranks order what several values say of one part. A value that nobody knows outranks ok, so that it never reads as
// good; what is known to be bad outranks it.
var ranks = map[string]int{
	"": 0, "ok": 1, "yes": 1, "full": 1, "unknown": 2, "no": 2, "impaired": 3, "not-redundant": 3, "not-now": 3, "degraded": 4,
	"absent": 5, "lost": 5, "failed": 6, "insufficient": 6, "drop": 7,
}

// worst joins two verdicts.
func worst(a, b verdict) verdict {
	switch {
	case !b.said():
		return a
	case !a.said():
		return b
	}
	out := a
	if ranks[b.word] > ranks[a.word] {
		out = b
	}
	// The words of whatever says more than "ok" stay.
	out.why = nil
	for _, w := range append(slices.Clone(a.why), b.why...) {
		if !slices.Contains(out.why, w) {
			out.why = append(out.why, w)
		}
	}
	out.flags = nil
	for _, f := range append(slices.Clone(a.flags), b.flags...) {
		if !slices.Contains(out.flags, f) {
			out.flags = append(out.flags, f)
		}
	}
	return out
}

func (e *reading) rule(rule *mibs.Rule, r *row) verdict {
	if rule == nil || !e.holds(rule.When, r) {
		return verdict{}
	}
	var v verdict
	switch rule.Mode {
	case mibs.First:
		for i := range rule.Rules {
			if v = e.rule(&rule.Rules[i], r); v.said() {
				break
			}
		}
	case mibs.Worst:
		for i := range rule.Rules {
			v = worst(v, e.rule(&rule.Rules[i], r))
		}
	default:
		v = e.leaf(rule, r)
	}
	if v.said() && rule.Why != nil && (v.word != "ok" && v.word != "full" || len(v.flags) > 0) {
		if w := e.fill(rule.Why, r); w != "" {
			v.why = []string{w}
		}
	}
	return v
}

func (e *reading) leaf(rule *mibs.Rule, r *row) verdict {
	if rule.Of == nil {
		return e.stated(rule, rule.Is, Value{}, r)
	}
	v, ok := e.value(*rule.Of, r)
	if !ok {
		if rule.Missing == nil {
			return verdict{}
		}
		out := e.stated(rule, rule.Missing, v, r)
		if out.said() && out.word != "ok" {
			out.why = []string{rule.Of.Name + " is missing"}
		}
		return out
	}
	switch {
	case rule.Compare != nil:
		if e.test(rule.Compare, r) {
			return e.stated(rule, rule.Is, v, r)
		}
		return e.stated(rule, rule.Else, v, r)
	case rule.Map != nil:
		if s, ok := rule.Map[v.Words()]; ok {
			return e.stated(rule, &s, v, r)
		}
	case rule.Texts != nil:
		for i := range rule.Texts {
			if rule.Texts[i].Re.MatchString(v.Words()) {
				return e.stated(rule, &rule.Texts[i].State, v, r)
			}
		}
	case rule.Masks != nil:
		f, ok := v.Float64()
		if ok && f >= 0 && f < 1<<62 {
			return e.bits(rule, rule.Masks, masksOf(uint64(f), rule.Masks, rule.Ignored), v, r)
		}
	case rule.Bits != nil:
		return e.bits(rule, rule.Bits, positions(bitString(bitOctets(v.Text)), 0, rule.Ignored), v, r)
	case rule.Chars != nil:
		return e.bits(rule, rule.Chars, positions(v.Words(), 1, rule.Ignored), v, r)
	case rule.Is != nil:
		return e.stated(rule, rule.Is, v, r)
	}
	if rule.Default != nil {
		return e.stated(rule, rule.Default, v, r)
	}
	return e.stated(rule, &mibs.State{Word: "unknown"}, v, r)
}

// masksOf splits a number into the listed masks that are set, and its other bits one by one.
func masksOf(n uint64, listed []mibs.BitState, ignored uint64) []uint64 {
	n &^= ignored
	var out []uint64
	for _, b := range listed {
		if b.Bit != 0 && n&b.Bit == b.Bit {
			out = append(out, b.Bit)
		}
	}
	for _, m := range out {
		n &^= m
	}
	for bit := uint64(1); n != 0; bit <<= 1 {
		if n&bit != 0 {
			out = append(out, bit)
			n &^= bit
		}
	}
	return out
}

// bitString writes octets as '0' and '1', the highest bit first.
func bitString(octets string) string {
	var b strings.Builder
	for i := range min(len(octets), 64) {
		fmt.Fprintf(&b, "%08b", octets[i])
	}
	return b.String()
}

// positions lists where a string of '0' and '1' has a '1', counted from first.
func positions(s string, first uint64, ignored uint64) []uint64 {
	var out []uint64
	for i := range min(len(s), 512) {
		p := uint64(i) + first
		if s[i] == '1' && (p >= 64 || ignored&(1<<p) == 0) {
			out = append(out, p)
		}
	}
	return out
}

// bits says the worst of the bits that are set.
func (e *reading) bits(rule *mibs.Rule, listed []mibs.BitState, set []uint64, v Value, r *row) verdict {
	if len(set) == 0 {
		return e.stated(rule, rule.Zero, v, r)
	}
	var out verdict
	for _, b := range set {
		st := &mibs.State{Word: "unknown", Label: fmt.Sprintf("bit %d", b)}
		if rule.Default != nil {
			st = rule.Default
		}
		for i := range listed {
			if listed[i].Bit == b {
				st = &listed[i].State
			}
		}
		out = worst(out, e.stated(rule, st, v, r))
	}
	return out
}

// stated turns a State into a verdict, with the device's word for it.
func (e *reading) stated(rule *mibs.Rule, s *mibs.State, v Value, r *row) verdict {
	if s == nil {
		return verdict{}
	}
	if e.note != nil && rule.Of != nil {
		e.note(Use{OID: e.oid(*rule.Of, r), Word: s.Word, Flags: s.Flags})
	}
	if s.Word == "none" {
		return verdict{}
	}
	out := verdict{word: s.Word, flags: s.Flags}
	if s.Word == "ok" && len(s.Flags) == 0 || s.Word == "full" || rule.Of == nil {
		if rule.Of == nil && s.Label != "" {
			out.why = []string{s.Label}
		}
		return out
	}
	if rule.Bits != nil && s.Label != "" {
		v = Value{} // octets, which tell nobody anything
	}
	out.why = []string{said(rule.Of.Name, s.Label, v)}
	return out
}

// said writes "name is label (value)".
func said(name, label string, v Value) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 && !strings.HasPrefix(name, "index") {
		name = name[i+1:]
	}
	words := v.Words()
	if len(words) > 120 {
		words = words[:120] + "..."
	}
	switch {
	case label == "":
		return fmt.Sprintf("%s is %s", name, words)
	case v.Type == Integer && !strings.HasPrefix(label, "bit "):
		return fmt.Sprintf("%s is %s(%s)", name, label, words)
	case v.Type == String && strings.EqualFold(label, words):
		return fmt.Sprintf("%s is %s", name, words)
	}
	if words == "" {
		return fmt.Sprintf("%s: %s", name, label)
	}
	return fmt.Sprintf("%s: %s (%s)", name, label, words)
}
