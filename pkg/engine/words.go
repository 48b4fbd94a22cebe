package engine

import "fmt"

var stateNames = [...]string{"unknown", "none", "full", "degraded", "lost", "insufficient"}

// States lists all states in order, for state sets.
func States() []State { return []State{StateUnknown, None, Full, Degraded, Lost, Insufficient} }

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name and refuses any other word.
func (s *State) UnmarshalText(b []byte) error {
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no redundancy state", b)
}
