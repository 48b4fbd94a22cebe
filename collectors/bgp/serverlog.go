package bgp

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"

	"github.com/osrg/gobgp/v3/pkg/log"

	"github.com/sparewatch/sparewatch/pkg/paths"
)

// serverLog hears what GoBGP logs: the only place where it says why a session failed. What counts is said once, in words
// of ours; the rest is dropped.
type serverLog struct {
	said *said

	mu      sync.Mutex
	why     map[netip.Addr]down
	refused uint64 // connections of strangers
	// changed is called when there is something new to say of why a neighbour's session is down.
	changed func(neighbour netip.Addr)
}

// down is why a neighbour's session ended, or did not come to be.
type down struct{ reason paths.Reason }

// reason is why the session with a neighbour is down.
func (l *serverLog) reason(a netip.Addr) paths.Reason {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why[a].reason
}

// because notes why a session is about to be shut by ourselves.
func (l *serverLog) because(a netip.Addr, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.why[a] = down{paths.Reason{Text: why}}
}

func (l *serverLog) event(level slog.Level, msg string, f log.Fields) {
	key, _ := f["Key"].(string)
	a, err := netip.ParseAddr(key)
	if err != nil {
		l.other(level, msg, f)
		return
	}
	a = a.Unmap()
	r, ok := reasonOf(msg, f)
	if !ok {
		return
	}
	l.mu.Lock()
	was := l.why[a].reason
	// "Peer Down" comes last and says less than the notification before it.
	if says := msg != "OPEN refused" && (msg != "Peer Down" || !strings.HasPrefix(fmt.Sprint(f["Reason"]), "notification")); says || was.Text == "" {
		l.why[a] = down{r}
	}
	news := l.why[a].reason != was
	l.mu.Unlock()
	if news && l.changed != nil {
		l.changed(a)
	}
	if msg == "sent notification" || msg == "received notification" {
		l.said.once(slog.LevelWarn, "notification "+a.String(), "BGP with a neighbour fails: "+r.Text, "neighbour", a)
	}
}

// other says what is no neighbour's: a stranger that connects, an address that cannot be listened on.
func (l *serverLog) other(level slog.Level, msg string, f log.Fields) {
	if level >= slog.LevelWarn && !strings.HasPrefix(msg, "cannot set TTL") { // of a listener: kernels refuse that, and it does not matter
		l.said.once(level, "speaker "+msg, "the BGP speaker says: "+msg, "details", fmt.Sprint(map[string]any(f)))
	}
}

// reasonOf reads why a session failed from one line of GoBGP's log; ok is false where the line says nothing of that.
func reasonOf(msg string, f log.Fields) (r paths.Reason, ok bool) {
	switch msg {
	case "received notification":
		r.Text = "the neighbour closed it: " + notification(f)
		code, sub := number(f["Code"]), number(f["Subcode"])
		r.Admin = code == 6 && (sub == 2 || sub == 3)
	case "sent notification":
		if data := fmt.Sprint(f["Data"]); strings.Contains(data, "as number mismatch") {
			r.Text = "the neighbour's AS is another one than configured: " + asMismatch(data)
		} else {
			if number(f["Code"]) == 6 && number(f["Subcode"]) == 2 {
				return r, false // it was us, and we said why
			}
			r.Text = "we closed it: " + notification(f)
		}
	case "hold timer expired":
		r.Text = "nothing came from the neighbour any more: the hold timer expired"
	case "OPEN refused":
		r.Text = "the neighbour refused our OPEN, or ours was answered by none: see which AS it expects of us"
	case "failed to set md5":
		r.Text = fmt.Sprintf("the kernel takes no password for it: %v", f["Err"])
	case "Peer Down":
		if f["Reason"] == "admin-down" {
			return r, false // it was us, and we said why
		}
		r.Text = downWords(fmt.Sprint(f["Reason"]))
	case "Session will be reset due to malformed BGP Header", "Session will be reset due to malformed BGP message", "Session will be reset due to malformed BGP update message":
		what := f["Error"]
		if what == nil {
			what = f["error"]
		}
		r.Text = fmt.Sprintf("the neighbour sent a malformed message: %v", what)
	case "Mismatched local address":
		r.Text = fmt.Sprintf("the neighbour connects to %v, the speaker listens on %v", f["Addr"], f["Configured addr"])
	case "Can't find configuration for a new passive connection":
		r.Text = "somebody who is no configured neighbour connects"
	default:
		return r, false
	}
	return r, true
}

// asMismatch turns GoBGP's words into ours: "as number mismatch expected 65011, received 65099".
func asMismatch(data string) string {
	var want, got uint32
	if i := strings.Index(data, "expected"); i >= 0 {
		if n, _ := fmt.Sscanf(data[i:], "expected %d, received %d", &want, &got); n == 2 {
			return fmt.Sprintf("it says AS%d, the configuration AS%d", got, want)
		}
	}
	return data
}

func downWords(reason string) string {
	switch {
	case reason == "read-failed", reason == "write-failed":
		return "the connection broke"
	case reason == "hold-timer-expired":
		return "nothing came from the neighbour any more: the hold timer expired"
	}
	return strings.ReplaceAll(reason, "-", " ")
}

func number(v any) int {
	switch v := v.(type) {
	case uint8:
		return int(v)
	case int:
		return v
	}
	return -1
}

// notifications are the errors of RFC 4271 section 4.5, and of RFC 4486 for code 6, by code and subcode.
var notifications = map[[2]int]string{
	{2, 1}: "unsupported version", {2, 2}: "bad peer AS: it expects another AS of us", {2, 3}: "bad BGP identifier", {2, 4}: "unsupported optional parameter",
	{2, 5}: "authentication failure", {2, 6}: "unacceptable hold time", {2, 7}: "unsupported capability",
	{6, 1}: "maximum number of prefixes reached", {6, 2}: "administrative shutdown", {6, 3}: "peer de-configured", {6, 4}: "administrative reset",
	{6, 5}: "connection rejected", {6, 6}: "other configuration change", {6, 7}: "connection collision", {6, 8}: "out of resources", {6, 9}: "hard reset", {6, 10}: "BFD down",
}

var errorCodes = map[int]string{1: "message header error", 2: "OPEN message error", 3: "UPDATE message error", 4: "hold timer expired", 5: "finite state machine error", 6: "cease", 7: "ROUTE-REFRESH message error"}

func notification(f log.Fields) string {
	code, sub := number(f["Code"]), number(f["Subcode"])
	text, ok := notifications[[2]int{code, sub}]
	if !ok {
		if text, ok = errorCodes[code]; !ok {
			return fmt.Sprint(f["Data"])
		}
		if sub > 0 {
			text += fmt.Sprintf(" (subcode %d)", sub)
		}
	}
	if c, _ := f["Communicated-Reason"].(string); c != "" {
		text += fmt.Sprintf(": %q", c)
	}
	return text
}

// Panic and Fatal are what GoBGP calls where it cannot go on; we can.
func (l *serverLog) Panic(msg string, f log.Fields) { l.event(slog.LevelError, msg, f) }

// Fatal is as Panic.
func (l *serverLog) Fatal(msg string, f log.Fields) { l.event(slog.LevelError, msg, f) }

func (l *serverLog) Error(msg string, f log.Fields) { l.event(slog.LevelError, msg, f) }

// Warn, Info and Debug are log.Logger's.
func (l *serverLog) Warn(msg string, f log.Fields) { l.event(slog.LevelWarn, msg, f) }

// Info says what a session's end was about.
func (l *serverLog) Info(msg string, f log.Fields) {
	if msg == "Can't find configuration for a new passive connection" {
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
		l.said.once(slog.LevelWarn, fmt.Sprintf("stranger %v", f["Key"]), "somebody who is no configured neighbour connects to the BGP speaker, and is refused", "address", f["Key"])
		return
	}
	l.event(slog.LevelInfo, msg, f)
}

// Debug shows what is said nowhere else: that an OPEN of ours was refused.
func (l *serverLog) Debug(msg string, f log.Fields) {
	if msg == "state changed" && f["new"] == "BGP_FSM_IDLE" && (f["old"] == "BGP_FSM_OPENSENT" || f["old"] == "BGP_FSM_OPENCONFIRM") {
		l.event(slog.LevelDebug, "OPEN refused", f)
	}
}

// SetLevel does nothing: what is said is decided here.
func (l *serverLog) SetLevel(log.LogLevel) {}

// GetLevel keeps GoBGP from making what would be dropped.
func (l *serverLog) GetLevel() log.LogLevel { return log.InfoLevel }

var _ log.Logger = (*serverLog)(nil)
