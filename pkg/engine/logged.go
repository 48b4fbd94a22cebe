package engine

import (
	"strings"

	"github.com/sparewatch/sparewatch/pkg/component"
	"github.com/sparewatch/sparewatch/pkg/state"
)

// logged is what the device's own log tells of a part. It is evidence, and old news where the part is well.
func logged(p *state.Part) []string {
	log := p.Attributes[component.EventLog]
	if log == "" {
		return nil
	}
	lines := strings.Split(log, "\n")
	for i := range lines {
		lines[i] = "its log, " + lines[i]
	}
	return lines
}
