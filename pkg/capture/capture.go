// Package capture records a live device, with pseudonyms in the place of what is private, in the forms that pkg/recording
// reads.
//
//	sum, err := capture.Device(ctx, target, file)
//
// It reads everything that the device offers and that may be read without harm: an SNMP agent's whole tree, a Redfish
// service's resources but for those that hold nothing of use or that restart a BMC when they are read. It writes
// nothing to the device. It knows no device's meaning; what makes a recording useful is that nobody chose what was in it.
package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/sparewatch/sparewatch/collectors"
	"github.com/sparewatch/sparewatch/pkg/recording"
)

// Summary says what a recording holds, and what it doesn't.
type Summary struct {
	Format   recording.Format
	Items    int // objects or resources that were written
	Requests int
	// Missing is what the device did not give: an OID or a path, and why. The recording is good without it.
	Missing []Missing
	// LeftOut is how many resources were not asked for, because they hold nothing of use or are not safe to read.
	LeftOut int
}

// Missing is one thing that the device did not give.
type Missing struct {
	At  string
	Err error
}

// What a capture may cost. A whole device is more than a poll: a switch's tree has a hundred thousand objects.
const (
	maxItems   = 500_000
	maxBytes   = 512 << 20
	maxMissing = 200 // then the device is not worth going on with
	maxInARow  = 3   // of requests without an answer
)

// Device reads the device at target's URL (snmp, redfish or redfish+http) and writes its recording to w. Nothing is
// written where the device gives nothing.
func Device(ctx context.Context, target collectors.Target, w io.Writer) (Summary, error) {
	u, err := url.Parse(target.URL)
	if err != nil || u.Hostname() == "" {
		return Summary{}, errors.New("the URL cannot be read: write snmp://host[:port] or redfish://host[:port]")
	}
	scrub := recording.NewScrubber()
	private(scrub, u, target.Credentials)
	switch u.Scheme {
	case "snmp":
		return captureSNMP(ctx, u, target, scrub, w)
	case "redfish", "redfish+http":
		return captureRedfish(ctx, u, target, scrub, w)
	}
	return Summary{}, fmt.Errorf("%s:// cannot be captured: write snmp://host[:port] or redfish://host[:port]", u.Scheme)
}

// private names to the scrubber what was used to reach the device.
func private(s *recording.Scrubber, u *url.URL, c collectors.Credentials) {
	s.Also(c.User, c.Password.Reveal(), c.Community.Reveal(), c.V3.User, c.V3.AuthKey.Reveal(), c.V3.PrivKey.Reveal(), c.V3.Context, u.User.Username())
	if net.ParseIP(u.Hostname()) == nil {
		s.Also(u.Hostname())
		short, _, _ := strings.Cut(u.Hostname(), ".")
		s.Also(short)
	}
}

func (s *Summary) miss(at string, err error) error {
	s.Missing = append(s.Missing, Missing{at, err})
	if len(s.Missing) >= maxMissing {
		return fmt.Errorf("gave up: %d things could not be read, the last %s: %w", len(s.Missing), at, err)
	}
	return nil
}
