package lab

import (
	"fmt"
	"time"
)

// serverMake is a family of BMCs: what they say of the same hardware, and how.
type serverMake string

// The makes. Each is our own tree in the manner of the family, as its recordings show it; none is a copy of a device.
const (
	hpeLike     serverMake = "hpe"     // Power and Thermal; claims 2 of 2 for a 1+1 pair
	dellLike    serverMake = "dell"    // Power and Thermal, members with long names, volumes with their own words
	openBMCLike serverMake = "openbmc" // PowerSubsystem and ThermalSubsystem; claims nothing of its supplies
)

// serverView is a server at one moment, in the terms of what its BMC can measure.
type serverView struct {
	*serverUnit
	now      time.Time
	on       bool
	watts    float64 // drawn from the mains
	supplies []supplyView
	fans     []fanView
	volume   volume
}

type supplyView struct {
	slot           int
	present        bool
	failed         bool
	input          bool // its cord brings power
	serial         string
	rated          float64
	inWatts, watts float64
	volts          float64
}

type fanView struct {
	n      int
	failed bool
	rpm    float64
	speed  float64 // %
}

func (p *plant) view(s *serverUnit, now time.Time) serverView {
	v := serverView{serverUnit: s, now: now, on: p.on(s), volume: s.volume()}
	for i, u := range s.supplies {
		out := p.share(s, i+1, now)
		sv := supplyView{slot: i + 1, present: !u.pulled, failed: u.failed, input: p.input(u), serial: u.serial, rated: u.watts,
			watts: out, inWatts: out / efficiency}
		if sv.input {
			sv.volts = mains
		}
		v.watts += sv.inWatts
		v.supplies = append(v.supplies, sv)
	}
	for i, failed := range s.fans {
		f := fanView{n: i + 1, failed: failed}
		if v.on && !failed {
			f.speed = 35
			if anyFan(s.fans) {
				f.speed = 60 // the others blow for it
			}
			f.rpm = 180 * f.speed
		}
		v.fans = append(v.fans, f)
	}
	return v
}

func anyFan(failed []bool) bool {
	for _, f := range failed {
		if f {
			return true
		}
	}
	return false
}

// page makes one resource of a BMC from what the server is like; nil where it is not there.
type page func(v serverView) map[string]any

// pages lists a make's resources by path. They are the same for every server of the make.
func (m serverMake) pages() map[string]page {
	switch m {
	case hpeLike:
		return hpePages()
	case dellLike:
		return dellPages()
	}
	return openBMCPages()
}

func status(health, state string) map[string]any {
	s := map[string]any{"State": state}
	if health != "" {
		s["Health"] = health
	}
	return s
}

func collection(at, name string, members ...string) map[string]any {
	list := []any{}
	for _, m := range members {
		list = append(list, ref(m))
	}
	return map[string]any{"@odata.id": at, "Name": name, "Members": list, "Members@odata.count": len(members)}
}

func root(vendor, product string, more map[string]any) page {
	return func(v serverView) map[string]any {
		body := map[string]any{
			"@odata.id": "/redfish/v1", "@odata.type": "#ServiceRoot.v1_13_0.ServiceRoot", "Id": "RootService", "Name": "Root Service",
			"RedfishVersion": "1.13.1", "Vendor": vendor, "Product": product, "UUID": v.uuid,
			"Chassis": ref("/redfish/v1/Chassis"), "Systems": ref("/redfish/v1/Systems"), "Managers": ref("/redfish/v1/Managers"),
			"SessionService": ref("/redfish/v1/SessionService"),
			"Links":          map[string]any{"Sessions": ref("/redfish/v1/SessionService/Sessions")},
		}
		for k, m := range more {
			body[k] = m
		}
		return body
	}
}

func sessionService(serverView) map[string]any {
	return map[string]any{"@odata.id": "/redfish/v1/SessionService", "@odata.type": "#SessionService.v1_1_8.SessionService",
		"Id": "SessionService", "Name": "Session Service", "ServiceEnabled": true, "SessionTimeout": 1800,
		"Sessions": ref("/redfish/v1/SessionService/Sessions")}
}

func powerState(on bool) string {
	if on {
		return "On"
	}
	return "Off"
}

// health is the worst of the server's parts, in Redfish's words.
func (v serverView) health() string {
	worst := "OK"
	for _, s := range v.supplies {
		if !s.present || s.failed || !s.input {
			worst = "Warning"
		}
	}
	for _, f := range v.fans {
		if f.failed {
			worst = "Warning"
		}
	}
	if v.volume.held < len(v.drives) {
		worst = "Warning"
	}
	if v.volume.held == 0 {
		worst = "Critical"
	}
	return worst
}

// driveWords are a drive's status in the words that all makes share.
func (d driveUnit) status() map[string]any {
	switch {
	case d.failed:
		return status("Critical", "Enabled")
	case d.rebuilt < 1:
		return status("OK", "Updating")
	}
	return status("OK", "Enabled")
}

func (v volume) status() map[string]any {
	switch {
	case v.held == 0:
		return status("Critical", "UnavailableOffline")
	case v.held == 1:
		return status("Warning", "Enabled")
	}
	return status("OK", "Enabled")
}

const (
	driveBytes  = 960197124096
	volumeBytes = 960163569664
)

func round(f float64) int { return int(f + 0.5) }

func title(kind string, n int) string { return fmt.Sprintf("%s %d", kind, n) }
