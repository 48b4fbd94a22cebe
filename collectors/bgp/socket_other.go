//go:build !linux

package bgp

import (
	"errors"
	"net/netip"
)

// setPassword, setTTL and setLeastTTL are for Linux alone: elsewhere sessions have no password and are not tied to a
// link.
func setPassword(_ uintptr, _ netip.Addr, password string) error {
	if password == "" {
		return nil
	}
	return errors.ErrUnsupported
}

func setTTL(uintptr, bool) error { return nil }

func setLeastTTL(_ uintptr, _ bool, least int) error {
	if least == 0 {
		return nil
	}
	return errors.ErrUnsupported
}
