package prom

// pushed writes what came of the events that Redfish services push; nothing where none is asked to.
func (s sink) pushed(p *Pushed) {
	if p == nil {
		return
	}
	s.counter(pushes, float64(p.Events), "taken")
	s.counter(pushes, float64(p.Ignored), "ignored")
	s.counter(pushes, float64(p.Strangers), "stranger")
	s.counter(pushes, float64(p.Garbage), "garbage")
	s.gauge(subscribed, float64(p.Standing))
	s.counter(renewed, float64(p.Lost))
	s.counter(notTaken, float64(p.Refused))
}
