package redfish

import (
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"github.com/sparewatch/sparewatch/pkg/component"
)

// words are what a Status object says (DSP0268, Resource.Status), in lower case and without what means nothing.
type words struct {
	state  string
	health string
	rollup string
	said   string   // for people, as the device wrote it
	also   []string // messages of its Conditions
	// predicted: one of the Conditions is a predicted failure.
	predicted bool
	spoke     bool // there is a status at all
}

// status reads a Status object, also one that is a plain word.
func status(v value) words {
	var w words
	switch v.kind {
	case text:
		word := strings.ToLower(v.str())
		w.spoke = word != ""
		if healthOf(word) != healthUnknown {
			w.health = word
		} else {
			w.state = word
		}
		w.said = v.str()
		return w
	case object:
	default:
		return w
	}
	state, health, rollup := v.get("State").str(), v.get("Health").str(), v.get("HealthRollup").str()
	w.state, w.health, w.rollup = strings.ToLower(state), strings.ToLower(health), strings.ToLower(rollup)
	var said []string
	if state != "" {
		said = append(said, "State "+state)
	}
	if health != "" {
		said = append(said, "Health "+health)
	} else if rollup != "" {
		said = append(said, "HealthRollup "+rollup)
	}
	w.said = strings.Join(said, ", ")
	w.spoke = len(said) > 0
	for _, c := range v.get("Conditions").items() {
		if m := c.get("Message").str(); m != "" {
			w.also = append(w.also, m)
		}
		w.predicted = w.predicted || strings.Contains(strings.ToLower(c.get("MessageId").str()), "predict")
	}
	return w
}

// saidAll is what the status said, the rolled-up health too.
func (w words) saidAll() string {
	if w.rollup != "" && !strings.Contains(w.said, "HealthRollup") {
		return "says " + w.said + ", HealthRollup " + w.rollup
	}
	return "says " + w.said
}

type health uint8

const (
	healthUnknown health = iota
	healthOK
	healthWarning
	healthCritical
)

// healthOf sorts a word of health. Besides the schema's three, it knows those that services use in its place.
func healthOf(word string) health {
	switch word {
	case strings.ToLower(string(schemas.OKHealth)), "good", "normal", "optimal", "healthy", "green":
		return healthOK
	case strings.ToLower(string(schemas.WarningHealth)), "degraded", "noncritical", "non-critical", "minor", "yellow":
		return healthWarning
	case strings.ToLower(string(schemas.CriticalHealth)), "failed", "failure", "fatal", "nonrecoverable", "non-recoverable", "major", "red":
		return healthCritical
	}
	return healthUnknown
}

// own is the part's own health: Health, else an OK in HealthRollup, which cannot be better than its own.
func (w words) own() health {
	if h := healthOf(w.health); h != healthUnknown {
		return h
	}
	if healthOf(w.rollup) == healthOK {
		return healthOK
	}
	return healthUnknown
}

// presence sorts the words of State by what they mean for a part's work.
type presence uint8

const (
	unsaid  presence = iota
	working          // it is there and in use
	idle             // it is there, healthy and waits
	off              // it is there and does nothing, by somebody's will or by a fault
	cut              // it is there and cannot be used: UnavailableOffline
	between          // it is about to change: starting, being tested or updated
	reduced          // it works, but not as it should
	broken
	gone
	strange // a word that says nothing to us
)

func (w words) presence() presence {
	switch w.state {
	case "":
		return unsaid
	case "enabled", "present", "ok", "on", "online", "active", "up", "ready", "operational", "qualified", "normal", "inservice", "optimal", "good":
		return working
	case "standbyoffline", "standbyspare", "standby", "sleep", "hotspare", "idle":
		return idle
	case "disabled", "off":
		return off
	case "unavailableoffline", "offline", "unavailable":
		return cut
	case "starting", "intest", "updating", "deferring", "initializing":
		return between
	case "quiesced", "degraded", "impaired":
		return reduced
	case "failed", "fault", "faulty", "faulted", "error", "bad":
		return broken
	case "absent", "notpresent", "not present", "missing", "removed", "empty", "notinstalled":
		return gone
	}
	return strange
}

// judge says what a status means for a part in general. Power supplies have more to go by, see judgeSupply.
func judge(w words) (component.Status, string) {
	s, why := judgeWords(w)
	if w.predicted && s.Condition != component.Absent {
		s.Predicted = true
	}
	return s, withMessages(why, w)
}

func judgeWords(w words) (component.Status, string) {
	if !w.spoke {
		return component.Status{}, "the service gives no status"
	}
	h := w.own()
	says := "says " + w.said
	of := func(c component.Condition) (component.Status, string) {
		if c == component.OK {
			return component.Status{Condition: c}, ""
		}
		return component.Status{Condition: c}, says
	}
	byHealth := map[health]component.Condition{healthOK: component.OK, healthWarning: component.Impaired, healthCritical: component.Failed}[h]
	switch w.presence() {
	case gone:
		return of(component.Absent)
	case broken:
		return of(component.Failed)
	case working:
		if h == healthUnknown {
			return component.Status{Condition: component.OK}, ""
		}
		return of(byHealth)
	case idle:
		if h == healthCritical {
			return of(component.Failed)
		}
		c := component.OK
		if h == healthWarning {
			c = component.Impaired
		}
		return component.Status{Condition: c, Standby: true}, says
	case off, cut:
		if h == healthWarning || h == healthCritical {
			return of(component.Failed)
		}
		return of(component.Unknown)
	case between:
		if h == healthCritical {
			return of(component.Failed)
		}
		return of(component.Unknown)
	case reduced:
		if h == healthCritical {
			return of(component.Failed)
		}
		return of(component.Impaired)
	}
	// No state, or a word of the vendor's own: health decides, where there is one.
	return of(byHealth)
}

func withMessages(why string, w words) string {
	for _, m := range w.also {
		if len(why)+len(m) > 400 {
			break
		}
		if why != "" {
			why += "; "
		}
		why += m
	}
	return why
}

// worse joins what two sources say of one part: the worse condition, and every flag that one of them sets. The flags of
// a healthy part (standby) fall away beside a source that says it is not healthy.
func worse(a, b component.Status) component.Status {
	s := component.Status{
		Condition:  component.Worse(a.Condition, b.Condition),
		Predicted:  a.Predicted || b.Predicted,
		Standby:    a.Standby || b.Standby,
		InputLost:  a.InputLost || b.InputLost,
		Rebuilding: a.Rebuilding || b.Rebuilding,
	}
	return tidy(s)
}

// tidy takes away the flags that a condition leaves no room for.
func tidy(s component.Status) component.Status {
	switch s.Condition {
	case component.Absent:
		return component.Status{Condition: component.Absent}
	case component.Failed:
		s.Standby = false
	case component.Unknown:
		s.Standby, s.Rebuilding = false, false
	}
	if s.InputLost {
		s.Standby = false
	}
	return s
}

// join puts two reasons behind each other.
func join(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "" || strings.Contains(a, b):
		return a
	}
	return a + "; " + b
}
