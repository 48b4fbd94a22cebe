package component

// Trouble is the attribute of an established BGP session that says what is wrong with it: one of the words below.
const Trouble = "trouble"

// The troubles of established sessions.
const (
	TroubleSilent   = "silent"   // brings no prefix any more
	TroubleLow      = "low"      // brings far fewer than usual
	TroubleFlapping = "flapping" // goes down and comes back
	TroubleLimit    = "limit"    // near the most that its router takes
)
