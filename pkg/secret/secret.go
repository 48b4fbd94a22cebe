// Package secret gives a string that cannot be printed by accident.
package secret

// Text is a password, community or key. Every way of formatting or marshalling it yields "<secret>"; Reveal gives
// the text to the one place that sends it to a device.
type Text struct{ s string }

// New wraps s.
func New(s string) Text { return Text{s} }

// Reveal returns the text itself.
func (t Text) Reveal() string { return t.s }

// Set reports whether there is any text.
func (t Text) Set() bool { return t.s != "" }

func (t Text) String() string { return "<secret>" }

// GoString keeps %#v from printing the text.
func (t Text) GoString() string { return "<secret>" }

// MarshalText keeps encoders from writing the text.
func (t Text) MarshalText() ([]byte, error) { return []byte("<secret>"), nil }
