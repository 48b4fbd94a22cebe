package config

// Links is how well the lines of the network have to do. Zero fields mean the defaults.
type Links struct {
	Errors float64 // the part of a port's frames that may be broken
}

func (l *loader) links(n node) {
	s := l.mapping(n, "links", "errors")
	v := s.amount("errors", "parts of 1")
	if v > 1 {
		l.wrong(s.where("errors"), "write 0.0001 for one in ten thousand", "errors is %v, more than all frames", v)
		return
	}
	l.cfg.Links.Errors = v
}
