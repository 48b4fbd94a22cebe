package redundancy

// stepsPerNode is how many operations a budget allows for each node.
const stepsPerNode = 12

// meter counts the operations of a store of decision diagrams, and ends them when there were enough or nobody waits for
// the answer any more.
type meter struct {
	left int // until it is looked up again whether to go on
	rest int // after these
	done <-chan struct{}
}

// stepsAtOnce are done before it is looked up whether anybody still waits: about a millisecond.
const stepsAtOnce = 1 << 15

// newMeter allows for as many steps as a budget of nodes does. done, when closed, ends them; nil: never.
func newMeter(budget int, done <-chan struct{}) meter {
	return meter{rest: stepsPerNode * budget, done: done}
}

// steps are those that are left.
func (m *meter) steps() int { return m.left + m.rest }

// step counts one operation; it panics with errBudget where there were enough.
func (m *meter) step() {
	if m.left--; m.left < 0 {
		m.refill()
	}
}

func (m *meter) refill() {
	m.left = min(m.rest, stepsAtOnce)
	m.rest -= m.left
	if m.left--; m.left < 0 || closed(m.done) {
		panic(errBudget{})
	}
}

// closed reports whether nobody waits for the answer any more.
func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// errBudget is panicked with by operations of decision diagrams and recovered from by those who set the budget.
type errBudget struct{}

// recoverBudget makes a spent budget an answer.
func recoverBudget(ok *bool) {
	if p := recover(); p != nil {
		if _, budget := p.(errBudget); !budget {
			panic(p)
		}
		*ok = false
	}
}
