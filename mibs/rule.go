package mibs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// words are what a state may be called in one place.
type words struct {
	what  string
	words []string
	flags []string
	alone map[string]string // flags that may stand alone, and the word they imply
}

var (
	conditionWords = words{
		what:  "a condition",
		words: []string{"ok", "impaired", "failed", "absent", "unknown", "none", "drop"},
		flags: []string{"predicted", "standby", "input_lost", "rebuilding", "on_battery", "bypass", "off"},
		alone: map[string]string{"standby": "ok", "input_lost": "ok", "predicted": "impaired", "rebuilding": "impaired"},
	}
	claimWords  = words{what: "a claim's state", words: []string{"full", "degraded", "lost", "insufficient", "not-redundant", "not-now", "unknown", "none", "drop"}}
	answerWords = words{what: "an answer", words: []string{"yes", "no", "unknown", "none"}}
)

// state reads "word+flag+flag label of the value".
func (r reader) state(n *yaml.Node, w words) State {
	text := r.str(n, w.what)
	head, label, _ := strings.Cut(strings.TrimSpace(text), " ")
	parts := strings.Split(head, "+")
	st := State{Word: parts[0], Label: strings.TrimSpace(label), Flags: parts[1:]}
	if implied, ok := w.alone[st.Word]; ok {
		st.Flags = append([]string{st.Word}, st.Flags...)
		st.Word = implied
	}
	if !slices.Contains(w.words, st.Word) {
		r.errorf(n, "%q is not %s; write one of %s", st.Word, w.what, strings.Join(w.words, ", "))
	}
	for _, f := range st.Flags {
		if !slices.Contains(w.flags, f) {
			r.errorf(n, "%q is no flag of %s; there are %s", f, w.what, strings.Join(w.flags, ", "))
		}
	}
	return st
}

func (r reader) stateOf(n *yaml.Node, w words) *State {
	if n == nil {
		return nil
	}
	st := r.state(n, w)
	return &st
}

// rule reads one rule; a list is the worst of its items.
func (r reader) rule(s scope, n *yaml.Node, w words, depth int) *Rule {
	if n == nil {
		return nil
	}
	if depth > 8 {
		r.errorf(n, "rules are nested too deep")
		return nil
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return &Rule{Is: r.stateOf(n, w)}
	case yaml.SequenceNode:
		return &Rule{Mode: Worst, Rules: r.rules(s, n, w, depth)}
	}
	f := r.fields(n, "a rule")
	defer f.done()
	out := &Rule{}
	if v := f.take("when"); v != nil {
		out.When = r.pred(s, v)
	}
	if v := f.take("why"); v != nil {
		t, err := s.template(r.str(v, "why"))
		if err != nil {
			r.errorf(v, "why: %v", err)
		}
		out.Why = t
	}
	if v := f.take("first"); v != nil {
		out.Mode, out.Rules = First, r.rules(s, v, w, depth)
		return out
	}
	if v := f.take("worst"); v != nil {
		out.Mode, out.Rules = Worst, r.rules(s, v, w, depth)
		return out
	}
	if v := f.take("of"); v != nil {
		ref, err := s.ref(r.str(v, "of"))
		if err != nil {
			r.errorf(v, "%v", err)
		}
		out.Of = &ref
	}
	if v := f.take("map"); v != nil {
		out.Map = map[string]State{}
		at := r
		if v.Kind == yaml.ScalarNode {
			if where, ok := s.names.enumAt[v.Value]; ok {
				at = where
			}
		}
		for _, kv := range r.pairs(r.enum(s, v), "map") {
			for _, key := range strings.Split(kv[0].Value, ",") {
				out.Map[strings.TrimSpace(key)] = at.state(kv[1], w)
			}
		}
	}
	if v := f.take("text"); v != nil {
		for _, kv := range r.pairs(r.enum(s, v), "text") {
			re, err := regexp.Compile(kv[0].Value)
			if err != nil {
				r.errorf(kv[0], "%v", err)
				continue
			}
			out.Texts = append(out.Texts, TextState{re, r.state(kv[1], w)})
		}
	}
	out.Masks = r.bitStates(s, f.take("masks"), w)
	out.Bits = r.bitStates(s, f.take("bits"), w)
	out.Chars = r.bitStates(s, f.take("chars"), w)
	out.Zero = r.stateOf(f.take("zero"), w)
	for _, v := range r.list(f.take("ignore")) {
		b, err := strconv.ParseUint(v.Value, 0, 64)
		switch {
		case err != nil:
			r.errorf(v, "ignore: %q is no bit", v.Value)
		case out.Masks != nil:
			out.Ignored |= b
		case b < 64:
			out.Ignored |= 1 << b
		}
	}
	scale, _ := r.float(f.take("scale"), "scale")
	dbm, _ := r.float(f.take("dbm"), "dbm")
	for _, c := range [][2]string{{"above", ">"}, {"below", "<"}, {"at_least", ">="}, {"at_most", "<="}, {"equals", "is"}} {
		v := f.take(c[0])
		if v == nil {
			continue
		}
		if out.Of == nil || out.Compare != nil {
			r.errorf(v, "%s compares the value named by \"of\", once", c[0])
			continue
		}
		t := Test{Ref: *out.Of, Op: c[1], Scale: scale, DBm: dbm}
		if x, err := strconv.ParseFloat(v.Value, 64); err == nil {
			t.Number, t.Words = x, []string{v.Value}
		} else if ref, err := s.ref(r.str(v, c[0])); err == nil {
			t.Other = &ref
		} else {
			r.errorf(v, "%s: %v", c[0], err)
		}
		out.Compare = &t
	}
	if v := f.take("match"); v != nil {
		re, err := regexp.Compile(r.str(v, "match"))
		if err != nil || out.Of == nil {
			r.errorf(v, "match wants a regular expression, and \"of\": %v", err)
		} else {
			out.Compare = &Test{Ref: *out.Of, Op: "re", Re: re}
		}
	}
	out.Is = r.stateOf(f.take("is"), w)
	out.Else = r.stateOf(f.take("else"), w)
	out.Default = r.stateOf(f.take("default"), w)
	out.Missing = r.stateOf(f.take("missing"), w)
	if out.Compare != nil && out.Is == nil {
		r.errorf(n, "say with \"is\" what it means when the comparison holds")
	}
	if out.Of == nil && out.Is == nil {
		r.errorf(n, "a rule wants \"of\" (a value) with map, text, masks, bits, chars or a comparison; or \"is\"; or first; or worst")
	}
	if out.Of != nil && out.Compare == nil && out.Map == nil && out.Texts == nil && out.Masks == nil && out.Bits == nil && out.Chars == nil && out.Is == nil {
		r.errorf(n, "say what the value means: map, text, masks, bits, chars, or above, below, at_least, at_most, equals, match with is")
	}
	return out
}

func (r reader) rules(s scope, n *yaml.Node, w words, depth int) []Rule {
	var out []Rule
	for _, item := range r.list(n) {
		if rule := r.rule(s, item, w, depth+1); rule != nil {
			out = append(out, *rule)
		}
	}
	return out
}

func (r reader) bitStates(s scope, n *yaml.Node, w words) []BitState {
	if n == nil {
		return nil
	}
	out := []BitState{}
	for _, kv := range r.pairs(r.enum(s, n), "bits") {
		b, err := strconv.ParseUint(kv[0].Value, 0, 64)
		if err != nil {
			r.errorf(kv[0], "%q is no bit", kv[0].Value)
			continue
		}
		out = append(out, BitState{b, r.state(kv[1], w)})
	}
	return out
}
