package prom

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
func Probe(s Source, now func() time.Time, log *slog.Logger) http.Handler {
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
		r := prometheus.NewRegistry()
		r.MustRegister(probe{d, now()})
		families, err := r.Gather()
		if err != nil {
			log.Warn("some metrics of a device cannot be shown", "device", d.Name, "error", err)
		}
		write(w, req, families)
	})
}

func find(devices []*state.Device, name string) *state.Device {
	for _, d := range devices {
		if d.Name == name {
			return d
		}
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

func (p probe) Describe(chan<- *prometheus.Desc) {}

func (p probe) Collect(ch chan<- prometheus.Metric) {
	out := sink{ch}
	out.targets([]*state.Device{p.device})
	out.gauge(probeAge, p.age())
	for i := range p.device.Parts {
		out.part(&p.device.Parts[i])
	}
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

func (s sink) part(p *state.Part) {
	id, kind := string(p.ID), string(p.Kind)
	now := p.Condition
	if p.Silent {
		now = component.Unknown
	}
	for _, c := range component.Conditions() {
		s.gauge(componentCondition, truth(c == now), id, kind, c.String())
	}
	s.gauge(componentFlag, truth(p.Predicted), id, kind, "predicted")
	s.gauge(componentFlag, truth(p.Standby), id, kind, "standby")
	s.gauge(componentFlag, truth(p.InputLost), id, kind, "input_lost")
	s.gauge(componentFlag, truth(p.Rebuilding), id, kind, "rebuilding")
	s.gauge(componentFlag, truth(p.Silent), id, kind, "silent")
	sent := map[string]bool{}
	for _, r := range p.Readings {
		name, factor := export.Quantity(r)
		if key := name + "/" + r.Phase; !sent[key] {
			sent[key] = true
			s.gauge(reading(name), float64(r.Value)*factor, id, kind, r.Phase)
		}
	}
}

func reading(name string) *prometheus.Desc {
	return desc(name, "As the device reads it.", "component", "kind", "phase")
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
