package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/sparewatch/sparewatch/mibs"
	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/term"
)

type profileCmd struct {
	Test profileTestCmd `cmd:"" help:"Read a recording by a file of profiles: every mistake with file and line, or what a device would be seen as."`
}

type profileTestCmd struct {
	File    string `arg:"" help:"A file of SNMP profiles (mibs/README.md says how they are written)."`
	Against string `help:"A recording of the device: .snmprec or .snmpwalk; capture makes one." required:"" placeholder:"RECORDING"`
	JSON    bool   `help:"Print one JSON object, as inspect does."`
	All     bool   `help:"Sum nothing up."`
}

// Run prints what the file makes of the recording. The news are bad when it has mistakes, does not match, or leaves
// anything unknown; that a part has failed is none of the profile's.
func (c *profileTestCmd) Run() error {
	t, err := app.TryProfile(c.File, c.Against)
	var mistake *mibs.Error
	if errors.As(err, &mistake) {
		fmt.Fprintln(os.Stderr, err) // each line begins with its file and line
		return answered(api.BadNews)
	}
	if err != nil {
		return err
	}
	if err := show(t.Inspection, c.JSON, c.All, func(p *term.Printer) { p.Trial(t) }); err != nil {
		return err
	}
	if !t.Matches() {
		fmt.Fprintf(os.Stderr, "sparewatch: no profile of %s matches this device; see \"match\" in mibs/README.md\n", c.File)
		return answered(api.BadNews)
	}
	if parts, groups := t.Inspection.Unknown(); parts+groups+len(t.Inspection.Errors) > 0 || len(t.Inspection.Components) == 0 {
		return answered(api.BadNews)
	}
	return nil
}
