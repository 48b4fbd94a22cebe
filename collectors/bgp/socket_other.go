//go:build !linux

package bgp

import (
	"errors"
	"net/netip"
)

// setPassword, setHops and setLeastHops are for Linux alone: elsewhere sessions have no password and are not tied to a
// link.
func setPassword(_ uintptr, _ netip.Addr, password string) error {
	if password == "" {
		return nil
	}
	return errors.ErrUnsupported
}

func setHops(uintptr, bool) error { return nil }

func setLeastHops(uintptr, bool, int) error { return errors.ErrUnsupported }
