package lab

import (
	"math"
	"time"

	"github.com/sparewatch/sparewatch/pkg/recording"
)

// A UPS's agent: the system group and RFC 1628 (1.3.6.1.2.1.33.1), one line in, one out. It runs from the UPS's own
// electronics: it is silent when there is neither input nor battery.

var upsMIB = recording.OID{1, 3, 6, 1, 2, 1, 33, 1}

// Values of upsOutputSource.
const (
	upsNone    = 2
	upsNormal  = 3
	upsBypass  = 4
	upsBattery = 5
)

func (u *upsUnit) source(p *plant) float64 {
	switch {
	case !p.upsLive(u.name):
		return upsNone
	case u.onBattery(p):
		return upsBattery
	case u.bypass:
		return upsBypass
	}
	return upsNormal
}

func (u *upsUnit) agentLive(p *plant) bool { return p.utilities[u.utility] || u.charge > 0 && !u.empty }

func (d *Datacenter) upsObjects(name string) *Objects {
	u := d.plant.ups[name]
	t := &tableau{}
	t.systemGroup(d, "Lab Power LP-16K network card 2.3.1", recording.OID{1, 3, 6, 1, 2, 1, 33}, name, "lab power room")
	at := func(arcs ...uint32) recording.OID { return under(upsMIB, arcs...) }
	see := func(f func(p *plant, now time.Time) float64) func() float64 {
		return func() float64 { return d.look(func(p *plant, now time.Time) float64 { return f(p, now) }) }
	}
	live := func(p *plant) float64 {
		if p.upsLive(name) {
			return 1
		}
		return 0
	}
	fed := func(p *plant) float64 {
		if p.utilities[u.utility] {
			return 1
		}
		return 0
	}
	t.text(at(1, 1, 0), "Lab Power")
	t.text(at(1, 2, 0), "LP-16K")
	t.text(at(1, 3, 0), "5.02")
	t.text(at(1, 4, 0), "2.3.1")
	t.text(at(1, 5, 0), name)
	t.text(at(1, 6, 0), "feed-"+name[len("ups-"):])

	t.follows(at(2, 1, 0), see(func(p *plant, _ time.Time) float64 { // batteryNormal 2, batteryLow 3, batteryDepleted 4
		switch {
		case u.charge <= 0:
			return 4
		case u.charge < 0.2 && u.onBattery(p):
			return 3
		}
		return 2
	}))
	t.follows(at(2, 2, 0), see(func(p *plant, now time.Time) float64 {
		if !u.onBattery(p) {
			return 0
		}
		return now.Sub(u.since).Seconds()
	}))
	t.follows(at(2, 3, 0), see(func(p *plant, now time.Time) float64 { return math.Floor(u.charge * p.runtime(u, now).Minutes()) }))
	t.follows(at(2, 4, 0), see(func(*plant, time.Time) float64 { return 100 * u.charge }))
	t.follows(at(2, 5, 0), see(func(*plant, time.Time) float64 { return 10 * (210 + 8*u.charge) }))
	t.number(at(2, 7, 0), 26)

	t.number(at(3, 1, 0), 4)
	t.number(at(3, 2, 0), 1)
	t.number(at(3, 3, 1, 1, 1), 1)
	t.follows(at(3, 3, 1, 2, 1), see(func(p *plant, _ time.Time) float64 { return 500 * fed(p) }))
	t.follows(at(3, 3, 1, 3, 1), see(func(p *plant, _ time.Time) float64 { return mains * fed(p) }))
	t.follows(at(3, 3, 1, 4, 1), see(func(p *plant, now time.Time) float64 { return 10 * fed(p) * p.upsWatts(name, now) / 0.95 / mains }))
	t.follows(at(3, 3, 1, 5, 1), see(func(p *plant, now time.Time) float64 { return fed(p) * p.upsWatts(name, now) / 0.95 }))

	t.follows(at(4, 1, 0), see(func(p *plant, _ time.Time) float64 { return u.source(p) }))
	t.follows(at(4, 2, 0), see(func(p *plant, _ time.Time) float64 { return 500 * live(p) }))
	t.number(at(4, 3, 0), 1)
	t.number(at(4, 4, 1, 1, 1), 1)
	t.follows(at(4, 4, 1, 2, 1), see(func(p *plant, _ time.Time) float64 { return mains * live(p) }))
	t.follows(at(4, 4, 1, 3, 1), see(func(p *plant, now time.Time) float64 { return 10 * p.upsWatts(name, now) / mains }))
	t.follows(at(4, 4, 1, 4, 1), see(func(p *plant, now time.Time) float64 { return p.upsWatts(name, now) }))
	t.follows(at(4, 4, 1, 5, 1), see(func(p *plant, now time.Time) float64 { return 100 * p.upsWatts(name, now) / u.watts }))

	// One alarm, upsAlarmOnBattery, while it lasts (section 4.6).
	onBattery := func(v recording.Value) func() recording.Value {
		return func() recording.Value {
			if see(func(p *plant, _ time.Time) float64 { return u.source(p) })() != upsBattery {
				return recording.Value{}
			}
			return v
		}
	}
	t.follows(at(6, 1, 0), see(func(p *plant, _ time.Time) float64 {
		if u.onBattery(p) {
			return 1
		}
		return 0
	}))
	t.live = append(t.live, liveObject{at(6, 2, 1, 2, 1), onBattery(recording.OIDValue(at(6, 3, 2)))})

	t.number(at(9, 1, 0), int64(mains))
	t.number(at(9, 2, 0), 500)
	t.number(at(9, 3, 0), int64(mains))
	t.number(at(9, 4, 0), 500)
	t.number(at(9, 5, 0), int64(u.watts/0.9))
	t.number(at(9, 6, 0), int64(u.watts))
	return t.objects()
}
