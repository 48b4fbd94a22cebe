package openpsa

import (
	"fmt"
	"math"
	"strconv"
)

// values evaluates expressions, of random deviates the mean. What cannot be evaluated is an error whose text says why.
type values struct {
	d       *definitions
	o       Options
	known   map[*definition]value // parameters; while one is being evaluated, it is a loop
	visited int
}

type value struct {
	x   float64
	err error
}

// maxVisits bounds the evaluation of one event: parameters that refer to each other are evaluated once each, but
// expressions may be long.
const maxVisits = 1 << 20

func newValues(d *definitions, o Options) *values {
	return &values{d: d, o: o, known: map[*definition]value{}}
}

// event is the basic event with its probability.
func (v *values) event(def *definition) Event {
	event := Event{Name: def.name}
	parts := def.e.parts()
	if len(parts) == 0 {
		event.Unknown = "no expression"
		return event
	}
	v.visited = 0
	p, err := v.of(def, parts[0], 0)
	switch {
	case err != nil:
		event.Unknown = err.Error()
	case math.IsNaN(p) || p < 0 || p > 1:
		event.Unknown = fmt.Sprintf("%v is no probability", p)
	default:
		event.Probability = p
	}
	return event
}

// of evaluates e, which is in def; depth counts nested parameters and expressions.
func (v *values) of(def *definition, e *element, depth int) (float64, error) {
	if v.visited++; v.visited > maxVisits || depth > 4*MaxDepth {
		return 0, mistake(e, "expression too long")
	}
	switch e.name {
	case "float", "int":
		text, _ := e.attr("value")
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, mistake(e, "%q is not a number", text)
		}
		return x, nil
	case "bool":
		if text, _ := e.attr("value"); text == "true" || text == "1" {
			return 1, nil
		}
		return 0, nil
	case "pi":
		return math.Pi, nil
	case "system-mission-time":
		if v.o.MissionTime == 0 {
			return 0, mistake(e, "the mission time is not known (--mission-time)")
		}
		return v.o.MissionTime, nil
	case "parameter":
		return v.parameter(def, e, depth)
	case "histogram":
		return v.histogram(def, e, depth)
	}
	operation, ok := operations[e.name]
	if !ok {
		return 0, mistake(e, "%s is not evaluated", e.name)
	}
	x := make([]float64, len(e.children))
	for i, c := range e.children {
		var err error
		if x[i], err = v.of(def, c, depth+1); err != nil {
			return 0, err
		}
	}
	if len(x) < operation.least || operation.most > 0 && len(x) > operation.most {
		return 0, mistake(e, "%s of %d expressions", e.name, len(x))
	}
	return operation.do(x), nil
}

func (v *values) parameter(def *definition, e *element, depth int) (float64, error) {
	name, err := nameOf(e)
	if err != nil {
		return 0, err
	}
	p := v.d.find("parameter", name, def.path)
	if p == nil {
		return 0, mistake(e, "parameter %s is not defined", name)
	}
	if known, ok := v.known[p]; ok {
		return known.x, known.err
	}
	parts := p.e.parts()
	if len(parts) != 1 {
		return 0, mistake(p.e, "parameter %s has %d expressions, not one", name, len(parts))
	}
	v.known[p] = value{err: mistake(p.e, "parameter %s refers to itself", name)}
	x, err := v.of(p, parts[0], depth+1)
	v.known[p] = value{x, err}
	return x, err
}

// histogram's bins are given by upper bound and weight, the first one starting at 0.
func (v *values) histogram(def *definition, e *element, depth int) (float64, error) {
	lower, sum, weight := 0.0, 0.0, 0.0
	for _, bin := range e.children {
		if bin.name != "bin" || len(bin.children) != 2 {
			return 0, mistake(bin, "a histogram's bin has an upper bound and a weight")
		}
		upper, err := v.of(def, bin.children[0], depth+1)
		if err != nil {
			return 0, err
		}
		w, err := v.of(def, bin.children[1], depth+1)
		if err != nil {
			return 0, err
		}
		sum += w * (lower + upper) / 2
		weight += w
		lower = upper
	}
	if weight == 0 {
		return 0, mistake(e, "a histogram without weight")
	}
	return sum / weight, nil
}

// operation takes from least to most operands; most 0: any number.
type operation struct {
	least, most int
	do          func(x []float64) float64
}

func one(f func(float64) float64) operation {
	return operation{1, 1, func(x []float64) float64 { return f(x[0]) }}
}

func fold(f func(a, b float64) float64) operation {
	return operation{1, 0, func(x []float64) float64 {
		sum := x[0]
		for _, b := range x[1:] {
			sum = f(sum, b)
		}
		return sum
	}}
}

func compare(f func(a, b float64) bool) operation {
	return operation{2, 2, func(x []float64) float64 { return truth(f(x[0], x[1])) }}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// operations are the format's, sections V.2.3 to V.2.7 of its grammar.
var operations = map[string]operation{
	"neg":   one(func(a float64) float64 { return -a }),
	"add":   fold(func(a, b float64) float64 { return a + b }),
	"sub":   fold(func(a, b float64) float64 { return a - b }),
	"mul":   fold(func(a, b float64) float64 { return a * b }),
	"div":   fold(func(a, b float64) float64 { return a / b }),
	"min":   fold(math.Min),
	"max":   fold(math.Max),
	"mod":   {2, 2, func(x []float64) float64 { return math.Mod(x[0], x[1]) }},
	"pow":   {2, 2, func(x []float64) float64 { return math.Pow(x[0], x[1]) }},
	"abs":   one(math.Abs),
	"acos":  one(math.Acos),
	"asin":  one(math.Asin),
	"atan":  one(math.Atan),
	"cos":   one(math.Cos),
	"cosh":  one(math.Cosh),
	"exp":   one(math.Exp),
	"log":   one(math.Log),
	"log10": one(math.Log10),
	"sin":   one(math.Sin),
	"sinh":  one(math.Sinh),
	"tan":   one(math.Tan),
	"tanh":  one(math.Tanh),
	"sqrt":  one(math.Sqrt),
	"ceil":  one(math.Ceil),
	"floor": one(math.Floor),
	"mean": {1, 0, func(x []float64) float64 {
		sum := 0.0
		for _, a := range x {
			sum += a
		}
		return sum / float64(len(x))
	}},

	"not": one(func(a float64) float64 { return truth(a == 0) }),
	"and": fold(func(a, b float64) float64 { return truth(a != 0 && b != 0) }),
	"or":  fold(func(a, b float64) float64 { return truth(a != 0 || b != 0) }),
	"eq":  compare(func(a, b float64) bool { return a == b }),
	"df":  compare(func(a, b float64) bool { return a != b }),
	"lt":  compare(func(a, b float64) bool { return a < b }),
	"gt":  compare(func(a, b float64) bool { return a > b }),
	"leq": compare(func(a, b float64) bool { return a <= b }),
	"geq": compare(func(a, b float64) bool { return a >= b }),
	"ite": {3, 3, func(x []float64) float64 {
		if x[0] != 0 {
			return x[1]
		}
		return x[2]
	}},

	// failure rate, time
	"exponential": {2, 2, func(x []float64) float64 { return -math.Expm1(-x[0] * x[1]) }},
	// probability to fail on demand, failure rate, repair rate, time
	"GLM": {4, 4, func(x []float64) float64 {
		gamma, lambda, mu, t := x[0], x[1], x[2], x[3]
		rate := lambda + mu
		if rate == 0 {
			return gamma
		}
		return lambda/rate - (lambda-gamma*rate)/rate*math.Exp(-rate*t)
	}},
	// failure rate, time between tests, time of the first test, time; tests and repairs take no time
	"periodic-test": {4, 4, func(x []float64) float64 {
		lambda, tau, theta, t := x[0], x[1], x[2], x[3]
		if t > theta {
			if t = math.Mod(t-theta, tau); t == 0 {
				t = tau
			}
		}
		return -math.Expm1(-lambda * t)
	}},
	// scale, shape, time shift, time
	"Weibull": {4, 4, func(x []float64) float64 {
		alpha, beta, t0, t := x[0], x[1], x[2], x[3]
		if t <= t0 {
			return 0
		}
		return -math.Expm1(-math.Pow((t-t0)/alpha, beta))
	}},

	// means
	"uniform-deviate":   {2, 2, func(x []float64) float64 { return (x[0] + x[1]) / 2 }},
	"normal-deviate":    {2, 2, func(x []float64) float64 { return x[0] }},
	"lognormal-deviate": {2, 3, lognormalMean},
	"gamma-deviate":     {2, 2, func(x []float64) float64 { return x[0] * x[1] }},
	"beta-deviate":      {2, 2, func(x []float64) float64 { return x[0] / (x[0] + x[1]) }},
}

// lognormalMean: with three operands the first is the mean (the others are error factor and its confidence level), with
// two they are the mean and the standard deviation of the underlying normal distribution.
func lognormalMean(x []float64) float64 {
	if len(x) == 3 {
		return x[0]
	}
	return math.Exp(x[0] + x[1]*x[1]/2)
}
