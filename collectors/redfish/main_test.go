package redfish

import (
	"testing"

	"go.uber.org/goleak"
)

// No test leaves a goroutine behind: not of a poll, a stream, a subscription or a connection.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
