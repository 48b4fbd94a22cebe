package main

import (
	"context"
	"fmt"
	"os"

	"github.com/sparewatch/sparewatch/pkg/lab"
)

type replayCmd struct {
	File   string `arg:"" help:"A recording: .snmprec, .snmpwalk, or a Redfish bundle in JSON." type:"existingfile"`
	Listen string `help:"Address to listen on; port 0 is any free one." default:"127.0.0.1:0"`
}

// Run serves the recording until it is interrupted.
func (c *replayCmd) Run(ctx context.Context) error {
	r, err := lab.Replay(c.File, c.Listen)
	if err != nil {
		return err
	}
	fmt.Println(r.URL)
	fmt.Println(r.Command)
	if n := len(r.Problems); n > 0 {
		fmt.Fprintf(os.Stderr, "sparewatch: %d lines of the recording cannot be read and are not served; the first: %v\n", n, r.Problems[0])
	}
	<-ctx.Done()
	return r.Stop()
}
