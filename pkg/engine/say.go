package engine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/finding"
)

// Count says a number of spares in a word: "unknown", "down", or the number. "none" is a state, and no number.
func Count(spares *int) string {
	switch {
	case spares == nil:
		return "unknown"
	case *spares < 0:
		return "down"
	}
	return strconv.Itoa(*spares)
}

// Left says what the service has left: "0 overall; power 1, storage 2".
func (s *Service) Left() string {
	if s.Spares != nil && *s.Spares < 0 {
		return "down"
	}
	by := make(map[component.Domain]string, len(s.By))
	for d, sp := range s.By {
		if sp.Spares != nil || sp.Full != nil || sp.AtLeast != nil {
			by[d] = orMore(sp.Spares, sp.AtLeast)
		}
	}
	if s.Spares == nil && s.AtLeast == nil && s.State != StateUnknown {
		return "nothing in the model takes it down"
	}
	return left(orMore(s.Spares, s.AtLeast), by)
}

// orMore says a number of spares that may only be known to be no less than another.
func orMore(spares, atLeast *int) string {
	if spares == nil && atLeast != nil {
		return "at least " + Count(atLeast)
	}
	return Count(spares)
}

// Left says what the service of an impact has left, as Service.Left does.
func Left(i finding.Impact) string {
	if i.Spares != nil && *i.Spares < 0 {
		return "down"
	}
	by := make(map[component.Domain]string, len(i.By))
	for d, n := range i.By {
		by[d] = Count(&n)
	}
	return left(Count(i.Spares), by)
}

func left(overall string, by map[component.Domain]string) string {
	var words []string
	for _, d := range component.Domains() {
		if n, ok := by[d]; ok {
			words = append(words, string(d)+" "+n)
		}
	}
	all := overall + " overall"
	if len(words) == 0 {
		return all
	}
	return all + "; " + strings.Join(words, ", ")
}

// WeakestLink says which failure would take the service down: "srv-db/host/1 alone" or "feed-a and ups-b together, or
// one of 3 other pairs". It is empty where there is nothing to say.
func (s *Service) WeakestLink() string {
	if s.Spares != nil && *s.Spares < 0 || len(s.Weakest) == 0 || len(s.Weakest[0]) == 0 {
		return ""
	}
	first := s.Weakest[0]
	words := together(first)
	if rest := max(s.Cuts, len(s.Weakest)) - 1; rest > 0 {
		words += fmt.Sprintf(", or %s", others(rest, len(first)))
	}
	return words
}

func together(ids []component.ID) string {
	switch len(ids) {
	case 1:
		return string(ids[0]) + " alone"
	case 2:
		return string(ids[0]) + " and " + string(ids[1]) + " together"
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1] + " together"
}

func others(n, size int) string {
	what := map[int]string{1: "component", 2: "pair"}[size]
	if what == "" {
		what = "set of " + strconv.Itoa(size)
		if n > 1 {
			what = "sets of " + strconv.Itoa(size)
		}
	} else if n > 1 {
		what += "s"
	}
	if n == 1 {
		return "one other " + what
	}
	return fmt.Sprintf("one of %d other %s", n, what)
}
