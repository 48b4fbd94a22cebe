package export

import "time"

// Family is what samples of one name have in common, in Prometheus' terms. It is made once and not changed.
type Family struct {
	Name   string // with its suffix: a counter's ends in _total
	Help   string
	Kind   Kind
	Labels []string // names; at most MaxLabels
	// Fleeting families lose series that say no more: a finding that closed. All others keep what they ever had.
	Fleeting bool
}

// Kind is what the numbers of a family mean.
type Kind uint8

// The kinds of families.
const (
	Gauge Kind = iota
	Counter
	StateSet // one sample a state, 1 for the present one; the last label bears the family's name
)

// MaxLabels is how many labels a family may have.
const MaxLabels = 6

// Sink takes samples. The values of labels stand in the order of the family's names; the slice is only the sink's until
// Add returns. A value that is not known is NaN.
type Sink interface {
	Add(f *Family, value float64, labels ...string)
}

// Exemplar is one instance of what a counter counted, for those who want to see which.
type Exemplar struct {
	Label, Text string
	At          time.Time
}

// ExemplarSink is a Sink that has a place for exemplars.
type ExemplarSink interface {
	Sink
	AddWith(f *Family, value float64, e Exemplar, labels ...string)
}
