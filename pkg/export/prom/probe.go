package prom

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/export"
	"github.com/sparewatch/sparewatch/pkg/state"
)

var (
	componentCondition = desc(conditionName, "Condition of the component.", "component", "kind", prefix+conditionName)
	componentFlag      = desc("component_flag", "1 where what the label says holds for the component.", "component", "kind", "flag")
	probeAge           = desc("probe_age_seconds", "Age of the oldest of the device's targets' last answers.")
)

const conditionName = "component_condition"

// Probe serves /probe?target=: the components and readings of one device by its name or by one of its URLs, from
// memory.
func Probe(s Source, now func() time.Time) http.Handler {
	pages := newPages()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		want := req.URL.Query().Get("target")
		if want == "" {
			http.Error(w, "name a device or one of its URLs: /probe?target=srv-101", http.StatusBadRequest)
			return
		}
		d := find(s().Devices, want)
		if d == nil {
			http.Error(w, fmt.Sprintf("no device or target is called %q: /sd lists those that there are", want), http.StatusNotFound)
			return
		}
		pages.write(w, req, func(p *page) { probe{d, now()}.collect(p) }, nil)
	})
}

// find looks a device up by its name, or by a URL. devices are sorted by name.
func find(devices []*state.Device, name string) *state.Device {
	i, found := slices.BinarySearchFunc(devices, name, func(d *state.Device, name string) int { return strings.Compare(d.Name, name) })
	if found && devices[i].Into != "" { // it was found to be another one
		return find(devices, devices[i].Into)
	}
	if found {
		return devices[i]
	}
	for _, d := range devices {
		for i := range d.Targets {
			if d.Targets[i].URL == name {
				return d
			}
		}
	}
	return nil
}

// probe collects what is known of one device.
type probe struct {
	device *state.Device
	now    time.Time
}

func (p probe) collect(to *page) {
	out := sink{&to.text}
	out.targets([]*state.Device{p.device})
	out.gauge(probeAge, p.age())
	partsTo([]*state.Device{p.device}, &to.text, to.known)
}

// Parts gives the conditions and readings of all components of devices to a sink: those of /probe.
func Parts(devices []*state.Device, to export.Sink) { partsTo(devices, to, quantities{}) }

func partsTo(devices []*state.Device, to export.Sink, known quantities) {
	out := parts{sink{to}, known}
	for _, d := range devices {
		for i := range d.Parts {
			out.part(&d.Parts[i])
		}
	}
}

// parts knows the families of the readings that it met.
type parts struct {
	sink
	known quantities
}

// quantities are the families of readings, by the device's name and unit for them.
type quantities map[[2]string]quantity

type quantity struct {
	family *export.Family
	factor float64 // to its base unit
}

func (q quantities) of(r component.Reading) quantity {
	key := [2]string{r.Name, r.Unit}
	known, ok := q[key]
	if !ok {
		name, factor := export.Quantity(r)
		known = quantity{q.family(name), factor}
		q[key] = known
	}
	return known
}

// family is one for all that have the same name.
func (q quantities) family(name string) *export.Family {
	for _, known := range q {
		if known.family.Name == prefix+name {
			return known.family
		}
	}
	f := desc(name, "As the device reads it.", "component", "kind", "phase")
	f.Kind = export.Gauge // whatever the device's name for it ends in
	return f
}

// age is that of the oldest last answer; NaN where a target never answered.
func (p probe) age() float64 {
	oldest := p.now
	for i := range p.device.Targets {
		t := p.device.Targets[i].LastGood
		if t.IsZero() {
			return seconds(t)
		}
		if t.Before(oldest) {
			oldest = t
		}
	}
	return p.now.Sub(oldest).Seconds()
}

func (s parts) part(p *state.Part) {
	id, kind := string(p.ID), string(p.Kind)
	now := p.Condition
	if p.Silent {
		now = component.Unknown
	}
	for _, c := range conditions {
		s.gauge(componentCondition, truth(c == now), id, kind, c.String())
	}
	s.gauge(componentFlag, truth(p.Predicted), id, kind, "predicted")
	s.gauge(componentFlag, truth(p.Standby), id, kind, "standby")
	s.gauge(componentFlag, truth(p.InputLost), id, kind, "input_lost")
	s.gauge(componentFlag, truth(p.Rebuilding), id, kind, "rebuilding")
	s.gauge(componentFlag, truth(p.Silent), id, kind, "silent")
	for i, r := range p.Readings {
		if q := s.known.of(r); !s.said(p.Readings[:i], q.family, r.Phase) {
			s.gauge(q.family, float64(r.Value)*q.factor, id, kind, r.Phase)
		}
	}
}

var conditions = component.Conditions()

// said reports whether a quantity of a phase is among readings.
func (s parts) said(readings []component.Reading, f *export.Family, phase string) bool {
	for _, r := range readings {
		if r.Phase == phase && s.known.of(r).family == f {
			return true
		}
	}
	return false
}

// Discovery serves /sd: every device as a target of /probe, in the form of Prometheus' HTTP service discovery. The
// scrape configuration moves __address__ to __param_target and puts this daemon's address in its place.
func Discovery(s Source) http.Handler {
	type entry struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		list := []entry{}
		for _, d := range s().Devices {
			if d.Into != "" {
				continue
			}
			list = append(list, entry{Targets: []string{d.Name}, Labels: map[string]string{
				"__meta_sparewatch_device": d.Name,
				"__meta_sparewatch_vendor": d.Identity.Vendor,
				"__meta_sparewatch_model":  d.Identity.Model,
			}})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list) // the client has gone away
	})
}
