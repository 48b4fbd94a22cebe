package mibs

import (
	"regexp"
	"slices"
)

// Profile says what one family of devices means by its objects. It is checked: every name in it is resolved, so that
// whoever reads a device by it follows numbers, not words.
type Profile struct {
	Name     string
	Title    string
	Class    string // one of Classes
	Source   string // the MIB and whatever else its facts were taken from
	File     string
	Line     int
	Priority int
	// Standard profiles speak of no vendor. They are read after all others, add to what those said, and never
	// contradict it.
	Standard bool
	Matches  []Match // one of them must hold
	Replaces []string

	Scalars    []Object
	Tables     []Table
	Devices    []Device
	Components []Component
	Groups     []Group
}

// Classes are the sorts of device that a profile can be for.
func Classes() []string {
	return []string{"pdu", "ups", "ats", "dc", "network", "server", "storage", "cooling", "standard"}
}

// Match is one way of knowing a device; every field that is set must hold.
type Match struct {
	SysObjectID []string       // prefixes: one must hold
	SysDescr    *regexp.Regexp // nil: anything
	Present     []string       // OIDs (of an object, a column or a subtree): each must have something at or under it
	Absent      []string       // none of them may
}

// Object is a scalar's instance (with its ".0") or a column, by the name it has in its MIB.
type Object struct {
	Name string
	OID  string // no leading dot
	Fast bool   // can change from minute to minute: read by every poll
}

// Table is a set of columns with one index.
type Table struct {
	Name    string
	Columns []Object
	Rows    []int // columns that make a row; empty: any
	Joins   []Join
}

// Join leads from a row to one row of another table.
type Join struct {
	Name  string
	Table int
	// One of the following is set.
	Index   *Template // the other row's index
	Column  int       // Value is looked up in this column of the other table
	Value   Text
	Pointer *Ref // a RowPointer: an OID of a column of the other table, with its index
	// Up climbs from the row through Column, which holds the parent's index, to the nearest row where Where holds.
	Up    *Ref
	Where Pred
	// Down finds the first row of the other table whose Down column holds this row's index and where Where holds.
	Down *Ref
}

// Ref names a value: of a scalar, of a column in the row or in a row joined to it, or of a part of the index.
type Ref struct {
	From Origin
	Path []int // joins to follow first, each by its number in its table
	Item int   // number of the scalar, of the column, or of the builtin
	Part int   // of the index: 0 whole, n the nth sub-identifier, -n the nth from the end
	Name string
}

// Origin is where a Ref's value comes from.
type Origin uint8

// The origins.
const (
	FromColumn Origin = iota
	FromScalar
	FromIndex     // dotted, or one number
	FromIndexText // the index as characters; a leading length is left out
	FromSystem    // Item: 0 sysObjectID, 1 sysDescr, 2 sysName
	FromRow       // Item: the row's number among the table's rows, from 1
)

// Template is text with values in it. It yields nothing when one of its values is missing.
type Template struct {
	Parts []Part
}

// Part is a piece of a template: literal text, or a value behind filters.
type Part struct {
	Literal  string
	Ref      *Ref
	Filters  []Filter
	Optional bool // may be missing
}

// Many reports whether the part stands for several texts, where several may be named.
func (p Part) Many() bool {
	return p.Ref != nil && slices.ContainsFunc(p.Filters, func(f Filter) bool { return f.Op == "octets" || f.Op == "each" })
}

// Filter changes a value on its way into a text.
type Filter struct {
	Op string // slot, number, lower, upper, trim, hex, text, octets, each, re, add
	Re *regexp.Regexp
	N  int64
}

// Text is a list of ways to come by a text; the first that yields something wins.
type Text []TextItem

// TextItem is a template, or a value looked up in a map.
type TextItem struct {
	Template *Template
	Map      map[string]string // of Template's text
	Default  string            // where the map has no entry; "" yields nothing
	When     Pred
}

// Pred holds when all of its tests hold. The zero value always holds.
type Pred struct {
	Tests []Test
	Not   []Pred // none of them may hold
	Any   []Pred // one of them must, where there are some
}

// Test compares one value.
type Test struct {
	Ref    Ref
	Op     string   // is, in, !=, >, <, >=, <=, &, bit, re, exists, missing
	Words  []string // is, in, !=
	Number float64
	DBm    float64 // of Ref's value, a level in so many dBm, which becomes milliwatts before it is scaled and compared by size; 0: no level
	Scale  float64 // of Ref's value, before it is compared by size; 0: 1
	Other  *Ref    // compared with instead of Number or Words
	Re     *regexp.Regexp
}

// State is what a value means for a component or for a claim.
type State struct {
	Word  string   // a condition or a claim state; "none" says nothing; "drop" means that there is no such component
	Flags []string // predicted, standby, input_lost, rebuilding, on_battery, bypass, off
	Label string   // the value's name in its MIB
}

// Rule turns values into a State. Leaf rules have Mode Leaf; the others combine Rules.
type Rule struct {
	Mode  Mode
	Rules []Rule
	When  Pred

	Of      *Ref
	Map     map[string]State
	Texts   []TextState
	Masks   []BitState // of a number, by mask
	Bits    []BitState // of a BITS string, by position from 0, first octet's highest bit first (RFC 2578 section 7.1.4)
	Chars   []BitState // of a string of '0' and '1', by position from 1
	Zero    *State     // where no listed bit is set
	Ignored uint64     // masks and positions below 64 that say nothing of the condition
	Compare *Test
	Is      *State // with Compare: when it holds; alone: always
	Else    *State // with Compare: when it does not hold
	Default *State // for a value that is not listed; nil: unknown, with the value
	Missing *State // where the device has no such value; nil: nothing said
	Why     *Template
}

// Mode says how a rule comes to its state.
type Mode uint8

// The modes.
const (
	Leaf  Mode = iota
	First      // the first of Rules that says something
	Worst      // the worst of Rules, with all their flags
)

// TextState is a state for values that match.
type TextState struct {
	Re    *regexp.Regexp
	State State
}

// BitState is a state for a set bit.
type BitState struct {
	Bit   uint64 // mask or position
	State State
}

// Number is a value with its scale: (raw + each of Plus) * Scale * ScaleBy / 10^Digits + Offset.
type Number struct {
	Const   *float64
	Of      *Ref
	Extract *regexp.Regexp // finds the number in a text
	Plus    []Ref          // added as far as they are there
	Scale   float64
	ScaleBy *ScaleMap
	Digits  *Ref
	Offset  float64
	None    []float64 // raw values that mean "not known"
	Min     *float64  // of the scaled value; beyond it is "not known"
	Max     *float64
	Where   Pred
}

// ScaleMap is a factor looked up by another value.
type ScaleMap struct {
	Of  Ref
	Map map[string]float64 // nil: the value itself is the factor
}

// Device is the identity, from scalars or from the first row of Table where Where holds.
type Device struct {
	Table int // -1: scalars
	Where Pred

	Vendor, Model, Serial, Firmware, Hostname, UUID Text
}

// Component is a rule that makes components: one for each row of Table where Where holds, or one from scalars.
type Component struct {
	File      string
	Line      int
	Kind      Text
	Table     int // -1: from scalars
	Where     Pred
	Otherwise bool     // only for rows of which no earlier rule of this profile made anything
	Unless    []Target // nothing is made where one of them exists already
	Extends   []Target // adds to the first that exists; makes nothing
	Merge     bool     // rows with the same id are one component
	Listed    bool     // attributes in which such rows differ are listed, not the first alone
	Named     bool     // only components that the configuration names
	Exact     bool     // the id is a name, and not the number in it

	ID         Text
	Name       Text
	Aliases    []Text
	Condition  *Rule
	HotSwap    *Rule // words yes and no
	Rating     map[string]Number
	Readings   []Reading
	Attributes []Attribute
	FedBy      []Relation
	Feeds      []Relation
	CarriedBy  []Relation
	Carries    []Relation
	CooledBy   []Relation
	In         []Relation
	Groups     []Text
}

// Kinds are the kinds of which the rule may make something, as far as they are written in it.
func (c *Component) Kinds() []string {
	var out []string
	for _, alt := range c.Kind {
		if t := alt.Template; t != nil && alt.Map == nil && len(t.Parts) == 1 && t.Parts[0].Ref == nil {
			out = append(out, t.Parts[0].Literal)
		}
		for _, kind := range alt.Map {
			out = append(out, kind)
		}
		if alt.Default != "" {
			out = append(out, alt.Default)
		}
	}
	return out
}

// Relation is one link: to the first target that exists, or to all of them.
type Relation struct {
	Targets []Target
	When    Pred
}

// Target names components: by kind and id ("*" for all of a kind), or as whatever was made of a joined row.
type Target struct {
	Kind  string
	ID    *Template
	All   bool
	Where string // attribute=value that members must have; "" for all
	Row   bool   // the id is a row's alias, and no short form of another
	Path  []int  // joins; the components of that row
}

// Attribute is a named text.
type Attribute struct {
	Key  string
	Text Text
}

// Reading is a measured quantity.
type Reading struct {
	Name  Text
	Unit  Text
	Phase Text
	Value Number
	Slow  bool // read with the inventory only
}

// Group is a rule that makes claims: one for each row of Table, or one from scalars.
type Group struct {
	File     string
	Line     int
	Table    int
	Where    Pred
	Unless   []Target
	ID       Text
	Kind     string
	Members  []Target
	Overlap  bool // claims with members in common become one
	State    *Rule
	Needed   *Number
	Designed *Number
	Spares   *Number // how many members may fail; with those that work it tells how many are needed
	RAID     Text
	Carries  []Target
	Raw      []Ref
	Why      Text
}
